/**
 * The programs that are hurt, each a process in a group of its own with its output in a file. Whatever ends this program, also kill -9, they
 * end with it: a shell holds the list of those that live and waits for our end of a pipe.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';

/** Told of every start (+pid) and end (-pid); on the end of its stdin it kills who is left. */
const REAPER = `alive=' '
while read -r word; do
  case "$word" in
    +*) alive="$alive\${word#+} " ;;
    -*) one="\${word#-}"; alive="\${alive%% $one *} \${alive#* $one }" ;;
  esac
done
for one in $alive; do kill -9 "$one" 2>/dev/null; done`;

let reaper: ChildProcess | null = null;
const living = new Set<Process>();

function tellReaper(word: string): void {
  if (reaper === null) {
    reaper = spawn('sh', ['-c', REAPER], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    reaper.unref();
    reaper.stdin?.on('error', () => undefined);
  }
  reaper.stdin?.write(`${word}\n`);
}

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Where stderr goes, and stdout too unless its lines are asked for. Appended to. */
  readonly logFile: string;
  /** Called with every line of stdout. */
  readonly onLine?: (line: string) => void;
}

export class Process {
  readonly name: string;
  readonly child: ChildProcess;
  readonly #exited: Promise<void>;
  #lines: Interface | null = null;
  /** SIGSTOP without a SIGCONT. */
  stopped = false;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    const log = openSync(options.logFile, 'a');
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PATCHWIRE_'));
    this.child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...Object.fromEntries(inherited), ...options.env },
      stdio: ['pipe', options.onLine === undefined ? log : 'pipe', log],
      detached: true,
    });
    closeSync(log);
    this.child.stdin?.on('error', () => undefined);
    if (options.onLine !== undefined && this.child.stdout !== null) {
      this.#lines = createInterface({ input: this.child.stdout });
      this.#lines.on('line', options.onLine);
    }
    living.add(this);
    const { pid } = this.child;
    if (pid !== undefined) {
      tellReaper(`+${pid}`);
    }
    this.#exited = new Promise((resolve) => {
      const end = (): void => {
        living.delete(this);
        if (pid !== undefined) {
          tellReaper(`-${pid}`);
        }
        resolve();
      };
      this.child.once('exit', end);
      this.child.once('error', end);
    });
  }

  get running(): boolean {
    return living.has(this);
  }

  write(line: string): void {
    if (this.running) {
      this.child.stdin?.write(`${line}\n`);
    }
  }

  pause(): void {
    this.stopped = true;
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.stopped = false;
    this.child.kill('SIGCONT');
  }

  /** kill -9, and its end. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGTERM and its end; kill -9 after the limit. @returns whether it ended by itself: with 0, or by the signal while it was not yet listening for it */
  async terminate(limitMs: number): Promise<boolean> {
    if (this.stopped) {
      this.resume();
    }
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limitMs);
    await this.#exited;
    clearTimeout(timer);
    return this.child.exitCode === 0 || this.child.signalCode === 'SIGTERM';
  }

  async exited(): Promise<void> {
    await this.#exited;
  }
}

/** Ends all that live. Called in `exit` handlers too: sends the signals synchronously. */
export function killAll(): void {
  for (const each of living) {
    each.child.kill('SIGKILL');
  }
}

/** The end of a log, for people. */
export function lastLines(file: string, count: number): readonly string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count);
  } catch {
    return [];
  }
}
