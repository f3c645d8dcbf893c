/**
 * npm run test:mutants [-- name …]: takes each rule out of a copy of the tree by a patch of mutants/. Each must still build, and must then fail: by the
 * test that its first line names (`Test: <file>`), or by the simulation (`Test: simulation`), which is tried in any case before a mutant counts as missed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const patches = fileURLToPath(new URL('./mutants', import.meta.url));
const wanted = process.argv.slice(2);
const copy = mkdtempSync(join(tmpdir(), 'patchwire-mutants-'));

function passes(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): boolean {
  return spawnSync(command, args, { cwd: copy, stdio: 'ignore', env: { ...process.env, ...env }, timeout: 600_000 }).status === 0;
}

function vitest(file: string): boolean {
  return passes('npx', ['vitest', 'run', '--config', 'test/vitest.config.ts', file], {
    SIMULATION_HISTORIES: '400',
    SIMULATION_TRIES: '0',
  });
}

const SIMULATION = 'test/simulation/simulation.test.ts';

let missed = 0;
try {
  for (const name of ['src', 'test', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const file of readdirSync(patches).toSorted()) {
    const name = file.replace('.patch', '');
    if (wanted.length > 0 && !wanted.some((start) => name.startsWith(start))) {
      continue;
    }
    const patch = join(patches, file);
    const test = /^Test: (.+)$/m.exec(readFileSync(patch, 'utf8'))?.[1] ?? 'simulation';
    execFileSync('git', ['apply', patch], { cwd: copy });
    let verdict = 'missed';
    if (!passes('npx', ['tsc', '--noEmit', '-p', 'tsconfig.json'])) {
      verdict = 'does not build';
    } else if (test !== 'simulation' && !vitest(test)) {
      verdict = `caught by ${test}`;
    } else if (!vitest(SIMULATION)) {
      verdict = 'caught by the simulation';
    }
    execFileSync('git', ['apply', '--reverse', patch], { cwd: copy });
    missed += verdict.startsWith('caught') ? 0 : 1;
    process.stdout.write(`${name}: ${verdict}\n`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.exitCode = missed === 0 ? 0 : 1;
