/** The part of the contract of DistributedDataManager that is about operators' requests (L6). */
import { expect, it } from 'vitest';
import type { DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { codeOf, live, type ManagerBench, S } from './distributed-data-manager-rows.ts';

export function requestsContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  it('L6: requests wait until the leader answers, and operations tell how far they are', async () => {
    const { bench, manager } = given();
    await live(manager);
    const asking = bench.manager();
    const request = (id: string): Promise<void> => asking.request(S, { id, verb: 'reset', args: { to: '5' }, who: 'ann' });
    await request('a');
    await request('b');
    expect((await manager.pendingRequests(S)).map((one) => one.id)).toEqual(['a', 'b']);
    expect((await manager.pendingRequests(S))[0]).toEqual({ id: 'a', verb: 'reset', args: { to: '5' }, who: 'ann' });
    const running = { id: 'a', verb: 'reset', state: 'running', message: 'half', atMs: 5 } as const;
    await manager.progress(S, running);
    expect(await asking.operation(S, 'a')).toEqual(running);
    expect((await manager.pendingRequests(S)).map((one) => one.id)).toEqual(['b']);
    await manager.progress(S, { id: 'b', verb: 'reset', state: 'failed', message: 'no', atMs: 6, code: 'PW-M317' });
    expect(await asking.operation(S, 'b')).toMatchObject({ state: 'failed', code: 'PW-M317' });
    expect(await asking.operation(S, 'c')).toBeNull();
    // What this lead began and did not end comes again to the next.
    await manager.lead(S);
    expect((await manager.pendingRequests(S)).map((one) => one.id)).toEqual(['a']);
    await manager.progress(S, { ...running, state: 'done' });
    expect(await manager.pendingRequests(S)).toEqual([]);
  });

  it('L6: only a leader answers, and the last 200 operations stay', async () => {
    const { bench, manager } = given();
    await live(manager);
    const answer = (i: number): Promise<void> =>
      manager.progress(S, { id: `r${i}`, verb: 'poll', state: 'done', message: '', atMs: 1000 + i });
    for (let i = 0; i < 205; i += 1) {
      await answer(i);
    }
    expect(await manager.operation(S, 'r4')).toBeNull();
    expect(await manager.operation(S, 'r5')).not.toBeNull();
    await bench.expireLease(S);
    await bench.manager().lead(S);
    expect(await codeOf(answer(300))).toBe('PW-M305');
  });
}
