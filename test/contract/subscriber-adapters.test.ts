/**
 * Caches that programs have beside a real Redis, a daemon and SQL Server: what is loaded from either is never older than what was told, and who waits
 * for a version reads it.
 */
import { Redis } from 'ioredis';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import sql from 'mssql';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { createDaemon } from '../../src/daemon/daemon.ts';
import { Disposer } from '../../src/lib/disposer.ts';
import { freshCache, readAt, type SyncCache } from '../../src/subscriber/adapters/index.ts';
import { type Invalidations, subscribe } from '../../src/subscriber/index.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { startServer, type TestDatabase, type TestServer } from '../support/sandbox.ts';

const WAIT = { timeoutMs: 30_000 };
const KEYS = ['1', '2', '3'];

let server: TestServer;
let redis: PrivateTestRedis;
beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), privateTestRedis()]);
});
afterAll(async () => {
  await server.close();
  await redis[Symbol.asyncDispose]();
});

let resources: Disposer;
let database: TestDatabase;
let partition: string;
let items: Invalidations;

beforeEach(async () => {
  resources = new Disposer();
  database = await server.freshDatabase();
  partition = redis.partition();
  await database.rows('CREATE TABLE dbo.Items (Id int NOT NULL PRIMARY KEY, N int NOT NULL)');
  await database.rows('ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING');
  await database.rows('INSERT INTO dbo.Items VALUES (1, 0), (2, 0), (3, 0)');
  const config = {
    sources: { shop: { connection: database.connectionString, polling: { ladder: ['20ms'], confirm: '200ms' }, limits: { timeShare: 1 } } },
    manager: { redis: { url: redis.url }, partition, heartbeat: '250ms', lease: '1s', invalidations: true },
    tables: [{ table: 'dbo.Items', section: 'items' }],
    http: { port: 0 },
  };
  const daemon = createDaemon(parseConfig(JSON.stringify(config), { origin: 'test', env: {}, folder: '/' }), {
    log: pino({ level: 'silent' }),
  });
  resources.defer(() => daemon.stop());
  await daemon.start();
  items = resources.use(subscribe({ redis: redis.url, partition, section: 'items', mode: 'invalidate' }));
  await items.waitUntilLive(WAIT);
});
afterEach(() => resources[Symbol.asyncDispose]());

const version = async (): Promise<string> => {
  const [row] = await database.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
  return String(row?.v);
};
const write = async (id: string, n: number): Promise<string> => {
  await database.rows(`UPDATE dbo.Items SET N = ${n} WHERE Id = ${id}`);
  return await version();
};
const fromServer = async (id: string): Promise<number> => {
  const [row] = await database.rows<{ N: number }>(`SELECT N FROM dbo.Items WHERE Id = ${id}`);
  return row?.N ?? -1;
};

describe.each([
  ['lru-cache', () => new LRUCache<string, number>({ max: 100 })],
  ['keyv', () => new Keyv<number>()],
] as const)('%s', (_name, make) => {
  it.each(['SQL Server', 'Redis'] as const)(
    'loaded from %s under writes: who waits for a write reads it, and nothing old stays',
    async (place) => {
      const reader = resources.use({
        client: new Redis(redis.url, { protocol: 2 }),
        [Symbol.asyncDispose]: async () => void reader.client.quit(),
      });
      const fromRedis = async (id: string): Promise<number> =>
        (JSON.parse((await reader.client.get(`{${partition}:items}:${id}`)) ?? '{"N":-1}') as { readonly N: number }).N;
      const load = place === 'Redis' ? fromRedis : fromServer;
      const cache = resources.use(freshCache<number>(items, make() as SyncCache<string, number>));
      let over = false;
      const reading = Promise.all(
        KEYS.map(async (id) => {
          while (!over) {
            await cache.get(id, () => load(id));
            await new Promise((resolve) => setImmediate(resolve));
          }
        }),
      );
      const read: unknown[] = [];
      const written: unknown[] = [];
      for (let n = 1; n <= 9; n++) {
        const id = KEYS[n % 3]!;
        await cache.waitForVersion(await write(id, n), WAIT);
        read.push([id, await cache.get(id, () => load(id))]);
        written.push([id, n]);
      }
      over = true;
      await reading;
      expect(read).toEqual(written);
      const loads = cache.counters.loads;
      expect(await Promise.all(KEYS.map((id) => cache.get(id, () => load(id))))).toEqual(await Promise.all(KEYS.map(fromServer)));
      expect(cache.counters.loads - loads).toBeLessThanOrEqual(KEYS.length);
    },
  );

  it('the stale refill: what was read before a write and would be stored after it was told is not stored', async () => {
    const cache = resources.use(freshCache<number>(items, make() as SyncCache<string, number>));
    await cache.settled();
    let [goOn, seen] = [(): void => {}, (): void => {}];
    const told = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const read = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const slow = cache.get('1', async () => {
      const value = await fromServer('1');
      seen();
      await told;
      return value;
    });
    await read;
    await cache.waitForVersion(await write('1', 5), WAIT);
    goOn();
    expect(await slow).toBe(0);
    expect(await cache.get('1', () => fromServer('1'))).toBe(5);
    expect(cache.counters).toEqual({ loads: 2, refused: 1 });
  });
});

describe('a read that sees an older state than was told', () => {
  it('is kept only with its version: in a snapshot that was open before the change', async () => {
    const cache = resources.use(freshCache<number>(items, new LRUCache<string, number>({ max: 100 })));
    const pool = await database.session();
    const snapshot = new sql.Transaction(pool);
    await snapshot.begin(sql.ISOLATION_LEVEL.SNAPSHOT);
    // A snapshot begins with its first read.
    const old = async (): Promise<{ readonly v: string; readonly n: number }> => {
      const { recordset } = await new sql.Request(snapshot).query<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
      const rows = await new sql.Request(snapshot).query<{ N: number }>('SELECT N FROM dbo.Items WHERE Id = 1');
      return { v: String(recordset[0]?.v), n: rows.recordset[0]?.N ?? -1 };
    };
    const before = await old();
    await cache.waitForVersion(await write('1', 7), WAIT);
    expect(BigInt(items.horizon() ?? 0)).toBeGreaterThan(BigInt(before.v));
    const fromSnapshot = await cache.get('1', async () => {
      const { n } = await old();
      return readAt(before.v, n);
    });
    expect(fromSnapshot).toBe(0);
    await snapshot.rollback();
    const readNow = async (): Promise<ReturnType<typeof readAt<number>>> => readAt(await version(), await fromServer('1'));
    expect(await cache.get('1', readNow)).toBe(7);
    expect(await cache.get('1', () => -1)).toBe(7);
    expect(cache.counters).toEqual({ loads: 2, refused: 1 });
  });
});

describe('a plain callback', () => {
  it('hears of every key, and of everything', async () => {
    const told: string[] = [];
    const heard = resources.use(
      subscribe({
        ...{ redis: redis.url, partition, section: 'items', mode: 'invalidate' },
        onInvalidate: (event) => told.push(event.type === 'invalidate' ? event.dataKey : event.reason),
      }),
    );
    await heard.waitUntilLive(WAIT);
    await heard.waitForVersion(await write('2', 9), WAIT);
    await vi.waitFor(() => expect(told).toEqual(['start', '2']));
  });
});
