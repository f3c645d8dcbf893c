/** Quarantine through a whole section: the row is found, the others go on, and nothing that passes by itself comes there. */
import { describe, expect, it } from 'vitest';
import type { Batch, DistributedDataManager } from '../../../src/manager/distributed-data-manager.ts';
import { PatchwireError } from '../../../src/model/errors.ts';
import type { QuarantineEntry } from '../../../src/wire/quarantine-entry.ts';
import { digestOf } from '../../../src/manager/memory/adopt.ts';
import { World } from './world.ts';

type Doc = { readonly Id: number; readonly v: string };
const key = (n: number): string => String(n).padStart(3, '0');
const rows = (count: number, v: string): Record<string, Doc> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [key(n), { Id: n, v }]));
const LONG = 'x'.repeat(500);
const POISON = 'poison';

/** A server that does not take documents with `word`: it refuses them, or the connection is lost with all that is behind them. */
function poisoned(
  manager: DistributedDataManager,
  server: { word: string; how: 'refuse' | 'lose' | 'busy'; refusals: number },
): DistributedDataManager {
  let broken = false;
  return new Proxy(manager, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') {
        return value;
      }
      return async (...args: unknown[]): Promise<unknown> => {
        if (name === 'lead') {
          broken = false;
        } else if (name === 'publish' || name === 'store' || name === 'transition' || name === 'heartbeat') {
          const taken =
            name === 'heartbeat' ||
            name === 'transition' ||
            !(args[0] as Batch).rows.some((row) => row.next?.document.includes(server.word));
          if (broken || !taken) {
            server.refusals += broken ? 0 : 1;
            const [code, reply] =
              broken || server.how === 'lose'
                ? (['PW-M311', null] as const)
                : server.how === 'busy'
                  ? (['PW-M310', 'OOM'] as const)
                  : (['PW-M316', 'ERR too much'] as const);
            broken = true;
            throw new PatchwireError(code, 'refused', reply === null ? {} : { details: { reply } });
          }
        }
        return await (Reflect.apply(value, target, args) as Promise<unknown>);
      };
    },
  });
}

function entries(world: World): Record<string, QuarantineEntry> {
  return Object.fromEntries([...world.stored.quarantine].map(([identity, text]) => [identity, JSON.parse(text) as QuarantineEntry]));
}

async function started(count = 30, how: 'refuse' | 'lose' | 'busy' = 'refuse') {
  const world = new World();
  world.defaults = { ...world.defaults, maxDocumentBytes: 200, quarantine: { maxRows: 5, retryAfterMs: 3_600_000, alertAbove: 0 } };
  const server = { word: POISON, how, refusals: 0 };
  world.wrap = (manager) => poisoned(manager, server);
  world.tracker.commit(rows(count, 'a'));
  world.start();
  await world.untilCaughtUp();
  return { world, server };
}

/** What must be there: all rows but these. */
function expectAllBut(world: World, ...missing: number[]): void {
  const expected = world.expected;
  missing.forEach((n) => expected.delete(key(n)));
  expect(world.documents).toEqual(expected);
  expect(world.replicated).toEqual(expected);
  expect(Object.keys(entries(world)).toSorted()).toEqual(missing.map(key));
  expect(world.stored.meta!.digest).toBe(digestOf(world.stored));
}

async function answered(world: World, verb: string, args: Record<string, string> = {}) {
  return await world.answer(await world.ask(verb, args));
}

