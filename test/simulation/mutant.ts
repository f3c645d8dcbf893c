/**
 * One mutant: a patch that takes a rule out, and the quickest check that notices. Its first lines say which: `Test: <file>` (and `Title: <pattern>`, else
 * the rule that the patch is named after), or `Histories: <n>` (from `Seed: <n>`, else 1). Applied to a copy of the tree, type-checked, judged,
 * taken back. A check that does not come to an end, or does not run, has noticed nothing.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface Mutant {
  readonly name: string;
  readonly rule: string;
  /** The file of the patch. */
  readonly patch: string;
  readonly check: { readonly test: string; readonly title: string } | { readonly histories: number; readonly seed: number };
}

export interface Verdict {
  readonly caught: boolean;
  /** By what it was caught, or why it was not. */
  readonly says: string;
}

const LIMIT_MS = 90_000;

/** @throws when its first lines name no check */
export function readMutant(patch: string, name: string): Mutant {
  const text = readFileSync(patch, 'utf8');
  const header = (field: string): string | null => new RegExp(`^${field}: (.+)$`, 'm').exec(text)?.[1] ?? null;
  const rule = name.split('-')[0] ?? '';
  const [test, histories] = [header('Test'), header('Histories')];
  if ((test === null) === (histories === null)) {
    throw new Error(`${patch}: its first lines name either a test or how many histories`);
  }
  const check =
    test === null
      ? { histories: Number(histories), seed: Number(header('Seed') ?? 1) }
      : { test, title: header('Title') ?? `\\b${rule}\\b` };
  return { name, rule, patch, check };
}

/** Judges it in a copy of the tree, which is afterwards as it was before. */
export async function judgeMutant({ patch, check }: Mutant, copy: string): Promise<Verdict> {
  if ((await run('git', ['apply', '-C1', patch], copy)).code !== 0) {
    return { caught: false, says: 'does not apply' };
  }
  const built = await typeCheck(copy);
  const verdict: Verdict =
    built === null
      ? 'test' in check
        ? await byTest(check, copy)
        : await byHistories(check, copy)
      : { caught: false, says: `does not build: ${built}` };
  const taken = await run('git', ['apply', '-C1', '--reverse', patch], copy);
  if (taken.code !== 0) {
    throw new Error(`${patch} cannot be taken back: ${taken.output}`);
  }
  return verdict;
}

/** @returns the first error; null: there is none */
export async function typeCheck(copy: string): Promise<string | null> {
  const args = ['--noEmit', '-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', '.tsbuildinfo', '--pretty', 'false'];
  const { code, output } = await run(join('node_modules', '.bin', 'tsc'), args, copy);
  return code === 0 ? null : (output.split('\n')[0] ?? '');
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

async function byTest({ test, title }: { readonly test: string; readonly title: string }, copy: string): Promise<Verdict> {
  const file = join(copy, 'report.json');
  rmSync(file, { force: true });
  const args = [
    'run',
    '--config',
    'test/vitest.config.ts',
    test,
    '-t',
    title,
    '--reporter=json',
    '--bail=1',
    '--testTimeout=30000',
    `--outputFile=${file}`,
  ];
  const { code } = await run(join('node_modules', '.bin', 'vitest'), args, copy);
  if (!existsSync(file)) {
    return { caught: false, says: code === null ? `${test} does not end` : `${test} does not run` };
  }
  const { testResults } = JSON.parse(readFileSync(file, 'utf8')) as Report;
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.find(({ status }) => status === 'failed');
  if (failed !== undefined) {
    return { caught: true, says: `${test}: ${failed.fullName}` };
  }
  const passed = results.filter(({ status }) => status === 'passed').length;
  return { caught: false, says: passed === 0 ? `${test} has no test ${title}` : `survives ${passed} tests of ${test}` };
}

async function byHistories({ histories, seed }: { readonly histories: number; readonly seed: number }, copy: string): Promise<Verdict> {
  const args = ['--import', 'tsx', 'test/simulation/shard.ts', String(seed), String(histories), '1', '0'];
  const { code, output } = await run(process.execPath, args, copy);
  const wrong = /^seed \d+ fails: .*/m.exec(output)?.[0];
  if (wrong !== undefined) {
    return { caught: true, says: wrong.slice(0, 160) };
  }
  return { caught: false, says: code === 0 ? `survives ${histories} histories` : `the histories end with ${code}: ${output.slice(-300)}` };
}

/** `code` null: it was killed, with what it had started, since it did not end. */
function run(command: string, args: readonly string[], cwd: string): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, CI: '', VITEST: '', NODE_ENV: 'test' };
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-100_000);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const timer = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), LIMIT_MS);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}
