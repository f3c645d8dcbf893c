/** Crashes at every moment of what operators ask for: sections that are followed, skips, pauses, a switch from none to full. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WritingCall } from '../../../src/manager/memory/memory-store.ts';
import type { Document } from '../../../src/model/document.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import type { SectionOptions } from '../../../src/pipeline/section.ts';
import { faultyWorld } from './faulty-world.ts';
import { SECTION, slowLine, World } from './world.ts';

type Fault = (call: WritingCall, world: World, options: Partial<SectionOptions>) => 'before' | 'after' | null;

const key = (n: number): string => String(n).padStart(2, '0');
const BATCH = { batch: { rows: 2, bytes: 1 << 20, inFlight: 3 } };
const NONE = { ...BATCH, initial: 'none' } as const;

function commit(world: World, round: number): void {
  const values: Record<string, Document | null> = {};
  for (let n = 0; n < 5; n += 1) {
    const k = key((n * 5 + round) % 11);
    values[k] = (n + round) % 4 === 0 ? null : { k, v: round };
  }
  world.tracker.commit(values);
}

async function done(world: World, id: string): Promise<void> {
  const manager = world.manager();
  await world.until(async () => (await manager.operation(SECTION, id))?.state === 'done');
}

const read = (world: World): Promise<void> =>
  world.until(() => world.stored.meta?.state === 'live' && world.stored.meta.checkpoint >= world.tracker.version);

/** A world whose daemon is `options.current`; `fault` decides over each writing call. */
async function scenario(
  play: (world: World, options: { current: Partial<SectionOptions> }) => Promise<void>,
  fault: Fault,
): Promise<{ world: World; calls: number }> {
  const world = new World({ pageRows: 3, loadRows: 3 });
  world.wrap = (manager) => slowLine(manager, world.clock, () => 20);
  const options = { current: BATCH as Partial<SectionOptions> };
  let calls = 0;
  world.store.intercept = (call) => {
    calls += 1;
    return fault({ ...call, number: calls }, world, options.current);
  };
  await play(world, options);
  return { world, calls };
}

/** Runs `play` without a fault, then with each writing call failing, and with a kill -9 at each, before and after it took effect. */
async function everywhere(
  play: (world: World, options: { current: Partial<SectionOptions> }) => Promise<void>,
  judge: (world: World) => void | Promise<void>,
): Promise<void> {
  const { world, calls } = await scenario(play, () => null);
  await judge(world);
  await world[Symbol.asyncDispose]();
  for (let number = 1; number <= calls; number += 1) {
    for (const fate of ['before', 'after'] as const) {
      for (const kills of [false, true]) {
        const run = await scenario(play, (call, here, options) => {
          if (call.number !== number) {
            return null;
          }
          if (kills) {
            here.running.at(-1)!.kill.abort(new Error('killed'));
            here.start(options);
          }
          return fate;
        });
        try {
          await judge(run.world);
        } catch (error) {
          throw new Error(`${kills ? 'killed' : 'refused'} ${fate} call ${number}`, { cause: error });
        }
        await run.world[Symbol.asyncDispose]();
      }
    }
  }
}

/** Of a section that lacks rows: what is there is as it is in the table, what changed since is there, and nothing was claimed. */
function expectTrue(world: World, changed: readonly string[]): void {
  const { expected, documents } = world;
  for (const [k, text] of documents) {
    expect([k, text]).toEqual([k, expected.get(k)]);
  }
  for (const k of changed) {
    expect([k, documents.get(k)]).toEqual([k, expected.get(k)]);
  }
  expect(world.replicated).toEqual(documents);
  expect(world.phases.filter((phase) => phase.startsWith('stopped'))).toEqual([]);
}

