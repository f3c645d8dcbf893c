/** Exports taken at any moment and adopted at any later one: what does not belong together is refused, what does goes on without a loss. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Document } from '../../../src/model/document.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import type { AdoptResult, ExportedSection } from '../../../src/manager/distributed-data-manager.ts';
import { LEASE_MS, SECTION, slowLine, World } from './world.ts';

const OPTIONS = { batch: { rows: 2, bytes: 1 << 20, inFlight: 3 } };

describe('adopted documents', () => {
  it('however old an export is, and whatever was delivered since: nothing is lost, nothing goes backwards', async () => {
    const kinds = new Set<AdoptResult['kind']>();
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(seed);
        const world = new World({ pageRows: 4, loadRows: 3, claims: random() < 0.5 ? 'implied' : 'confirmed' });
        world.wrap = (manager) => slowLine(manager, world.clock, () => random() * 80);
        let faults = 20;
        world.store.intercept = () => (random() < 0.03 && faults-- > 0 ? (random() < 0.5 ? 'before' : 'after') : null);
        const write = (): void => {
          const values: Record<string, Document | null> = {};
          for (let i = 0; i < 1 + random() * 3; i += 1) {
            const k = String(Math.floor(random() * 8));
            values[k] = random() < 0.25 ? null : { k, v: Math.floor(random() * 2) };
          }
          world.tracker.commit(values);
        };
        write();
        let exported: ExportedSection | null = null;
        let running = world.start(OPTIONS);
        for (let step = 0; step < 50; step += 1) {
          if (random() < 0.4) {
            (random() < 0.5 ? write : () => world.tracker.elsewhere())();
          }
          await world.clock.advance(random() * 800);
          const meta = await world.manager().readMeta(SECTION);
          if (random() < 0.2 && meta?.state === 'live' && meta.source !== null) {
            exported = { ...meta, source: meta.source };
          }
          if (random() < 0.05) {
            await world.ask('reset');
          }
          if (random() < 0.1 && exported !== null) {
            await world.kill(running);
            const left = random() < 0.5;
            await world.clock.advance(left ? LEASE_MS + 1000 : 0);
            // Documents that were copied without their meta.
            world.stored.meta = left && random() < 0.3 ? null : world.stored.meta;
            kinds.add((await world.manager().adopt(SECTION, exported, { replace: true })).kind);
            running = world.start(OPTIONS);
          }
        }
        faults = 0;
        await world.clock.advance(2 * LEASE_MS);
        await world.untilCaughtUp();
        expect(world.documents).toEqual(world.expected);
        expect(world.replicated).toEqual(world.expected);
        await world[Symbol.asyncDispose]();
      }),
      { numRuns: Number(process.env['FC_RUNS'] ?? 20), ...(process.env['FC_SEED'] ? { seed: Number(process.env['FC_SEED']) } : {}) },
    );
    expect(kinds).toEqual(new Set(['adopted', 'differs', 'held']));
  });
});
