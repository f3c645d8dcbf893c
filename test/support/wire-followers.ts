/** Two subscribers of the same section, written in two languages, seen alike: what each says of itself, line by line. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Replica, subscribe } from '../../src/subscriber/index.ts';

export interface Standing {
  readonly status: string;
  readonly equal: boolean;
  readonly reasons: readonly string[];
  readonly epoch?: string;
  readonly last?: string;
  readonly upTo?: string | null;
  readonly documents?: Readonly<Record<string, unknown>>;
}

export interface Follower extends AsyncDisposable {
  readonly language: string;
  /** What it says of itself now. */
  standing(): Standing;
  /** Every time that it called itself equal: where, and with which documents. */
  readonly claims: readonly Standing[];
  /** How often it loaded the section again. */
  reloads(): number;
  /** How it ended by itself; null: it goes on. */
  ended(): string | null;
}

export interface Where {
  readonly url: string;
  readonly partition: string;
  readonly section: string;
}

const PYTHON = '/usr/bin/python3';
const PROGRAM = fileURLToPath(new URL('../../src/wire/python/patchwire_subscriber.py', import.meta.url));

/** Why there is no Python follower here; null: there is. Where everything must be there (CI) its absence is a failure. */
export function pythonMissing(): string | null {
  const { status } = spawnSync(PYTHON, ['-c', 'import redis'], { stdio: 'ignore' });
  if (status === 0) {
    return null;
  }
  const text = `${PYTHON} cannot import redis: npm run setup -- --tests`;
  if (process.env['CI'] !== undefined) {
    throw new Error(text);
  }
  return text;
}

export function pythonFollower({ url, partition, section }: Where): Follower {
  const args = [PROGRAM, '--redis', url, '--partition', partition, '--section', section, '--documents'];
  const child: ChildProcess = spawn(PYTHON, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const claims: Standing[] = [];
  let standing: Standing = { status: 'starting', equal: false, reasons: ['starting'] };
  let errors = '';
  let loads = 0;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    standing = JSON.parse(line) as Standing;
    if (standing.equal) {
      claims.push(standing);
    }
    loads += standing.status === 'loading' ? 1 : 0;
  });
  const exited = once(child, 'exit');
  return {
    language: 'Python',
    standing: () => standing,
    claims,
    reloads: () => loads - 1,
    ended: () => (child.exitCode === null ? null : errors.trim()),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

export function typescriptFollower({ url, partition, section }: Where): Follower {
  const claims: Standing[] = [];
  let ended: string | null = null;
  const replica: Replica = subscribe({
    redis: url,
    partition,
    section,
    onEvent: (event) => {
      if (event.type === 'live' || event.type === 'lag') {
        const now = standing();
        if (now.equal) {
          claims.push(now);
        }
      }
      if (event.type === 'closed') {
        ended = event.error?.code ?? 'closed';
      }
    },
  });
  const standing = (): Standing => {
    const { status, equal, reasons } = replica.state();
    const { epoch, last, upTo } = replica.position() ?? {};
    const documents = Object.fromEntries(replica.entries());
    return { status, equal, reasons, documents, ...(epoch === undefined || last === undefined ? {} : { epoch, last, upTo: upTo ?? null }) };
  };
  return {
    language: 'TypeScript',
    standing,
    claims,
    reloads: () => replica.state().counters.reloads,
    ended: () => ended,
    [Symbol.asyncDispose]: () => replica.close(),
  };
}
