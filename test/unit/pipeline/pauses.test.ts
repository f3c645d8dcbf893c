/** Loads at a pace and within Redis's room, and sections that operators pause. */
import { describe, expect, it } from 'vitest';
import { PatchwireError } from '../../../src/model/errors.ts';
import { LoadPace, progressOf } from '../../../src/pipeline/load-pace.ts';
import { doc, World } from './world.ts';

const key = (n: number): string => String(n).padStart(4, '0');

function fill(world: World, count: number): void {
  world.tracker.commit(Object.fromEntries(Array.from({ length: count }, (_, n) => [key(n), doc(n)])));
}

const loadPages = (world: World): number => world.tracker.calls.filter((call) => call === 'readLoadPage').length;
const loaded = (world: World): number => world.stored.meta?.cursor?.rows ?? 0;

describe('pace', () => {
  it('a load keeps to its rows per second, and windows go on meanwhile', async () => {
    await using world = new World();
    fill(world, 100);
    const begun = (): boolean => world.stored.meta?.cursor !== null && world.stored.meta !== null;
    world.start({ load: { rowsPerSecond: 10 } });
    await world.until(begun);
    const at = world.clock.now();
    await world.until(() => loaded(world) >= 50);
    world.tracker.commit({ zz: doc(999) });
    await world.until(() => world.documents.has('zz'));
    // Long before its turn in the order of keys.
    expect(loaded(world)).toBeLessThanOrEqual(70);
    expect(progressOf(world.stored.meta!.cursor!).rowsPerSecond).toBeLessThanOrEqual(10);
    await world.untilCaughtUp();
    const seconds = (world.clock.now() - at) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(9);
    expect(seconds).toBeLessThanOrEqual(20);
    expect(world.documents).toEqual(world.expected);
  });

  it('a page is due when rate and share of time allow it', () => {
    const rate = new LoadPace({ rowsPerSecond: 100 });
    expect(rate.pageRows).toBe(100);
    rate.read(50, 1000, 1010);
    expect(rate.dueAt).toBe(1500);
    const share = new LoadPace({ timeShare: 0.25 });
    expect(share.pageRows).toBeUndefined();
    share.read(50, 1000, 1100);
    expect(share.dueAt).toBe(1400);
    const free = new LoadPace({});
    free.read(50, 1000, 1100);
    expect(free.dueAt).toBe(1100);
  });

  it('tells percent, rows per second and seconds left, the time of pauses not counted', () => {
    const cursor = { phase: 'load', after: 'x', startedAtMs: 0 } as const;
    expect(progressOf({ ...cursor, rows: 250, estimate: 1000, activeMs: 5000 })).toEqual({
      percent: 25,
      rowsPerSecond: 50,
      secondsLeft: 15,
    });
    expect(progressOf({ ...cursor, rows: 2000, estimate: 1000, activeMs: 5000 })).toMatchObject({ percent: 99, secondsLeft: 0 });
    expect(progressOf({ ...cursor, rows: 0, estimate: null })).toEqual({ percent: null, rowsPerSecond: null, secondsLeft: null });
    expect(progressOf({ ...cursor, phase: 'sweep', rows: 1000, estimate: 1000 })).toMatchObject({ percent: 100 });
  });
});

describe('room in Redis', () => {
  it('a load that will not fit is refused before anything is stored, and begins once there is room', async () => {
    await using world = new World({ loadRows: 10 });
    fill(world, 50);
    world.store.room = 50 * 100;
    world.start({ faultedRetryMs: 10_000 });
    await world.until(() => world.phases.includes('stopped PW-M318'));
    expect(world.documents.size).toBe(0);
    expect(world.stored.meta).toMatchObject({ source: null, cursor: null, checkpoint: 0n });
    await world.clock.advance(60_000);
    expect(world.errors.filter((code) => code === 'PW-M318').length).toBeLessThanOrEqual(8);
    world.store.room = 1 << 20;
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
  });

  it('ignoreMemory loads all the same, and so does a Redis whose room is not known', async () => {
    await using world = new World();
    fill(world, 50);
    world.store.room = 0;
    world.start({ load: { ignoreMemory: true } });
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
  });

  it('a reset that would not fit is answered with the code, and the section lives on', async () => {
    await using world = new World();
    fill(world, 50);
    world.start();
    await world.untilCaughtUp();
    world.store.room = 10;
    // Documents that are there are replaced: only what comes on top needs room.
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'done' });
    await world.untilCaughtUp();
    const { epoch } = world.stored.meta!;
    world.tracker.uncommittedRows = 60;
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'failed', code: 'PW-M318' });
    expect(world.stored.meta!.epoch).toBe(epoch);
    world.tracker.commit({ [key(49)]: doc(49, 'on') });
    await world.until(() => world.documents.get(key(49)) === JSON.stringify(doc(49, 'on')));
  });
});

