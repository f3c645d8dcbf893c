/** npm run test:soak -- --minutes N --seed S: histories for so long, from this seed on. Ends at the first that fails. */
import { parseArgs } from 'node:util';
import { judge } from './judge.ts';
import { Tally } from './tally.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '100000' } } });
const until = Date.now() + Number(values.minutes) * 60_000;
const tally = new Tally();
let toldAt = Date.now();

for (let seed = Number(values.seed); Date.now() < until; seed += 1) {
  const wrong = await judge(seed, tally, 1000);
  if (wrong !== null) {
    process.stdout.write(`${wrong}\n`);
    process.exitCode = 1;
    break;
  }
  if (Date.now() - toldAt > 30_000) {
    toldAt = Date.now();
    process.stdout.write(`${tally.histories} histories, last seed ${seed}\n`);
  }
}
process.stdout.write(`${tally.toString()}\n`);
