/** Histories that nobody wrote: SIMULATION_SEED is the first seed, SIMULATION_HISTORIES how many. */
import { describe, expect, it } from 'vitest';
import { judge } from './judge.ts';
import { Tally } from './tally.ts';

const first = Number(process.env['SIMULATION_SEED'] ?? 1);
const histories = Number(process.env['SIMULATION_HISTORIES'] ?? 2000);
/** Of 2,000 histories. */
const LEAST = 50;

describe('the simulation', () => {
  it(
    'G1 to G4: whatever commits, breaks, dies and is asked, nothing is lost, goes backwards or is invented, and claims hold',
    { timeout: 1_200_000 },
    async () => {
      const tally = new Tally();
      for (let seed = first; seed < first + histories; seed += 1) {
        const wrong = await judge(seed, tally);
        if (wrong !== null) {
          throw new Error(wrong);
        }
      }
      process.stdout.write(`${tally.toString()}\n`);
      expect(tally.histories).toBe(histories);
      expect(tally.actions).toBeGreaterThanOrEqual(30 * histories);
      if (histories >= 2000) {
        expect(tally.seldom(LEAST)).toEqual([]);
      }
    },
  );
});
