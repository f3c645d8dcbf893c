/** Histories that nobody wrote: SIMULATION_SEED is the first seed, SIMULATION_HISTORIES how many. */
import { describe, expect, it } from 'vitest';
import { judgeAll } from './shards.ts';

const first = Number(process.env['SIMULATION_SEED'] ?? 1);
const histories = Number(process.env['SIMULATION_HISTORIES'] ?? 2000);
/** What occurs less often in 2,000 histories proves little. */
const LEAST = histories >= 2000 ? 50 : 0;

describe('the simulation', () => {
  it(
    'G1, G2, G3, G4: whatever commits, breaks, dies and is asked, nothing is lost, goes backwards or is invented, and claims hold',
    { timeout: 1_200_000 },
    async () => {
      const { tally, wrong } = await judgeAll(first, { histories }, Number(process.env['SIMULATION_TRIES'] ?? 150));
      process.stdout.write(`${tally.toString()}\n`);
      expect(wrong.join('\n')).toBe('');
      expect(tally.histories).toBe(histories);
      expect(tally.actions).toBeGreaterThanOrEqual(30 * histories);
      expect(tally.seldom(LEAST)).toEqual([]);
    },
  );
});
