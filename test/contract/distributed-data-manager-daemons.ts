/** The part of the contract of DistributedDataManager that is about the partition: which daemons are alive, and who holds which lease. */
import { expect, it } from 'vitest';
import type { DaemonAnnouncement } from '../../src/manager/daemon-registry.ts';
import type { DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { live, type ManagerBench, S } from './distributed-data-manager-rows.ts';

const LONG = { ttlMs: 60_000 };

function saying(changes: Partial<DaemonAnnouncement> = {}): DaemonAnnouncement {
  const base = { host: 'h', pid: 7, version: '1.2.3', startedAtMs: 5, sections: ['a', S], led: {}, busy: [], unable: [] };
  return { ...base, ...changes };
}

export function daemonsContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  it('daemons hear of each other, and of what each says', async () => {
    const { bench, manager } = given();
    expect(await manager.daemons.view()).toMatchObject({ revision: '', daemons: [] });
    expect(await manager.daemons.revision()).toBe('');
    const other = bench.manager();
    const first = await manager.daemons.announce(saying(), LONG);
    expect(first.daemons.map(({ id }) => id)).toEqual([manager.managerId]);
    const led = saying({ host: 'i "}]', pid: 8, led: { [S]: 17 }, busy: [S], unable: ['a'] });
    const { daemons, nowMs } = await other.daemons.announce(led, LONG);
    expect(daemons.map(({ id }) => id).toSorted()).toEqual([manager.managerId, other.managerId].toSorted());
    const told = daemons.find(({ id }) => id === other.managerId);
    expect(told).toEqual({ ...led, id: other.managerId, format: 2, seenAtMs: nowMs });
    expect((await manager.daemons.view()).daemons).toEqual(daemons);
  });

  it('the revision changes when somebody says something new, joins or leaves, and not otherwise', async () => {
    const { bench, manager } = given();
    const other = bench.manager();
    const seen: string[] = [];
    const look = async (): Promise<void> => void seen.push(await manager.daemons.revision());
    await manager.daemons.announce(saying(), LONG);
    await look();
    await manager.daemons.announce(saying(), LONG);
    await look();
    await other.daemons.announce(saying(), LONG);
    await look();
    expect((await other.daemons.announce(saying({ led: { a: 1 } }), LONG)).revision).toBe(await manager.daemons.revision());
    await look();
    await other.daemons.depart();
    await look();
    await other.daemons.depart();
    await look();
    const [one, same, joined, said, left, gone] = seen;
    expect(same).toBe(one);
    expect(gone).toBe(left);
    expect(new Set([one, joined, said, left]).size).toBe(4);
    expect((await manager.daemons.view()).daemons).toHaveLength(1);
  });

  it('who says nothing for its time is dead, is removed by the next who speaks, and may come back', async () => {
    const { bench, manager } = given();
    const other = bench.manager();
    await other.daemons.announce(saying(), { ttlMs: 1 });
    const before = await manager.daemons.revision();
    await expect.poll(async () => (await manager.daemons.view()).daemons, { timeout: 20_000 }).toEqual([]);
    expect(await manager.daemons.revision(), 'looking writes nothing').toBe(before);
    const { revision } = await manager.daemons.announce(saying(), LONG);
    expect(revision).not.toBe(before);
    expect((await other.daemons.announce(saying(), LONG)).daemons).toHaveLength(2);
    expect(await manager.daemons.revision(), 'whoever was dead has joined').not.toBe(revision);
  });

  it('leases are looked at without taking them', async () => {
    const { bench, manager } = given();
    await live(manager);
    const looking = bench.manager();
    const leases = await looking.daemons.leases([S, 'nobody']);
    expect(leases.get('nobody')).toBeNull();
    expect(leases.get(S)).toMatchObject({ by: manager.managerId });
    expect(leases.get(S)?.expiresInMs).toBeGreaterThan(0);
    expect(leases.get(S)?.expiresInMs).toBeLessThanOrEqual(60_000);
    await manager.resign(S);
    expect((await looking.daemons.leases([S])).get(S)).toBeNull();
  });
}
