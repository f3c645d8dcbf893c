/** The part of the contract of DistributedDataManager that is about damage: documents that are gone, versions that somebody else wrote. */
import { expect, it } from 'vitest';
import type { DistributedDataManager } from '../../src/manager/distributed-data-manager.ts';
import { batch, digestOf, live, type ManagerBench, removal, S, upsert } from './distributed-data-manager-rows.ts';

export function damageContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  it('C8: an index entry without its document is a base without document, and is found by its entry', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null, 'B'), upsert('3', '5', null)]));
    const { entries } = await manager.scan(S, '0', 1000);
    expect(await manager.missing(S, entries)).toEqual([]);
    expect(await manager.missing(S, [])).toEqual([]);
    await bench.deleteDocument(S, 'B');
    await bench.deleteDocument(S, '3');
    const bases = await manager.bases(S, ['1', '2'], { documents: true });
    expect([...bases.keys()]).toEqual(['1', '2']);
    expect(bases.get('2')).toEqual({ version: '5', dataKey: 'B', document: null });
    expect((await manager.bases(S, ['1', '2'], { documents: false })).size).toBe(2);
    expect([...(await manager.missing(S, entries))].toSorted()).toEqual(['2', '3']);
    // An entry that is not any more as it was scanned says nothing.
    await manager.publish(batch([upsert('2', '6', '5', 'B'), removal('3', '5')]));
    expect(await manager.missing(S, entries)).toEqual([]);
  });

  it('C6: led to be repaired, the next new epoch has the digest of the index as it is, whoever wrote it', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null)]));
    await bench.setIndexEntry(S, '2', '4');
    const other = bench.manager();
    await manager.resign(S);
    expect(await other.lead(S, { repair: true })).toMatchObject({ kind: 'leading', created: false, rewound: false });
    const meta = await other.transition(S, {
      state: 'live',
      newEpoch: true,
      reset: { phase: 'end', reason: 'repaired' },
      advance: {},
    });
    expect(meta).toMatchObject({ pending: false, digest: digestOf(await bench.state(S)), count: 2 });
    await other.publish(batch([upsert('2', '6', '4')]));
    expect(await other.readMeta(S)).toMatchObject({ digest: digestOf(await bench.state(S)) });
  });
}
