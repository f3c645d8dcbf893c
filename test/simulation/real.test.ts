/** The same histories in real time, on a sandbox and a redis-server: SIMULATION_REAL is how many, SIMULATION_SEED the first seed. */
import { expect, it } from 'vitest';
import { judgeReal } from './real.ts';

const first = Number(process.env['SIMULATION_SEED'] ?? 1);
const histories = Number(process.env['SIMULATION_REAL'] ?? 20);

it.skipIf((process.env['PATCHWIRE_TEST_MSSQL'] ?? '') !== '')(
  'G1, G2, G3, G4: the same histories over the real driver, Redis and the subscriber library',
  { timeout: 600_000 },
  async () => {
    const { tally, wrong } = await judgeReal(first, { histories });
    process.stdout.write(`${tally.toString()}\n`);
    expect(wrong.join('\n')).toBe('');
    expect(tally.histories).toBe(histories);
  },
);
