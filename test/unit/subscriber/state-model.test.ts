import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Step, step, stepOrAside, World } from './model-world.ts';

/** What the replica claims to be, and what was published at the place that it names; null while it claims nothing. */
function claim({ rig }: World): { readonly documents: string; readonly published: string | undefined } | null {
  const at = rig.machine.position(rig.nowMs);
  const published = at === null ? undefined : rig.publisher.history.get(`${at.epoch}/${at.last}`);
  return rig.state.equal ? { documents: rig.documents, published } : null;
}

/** Never equal to anything that was not published at the place it names. */
function checkHonest(world: World): void {
  const made = claim(world);
  expect(made?.documents).toBe(made?.published);
}

/** A world after these steps, healed; honest after each of them. */
function played(steps: readonly Step[], ...setting: ConstructorParameters<typeof World>): World {
  const world = new World(...setting);
  world.run({ do: 'publish', keys: [1, 2, 3], value: 1, sideways: false });
  world.run({ do: 'connect' });
  for (const next of steps) {
    world.run(next);
    checkHonest(world);
  }
  world.heal();
  return world;
}

const runs = (count: number): fc.Parameters<unknown> => ({
  numRuns: Number(process.env['FC_RUNS'] ?? count),
  ...(process.env['FC_SEED'] ? { seed: Number(process.env['FC_SEED']) } : {}),
});

describe('S1 to S4 under any schedule', () => {
  it('S1, S2, S3, S4: whatever is dropped, duplicated, reordered, rewound or cut, a replica is what was published or says that it is not', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 80 }), (seed, steps) => {
        const world = played(steps, seed);
        checkHonest(world);
        expect(world.rig.state).toMatchObject({ status: 'live', equal: true });
        expect(world.rig.documents).toBe(world.rig.publisher.documents());
      }),
      runs(1500),
    );
  });

  it('S1, S2, S3, S4: it knows which rows are in quarantine, whatever comes between, once a heartbeat has been heard', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(stepOrAside, { maxLength: 80 }), (seed, steps) => {
        const { rig } = played(steps, seed);
        expect([...(rig.machine.documents.aside ?? [])].toSorted()).toEqual([...rig.publisher.aside].toSorted());
        expect(rig.state).toMatchObject({ status: 'live', equal: rig.publisher.aside.size === 0 });
        expect(rig.documents).toBe(rig.publisher.documents());
      }),
      runs(1000),
    );
  });

  it('S3: a strict replica ends equal, or closed because history was lost; it never tells a reset that nobody asked for', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 60 }), (seed, steps) => {
        const world = played(steps, seed, { recovery: 'strict' });
        const { rig } = world;
        const closed = rig.status === 'closed';
        expect(rig.state).toMatchObject(closed ? { equal: false, error: { code: 'PW-W406' } } : { status: 'live', equal: true });
        expect(closed || rig.documents === rig.publisher.documents()).toBe(true);
        expect(rig.told.filter((text) => text.startsWith('reset')).every((text) => text === 'reset: asked')).toBe(true);
      }),
      runs(500),
    );
  });

  it('S3, S4: a replica that skips gaps is equal, or says that it has skipped one; a reload makes it equal', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 60 }), (seed, steps) => {
        const world = played(steps, seed, { recovery: 'skipGap' });
        const { rig } = world;
        const { equal, reasons } = rig.state;
        const upTo = rig.machine.position(rig.nowMs)?.upTo;
        expect(equal || (reasons.join() === 'gap skipped' && upTo === null && rig.told.includes('skipped'))).toBe(true);
        rig.input({ type: 'reload' });
        world.heal();
        expect(rig.state).toMatchObject({ status: 'live', equal: true });
        expect(rig.documents).toBe(rig.publisher.documents());
      }),
      runs(500),
    );
  });

  it('S3: without resets, rewinds and trims a replica never reloads', () => {
    const calm = step.filter(({ do: name }) => !['reset', 'rewind', 'trim', 'reload'].includes(name));
    fc.assert(
      fc.property(fc.integer(), fc.array(calm, { maxLength: 80 }), (seed, steps) => {
        const world = new World(seed);
        world.run({ do: 'publish', keys: [1, 2, 3], value: 1, sideways: false });
        world.run({ do: 'connect' });
        steps.forEach((next) => world.run(next));
        world.heal();
        expect(world.rig.state.counters).toMatchObject({ reloads: 0, diverged: 0 });
      }),
      runs(500),
    );
  });
});
