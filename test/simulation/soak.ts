/** npm run test:soak -- --minutes N --seed S: histories for so long, from this seed on. A process that finds one that fails ends with it. */
import { parseArgs } from 'node:util';
import { judgeAll } from './shards.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '100000' } } });
const { tally, wrong } = await judgeAll(Number(values.seed), { ms: Math.round(Number(values.minutes) * 60_000) }, 1000);
wrong.forEach((text) => process.stdout.write(`${text}\n`));
process.stdout.write(`${tally.toString()}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
