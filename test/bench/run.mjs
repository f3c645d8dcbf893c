// `npm run bench -- <name> [options]`: compiles src/ and test/bench/ into a folder of its own and runs the benchmark from there, so that what
// is measured is what is shipped: a loader that compiles on the way adds to every closure.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = `${root}node_modules/.patchwire-bench-${process.pid}`;
const run = (...args) => spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root }).status ?? 1;

mkdirSync(folder, { recursive: true });
try {
  copyFileSync(`${root}package.json`, `${folder}/package.json`);
  const config = `${folder}/tsconfig.json`;
  writeFileSync(
    config,
    JSON.stringify({
      extends: '../../tsconfig.json',
      compilerOptions: { rootDir: '../..', outDir: '.', declaration: false, typeRoots: ['../@types'] },
      include: ['../../src', '../../test/bench'],
      exclude: [],
    }),
  );
  const status = run(`${root}node_modules/typescript/bin/tsc`, '-p', config);
  process.exitCode = status === 0 ? run(`${folder}/test/bench/main.js`, ...process.argv.slice(2)) : status;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
