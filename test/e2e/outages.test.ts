/** Two sources, one of which refuses the login for a while: the other one's table goes on, and both do once the login is let in again. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { createDaemon } from '../../src/daemon/daemon.ts';
import { guardedTracker } from '../../src/daemon/guarded-ports.ts';
import { ServerBreaker } from '../../src/daemon/server-breaker.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import type { PatchwireError } from '../../src/model/errors.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import { sqlServerChangeTracker } from '../../src/source/sqlserver/sql-server-change-tracker.ts';
import { until } from '../support/daemon-process.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { openTcpGate } from '../support/tcp-gate.ts';

let redis: PrivateTestRedis;
let server: TestServer;

beforeAll(async () => {
  redis = await privateTestRedis();
  server = await startServer();
});

afterAll(async () => {
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
});

it('fifty reads that wait for the one reader make one login that is refused, not fifty', { timeout: 180_000 }, async () => {
  const database = await server.freshDatabase();
  const [, host = '', port = ''] = /Server=([^;,]+),(\d+)/iu.exec(database.connectionString) ?? [];
  await using gate = await openTcpGate(Number(port));
  await using tracker = sqlServerChangeTracker({
    source: 'shop',
    connection: { server: host, port: gate.port, database: database.name, user: 'pw_nobody', password: 'Wrong-2-password', encrypt: false },
    logger: createLogger({ level: 'silent' }),
  });
  const end = new AbortController();
  const breaker = new ServerBreaker({
    server: 'source/shop',
    what: 'SQL Server',
    // It serves when it is asked first.
    open: () => Promise.resolve(),
    told: () => {},
    log: createLogger({ level: 'silent' }),
    clock: systemClock,
    random: Math.random,
    signal: end.signal,
  });
  breaker.start();
  const guarded = guardedTracker(tracker, breaker);
  const selection = { schema: 'dbo', name: 'Items', columns: 'all', json: [], filter: null } as const;
  const { signal } = end;
  const reads = await Promise.allSettled(Array.from({ length: 50 }, () => guarded.describe(selection, { signal })));
  expect(reads.map((read) => read.status === 'rejected' && (read.reason as PatchwireError).code)).toEqual(Array(50).fill('PW-S202'));
  expect(gate.connections).toBe(1);
  expect(breaker.status()).toMatchObject({ state: 'open', openings: 1, trouble: { code: 'PW-S202' } });
  await expect(guarded.describe(selection, { signal })).rejects.toMatchObject({ code: 'PW-S202' });
  expect(gate.connections).toBe(1);
  end.abort(new Error('over'));
});

const LOGIN = `pw_outage_${process.pid}_${Date.now().toString(36)}`;
const PASSWORD = 'Right-1-password';

it(
  'a refused login stops no other source, is tried at most every 15 s, and goes on when somebody asks once it is mended',
  { timeout: 180_000 },
  async () => {
    const [shop, other] = [await server.freshDatabase(), await server.freshDatabase()];
    for (const database of [shop, other]) {
      await database.rows('CREATE TABLE dbo.Items (Id int NOT NULL PRIMARY KEY, A int NOT NULL)');
      await database.rows('ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING');
      await database.rows('INSERT INTO dbo.Items VALUES (1, 0), (2, 0)');
    }
    await shop.rows(`CREATE LOGIN ${LOGIN} WITH PASSWORD = '${PASSWORD}'`);
    onTestFinished(async () => void (await shop.errorOf(`DROP USER ${LOGIN}; DROP LOGIN ${LOGIN}`)));
    await shop.rows(`CREATE USER ${LOGIN} FOR LOGIN ${LOGIN}; GRANT SELECT, VIEW CHANGE TRACKING ON dbo.Items TO ${LOGIN}`);
    const [, host = '', port = ''] = /Server=([^;,]+),(\d+)/iu.exec(shop.connectionString) ?? [];
    await using gate = await openTcpGate(Number(port));
    const partition = redis.partition();
    const source = {
      ...{ server: host, port: gate.port, database: shop.name, user: LOGIN, password: PASSWORD },
      ...{ encrypt: false, trustServerCertificate: true },
      polling: { ladder: ['50ms'], confirm: '200ms' },
    };
    const config = {
      sources: { shop: source, other: { connection: other.connectionString, polling: source.polling } },
      manager: { redis: { url: redis.url }, partition, heartbeat: '250ms', lease: '2s' },
      tables: [
        { table: 'dbo.Items', source: 'shop', section: 'shop' },
        { table: 'dbo.Items', source: 'other', section: 'other' },
      ],
      http: { port: 0 },
    };
    const lines: Record<string, unknown>[] = [];
    const write = (line: string): unknown => lines.push(JSON.parse(line) as Record<string, unknown>);
    const daemon = createDaemon(parseConfig(JSON.stringify(config), { origin: 'test', env: {}, folder: '/' }), {
      log: createLogger({ level: 'info', pretty: false, destination: { write: (line) => void write(line) } }),
    });
    onTestFinished(() => daemon.stop());
    await daemon.start();
    const status = (name: string) => daemon.status().sections.find(({ section }) => section === name)!;
    const document = async (name: string): Promise<string | null> => redis.raw.get(`{${partition}:${name}}:1`);
    await until('both tables are live', () => status('shop').phase === 'live' && status('other').phase === 'live');

    await shop.rows(`ALTER LOGIN ${LOGIN} WITH PASSWORD = 'Wrong-2-password'`);
    const before = gate.connections;
    const since = performance.now();
    gate.cut();
    await until('the login is refused', () => status('shop').trouble?.code === 'PW-S202');
    const beats = status('shop').totals.heartbeats;
    for (let value = 1; value <= 5; value += 1) {
      await other.rows(`UPDATE dbo.Items SET A = ${value}`);
      await until('the other source goes on', async () => (await document('other')) === `{"Id":1,"A":${value}}`);
    }
    await until('heartbeats go on', () => status('shop').totals.heartbeats >= beats + 4);
    expect(status('other').phase).toBe('live');
    // A reader and the probes may each have met it before the breaker opened.
    expect(gate.connections - before).toBeLessThanOrEqual(3 + (performance.now() - since) / 15_000);
    expect(daemon.status().servers.map(({ server: name, openings }) => [name, openings])).toEqual([
      ['redis', 0],
      ['source/shop', 1],
      ['source/other', 0],
    ]);

    await shop.rows(`ALTER LOGIN ${LOGIN} WITH PASSWORD = '${PASSWORD}'`, {});
    await shop.rows('UPDATE dbo.Items SET A = 9');
    const replay = { maxBytes: 1 << 20, maxAgeMs: 60_000 };
    await using operator = redisDataManager({
      url: redis.url,
      partition,
      leaseMs: 2000,
      replay,
      commandTimeoutMs: 10_000,
      clock: systemClock,
    });
    await operator.request('shop', { id: 'r1', verb: 'poll', args: {}, who: 'tester' });
    await until('the table goes on', async () => (await document('shop')) === '{"Id":1,"A":9}');
    await until('the poll is answered', async () => (await operator.operation('shop', 'r1'))?.state === 'done');
    expect(status('shop')).toMatchObject({ phase: 'live', trouble: null });
    const told = lines.filter(({ what }) => String(what).includes('source shop')).map(({ msg, code }) => [msg, code]);
    expect(told.filter(([msg]) => msg === 'reached')).toHaveLength(1);
    expect(told).toContainEqual(['waiting for a server', 'PW-S202']);
  },
);
