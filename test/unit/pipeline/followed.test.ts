/** Sections that lack rows: `initial: none`, and checkpoints that were moved forward over changes. */
import { describe, expect, it } from 'vitest';
import { doc, liveWorld, World } from './world.ts';

/** Followed from now: three rows were there before. */
async function followed(): Promise<World> {
  const world = new World();
  world.tracker.commit({ a: doc(1), b: doc(2), c: doc(3) });
  world.start({ initial: 'none' });
  await world.untilLive();
  return world;
}

const claims = (world: World): Set<unknown> =>
  new Set(world.replica.messages.flatMap((message) => (message.type === 'changes' || message.type === 'heartbeat' ? [message.upTo] : [])));

const read = (world: World): Promise<void> => world.until(() => (world.stored.meta?.checkpoint ?? 0n) >= world.tracker.version);

describe('initial: none', () => {
  it('goes live without reading a row; documents appear as rows change, whole, and a delete of a row never seen is harmless', async () => {
    await using world = await followed();
    expect(world.documents.size).toBe(0);
    expect(world.tracker.calls).not.toContain('readLoadPage');
    world.tracker.commit({ a: doc(1, 'changed'), b: null });
    await read(world);
    expect([...world.documents]).toEqual([['a', JSON.stringify(doc(1, 'changed'))]]);
    expect(world.replica.changes).toMatchObject([{ dataKey: 'a', op: 'upsert', prevVersionId: null, patch: [{ op: 'add', path: '' }] }]);
    expect(world.replicated).toEqual(world.documents);
    world.tracker.commit({ a: null });
    await read(world);
    expect(world.documents.size).toBe(0);
  });

  it('claims no upTo, ever, and says why', async () => {
    await using world = await followed();
    world.tracker.commit({ a: doc(1, 'changed') });
    await read(world);
    await world.clock.advance(60_000);
    expect(claims(world)).toEqual(new Set([null]));
    expect(world.stored.meta).toMatchObject({ state: 'live', upTo: null, incomplete: { reason: 'initial' } });
    expect(world.replica.of('heartbeat').at(-1)).toMatchObject({ incomplete: 'initial', upTo: null, state: 'live' });
  });

  it('R6: fewer documents than rows start no sweep, no count and no stop', async () => {
    await using world = await followed();
    await world.clock.advance(4 * 3_600_000);
    expect(world.errors).toEqual([]);
    expect(world.tracker.calls.filter((call) => call === 'existing' || call === 'countRows')).toEqual([]);
    expect(world.phases).toEqual(['starting', 'loading', 'live']);
  });

  it('R6: more documents than rows still start one', async () => {
    await using world = await followed();
    world.tracker.commit({ a: doc(1, 'x'), b: doc(2, 'x') });
    await read(world);
    world.tracker.truncate();
    await world.until(() => world.documents.size === 0, 600_000);
    expect(world.stored.meta?.upTo).toBeNull();
  });

  it('a restart goes on: nothing is loaded, nothing is lost, nothing is claimed', async () => {
    await using world = await followed();
    await world.kill(world.running[0]!);
    world.tracker.commit({ b: doc(2, 'while down') });
    world.start({ initial: 'none' });
    await world.until(() => world.documents.has('b'));
    expect(world.tracker.calls).not.toContain('readLoadPage');
    await world.clock.advance(30_000);
    expect(claims(world)).toEqual(new Set([null]));
  });

  it('a restart anywhere in its beginning loses no change that came after it', async () => {
    for (let killAt = 1; killAt <= 8; killAt += 1) {
      await using world = new World();
      world.tracker.commit({ a: doc(1) });
      let calls = 0;
      let reached = false;
      world.tracker.before = () => {
        calls += 1;
        if (calls === killAt) {
          reached = true;
        }
      };
      const first = world.start({ initial: 'none' });
      await world.until(() => reached);
      const begun = world.stored.meta?.source !== null && world.stored.meta !== null;
      world.tracker.commit({ b: doc(2, 'new') });
      await world.kill(first);
      world.start({ initial: 'none' });
      await world.untilLive();
      await read(world);
      // A change after the version from which it follows is there; one before it may be missing.
      expect(world.documents.has('b') || !begun).toBe(true);
    }
  });

  it('initial: full loads it, and upTo is claimed from then on', async () => {
    await using world = await followed();
    await world.stop(world.running[0]!);
    world.start();
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    expect(world.replicated).toEqual(world.expected);
    expect(world.stored.meta).toMatchObject({ incomplete: null, format: 1 });
  });

  it('changes nothing for a section that was loaded: it goes on as a whole', async () => {
    await using world = new World();
    world.tracker.commit({ a: doc(1) });
    world.start();
    await world.untilCaughtUp();
    await world.stop(world.running[0]!);
    world.tracker.commit({ b: doc(2) });
    world.start({ initial: 'none' });
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    expect(world.stored.meta?.incomplete).toBeNull();
  });

  it('a reset clears what is there under a new epoch, since nobody reads it again, and follows from now', async () => {
    await using world = await followed();
    world.tracker.commit({ a: doc(1, 'x'), b: doc(2, 'x') });
    await read(world);
    expect(world.documents.size).toBe(2);
    const { epoch } = world.stored.meta!;
    expect(await world.answer(await world.ask('reset'))).toMatchObject({ state: 'done' });
    await world.untilLive();
    expect(world.stored.meta!.epoch).not.toBe(epoch);
    expect(world.documents.size).toBe(0);
    world.tracker.commit({ c: doc(3, 'y') });
    await read(world);
    expect([...world.documents.keys()]).toEqual(['c']);
    expect(world.replicated).toEqual(world.documents);
  });
});