describe('crashes while operators ask', () => {
  it('L3: a reset of a followed section clears it and follows: nothing stale stays, nothing that changed since is missing', async () => {
    await everywhere(
      async (world, options) => {
        commit(world, 0);
        options.current = NONE;
        world.start(NONE);
        await read(world);
        commit(world, 1);
        commit(world, 2);
        await read(world);
        world.tracker.after = (call) => {
          if (call === 'describe') {
            commit(world, 3);
          }
        };
        const id = await world.ask('reset');
        await done(world, id);
        world.tracker.after = null;
        commit(world, 4);
        await read(world);
      },
      (world) => {
        expectTrue(world, [...Array.from({ length: 5 }, (_, n) => key((n * 5 + 4) % 11))]);
        expect(world.stored.meta).toMatchObject({ upTo: null, incomplete: { reason: 'initial' } });
        expect(world.replica.of('heartbeat').every(({ upTo }) => upTo === null)).toBe(true);
      },
    );
  });

  it('L3: from none to full loads every row, wherever it is killed', async () => {
    await everywhere(
      async (world, options) => {
        commit(world, 0);
        commit(world, 1);
        options.current = NONE;
        world.start(NONE);
        await read(world);
        commit(world, 2);
        await read(world);
        options.current = BATCH;
        world.running.forEach(({ stop }) => stop.abort(new Error('stop')));
        world.start(BATCH);
        commit(world, 3);
        await world.untilCaughtUp();
      },
      (world) => {
        expect(world.documents).toEqual(world.expected);
        expect(world.replicated).toEqual(world.expected);
        expect(world.stored.meta).toMatchObject({ incomplete: null, format: 1 });
      },
    );
  });

  it('L6: a skip, wherever it is killed, claims nothing from then on, and what changes after it is there', async () => {
    await everywhere(
      async (world) => {
        commit(world, 0);
        commit(world, 1);
        world.start(BATCH);
        await world.untilCaughtUp();
        await world.ask('pause').then((id) => done(world, id));
        commit(world, 2);
        const to = world.tracker.version;
        const resumed = await world.ask('resume');
        const id = await world.ask('set', { to: to.toString(), skipChanges: 'true' });
        await done(world, resumed);
        const manager = world.manager();
        await world.until(async () => ['done', 'failed'].includes((await manager.operation(SECTION, id))?.state ?? ''));
        commit(world, 3);
        await read(world);
        await world.clock.advance(12_000);
      },
      (world) => {
        const { documents, expected } = world;
        for (let n = 0; n < 5; n += 1) {
          const k = key((n * 5 + 3) % 11);
          expect([k, documents.get(k)]).toEqual([k, expected.get(k)]);
        }
        const skipped = world.stored.meta?.incomplete !== null;
        const heartbeat = world.replica.of('heartbeat').at(-1);
        expect(heartbeat?.upTo === null).toBe(skipped);
        expect(heartbeat?.incomplete).toBe(skipped ? 'skipped' : null);
        // Where the skip was answered as needless, nothing may be missing.
        expect(skipped ? expected : documents).toEqual(expected);
        expect(world.replicated).toEqual(documents);
      },
    );
  });

  it('whatever is asked, killed, refused or unreachable, in whatever order, a load makes it whole, and nothing is claimed before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(seed);
        const { world, write, calm } = faultyWorld(random);
        const shapes = [BATCH, NONE, { ...BATCH, load: { rowsPerSecond: 5 } }];
        const start = (): unknown => world.start(shapes[Math.floor(random() * shapes.length)]);
        const verbs: readonly (() => Promise<string>)[] = [
          () => world.ask('reset'),
          () => world.ask('pause', { what: 'load' }),
          () => world.ask('pause'),
          () => world.ask('resume'),
          () => world.ask('resume'),
          () => world.ask('poll'),
          () => world.ask('set', { to: (world.tracker.version - BigInt(Math.floor(random() * 4))).toString() }),
          () => world.ask('set', { to: world.tracker.version.toString(), skipChanges: 'true' }),
        ];
        write();
        start();
        for (let step = 0; step < 60; step += 1) {
          write();
          await world.clock.advance(random() * 600);
          if (random() < 0.05) {
            await world.kill(world.running.at(-1)!);
            start();
          } else if (random() < 0.15) {
            await verbs[Math.floor(random() * verbs.length)]!();
          }
        }
        calm();
        await world.ask('resume');
        await world.clock.advance(30_000);
        expect(world.stored.meta?.paused).toBeNull();
        const { meta } = world.stored;
        // Claimed is only what is there.
        const whole = meta?.incomplete === null && meta.state === 'live';
        await (whole ? world.untilCaughtUp() : Promise.resolve());
        expect(whole ? world.documents : (meta?.upTo ?? null)).toEqual(whole ? world.expected : null);
        for (const message of world.replica.of('heartbeat')) {
          expect((message.incomplete ?? null) === null || message.upTo === null).toBe(true);
        }
        await world.kill(world.running.at(-1)!);
        world.start(BATCH);
        await world.ask('reset');
        await world.clock.advance(3000);
        await world.untilCaughtUp();
        expect(world.stored.meta?.incomplete).toBeNull();
        expect(world.documents).toEqual(world.expected);
        expect(world.replicated).toEqual(world.expected);
        await world[Symbol.asyncDispose]();
      }),
      { numRuns: Number(process.env['FC_RUNS'] ?? 10), ...(process.env['FC_SEED'] ? { seed: Number(process.env['FC_SEED']) } : {}) },
    );
  });
});
