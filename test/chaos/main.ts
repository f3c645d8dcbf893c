/**
 * npm run test:chaos -- --minutes N --seed S: the built programs as processes, hurt for so long, and compared with the tables whenever it is
 * quiet. Ends with one line; 1 when anything differed.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/lib/random.ts';
import { HELP, report } from './report.ts';
import { killAll } from './process.ts';
import { run } from './run.ts';
import { drawSetting, pythonIsThere, World } from './world.ts';

const RESULT = fileURLToPath(new URL('../../coverage/chaos.json', import.meta.url));
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write(`--minutes is a number above 0, --seed a whole number\n\n${HELP}`);
  process.exit(2);
}
if (!existsSync(MAIN)) {
  process.stderr.write('dist/main.js is not there: npm run build\n');
  process.exit(2);
}
if (!pythonIsThere() && process.env['CI'] !== undefined) {
  process.stderr.write('/usr/bin/python3 cannot import redis: npm run setup -- --tests\n');
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), `patchwire-chaos-${seed}-`));
let keeps = values.keep;
process.on('exit', () => {
  killAll();
  if (!keeps) {
    rmSync(folder, { recursive: true, force: true });
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(130));
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const setting = drawSetting(seededRandom(seed));
say(
  `chaos: seed ${seed}, ${minutes} min; profile ${setting.profile}, ${setting.snapshot ? 'SNAPSHOT' : 'READ COMMITTED'}, rows ${setting.gapMs} ms after their version, checkpoints in ${setting.store}`,
);
if (!pythonIsThere()) {
  say('no Python subscriber: /usr/bin/python3 cannot import redis (npm run setup -- --tests)');
}
const world = new World(folder, seed, setting);
const outcome = await run(world, { seed, minutes, say });
keeps ||= outcome.differences.length > 0;
report(outcome, { world, seed, folder: keeps ? folder : null, say });
await world[Symbol.asyncDispose]().catch(() => undefined);
if (process.env['CI'] !== undefined) {
  mkdirSync(join(RESULT, '..'), { recursive: true });
  const { comparisons, differences } = outcome;
  writeFileSync(
    RESULT,
    JSON.stringify({
      passed: differences.length === 0 && comparisons > 0 ? 1 : 0,
      failed: differences.length > 0 || comparisons === 0 ? 1 : 0,
    }),
  );
}
say(`chaos: ${outcome.actions} actions, ${outcome.comparisons} comparisons, ${outcome.differences.length} differences, seed ${seed}`);
process.exit(outcome.differences.length === 0 && outcome.comparisons > 0 ? 0 : 1);
