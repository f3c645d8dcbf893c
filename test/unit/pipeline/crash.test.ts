/** Crashes at every moment that a manager can see, and at random ones: a restart must end with documents and replica equal to the table. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WritingCall } from '../../../src/manager/memory/memory-store.ts';
import type { Document } from '../../../src/model/document.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { faultyWorld } from './faulty-world.ts';
import { slowLine, World } from './world.ts';

const key = (n: number): string => String(n).padStart(2, '0');

/** A few transactions: inserts, updates, deletes, a no-op, a value that changes and changes back. */
function commitSome(world: World, round: number): void {
  const values: Record<string, Document | null> = {};
  for (let n = 0; n < 8; n += 1) {
    const k = key((n * 5 + round) % 17);
    values[k] = (n + round) % 4 === 0 ? null : { k, v: (n + round) % 3 };
  }
  world.tracker.commit(values);
}

/** Loads while transactions commit, then follows two rounds of them; `fault` decides over each writing call of the daemons. */
const OPTIONS = { batch: { rows: 2, bytes: 1 << 20, inFlight: 3 } };

async function scenario(fault: (call: WritingCall, world: World) => 'before' | 'after' | null): Promise<{ world: World; calls: number }> {
  const world = new World({ pageRows: 3, loadRows: 3 });
  world.wrap = (manager) => slowLine(manager, world.clock, () => 20);
  let calls = 0;
  world.store.intercept = (call) => {
    calls += 1;
    return fault({ ...call, number: calls }, world);
  };
  for (let round = 0; round < 2; round += 1) {
    commitSome(world, round);
  }
  let pages = 0;
  world.tracker.after = (call) => {
    if (call === 'readLoadPage' && pages++ < 2) {
      commitSome(world, 2 + pages);
    }
  };
  world.start(OPTIONS);
  await world.untilCaughtUp();
  for (let round = 10; round < 12; round += 1) {
    commitSome(world, round);
    await world.untilCaughtUp();
  }
  return { world, calls };
}

async function expectEqual(world: World): Promise<void> {
  await world.untilCaughtUp();
  expect(world.documents).toEqual(world.expected);
  expect(world.replicated).toEqual(world.expected);
  await world[Symbol.asyncDispose]();
}

describe('crashes', () => {
  it('C2: any writing call that fails, before or after it took effect, leaves documents and replica equal', async () => {
    const { world, calls } = await scenario(() => null);
    await expectEqual(world);
    expect(calls).toBeGreaterThan(20);
    for (let number = 1; number <= calls; number += 1) {
      for (const fate of ['before', 'after'] as const) {
        const run = await scenario((call) => (call.number === number ? fate : null));
        await expectEqual(run.world);
        expect(run.world.phases.filter((phase) => phase.startsWith('stopped'))).toEqual([]);
      }
    }
  });

  it('L3: kill -9 before or after any writing call, then another daemon: documents and replica equal', async () => {
    const { world, calls } = await scenario(() => null);
    await expectEqual(world);
    for (let number = 1; number <= calls; number += 1) {
      for (const fate of ['before', 'after'] as const) {
        const run = await scenario((call, killed) => {
          if (call.number !== number) {
            return null;
          }
          killed.running[0]!.kill.abort(new Error('killed'));
          killed.start(OPTIONS);
          return fate;
        });
        expect(run.world.running[0]!.ended).toBe(true);
        await expectEqual(run.world);
      }
    }
  });

  it('G1, G2: whatever is killed, refused or unreachable, in whatever order, nothing is lost and nothing goes backwards', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(seed);
        const { world, write, calm } = faultyWorld(random);
        const options = { batch: { rows: 3, bytes: 1 << 20, inFlight: 3 } };
        write();
        world.start(options);
        for (let step = 0; step < 60; step += 1) {
          write();
          await world.clock.advance(random() * 400);
          if (random() < 0.05) {
            await world.kill(world.running.at(-1)!);
            world.start(options);
          } else if (random() < 0.03) {
            await world.ask('reset');
          }
        }
        calm();
        await expectEqual(world);
      }),
      { numRuns: Number(process.env['FC_RUNS'] ?? 25), ...(process.env['FC_SEED'] ? { seed: Number(process.env['FC_SEED']) } : {}) },
    );
  });
});
