import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignFree, leadersOf, nextMove, type Sharer } from '../../../src/daemon/fair-share.ts';

const sharer = (id: string, sections: readonly string[], led: readonly string[] = [], more: Partial<Sharer> = {}): Sharer => ({
  id,
  sections,
  led,
  busy: [],
  unable: [],
  format: 2,
  ...more,
});

const S = Array.from({ length: 24 }, (_, i) => `s${String(i).padStart(2, '0')}`);

/** What the daemons do with the free sections, and then with moves, until nothing is left to do. @returns how many moves it took */
function settle(world: Map<string, Sharer>): number {
  const change = (id: string, led: (before: readonly string[]) => readonly string[]): void => {
    const before = world.get(id)!;
    world.set(id, { ...before, led: led(before.led) });
  };
  for (let moves = 0; ;) {
    for (const [section, id] of assignFree([...world.values()])) {
      change(id, (led) => [...led, section]);
    }
    const move = nextMove([...world.values()]);
    if (move === null) {
      return moves;
    }
    moves += 1;
    expect(moves, 'it never stands still').toBeLessThan(500);
    expect(world.get(move.from)!.led).toContain(move.section);
    expect(world.get(move.to)!.sections).toContain(move.section);
    change(move.from, (led) => led.filter((section) => section !== move.section));
    // Free for a moment: whoever should have it now is computed anew, as the daemons do.
    expect(assignFree([...world.values()]).get(move.section), 'the giver does not take it back').not.toBe(move.from);
  }
}

const tables = fc.subarray(S, { minLength: 1 });
const event = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), sections: fc.option(tables, { nil: S }), format: fc.constantFrom(1, 2) }),
  fc.record({ kind: fc.constant('leave' as const), which: fc.nat() }),
  fc.record({ kind: fc.constant('unable' as const), which: fc.nat(), unable: fc.subarray(S, { maxLength: 4 }) }),
  fc.record({ kind: fc.constant('busy' as const), which: fc.nat(), busy: fc.subarray(S, { maxLength: 4 }) }),
);

describe('shares', () => {
  it('converge over any joins and leaves, lead everything that can be led, and stand still', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        const world = new Map<string, Sharer>();
        let joined = 0;
        for (const one of events) {
          const [id, daemon] = [...world][one.kind === 'join' ? -1 : one.which % Math.max(1, world.size)] ?? [];
          if (one.kind === 'join') {
            joined += 1;
            // Ids in no order of joining.
            const name = `${(joined * 7) % 10}-${joined}`;
            world.set(name, sharer(name, one.sections, [], { format: one.format }));
          } else if (one.kind === 'leave') {
            world.delete(id ?? '');
          } else if (id !== undefined && daemon !== undefined) {
            const { led } = daemon;
            world.set(id, {
              ...daemon,
              ...(one.kind === 'unable' ? { unable: one.unable.filter((s) => !led.includes(s)) } : { busy: one.busy }),
            });
          }
          settle(world);
          expect(settle(world), 'a second look moves nothing').toBe(0);
          const all = [...world.values()];
          const leaders = leadersOf(all);
          expect(all.flatMap(({ led }) => led)).toHaveLength(leaders.size);
          for (const section of S) {
            const able = all.some(({ sections, unable }) => sections.includes(section) && !unable.includes(section));
            expect(leaders.has(section) || !able, `${section} has a leader`).toBe(true);
          }
          for (const from of all) {
            for (const to of all) {
              const movable = from.led.filter((s) => !from.busy.includes(s) && to.sections.includes(s) && !to.unable.includes(s));
              const uneven = to.format >= from.format && movable.length > 0 && from.led.length - to.led.length > 1;
              expect(uneven, `${from.id} has ${from.led.length}, ${to.id} ${to.led.length}`).toBe(false);
            }
          }
        }
      }),
      { numRuns: 300, seed: 20_261_122 },
    );
  });

  it('with one table for all differ by one at most, and no daemon moves more than it has to', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.array(fc.boolean(), { maxLength: 8 }), (count, events) => {
        const sections = Array.from({ length: count }, (_, i) => `s${i}`);
        const world = new Map([['d0', sharer('d0', sections, sections)]]);
        for (const [i, join] of events.entries()) {
          if (join) {
            world.set(`d${i + 1}`, sharer(`d${i + 1}`, sections));
          } else if (world.size > 1) {
            world.delete([...world.keys()][i % world.size]!);
          }
          const size = world.size;
          const moves = settle(world);
          const counts = [...world.values()].map(({ led }) => led.length);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          // Who joins is given its share; who leaves leaves nothing to be moved.
          expect(moves).toBeLessThanOrEqual(join ? Math.ceil(count / size) : 0);
        }
      }),
      { numRuns: 200, seed: 20_261_122 },
    );
  });

  it('a section counts only for daemons that know it', () => {
    const known = [sharer('a', ['x', 'y', 'z'], ['x', 'y', 'z']), sharer('b', ['w'], [])];
    expect(nextMove(known)).toBeNull();
    expect([...assignFree(known)]).toEqual([['w', 'b']]);
    expect(nextMove([known[0]!, sharer('b', ['w', 'y'], [])])).toEqual({ section: 'y', from: 'a', to: 'b' });
  });

  it('what anybody can take does not crowd out what only one can', () => {
    const free = assignFree([sharer('a', ['m', 'n']), sharer('b', ['m', 'n', 'x', 'y'])]);
    expect(Object.fromEntries(free)).toEqual({ x: 'b', y: 'b', m: 'a', n: 'a' });
  });

  it('nothing is given to a daemon of an older format, nor what it could not lead, nor what is busy', () => {
    const rich = sharer('a', ['x', 'y', 'z'], ['x', 'y', 'z']);
    expect(nextMove([rich, sharer('b', rich.sections, [], { format: 1 })])).toBeNull();
    expect(nextMove([rich, sharer('b', rich.sections, [], { unable: ['x', 'y', 'z'] })])).toBeNull();
    expect(nextMove([{ ...rich, busy: ['x', 'y'] }, sharer('b', rich.sections)])).toEqual({ section: 'z', from: 'a', to: 'b' });
    expect(nextMove([{ ...rich, busy: rich.led }, sharer('b', rich.sections)])).toBeNull();
  });

  it('what a dead daemon led is divided among those who remain', () => {
    const six = S.slice(0, 6);
    const left = [sharer('b', six, six.slice(0, 1)), sharer('c', six, six.slice(1, 2))];
    const takers = [...assignFree(left).values()];
    const counts = ['b', 'c'].map((id) => takers.filter((taker) => taker === id).length);
    expect(counts).toEqual([2, 2]);
  });
});
