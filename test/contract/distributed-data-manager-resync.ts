/** The part of the contract of DistributedDataManager that is about a resync: its states, what they say of upTo, and what heartbeats tell of it. */
import { expect, it } from 'vitest';
import type { DistributedDataManager, LoadCursor } from '../../src/manager/distributed-data-manager.ts';
import { type Message, message } from '../../src/wire/messages.ts';
import { batch, codeOf, live, type ManagerBench, S, upsert } from './distributed-data-manager-rows.ts';

const source = {
  serviceBrokerGuid: 'g',
  database: 'd',
  objectId: 5,
  beginVersion: '1',
  fingerprint: 'f1',
  recorded: { serverName: 's', databaseId: 7, createDate: 'c' },
};
const cursor: LoadCursor = { phase: 'sweep', after: null, rows: 3, estimate: 3, startedAtMs: 1, documents: 9, changed: 2, guarded: true };

export function resyncContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  const last = async (): Promise<Message | undefined> => message.parse(JSON.parse((await given().bench.messages()).at(-1) ?? 'null'));

  it('C1: into a resync and out of it a change message without changes goes, which tells the state', async () => {
    const { bench, manager } = given();
    await live(manager);
    const before = await manager.readMeta(S);
    const resyncing = await manager.transition(S, { state: 'resyncing', newEpoch: false, reset: null, advance: { cursor }, source });
    expect(resyncing).toMatchObject({ state: 'resyncing', seq: 2, epoch: before?.epoch, cursor, source, upTo: null });
    expect(await last()).toMatchObject({ type: 'changes', prevId: before?.last, state: 'resyncing', upTo: null, changes: [] });
    await manager.publish(batch([upsert('1', '5', null)], { checkpoint: 5n }));
    expect(await last()).toMatchObject({ type: 'changes', prevId: resyncing.last, upTo: null, seq: 3 });
    const ended = await manager.transition(S, { state: 'live', newEpoch: false, reset: null, advance: { cursor: null, upTo: 5n } });
    expect(ended).toMatchObject({ state: 'live', seq: 4, upTo: 5n, cursor: null, epoch: before?.epoch });
    expect(await last()).toMatchObject({ type: 'changes', state: 'live', upTo: '5', changes: [] });
    expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([1, 2, 3, 4]);
  });

  it('C1: a change of epoch, and one from or to loading, is told by a reset only', async () => {
    const { manager } = given();
    await live(manager);
    const before = await manager.readMeta(S);
    const silent = (state: 'live' | 'resyncing' | 'loading', newEpoch: boolean): Promise<unknown> =>
      manager.transition(S, { state, newEpoch, reset: null, advance: {} });
    expect(await codeOf(silent('live', true))).toBe('PW-I901');
    expect(await codeOf(silent('loading', false))).toBe('PW-I901');
    expect(await manager.readMeta(S)).toEqual(before);
    await manager.transition(S, { state: 'loading', newEpoch: false, reset: { phase: 'begin', reason: 'x' }, advance: {} });
    expect(await codeOf(silent('live', false))).toBe('PW-I901');
    expect(await codeOf(silent('resyncing', false))).toBe('PW-I901');
  });

  it('C7: a heartbeat tells the fingerprint of the projection, and how many documents a sweep that waits would remove', async () => {
    const { manager } = given();
    await live(manager);
    const held = { missing: 4, documents: 9, sinceMs: 7 };
    await manager.transition(S, { state: 'resyncing', newEpoch: false, reset: null, advance: { cursor: { ...cursor, held } }, source });
    const beat = async (): Promise<Message | undefined> => {
      await manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 5000 });
      return last();
    };
    expect(await beat()).toMatchObject({ type: 'heartbeat', state: 'resyncing', fingerprint: 'f1', sweepHeld: 4 });
    await manager.store(batch([], { cursor: { ...cursor, held: null } }));
    expect(await beat()).toMatchObject({ fingerprint: 'f1', sweepHeld: null });
  });

  it('a reset tells the fingerprint of the projection from the first one on that brings a source', async () => {
    const { manager } = given();
    await manager.lead(S);
    await manager.transition(S, { state: 'loading', newEpoch: false, reset: { phase: 'begin', reason: 'x' }, advance: {}, source });
    expect(await last()).toMatchObject({ type: 'reset', phase: 'begin', fingerprint: 'f1' });
    await manager.lead(S);
    await manager.transition(S, { state: 'live', newEpoch: false, reset: { phase: 'end', reason: 'y' }, advance: {} });
    expect(await last()).toMatchObject({ type: 'reset', phase: 'end', fingerprint: 'f1' });
  });

  it('C4: a section that was being resynced when Redis went back can be loaded at once', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.transition(S, { state: 'resyncing', newEpoch: false, reset: null, advance: { cursor }, source });
    const restore = await bench.snapshot();
    await manager.publish(batch([upsert('1', '5', null)]));
    await restore();
    expect(await manager.lead(S)).toMatchObject({ rewound: true, meta: { state: 'resyncing', cursor } });
    expect(await last()).toMatchObject({ type: 'reset', phase: 'end', state: 'resyncing' });
  });
}
