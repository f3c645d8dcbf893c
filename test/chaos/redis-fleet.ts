/**
 * The Redis that everybody reaches through proxies: one redis-server with an append-only file at a time, and what happens to it: killed and
 * restarted with its data, without, with an old dump, or replaced by a replica that never got the last writes.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Process } from './process.ts';
import { openProxy, type Proxy } from './proxy.ts';
import { sleep, until } from './waiting.ts';

const START_LIMIT_MS = 60_000;

export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

/** How often a master waits before it tells a replica something is of no use here: replicas are made, and left behind, within seconds. */
const ARGS = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', '--repl-diskless-sync-delay', '0'];

export class RedisFleet {
  readonly #binary: string;
  readonly #folder: string;
  readonly #logFile: string;
  #generation = 0;
  #process: Process | null = null;
  #client: Redis | null = null;
  port = 0;
  /** Those that lead to the Redis of the moment. */
  readonly proxies: Proxy[] = [];

  constructor(binary: string, folder: string) {
    this.#binary = binary;
    this.#folder = folder;
    this.#logFile = join(folder, 'redis.log');
  }

  /** For looking, past the proxies. */
  get client(): Redis {
    if (this.#client === null) {
      throw new Error('Redis is down');
    }
    return this.#client;
  }

  get process(): Process | null {
    return this.#process;
  }

  async openProxy(name: string): Promise<Proxy> {
    const proxy = await openProxy(name, this.port);
    this.proxies.push(proxy);
    return proxy;
  }

  async start(): Promise<void> {
    this.port = await freePort();
    this.#process = this.#spawn(this.port, this.#dataFolder());
    this.#client = await this.#connect(this.port);
  }

  async kill(): Promise<void> {
    this.#client?.disconnect();
    this.#client = null;
    await this.#process?.kill();
    this.#process = null;
  }

  /** After `kill`: with what its append-only file holds. */
  async restart(): Promise<void> {
    this.#process = this.#spawn(this.port, this.#dataFolder());
    this.#client = await this.#connect(this.port);
  }

  /** After `kill`: with nothing. */
  async restartEmpty(): Promise<void> {
    this.#generation += 1;
    await this.restart();
  }

  /** Keeps what Redis holds now. @returns the dump's file */
  async dump(name: string): Promise<string> {
    const before = await this.client.lastsave();
    // Its clock counts seconds: a dump within the same second would look like the one before.
    await sleep(1100);
    await until('Redis begins a dump', async () => ((await this.client.bgsave()) === null ? null : true), 30_000);
    await until('Redis has saved', async () => ((await this.client.lastsave()) > before ? true : null), 60_000);
    const file = join(this.#folder, `${name}.rdb`);
    copyFileSync(join(this.#dataFolder(), 'dump.rdb'), file);
    return file;
  }

  /** After `kill`: with what a dump holds. */
  async restartFrom(dump: string): Promise<void> {
    this.#generation += 1;
    // An append-only file would count, and an empty one made beside the dump would hide it: it is switched on once the dump is read.
    copyFileSync(dump, join(this.#dataFolder(), 'dump.rdb'));
    this.#process = this.#spawn(this.port, this.#dataFolder(), ['--appendonly', 'no']);
    this.#client = await this.#connect(this.port);
    await this.#client.config('SET', 'appendonly', 'yes');
    await until(
      'the append-only file is written',
      async () => (/aof_rewrite_in_progress:0\r?\n/u.test((await this.#client?.info('persistence')) ?? '') ? true : null),
      60_000,
    );
  }

  /** A replica that has everything, behind a line of its own. */
  async follow(): Promise<{ readonly promote: () => Promise<void>; readonly cutOff: () => void }> {
    const line = await openProxy('replication', this.port);
    const port = await freePort();
    this.#generation += 1;
    const replica = this.#spawn(port, this.#dataFolder(), ['--replicaof', `127.0.0.1 ${line.port}`]);
    const client = await this.#connect(port);
    await until(
      'the replica has everything',
      async () => (/master_link_status:up/u.test(await client.info('replication')) ? true : null),
      START_LIMIT_MS,
    );
    return {
      cutOff: () => line.halfOpen('both'),
      promote: async () => {
        await this.kill();
        await client.replicaof('NO', 'ONE');
        await line.close();
        this.#process = replica;
        this.#client = client;
        this.port = port;
        for (const proxy of this.proxies) {
          proxy.switchTo(port);
        }
      },
    };
  }

  async close(): Promise<void> {
    await this.kill();
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }

  #dataFolder(): string {
    const folder = join(this.#folder, `redis-${this.#generation}`);
    if (!existsSync(folder)) {
      mkdirSync(folder);
      if (this.#generation > 1) {
        rmSync(join(this.#folder, `redis-${this.#generation - 2}`), { recursive: true, force: true });
      }
    }
    return folder;
  }

  #spawn(port: number, folder: string, args: readonly string[] = []): Process {
    return new Process({
      name: 'redis',
      command: this.#binary,
      args: ['--port', String(port), '--dir', folder, ...ARGS, ...args],
      logFile: this.#logFile,
    });
  }

  async #connect(port: number): Promise<Redis> {
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 100, maxRetriesPerRequest: null, enableReadyCheck: true });
    client.on('error', () => undefined);
    await until(
      `redis-server answers on port ${port}`,
      async () => ((await Promise.race([client.ping(), sleep(1000)])) === 'PONG' ? true : null),
      START_LIMIT_MS,
    );
    return client;
  }
}
