/** The part of the contract of DistributedDataManager that is about what outlives a leader: incomplete sections, pauses, adopted documents. */
import { expect, it } from 'vitest';
import type { DistributedDataManager, ExportedSection } from '../../src/manager/distributed-data-manager.ts';
import type { SourceIdentity } from '../../src/model/table.ts';
import type { HeartbeatMessage, ResetMessage } from '../../src/wire/messages.ts';
import { batch, codeOf, live, type ManagerBench, S, upsert } from './distributed-data-manager-rows.ts';

const SOURCE: SourceIdentity = {
  serviceBrokerGuid: 'g',
  database: 'd',
  objectId: 7,
  beginVersion: '1',
  fingerprint: 'f',
  recorded: { serverName: 's', databaseId: 5, createDate: '2026-01-01' },
};

const STILL = { state: 'live', newEpoch: false, reset: null, advance: {} } as const;

export function holdsContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  const lastMessage = async <T>(): Promise<T> => JSON.parse((await given().bench.messages()).at(-1) ?? '') as T;

  it('a section that lacks rows claims no upTo, says so in heartbeats, and is kept from readers of format 1', async () => {
    const { manager } = given();
    await live(manager, 5n);
    const meta = await manager.transition(S, { ...STILL, incomplete: { reason: 'skipped', since: 9n }, advance: { checkpoint: 9n } });
    expect(meta).toMatchObject({ format: 2, upTo: null, checkpoint: 9n, incomplete: { reason: 'skipped', since: 9n } });
    await manager.heartbeat(S, { believed: { checkpoint: 9n, confirmed: 5n }, advance: {}, intervalMs: 5000 });
    expect(await lastMessage<HeartbeatMessage>()).toMatchObject({ upTo: null, incomplete: 'skipped', paused: null });
    await manager.publish(batch([upsert('1', '10', null)], { checkpoint: 10n }));
    expect(await manager.readMeta(S)).toMatchObject({ upTo: null, incomplete: { since: 9n } });
    const whole = await manager.transition(S, { ...STILL, incomplete: null, advance: { upTo: 10n } });
    expect(whole).toMatchObject({ format: 1, upTo: 10n, incomplete: null });
  });

  it('a pause is stored until it is taken back, whoever leads meanwhile', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.transition(S, { ...STILL, paused: { what: 'load', who: 'ann', atMs: 7 } });
    await manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 5000 });
    expect(await lastMessage<HeartbeatMessage>()).toMatchObject({ paused: 'load', incomplete: null });
    await manager.resign(S);
    const other = bench.manager();
    expect(await other.lead(S)).toMatchObject({ meta: { paused: { what: 'load', who: 'ann', atMs: 7 } } });
    expect(await other.transition(S, { ...STILL, paused: null })).toMatchObject({ paused: null, upTo: 1n, seq: 1 });
  });

  it('a mark rides on whatever is sent, with the position or without it, and outlives leads and new epochs', async () => {
    const { bench, manager } = given();
    await live(manager);
    expect(await manager.readMeta(S)).toMatchObject({ mark: null });
    await manager.publish(batch([upsert('1', '5', null)], { mark: 7n }));
    expect(await manager.readMeta(S)).toMatchObject({ mark: 7n, checkpoint: 1n });
    await manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: { mark: 8n }, intervalMs: 5000 });
    await manager.store(batch([upsert('2', '5', null)], { checkpoint: 5n }));
    expect(await manager.readMeta(S)).toMatchObject({ mark: 8n, checkpoint: 5n });
    const begun = { state: 'loading', newEpoch: true, reset: { phase: 'begin', reason: 'r' } } as const;
    expect(await manager.transition(S, { ...begun, advance: { mark: 9_007_199_254_740_993n } })).toMatchObject({
      mark: 9_007_199_254_740_993n,
    });
    await manager.resign(S);
    expect(await bench.manager().lead(S)).toMatchObject({ meta: { mark: 9_007_199_254_740_993n } });
  });

  const exportOf = async (manager: DistributedDataManager): Promise<ExportedSection> => {
    const meta = await manager.readMeta(S);
    return { ...meta!, source: SOURCE };
  };

  /** Documents without their meta, as a copy of them has none, and what was exported with them. */
  const moved = async (): Promise<ExportedSection> => {
    const { bench, manager } = given();
    await live(manager);
    await manager.publish(
      batch([upsert('1', '5', null), upsert('a', '6', null, 'A')], { checkpoint: 6n, upTo: 6n, confirmed: 5n, high: 6n }),
    );
    const exported = await exportOf(manager);
    await manager.resign(S);
    await bench.deleteMeta(S);
    return exported;
  };

  it('documents that are there are given the position that was exported with them, under a new epoch', async () => {
    const { bench } = given();
    const exported = await moved();
    const before = await bench.state(S);
    const manager = bench.manager();
    const result = await manager.adopt(S, exported, { replace: false });
    expect(result).toMatchObject({
      kind: 'adopted',
      meta: {
        state: 'live',
        checkpoint: 6n,
        confirmed: 5n,
        upTo: 6n,
        high: 6n,
        seq: exported.seq + 1,
        count: 2,
        source: SOURCE,
        leader: '',
      },
    });
    const after = await bench.state(S);
    expect(after.documents).toEqual(before.documents);
    expect(after.index).toEqual(before.index);
    const led = await manager.lead(S);
    expect(led).toMatchObject({ kind: 'leading', created: false, meta: { digest: exported.digest, pending: false } });
    expect(await lastMessage<ResetMessage>()).toMatchObject({ type: 'reset', phase: 'end', reason: 'checkpoint imported', state: 'live' });
    await manager.publish(batch([upsert('1', '7', '5')], { checkpoint: 7n }));
  });

  it('documents that are not those of the export are not adopted, and nothing is written', async () => {
    const { bench } = given();
    const exported = await moved();
    const manager = bench.manager();
    await bench.setIndexEntry(S, '1', '9');
    const before = await bench.state(S);
    expect(await manager.adopt(S, exported, { replace: false })).toEqual({ kind: 'differs', documents: 2, missing: 0 });
    await bench.setIndexEntry(S, '1', '5');
    await bench.deleteDocument(S, 'A');
    expect(await manager.adopt(S, exported, { replace: false })).toEqual({ kind: 'differs', documents: 2, missing: 1 });
    expect(await manager.readMeta(S)).toBeNull();
    expect((await bench.state(S)).changes).toEqual(before.changes);
  });

  it('documents that were made by another projection since are not adopted, though their versions are the same', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null)], { checkpoint: 5n, upTo: 5n }));
    const exported = await exportOf(manager);
    await manager.transition(S, {
      state: 'loading',
      newEpoch: true,
      reset: { phase: 'begin', reason: 'another hash key' },
      advance: { checkpoint: 5n },
      source: { ...SOURCE, fingerprint: 'another' },
    });
    await manager.store(batch([upsert('1', '5', '5')], {}));
    await manager.resign(S);
    const before = await bench.state(S);
    const other = bench.manager();
    expect(await other.adopt(S, exported, { replace: true })).toEqual({ kind: 'differs', documents: 1, missing: 0 });
    expect(await bench.state(S)).toEqual(before);
  });

  it('nothing is adopted over a section that lives unless it is replaced, and never under a leader', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null)], { checkpoint: 5n, upTo: 5n }));
    const exported = await exportOf(manager);
    const other = bench.manager();
    expect(await other.adopt(S, exported, { replace: false })).toEqual({ kind: 'living' });
    expect(await other.adopt(S, exported, { replace: true })).toMatchObject({ kind: 'held', by: manager.managerId });
    await manager.resign(S);
    expect(await other.adopt(S, { ...exported, seq: 1, checkpoint: 4n }, { replace: true })).toMatchObject({
      kind: 'adopted',
      meta: { checkpoint: 4n, seq: exported.seq + 1 },
    });
    await bench.setMeta(S, 'pending', 'purge');
    expect(await codeOf(other.adopt(S, exported, { replace: true }))).toBe('PW-M307');
  });
}