describe('room for larger documents', () => {
  it('documents that another projection makes larger need room, though as many are there', async () => {
    await using world = new World({ loadRows: 10 });
    fill(world, 50);
    world.start({ faultedRetryMs: 10_000 });
    await world.untilCaughtUp();
    await world.stop(world.running[0]!);
    // As after ALTER TABLE ... ADD: every document is 1,000 bytes larger, and change tracking saw nothing.
    world.tracker.untracked(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [key(n), doc(n, 'x'.repeat(1000))])));
    world.tracker.fingerprint = 'f2';
    world.store.room = 20_000;
    world.start({ faultedRetryMs: 10_000 });
    await world.until(() => world.phases.includes('stopped PW-S220'));
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'failed', code: 'PW-M318' });
    world.store.room = 60_000;
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'done' });
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
  });
});

describe('pause and resume', () => {
  async function live(): Promise<World> {
    const world = new World({ loadRows: 5 });
    fill(world, 10);
    world.start();
    await world.untilCaughtUp();
    return world;
  }

  it('a paused section reads nothing, beats on, and says so; resumed it catches up', async () => {
    await using world = await live();
    expect(await world.answer(await world.ask('pause'))).toMatchObject({ state: 'done' });
    const reads = world.tracker.calls.length;
    const beats = world.replica.of('heartbeat').length;
    world.tracker.commit({ [key(1)]: doc(1, 'paused') });
    await world.clock.advance(60_000);
    expect(world.tracker.calls.length).toBe(reads);
    expect(world.replica.of('heartbeat').length).toBeGreaterThan(beats + 5);
    expect(world.replica.of('heartbeat').at(-1)).toMatchObject({ paused: 'all', state: 'live', upTo: '1' });
    expect(world.phases.at(-1)).toBe('paused');
    expect(await world.answer(await world.ask('resume'))).toMatchObject({ state: 'done' });
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
    expect(world.phases.at(-1)).toBe('live');
    expect(world.replica.of('heartbeat').at(-1)).toMatchObject({ paused: null });
  });

  it('stays paused over a restart, and under another leader', async () => {
    await using world = await live();
    await world.answer(await world.ask('pause'));
    await world.kill(world.running[0]!);
    const calls = world.tracker.calls.length;
    world.start();
    world.tracker.commit({ [key(1)]: doc(1, 'paused') });
    await world.clock.advance(60_000);
    expect(world.phases.at(-1)).toBe('paused');
    expect(world.tracker.calls.slice(calls)).toEqual([]);
    await world.answer(await world.ask('resume'));
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
  });

  it('what else is asked of a paused section is refused, but purging it is not', async () => {
    await using world = await live();
    await world.answer(await world.ask('pause'));
    for (const verb of ['poll', 'reset', 'set']) {
      expect(await world.answer(await world.ask(verb, { to: '1' }))).toMatchObject({ state: 'failed', code: 'PW-M319' });
    }
    expect(await world.answer(await world.ask('nonsense'))).toMatchObject({ state: 'failed', code: 'PW-M317' });
    expect(world.phases.at(-1)).toBe('paused');
    await world.ask('purge');
    await world.until(() => world.running[0]!.ended);
    expect(await world.running[0]!.done).toBe('purged');
  });

  it('is paused and resumed while SQL Server is down', async () => {
    await using world = await live();
    const down = new PatchwireError('PW-S201', 'down');
    for (let i = 0; i < 50; i += 1) {
      world.tracker.fail('probe', down);
      world.tracker.fail('readWindow', down);
    }
    await world.until(() => world.phases.at(-1) === 'retrying PW-S201');
    expect(await world.answer(await world.ask('pause'))).toMatchObject({ state: 'done' });
    await world.until(() => world.phases.at(-1) === 'paused');
    expect(await world.answer(await world.ask('resume'))).toMatchObject({ state: 'done' });
    world.tracker.commit({ [key(1)]: doc(1, 'after') });
    await world.until(() => world.stored.meta?.upTo === 2n, 7_200_000);
  });

  it('a paused load rests while windows go on, over a restart, and resumes at its cursor', async () => {
    await using world = new World({ loadRows: 5 });
    fill(world, 100);
    world.start({ load: { rowsPerSecond: 5 } });
    await world.until(() => loaded(world) >= 20);
    expect(await world.answer(await world.ask('pause', { what: 'load' }))).toMatchObject({ state: 'done' });
    const rows = loaded(world);
    const pages = loadPages(world);
    world.tracker.commit({ zz: doc(999) });
    await world.until(() => world.documents.has('zz'));
    await world.kill(world.running[0]!);
    world.start();
    world.tracker.commit({ zy: doc(998) });
    await world.until(() => world.documents.has('zy'));
    await world.clock.advance(30_000);
    expect(loadPages(world)).toBe(pages);
    expect(world.stored.meta).toMatchObject({ state: 'loading', paused: { what: 'load', who: 'tester' } });
    expect(world.replica.of('heartbeat').at(-1)).toMatchObject({ paused: 'load', state: 'loading' });
    await world.answer(await world.ask('resume'));
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    // It went on where it was: 100 rows and the two new ones, five a page, from the cursor on.
    expect(loadPages(world) - pages).toBeLessThanOrEqual(Math.ceil((102 - rows) / 5) + 1);
  });

  it('`once` does not wait for an operator', async () => {
    await using world = await live();
    await world.answer(await world.ask('pause'));
    await world.stop(world.running[0]!);
    const running = world.start({ once: true });
    await world.until(() => running.ended);
    expect(await running.done).toBe('caughtUp');
  });
});
