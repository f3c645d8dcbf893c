/** The built command line, dist/main.js, as a process of its own. `npm run build` makes it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface CliOptions {
  readonly cwd?: string;
  /** On top of an environment without any PATCHWIRE_ variable. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long it may take, in ms. Default 60,000. */
  readonly timeoutMs?: number;
}

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. Its stdin is no terminal. @throws Error when it takes too long; it is killed then */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const cli = startCli(args, options);
  cli.process.stdin.end();
  return await cli.exited(options.timeoutMs);
}

export interface RunningCli extends AsyncDisposable {
  readonly process: ChildProcessWithoutNullStreams;
  /** What it has printed so far. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** The first line of stdout (or stderr) that matches, also one printed before. @throws Error with all output when it ends before, or after `timeoutMs` */
  line(match: (line: string) => boolean, timeoutMs?: number): Promise<string>;
  exited(timeoutMs?: number): Promise<CliResult>;
}

/** Starts a command. Disposal kills it. */
export function startCli(args: readonly string[], { cwd, env = {} }: CliOptions = {}): RunningCli {
  if (!existsSync(MAIN)) {
    throw new Error(`${MAIN} is not there: run npm run build`);
  }
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PATCHWIRE_'));
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { ...Object.fromEntries(inherited), ...env }, stdio: 'pipe' });
  const stdout: string[] = [];
  const stderr: string[] = [];
  const watchers = new Set<() => void>();
  const collect = (stream: NodeJS.ReadableStream, into: string[]): Promise<void> => {
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => {
      into.push(line);
      watchers.forEach((watch) => watch());
    });
    return new Promise((resolve) => lines.on('close', resolve));
  };
  const read = Promise.all([collect(child.stdout, stdout), collect(child.stderr, stderr)]);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  const output = (): string => [...stdout, ...stderr].join('\n');
  const within = async <T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} took more than ${timeoutMs} ms; it printed:\n${output()}`)), timeoutMs);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    process: child,
    stdout,
    stderr,
    async line(match, timeoutMs = 60_000) {
      let watch: (() => void) | undefined;
      const found = new Promise<string>((resolve, reject) => {
        watch = () => {
          const line = stdout.find(match) ?? stderr.find(match);
          if (line !== undefined) {
            resolve(line);
          }
        };
        watchers.add(watch);
        watch();
        void read.then(() => reject(new Error(`it ended before the line came; it printed:\n${output()}`)));
      });
      try {
        return await within(found, timeoutMs, 'the line');
      } finally {
        if (watch !== undefined) {
          watchers.delete(watch);
        }
      }
    },
    async exited(timeoutMs = 60_000) {
      try {
        const [{ code, signal }] = await within(Promise.all([ended, read]), timeoutMs, `patchwire ${args.join(' ')}`);
        return { code, signal, stdout: stdout.join('\n'), stderr: stderr.join('\n') };
      } catch (error) {
        child.kill('SIGKILL');
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
