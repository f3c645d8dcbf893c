/**
 * npm run test:mutants [-- name …]: each patch of mutants/ takes a rule out of a copy of the tree; each must still build and must then be caught by the
 * check that it names. Every rule has at least one. A few at a time; the last line is `N passed, N failed`, which `.ci/run` adds to its own.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { judgeMutant, type Mutant, readMutant, typeCheck } from './mutant.ts';

const RULES: readonly string[] = [
  ...['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7', 'R8', 'R9'],
  ...['L1', 'L2', 'L3', 'L4', 'L5', 'L6'],
  ...['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8'],
  ...['S1', 'S2', 'S3', 'S4', 'S5'],
];

const root = fileURLToPath(new URL('../..', import.meta.url));
const patches = fileURLToPath(new URL('./mutants', import.meta.url));
const wanted = process.argv.slice(2);

const all = readdirSync(patches)
  .toSorted()
  .map((file) => readMutant(join(patches, file), file.replace('.patch', '')));
const chosen = wanted.length === 0 ? all : all.filter(({ name }) => wanted.some((start) => name.startsWith(start)));
const failures = RULES.filter((rule) => !all.some((mutant) => mutant.rule === rule)).map((rule) => `${rule}: no mutant takes it out`);
let passed = 0;

const folder = mkdtempSync(join(tmpdir(), 'patchwire-mutants-'));
const startedAt = Date.now();
try {
  const queue = [...chosen];
  const first = copyOf(root, 0);
  const broken = await typeCheck(first);
  if (broken === null) {
    const workers = Math.min(queue.length, availableParallelism());
    const copies = Array.from({ length: workers }, (_, n) => (n === 0 ? first : copyOf(first, n)));
    await Promise.all(copies.map((copy) => work(queue, copy)));
  } else {
    failures.push(`the tree itself does not build: ${broken}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const failed = failures.length;
mkdirSync(join(root, 'coverage'), { recursive: true });
writeFileSync(join(root, 'coverage', 'mutants.json'), JSON.stringify({ passed, failed }));
say(`${chosen.length} mutants in ${Math.round((Date.now() - startedAt) / 1000)} s`);
failures.forEach((failure) => say(`FAILED ${failure}`));
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function work(queue: Mutant[], copy: string): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const begun = Date.now();
    const { caught, says } = await judgeMutant(mutant, copy);
    const seconds = ((Date.now() - begun) / 1000).toFixed(1);
    say(`${caught ? 'caught' : 'MISSED'} ${mutant.name} (${seconds} s): ${says}`);
    if (caught) {
      passed += 1;
    } else {
      failures.push(`${mutant.name}: ${says}`);
    }
  }
}

function copyOf(from: string, n: number): string {
  const copy = join(folder, String(n));
  mkdirSync(copy);
  for (const name of ['src', 'test', 'package.json', 'tsconfig.json', ...(n === 0 ? [] : ['.tsbuildinfo'])]) {
    cpSync(join(from, name), join(copy, name), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
