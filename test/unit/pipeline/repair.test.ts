import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/manager/memory/adopt.ts';
import { doc, World } from './world.ts';

const key = (n: number): string => String(n).padStart(5, '0');
const rows = (count: number): Record<string, ReturnType<typeof doc>> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [key(n), doc(n)]));

async function live(count: number): Promise<World> {
  const world = new World({ pageRows: 20_000, loadRows: 20_000 });
  world.tracker.commit(rows(count));
  world.start({ batch: { rows: 500, bytes: 1 << 20, inFlight: 4 } });
  await world.untilCaughtUp();
  return world;
}

describe('documents that are not there', () => {
  it('C8: one whose row changes is a replacement of the whole, which subscribers apply to what they hold', async () => {
    await using world = await live(5);
    const { epoch } = world.stored.meta!;
    world.stored.documents.delete(key(1));
    world.stored.documents.set(key(2), '[1]');
    world.stored.documents.delete(key(3));
    world.tracker.commit({ [key(1)]: doc(1, 'x'), [key(2)]: doc(2, 'y'), [key(3)]: null });
    await world.untilCaughtUp();
    expect(world.replicated).toEqual(world.expected);
    expect(world.documents).toEqual(world.expected);
    const patches = world.replica.changes.filter(({ op }) => op === 'upsert').map(({ patch }) => patch);
    expect(patches).toEqual([[{ op: 'replace', path: '', value: doc(1, 'x') }], [{ op: 'replace', path: '', value: doc(2, 'y') }]]);
    expect(world.stored.meta!.epoch).toBe(epoch);
    expect(world.errors).toEqual(['PW-M309']);
  });

  it('C8: those that nobody touches are found by the patrol, and an entry whose row is gone as well is removed', async () => {
    await using world = await live(2500);
    world.stored.documents.delete(key(7));
    world.stored.documents.delete(key(2400));
    world.stored.index.set('ghost', { version: '5', dataKey: 'ghost' });
    world.stored.meta!.digest = digestOf(world.stored);
    // Three pages, and a heartbeat interval before each.
    await world.until(() => world.stored.documents.size === 2500 && !world.stored.index.has('ghost'), 60_000);
    expect(world.documents).toEqual(world.expected);
    expect(world.stored.meta!.digest).toBe(digestOf(world.stored));
    expect(world.errors).toContain('PW-M309');
    expect(world.errors).not.toContain('PW-M308');
    expect(world.replica.changes.some(({ dataKey, op }) => dataKey === 'ghost' && op === 'remove')).toBe(true);
  }, 20_000);

  it('C8: where most are gone all rows are read by pages, as patches under the same epoch or as a replacement', async () => {
    await using world = await live(6000);
    world.stored.documents.clear();
    const calls = world.tracker.calls.length;
    await world.until(() => world.stored.documents.size === 6000 && world.stored.meta!.state === 'live', 300_000);
    expect(world.documents).toEqual(world.expected);
    expect(world.tracker.calls.slice(calls)).toContain('readLoadPage');
    expect(world.stored.meta!.digest).toBe(digestOf(world.stored));
  }, 30_000);
});

describe('the digest', () => {
  it('C6: an entry that others changed is noticed by two quiet passes of the patrol, and nothing is repaired without need', async () => {
    await using world = await live(50);
    const { epoch } = world.stored.meta!;
    for (let n = 0; n < 20; n += 1) {
      world.tracker.commit({ [key(n)]: doc(n, `w${n}`) });
      await world.clock.advance(3700);
    }
    await world.clock.advance(60_000);
    expect(world.stored.meta!.epoch).toBe(epoch);
    world.stored.index.set(key(30), { version: '0', dataKey: key(30) });
    await world.until(() => world.stored.meta!.epoch !== epoch, 60_000);
    await world.untilCaughtUp();
    expect(world.errors).toEqual(['PW-M308']);
    expect(world.stored.meta!.digest).toBe(digestOf(world.stored));
    expect(world.documents).toEqual(world.expected);
  });
});