describe('quarantine', () => {
  it('C2: a row that Redis refuses is found by sending ever fewer together, and set aside; all others get through, and the checkpoint goes on', async () => {
    const { world, server } = await started();
    await using _ = world;
    world.tracker.commit({ ...rows(30, 'b'), [key(17)]: { Id: 17, v: POISON } });
    await world.untilCaughtUp();
    expectAllBut(world, 17);
    // Ten rows in a batch: then two, then one.
    expect(server.refusals).toBe(3);
    expect(entries(world)[key(17)]).toMatchObject({ code: 'PW-M325', attempts: 1, message: 'Redis refused this row alone: ERR too much' });
    expect(world.replica.changes.filter(({ op }) => op === 'unavailable').map(({ dataKey }) => dataKey)).toEqual([key(17)]);
    expect(world.phases.filter((phase) => phase.startsWith('stopped'))).toEqual([]);
    await world.clock.advance(60_000);
    expect(server.refusals).toBe(3);
  });

  it('C2: a row over which the connection is always lost is found too, and two of them in one batch', async () => {
    const { world } = await started(30, 'lose');
    await using _ = world;
    world.tracker.commit({ ...rows(30, 'b'), [key(3)]: { Id: 3, v: POISON }, [key(4)]: { Id: 4, v: `${POISON} too` } });
    await world.untilCaughtUp();
    expectAllBut(world, 3, 4);
    expect(entries(world)[key(3)]!.message).toBe('Redis lost the connection 3 times running when this row came alone.');
  });

  it('in a first load as well', async () => {
    const world = new World();
    await using _ = world;
    const server = { word: POISON, how: 'refuse' as const, refusals: 0 };
    world.wrap = (manager) => poisoned(manager, server);
    world.tracker.commit({ ...rows(250, 'a'), [key(123)]: { Id: 123, v: POISON } });
    world.start();
    await world.untilCaughtUp();
    expectAllBut(world, 123);
  });

  it('what Redis refuses for the moment is waited out, however often, and sets nothing aside', async () => {
    const { world, server } = await started(10, 'busy');
    await using _ = world;
    world.tracker.commit({ [key(3)]: { Id: 3, v: POISON } });
    await world.until(() => server.refusals > 15);
    server.word = 'nothing';
    await world.until(() => world.stored.documents.get(key(3))?.includes(POISON) === true);
    expectAllBut(world);
  });

  it('where Redis refuses whatever it is sent, no row is blamed', async () => {
    const { world, server } = await started(10);
    await using _ = world;
    server.word = '';
    const real = world.store.intercept;
    world.store.intercept = ({ method }) => (method === 'publish' ? 'before' : null);
    world.tracker.commit({ [key(3)]: { Id: 3, v: 'b' } });
    await world.clock.advance(300_000);
    expect(entries(world)).toEqual({});
    world.store.intercept = real;
    server.word = 'nothing';
    await world.untilCaughtUp();
    expectAllBut(world);
  });

  it('a row that changes while it is looked for is judged by what it is now', async () => {
    const { world, server } = await started();
    await using _ = world;
    world.tracker.commit({ ...rows(10, 'b'), [key(7)]: { Id: 7, v: POISON } });
    await world.until(() => server.refusals === 2);
    world.tracker.commit({ [key(7)]: { Id: 7, v: 'good again' } });
    await world.untilCaughtUp();
    await world.until(() => world.stored.documents.get(key(7))?.includes('good again') === true);
    expectAllBut(world);
  });

  it('leaves the quarantine by a later version, a deletion, and not by being read again', async () => {
    const { world } = await started();
    await using _ = world;
    world.tracker.commit({ [key(1)]: { Id: 1, v: LONG }, [key(2)]: { Id: 2, v: LONG }, [key(3)]: { Id: 3, v: LONG } });
    await world.untilCaughtUp();
    expectAllBut(world, 1, 2, 3);
    await world.clock.advance(20_000);
    expect(Object.values(entries(world)).map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
    world.tracker.commit({ [key(1)]: { Id: 1, v: 'short' }, [key(2)]: null });
    await world.untilCaughtUp();
    expectAllBut(world, 3);
    world.tracker.commit({ [key(3)]: { Id: 3, v: `${LONG}!` } });
    await world.untilCaughtUp();
    expect(entries(world)[key(3)]).toMatchObject({ attempts: 2 });
    expectAllBut(world, 3);
  });

  it('a restart knows what is in it', async () => {
    const { world } = await started();
    await using _ = world;
    world.tracker.commit({ [key(1)]: { Id: 1, v: LONG } });
    await world.untilCaughtUp();
    await world.kill(world.running[0]!);
    world.tracker.commit({ [key(1)]: null });
    world.start();
    await world.untilCaughtUp();
    expectAllBut(world);
  });

  it('R6: a row in quarantine is a row of the table: nothing is swept, nothing is counted as missing', async () => {
    const { world } = await started();
    await using _ = world;
    world.tracker.commit({ [key(1)]: { Id: 1, v: LONG } });
    await world.untilCaughtUp();
    const before = world.tracker.calls.filter((call) => call === 'existing' || call === 'countRows').length;
    await world.clock.advance(600_000);
    expect(world.tracker.calls.filter((call) => call === 'existing' || call === 'countRows').length).toBe(before);
    expectAllBut(world, 1);
  });

  it('L4: a sweep takes entries along whose rows are gone', async () => {
    const { world } = await started();
    await using _ = world;
    world.tracker.commit({ [key(1)]: { Id: 1, v: LONG } });
    await world.untilCaughtUp();
    world.tracker.truncate();
    await world.until(() => world.stored.index.size === 0 && world.stored.quarantine.size === 0);
    await world.untilCaughtUp();
    expectAllBut(world);
  });

  it('L4: a sweep takes them along also where no document is without its row', async () => {
    const { world } = await started();
    await using _ = world;
    world.tracker.commit({ [key(1)]: { Id: 1, v: LONG } });
    await world.untilCaughtUp();
    await world.stop(world.running[0]!);
    // That it went, nobody will read: a resync begins after it.
    world.tracker.commit({ [key(1)]: null });
    world.tracker.minValid = world.tracker.version;
    world.start({ onLostHistory: 'resync', sweepShare: 0.2 });
    await world.untilCaughtUp();
    expect(world.resyncs).toHaveLength(1);
    expect(world.stored.quarantine.size).toBe(0);
    expectAllBut(world);
  });

  it('L6: `retry` reads the row again: it leaves, or is tried once more', async () => {
    const { world, server } = await started();
    await using _ = world;
    world.tracker.commit({ [key(1)]: { Id: 1, v: LONG }, [key(2)]: { Id: 2, v: POISON } });
    await world.untilCaughtUp();
    expect(await answered(world, 'retry')).toMatchObject({
      state: 'done',
      message: '2 rows were read again: 0 left the quarantine, 2 still cannot be published.',
    });
    // Redis refused the second: the request was begun once more, and found the first again.
    expect(Object.values(entries(world)).map(({ attempts }) => attempts)).toEqual([3, 2]);
    server.word = 'nothing';
    expect(await answered(world, 'retry', { keys: key(2) })).toMatchObject({
      message: '1 rows were read again: 1 left the quarantine, 0 still cannot be published.',
    });
    expectAllBut(world, 1);
    expect(await answered(world, 'retry', { keys: key(9) })).toMatchObject({ state: 'failed', code: 'PW-W405' });
  });

  it('L6: `drop` forgets the entry, and the section says that it is incomplete until it is read anew', async () => {
    const { world } = await started();
    await using _ = world;
    world.tracker.commit({ [key(1)]: { Id: 1, v: LONG }, [key(2)]: { Id: 2, v: LONG } });
    await world.untilCaughtUp();
    expect((await answered(world, 'drop', { keys: key(1) })).message).toContain('the section is incomplete');
    expect(Object.keys(entries(world))).toEqual([key(2)]);
    expect(world.stored.meta!.incomplete).toMatchObject({ reason: 'skipped' });
    await answered(world, 'resync');
    await world.untilCaughtUp();
    expect(world.stored.meta!.incomplete).toBeNull();
    expectAllBut(world, 1, 2);
  });

  it('a row that was tried long ago is tried again by itself', async () => {
    const { world, server } = await started();
    await using _ = world;
    world.tracker.commit({ [key(2)]: { Id: 2, v: POISON } });
    await world.untilCaughtUp();
    await world.clock.advance(3_700_000);
    expect(entries(world)[key(2)]).toMatchObject({ attempts: 2 });
    server.word = 'nothing';
    await world.clock.advance(3_700_000);
    expectAllBut(world);
  });
});
