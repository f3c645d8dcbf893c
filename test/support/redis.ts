/**
 * A Redis for tests, in this order: the one that PATCHWIRE_TEST_REDIS names (shared: never stopped, never flushed beyond the keys of this
 * test), else a private server. Tests that stop, kill or configure a server ask for a private one. Nothing survives disposal.
 */
import { randomBytes } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type PrivateRedis, type PrivateRedisOptions, startPrivateRedis } from '../../src/demo/private-redis.ts';

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  /** A plain client beside the code under test. Reconnects by itself. */
  readonly raw: Redis;
  /** A partition name that no other test uses. */
  partition(): string;
  /** Deletes every key of the partitions given out. */
  flush(): Promise<void>;
}

export interface PrivateTestRedis extends TestRedis {
  readonly server: PrivateRedis;
  /** kill -9. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Saves everything and keeps a copy of the dump under `name`. */
  save(name: string): Promise<void>;
  /** kill -9, then a start from the dump of that name: Redis has gone back in time. */
  restartFrom(name: string): Promise<void>;
}

/** A Redis of any kind. @throws when there is none and no server to start */
export async function testRedis(): Promise<TestRedis> {
  const url = process.env['PATCHWIRE_TEST_REDIS'];
  if (url === undefined || url === '') {
    return await privateTestRedis();
  }
  return shared(url, async () => undefined);
}

/** A Redis that the test may stop, kill and configure. */
export async function privateTestRedis(options: PrivateRedisOptions = {}): Promise<PrivateTestRedis> {
  const server = await startPrivateRedis(options);
  const base = shared(server.url, () => server[Symbol.asyncDispose]());
  const dump = join(server.folder, 'dump.rdb');
  return {
    ...base,
    server,
    kill: () => server.kill(),
    stop: () => server.stop(),
    start: () => server.start(),
    save: async (name) => {
      await base.raw.save();
      await copyFile(dump, join(server.folder, name));
    },
    restartFrom: async (name) => {
      await server.kill();
      await copyFile(join(server.folder, name), dump);
      await server.start();
    },
  };
}

function shared(url: string, end: () => Promise<void>): TestRedis {
  const raw = new Redis(url, { protocol: 2, retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => undefined);
  const run = randomBytes(4).toString('hex');
  const partitions: string[] = [];
  const flush = async (): Promise<void> => {
    for (const partition of partitions) {
      for await (const keys of raw.scanStream({ match: `{${partition}*`, count: 1000 }) as AsyncIterable<string[]>) {
        if (keys.length > 0) {
          await raw.unlink(keys);
        }
      }
    }
  };
  return {
    url,
    raw,
    partition: () => {
      const partition = `test-${run}-${partitions.length + 1}`;
      partitions.push(partition);
      return partition;
    },
    flush,
    [Symbol.asyncDispose]: async () => {
      if (process.env['PATCHWIRE_TEST_REDIS'] === url) {
        await flush();
      }
      raw.disconnect();
      await end();
    },
  };
}
