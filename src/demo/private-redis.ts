/**
 * Starts a Redis of our own: a redis-server or valkey-server on a free port of loopback, with a data folder of its own. Both are gone when
 * it is disposed of, and also when this process is killed. Imitates nothing and installs nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { PatchwireError } from '../model/errors.ts';

const NAMES = ['redis-server', 'valkey-server'];
const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 10;
/** Waits until our end of its stdin is closed, which also a kill -9 of this process does; then ends server ($1) and folder ($2). */
const WATCH = 'while read -r _; do :; done; kill -9 "$1"; rm -rf "$2"';
/** Another process may take the free port between the look and the start. */
const PORT_TRIES = 5;

export interface PrivateRedisOptions {
  /** Arguments behind ours, as redis-server takes them: ['--maxmemory', '10mb']. */
  readonly args?: readonly string[];
  /** The server to start; default: PATCHWIRE_REDIS_SERVER, else redis-server or valkey-server on the PATH. */
  readonly binary?: string;
}

/** The server that would be started; null when there is none. */
export function findRedisServer(env: NodeJS.ProcessEnv = process.env): string | null {
  const named = env['PATCHWIRE_REDIS_SERVER'];
  if (named !== undefined && named !== '') {
    return named;
  }
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    for (const name of NAMES) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  return null;
}

export class PrivateRedis implements AsyncDisposable {
  readonly port: number;
  /** The data folder; dump.rdb lies in it. */
  readonly folder: string;
  readonly #binary: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #watcher: ChildProcess | null = null;

  constructor(binary: string, port: number, folder: string, args: readonly string[]) {
    this.#binary = binary;
    this.port = port;
    this.folder = folder;
    this.#args = args;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** Starts the server on its port and folder; returns when it answers. @throws PW-M301 with what the server said */
  async start(): Promise<void> {
    if (this.#child !== null) {
      return;
    }
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'no'];
    // In a process group of its own: Ctrl-C is for us to handle, not for a server that we still write to.
    const child = spawn(this.#binary, [...args, ...this.#args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    if (child.pid !== undefined) {
      this.#watcher = spawn('sh', ['-c', WATCH, 'watch', String(child.pid), this.folder], {
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      });
      this.#watcher.on('error', () => undefined);
      this.#watcher.stdin?.on('error', () => undefined);
    }
    let said = '';
    const keep = (chunk: Buffer): void => {
      said = (said + chunk.toString('utf8')).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let ended: string | null = null;
    child.once('error', (error) => {
      ended = error.message;
    });
    child.once('exit', (code, signal) => {
      ended ??= `exit ${code ?? signal ?? ''}`;
      if (this.#child === child) {
        this.#child = null;
        this.#watcher?.kill('SIGKILL');
        this.#watcher = null;
      }
    });
    const limit = Date.now() + START_LIMIT_MS;
    while (!(await answers(this.port))) {
      if (ended !== null || Date.now() > limit) {
        await this.kill();
        throw new PatchwireError('PW-M301', `${this.#binary} did not start on port ${this.port}: ${ended ?? 'no answer'}`, {
          details: { said },
        });
      }
      await pause(LOOK_EVERY_MS);
    }
    if (ended !== null) {
      throw new PatchwireError('PW-M301', `port ${this.port} is taken by another program`, { details: { said } });
    }
  }

  /** Ends the server in good order, or by force after ten seconds. What is saved depends on its `--save`. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** kill -9: nothing is saved. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    // The watcher goes first: it must never look for a process id that is free again.
    this.#watcher?.kill('SIGKILL');
    this.#watcher?.stdin?.destroy();
    this.#watcher = null;
    if (child === null) {
      return;
    }
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      await new Promise<void>((resolve) => {
        const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
        child.once('exit', () => {
          clearTimeout(force);
          resolve();
        });
        child.kill(signal);
      });
    }
    this.#child = null;
  }
}

/** Starts a private server. @throws PW-M301 when there is none to start, or it does not start */
export async function startPrivateRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const binary = options.binary ?? findRedisServer();
  if (binary === null) {
    throw new PatchwireError('PW-M301', 'there is no redis-server or valkey-server on the PATH', {
      hint: 'Run `npm run setup`, or name one by PATCHWIRE_REDIS_SERVER.',
    });
  }
  for (let attempt = 1; ; attempt += 1) {
    const folder = await mkdtemp(join(tmpdir(), 'patchwire-redis-'));
    const redis = new PrivateRedis(binary, await freePort(), folder, options.args ?? []);
    try {
      await redis.start();
      return redis;
    } catch (error) {
      await redis[Symbol.asyncDispose]();
      if (attempt === PORT_TRIES) {
        throw error;
      }
    }
  }
}

/** A port of loopback that was free a moment ago. */
async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

/** Whether something on this port answers PING as Redis does, also when it wants a password or is loading. */
async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(1000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      const text = data.toString('utf8');
      end(text.startsWith('+PONG') || text.startsWith('-NOAUTH'));
    });
    socket.once('close', () => resolve(false));
  });
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
