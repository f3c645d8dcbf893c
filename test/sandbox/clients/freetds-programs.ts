/**
 * FreeTDS's own programs (Debian: freetds-bin) as clients of a sandbox: they were written against SQL Server by others. They are looked for
 * on the PATH; `reasonToSkip` says what is missing, and under CI that is a failure and no reason.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sandbox } from '../../../src/sandbox/server.ts';

const PROGRAMS = ['tsql', 'bsqldb', 'freebcp'] as const;
type Program = (typeof PROGRAMS)[number];

const missing = PROGRAMS.filter((program) => spawnSync('which', [program]).status !== 0);

/** null: everything is there. */
export const reasonToSkip: string | null = missing.length === 0 ? null : `not installed: ${missing.join(', ')} (Debian: freetds-bin)`;

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

export interface FreeTds extends AsyncDisposable {
  /** A path in the folder of this test. */
  file(name: string): string;
  /** Runs a program with what tells it the server and the database; `input` goes to its standard input. */
  run(program: Program, args?: readonly string[], input?: string): Promise<Outcome>;
}

/** @throws Error under CI when a program is missing */
export async function freeTds(sandbox: Sandbox, database: string, password = sandbox.password): Promise<FreeTds> {
  if (reasonToSkip !== null) {
    throw new Error(reasonToSkip);
  }
  const folder = await mkdtemp(join(tmpdir(), 'patchwire-freetds-'));
  const file = (name: string): string => join(folder, name);
  const settings = '[global]\n tds version = 7.4\n client charset = UTF-8\n text size = 1000000\n';
  await writeFile(file('freetds.conf'), `${settings}[sandbox]\n host = 127.0.0.1\n port = ${sandbox.port}\n`);
  const env = { ...process.env, FREETDSCONF: file('freetds.conf'), LC_ALL: 'C.UTF-8' };
  return {
    file,
    run: async (program, args = [], input = '') => {
      const login = ['-S', 'sandbox', '-U', 'sa', '-P', password, '-D', database];
      // freebcp wants its table first.
      const child = spawn(program, program === 'freebcp' ? [...args, ...login] : [...login, ...args], { env, cwd: folder });
      let [out, errors] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
      child.stdin.end(input);
      const code = await new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
      return { code, out, errors };
    },
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
