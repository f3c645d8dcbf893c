/**
 * A process that judges every n-th seed: `shard.ts <first> <histories> <step> <tries>`, or with milliseconds in place of histories when they end in
 * `ms`. Tells its parent the tally, and what was wrong; without a parent it prints what was wrong.
 */
import { judge } from './judge.ts';
import { Tally } from './tally.ts';

const [first = '1', amount = '0', step = '1', tries = '150'] = process.argv.slice(2);
const until = amount.endsWith('ms') ? Date.now() + Number.parseInt(amount, 10) : null;
const tally = new Tally();
let wrong: string | null = null;
for (let n = 0; wrong === null && (until === null ? n < Number(amount) : Date.now() < until); n += 1) {
  wrong = await judge(Number(first) + n * Number(step), tally, Number(tries));
}
if (process.send === undefined) {
  process.stdout.write(wrong ?? '');
} else {
  process.send({ tally: tally.toJSON(), wrong }, () => process.disconnect());
}
