/** The part of the contract of DistributedDataManager that is about the channel of keys: the same chain, without bodies. */
import { expect, it } from 'vitest';
import type { DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { keysMessage, type Message, message } from '../../src/wire/messages.ts';
import { batch, live, type ManagerBench, removal, S, upsert } from './distributed-data-manager-rows.ts';

export function keysContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  const parsed = (texts: readonly string[]): Message[] => texts.map((text) => message.parse(JSON.parse(text)));

  /** Everything that can be told, in a history of two leaders and a purge. */
  async function history(bench: ManagerBench, first: DistributedDataManager): Promise<void> {
    await live(first);
    await first.publish(batch([upsert('1', '5', null), upsert('a', '5', null, 'A')], { checkpoint: 5n, upTo: 5n }));
    await first.publish(batch([removal('1', '5')]));
    const believed = { checkpoint: 5n, confirmed: 1n };
    await first.heartbeat(S, { believed, advance: { checkpoint: 6n, upTo: 6n }, intervalMs: 5000 });
    await first.store(batch([upsert('7', '6', null)]));
    await first.transition(S, { state: 'resyncing', newEpoch: false, reset: null, advance: {} });
    await first.transition(S, { state: 'live', newEpoch: true, reset: { phase: 'end', reason: 'test' }, advance: {} });
    const back = await bench.snapshot();
    await first.publish(batch([upsert('8', '7', null)]));
    await back();
    // Its own token and a tip that is not its last: Redis went back, and a reset says so.
    expect(await first.lead(S)).toMatchObject({ rewound: true });
    await first.purge(S, 'test');
  }

  it('keys are told on a channel of their own: every message of the other, with the same place in the chain, and no bodies', async () => {
    const { bench } = given();
    await history(bench, bench.manager({ invalidations: true }));
    const [whole, keys] = [parsed(await bench.messages()), parsed(await bench.keyMessages())];
    expect(new Set(whole.map(({ type }) => type))).toEqual(new Set(['reset', 'changes', 'heartbeat', 'removed']));
    const bodiless = whole.map((each) => {
      if (each.type !== 'changes' || each.changes.length === 0) {
        return each;
      }
      const changes = each.changes.map(({ patch: _patch, changeVersion: _version, ...change }) => change);
      return { ...each, type: 'keys', changes };
    });
    expect(keys).toEqual(bodiless);
    const [rows] = keys.filter(({ type }) => type === 'keys');
    expect(keysMessage.parse(rows).changes).toEqual([
      { dataKey: '1', op: 'upsert', versionId: '5', prevVersionId: null },
      { dataKey: 'A', identity: 'a', op: 'upsert', versionId: '5', prevVersionId: null },
    ]);
  });

  it('without invalidations nothing is told of keys, and meta says which it is: of whoever led last', async () => {
    const { bench, manager } = given();
    await history(bench, manager);
    expect(await bench.keyMessages()).toEqual([]);
    await live(manager);
    expect(await manager.readMeta(S)).toMatchObject({ keys: false });
    const other = bench.manager({ invalidations: true });
    await bench.expireLease(S);
    await other.lead(S);
    expect(await manager.readMeta(S)).toMatchObject({ keys: true });
    await bench.expireLease(S);
    await manager.lead(S);
    expect(await manager.readMeta(S)).toMatchObject({ keys: false });
  });
}
