/** What a cache must hear that reads rows from the source by itself: of every change, also of one that patches never show. */
import { describe, expect, it } from 'vitest';
import { SELECTION } from '../../support/scripted-tracker.ts';
import { doc, World } from './world.ts';

async function live(invalidations: boolean): Promise<World> {
  const world = new World();
  world.invalidations = invalidations;
  world.tracker.commit({ a: doc(1), b: doc(2) });
  world.start();
  await world.untilCaughtUp();
  return world;
}

describe('where keys are told', () => {
  it('a row that changed and changed back between two reads is told once, though it is read again, and one that came and went', async () => {
    await using world = await live(true);
    world.tracker.commit({ a: doc(1, 'in between'), c: doc(3) });
    world.tracker.commit({ a: doc(1), c: null });
    await world.untilCaughtUp();
    // Confirming reads see both again.
    await world.clock.advance(20_000);
    expect(world.toldKeys).toEqual(['a upsert', 'c remove']);
    expect(world.replicated).toEqual(world.expected);
    expect(world.documents).toEqual(world.expected);
    world.tracker.commit({ a: doc(1, 'after') });
    await world.untilCaughtUp();
    expect(world.toldKeys.slice(2)).toEqual(['a upsert']);
    expect(world.replicated).toEqual(world.expected);
  });

  it('a restart tells nothing of what was told', async () => {
    await using world = await live(true);
    world.tracker.commit({ a: doc(1, 'in between') });
    world.tracker.commit({ a: doc(1) });
    await world.untilCaughtUp();
    expect(world.toldKeys).toEqual(['a upsert']);
    await world.kill(world.running[0]!);
    world.start();
    await world.until(() => world.phases.filter((phase) => phase === 'live').length > 1);
    await world.clock.advance(20_000);
    expect(world.toldKeys).toEqual(['a upsert']);
    expect(world.replicated).toEqual(world.expected);
  });
});

it('what the filter keeps out of Redis stays out of it, its key included', async () => {
  await using world = new World({ filter: (row) => row['v'] !== 'hidden' });
  world.invalidations = true;
  world.tracker.commit({ a: doc(1), b: doc(2, 'hidden') });
  world.start({ selection: { ...SELECTION, filter: "v <> 'hidden'" } });
  await world.untilCaughtUp();
  world.tracker.commit({ a: doc(1, 'in between'), c: doc(3, 'hidden'), d: doc(4) });
  world.tracker.commit({ a: doc(1), b: doc(20, 'hidden'), d: null });
  await world.untilCaughtUp();
  await world.clock.advance(20_000);
  expect(world.toldKeys).toEqual(['a upsert']);
  world.tracker.commit({ a: doc(1, 'hidden') });
  await world.untilCaughtUp();
  expect(world.toldKeys).toEqual(['a upsert', 'a remove']);
  expect(world.replicated).toEqual(world.expected);
});

it('where no keys are told, an empty diff publishes nothing', async () => {
  await using world = await live(false);
  world.tracker.commit({ a: doc(1, 'in between'), c: doc(3) });
  world.tracker.commit({ a: doc(1), c: null });
  await world.untilCaughtUp();
  expect(world.replica.changes).toEqual([]);
  expect(world.replicated).toEqual(world.expected);
});
