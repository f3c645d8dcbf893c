/** The part of the contract of DistributedDataManager that is about rows that cannot be published. */
import { expect, it } from 'vitest';
import type { DistributedDataManager, RowWrite } from '../../src/manager/distributed-data-manager.ts';
import { message } from '../../src/wire/messages.ts';
import type { QuarantineEntry } from '../../src/wire/quarantine-entry.ts';
import { batch, digestOf, live, type ManagerBench, removal, S, upsert } from './distributed-data-manager-rows.ts';

const entry = (dataKey: string, attempts = 1): QuarantineEntry => ({
  dataKey,
  reason: 'tooLarge',
  code: 'PW-S225',
  message: 'The document of 2000000 bytes is above limits.maxDocument (1048576 bytes).',
  versionId: '9',
  changeVersion: '9',
  attempts,
  firstAt: '2026-11-22T10:30:00.000Z',
  lastAt: '2026-11-22T10:30:00.000Z',
});

/** The row leaves the index, if it was there, and enters the quarantine. */
function aside(identity: string, before: string | null, attempts = 1, dataKey = identity): RowWrite {
  return {
    identity,
    expected: before === null ? null : { version: before, dataKey },
    next: null,
    changes: [{ dataKey, op: 'unavailable', versionId: '9', prevVersionId: before, changeVersion: '9', patch: [] }],
    quarantine: entry(dataKey, attempts),
  };
}

export function quarantineContract(given: () => { readonly bench: ManagerBench; readonly manager: DistributedDataManager }): void {
  it('C5: a row enters the quarantine by the script that takes its document away, and is told as unavailable', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null), upsert('2', '5', null, 'B')]));
    await manager.publish(batch([aside('2', '5', 1, 'B'), upsert('3', '9', null)]));
    const state = await bench.state(S);
    expect(Object.keys(state.index)).toEqual(['1', '3']);
    expect(Object.keys(state.documents)).toEqual(['1', '3']);
    expect(await manager.readMeta(S)).toMatchObject({ count: 2, quarantined: 1, digest: digestOf(state) });
    expect(await manager.quarantined(S, ['1', '2', '3'])).toEqual([{ identity: '2', entry: entry('B') }]);
    await manager.heartbeat(S, { believed: { checkpoint: 1n, confirmed: 1n }, advance: {}, intervalMs: 5000 });
    const sent = (await bench.messages()).map((text) => message.parse(JSON.parse(text)));
    expect(sent.at(-2)).toMatchObject({
      changes: [
        { dataKey: 'B', op: 'unavailable' },
        { dataKey: '3', op: 'upsert' },
      ],
    });
    expect(sent.at(-1)).toMatchObject({ type: 'heartbeat', count: 2, quarantined: 1 });
  });

  it('an entry is replaced, and goes with a publishable row, or with the row itself; without a word the others stay', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.store(batch([aside('1', null), aside('2', null), aside('3', null)]));
    await manager.store(batch([{ ...aside('1', null, 2), changes: [] }]));
    expect(await manager.quarantined(S, ['1'])).toEqual([{ identity: '1', entry: entry('1', 2) }]);
    await manager.publish(batch([{ ...upsert('1', '10', null), quarantine: null }]));
    await manager.store(batch([{ identity: '2', expected: null, next: null, changes: [], quarantine: null }]));
    await manager.publish(batch([removal('1', '10')]));
    expect(await manager.scanQuarantine(S, '0', 100)).toEqual({ cursor: '0', entries: [{ identity: '3', entry: entry('3') }] });
    expect(await manager.readMeta(S)).toMatchObject({ count: 0, quarantined: 1, digest: digestOf(await bench.state(S)) });
  });

  it('C6: a row whose document is not the one that was delivered is not set aside', async () => {
    const { bench, manager } = given();
    await live(manager);
    await manager.publish(batch([upsert('1', '5', null)]));
    await expect(manager.publish(batch([aside('1', '4')]))).rejects.toMatchObject({ code: 'PW-M308' });
    expect(Object.keys((await bench.state(S)).documents)).toEqual(['1']);
    expect((await manager.scanQuarantine(S, '0', 100)).entries).toEqual([]);
  });

  it('the quarantine is paged through, whole', async () => {
    const { manager } = given();
    await live(manager);
    const all = Array.from({ length: 700 }, (_, i) => String(i));
    await manager.store(batch(all.map((identity) => ({ ...aside(identity, null), changes: [] }))));
    const found = new Set<string>();
    let cursor = '0';
    do {
      const page = await manager.scanQuarantine(S, cursor, 100);
      page.entries.forEach(({ identity }) => found.add(identity));
      cursor = page.cursor;
    } while (cursor !== '0');
    expect(found.size).toBe(700);
    await manager.purge(S, 'test');
    expect((await manager.scanQuarantine(S, '0', 100)).entries).toEqual([]);
  });
}