describe('set', () => {
  it('backwards reads again, and what is equal makes no patch', async () => {
    await using world = await liveWorld();
    for (let i = 0; i < 5; i += 1) {
      world.tracker.commit({ a: doc(1, i) });
    }
    await world.untilCaughtUp();
    const told = world.replica.changes.length;
    const result = await world.answer(await world.ask('set', { to: '2' }));
    expect(result).toMatchObject({ state: 'done', message: 'Reading again from version 2.' });
    await world.clock.advance(10_000);
    expect(world.replica.changes.length).toBe(told);
    expect(world.stored.meta).toMatchObject({ incomplete: null });
    await world.untilCaughtUp();
  });

  it('forwards is refused unless changes may be skipped', async () => {
    await using world = await liveWorld();
    await world.stop(world.running[0]!);
    world.tracker.commit({ a: doc(1, 'skipped') });
    world.tracker.commit({ b: doc(2, 'kept') });
    // Nobody has read on: the request is there before the next leader reads.
    const refused = await world.ask('set', { to: '3' });
    const id = await world.ask('set', { to: '2', skipChanges: 'true' });
    world.start();
    expect(await world.answer(refused)).toMatchObject({
      state: 'failed',
      code: 'PW-C109',
      message: expect.stringContaining('would skip changes') as string,
    });
    expect(await world.answer(id)).toMatchObject({ state: 'done' });
    await read(world);
    expect(Object.fromEntries(world.documents)).toEqual({ a: JSON.stringify(doc(1)), b: JSON.stringify(doc(2, 'kept')) });
    expect(world.stored.meta).toMatchObject({ upTo: null, incomplete: { reason: 'skipped', since: 2n } });
  });

  it('a skip ends the claim until the table is loaded anew, over restarts', async () => {
    await using world = await liveWorld();
    await world.stop(world.running[0]!);
    world.tracker.commit({ a: doc(1, 'skipped') });
    const id = await world.ask('set', { to: '2', skipChanges: 'true' });
    const before = world.replica.messages.length;
    const running = world.start();
    await world.answer(id);
    await world.clock.advance(30_000);
    await world.stop(running);
    world.start();
    await world.clock.advance(30_000);
    const after = world.replica.messages.slice(before).filter((message) => message.type === 'heartbeat');
    expect(after.length).toBeGreaterThan(5);
    expect(after.filter(({ incomplete }) => incomplete === 'skipped').every(({ upTo }) => upTo === null)).toBe(true);
    expect(after.at(-1)).toMatchObject({ incomplete: 'skipped', upTo: null });
    await world.answer(await world.ask('reset'));
    await world.untilCaughtUp();
    expect(world.documents).toEqual(world.expected);
    expect(world.stored.meta).toMatchObject({ incomplete: null });
    await world.clock.advance(10_000);
    expect(world.replica.of('heartbeat').at(-1)).toMatchObject({ incomplete: null });
  });

  it('is a way on for a table whose history is lost, without a load', async () => {
    await using world = await liveWorld();
    await world.stop(world.running[0]!);
    world.tracker.commit({ a: doc(1, 'lost') });
    world.tracker.minValid = 2n;
    world.start();
    await world.until(() => world.phases.includes('stopped PW-S211'));
    expect(await world.answer(await world.ask('set', { to: '2', skipChanges: 'true' }))).toMatchObject({ state: 'done' });
    world.tracker.commit({ b: doc(2, 'on') });
    await read(world);
    expect(Object.fromEntries(world.documents)).toEqual({ a: JSON.stringify(doc(1)), b: JSON.stringify(doc(2, 'on')) });
    expect(world.stored.meta).toMatchObject({ state: 'live', upTo: null, incomplete: { reason: 'skipped' } });
    expect(world.phases.at(-1)).toBe('live');
  });

  it('never beyond the current version', async () => {
    await using world = await liveWorld();
    const result = await world.answer(await world.ask('set', { to: '99', skipChanges: 'true' }));
    expect(result).toMatchObject({ state: 'failed', code: 'PW-C109' });
    expect(world.stored.meta).toMatchObject({ checkpoint: 1n, incomplete: null });
    world.tracker.commit({ a: doc(1, 'on') });
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
  });
});
