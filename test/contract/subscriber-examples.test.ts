/** The examples of the subscriber library, each run as it stands, beside a daemon, a Redis and SQL Server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { createDaemon } from '../../src/daemon/daemon.ts';
import { Disposer } from '../../src/lib/disposer.ts';
import { subscribe } from '../../src/subscriber/index.ts';
import { privateTestRedis } from '../support/redis.ts';
import { startServer, type TestDatabase } from '../support/sandbox.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const examples = join(root, 'src/subscriber/examples');
// Where packages are found from.
const folder = join(root, `node_modules/.patchwire-examples-${process.pid}`);
const LIMIT = { timeout: 40_000, interval: 20 };

const resources = new Disposer();
let env: NodeJS.ProcessEnv;
let database: TestDatabase;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  const [server, redis] = await Promise.all([startServer(), privateTestRedis()]);
  resources.defer(() => server.close());
  resources.use(redis);
  database = await server.freshDatabase();
  for (const batch of [
    'CREATE TABLE dbo.Coupons (Code nvarchar(20) NOT NULL PRIMARY KEY, PercentOff int NOT NULL)',
    'ALTER TABLE dbo.Coupons ENABLE CHANGE_TRACKING',
    "INSERT INTO dbo.Coupons VALUES (N'WELCOME10', 10), (N'SUMMER', 15)",
  ]) {
    await database.rows(batch);
  }
  const config = {
    sources: { shop: { connection: database.connectionString, polling: { ladder: ['20ms'], confirm: '200ms' }, limits: { timeShare: 1 } } },
    manager: { redis: { url: redis.url }, partition: 'shop', heartbeat: '250ms', lease: '1s', invalidations: true },
    tables: [{ table: 'dbo.Coupons', section: 'coupons' }],
    http: { port: 0 },
  };
  const log = pino({ level: 'silent' });
  const daemon = createDaemon(parseConfig(JSON.stringify(config), { origin: 'test', env: {}, folder: '/' }), { log });
  resources.defer(() => daemon.stop());
  await daemon.start();
  await using coupons = subscribe({ redis: redis.url, partition: 'shop', section: 'coupons' });
  await coupons.waitUntilLive({ timeoutMs: 30_000 });
  env = { ...process.env, PATCHWIRE_REDIS: redis.url, PATCHWIRE_MSSQL: database.connectionString, PORT: '0' };
  mkdirSync(folder, { recursive: true });
});
afterEach(() => {
  children.forEach((child) => child.kill());
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await resources[Symbol.asyncDispose]();
});

/** Runs an example as it is written, from the sources instead of the package. @returns what it has printed so far, and its end */
function start(name: string): { readonly printed: () => string; readonly ended: Promise<number | null>; readonly child: ChildProcess } {
  const text = readFileSync(join(examples, name), 'utf8').replaceAll(
    /'patchwire\/(subscriber[^']*)'/gu,
    (_all, path: string) => `'${root}src/${path}/index.ts'`,
  );
  const file = join(folder, name);
  writeFileSync(file, text);
  const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: root, env });
  children.add(child);
  let printed = '';
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  child.stderr.on('data', (data: Buffer) => (printed += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { printed: () => printed, ended, child };
}

describe('the examples', () => {
  it('are on one screen each', () => {
    const names = readdirSync(examples);
    expect(names.toSorted()).toEqual(['http-server.mjs', 'live-table.mjs', 'lru-cache.mjs']);
    for (const name of names) {
      expect(readFileSync(join(examples, name), 'utf8').split('\n').length).toBeLessThanOrEqual(40);
    }
  });

  it('lru-cache: an existing cache is kept fresh, and reads its own writes', async () => {
    const { printed, ended } = start('lru-cache.mjs');
    expect([await ended, printed()]).toEqual([0, '1000 gets, 1 read\nnow 25 % off, 2 read\n']);
  });

  it('http-server: answers from a lazy cache, in any spelling, and follows', async () => {
    const { printed, ended, child } = start('http-server.mjs');
    await vi.waitFor(() => expect(printed()).toContain('/coupons/'), LIMIT);
    const url = printed().trim();
    const get = async (code: string): Promise<unknown> => {
      const response = await fetch(new URL(code, url));
      return [response.status, await response.json()];
    };
    await vi.waitFor(async () => expect(await get('summer')).toEqual([200, { Code: 'SUMMER', PercentOff: 15 }]), LIMIT);
    for (const code of ['nothing', '%zz', 'SUM%7CMER']) {
      expect(await get(code)).toEqual([404, { error: 'no such coupon' }]);
    }
    await database.rows("UPDATE dbo.Coupons SET PercentOff = 33 WHERE Code = N'SUMMER'");
    await vi.waitFor(async () => expect(await get('SUMMER')).toEqual([200, { Code: 'SUMMER', PercentOff: 33 }]), LIMIT);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('live-table: draws every document, and what has changed', async () => {
    const { printed, ended, child } = start('live-table.mjs');
    await vi.waitFor(() => expect(printed()).toMatch(/coupons: 2 rows, live, equal[\s\S]*SUMMER/u), LIMIT);
    await database.rows("UPDATE dbo.Coupons SET PercentOff = 44 WHERE Code = N'SUMMER'");
    await vi.waitFor(() => expect(printed()).toMatch(/\* SUMMER +44/u), LIMIT);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});
