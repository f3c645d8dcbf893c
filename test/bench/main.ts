/** `npm run bench -- <name>`: benchmarks. They print figures and prove equality; they never decide a test. */
import { benchPipeline } from './pipeline.ts';

const BENCHMARKS: Readonly<Record<string, (args: readonly string[]) => Promise<boolean>>> = { pipeline: benchPipeline };

const [name = '', ...args] = process.argv.slice(2);
const benchmark = BENCHMARKS[name];
if (benchmark === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHMARKS).join('|')} [--rows N] [--rounds N]`);
  process.exit(2);
}
process.exitCode = (await benchmark(args)) ? 0 : 1;
