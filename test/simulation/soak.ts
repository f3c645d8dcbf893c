/**
 * npm run test:soak -- --minutes N --seed S [--real]: histories for so long, from this seed on; real: on a sandbox and a redis-server. A process that
 * finds one that fails ends with it.
 */
import { parseArgs } from 'node:util';
import { judgeReal } from './real.ts';
import { judgeAll } from './shards.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '100000' },
    real: { type: 'boolean', default: false },
  },
});
const ms = Math.round(Number(values.minutes) * 60_000);
const { tally, wrong } = values.real ? await judgeReal(Number(values.seed), { ms }) : await judgeAll(Number(values.seed), { ms }, 1000);
wrong.forEach((text) => process.stdout.write(`${text}\n`));
process.stdout.write(`${tally.toString()}\n`);
process.exit(wrong.length === 0 ? 0 : 1);
