/** Servers that are not there, stop, or cut connections while rows change; commits that become visible late; daemons that end and take over. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { type DaemonWorld, daemonWorld, type FollowedReplica, until, type WorldOptions } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { startServer, type TestDatabase, type TestServer } from '../support/sandbox.ts';

let redis: PrivateTestRedis;
let server: TestServer;

beforeAll(async () => {
  // Everything acknowledged survives a stop: what a restart may lose is the matter of other tests.
  redis = await privateTestRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  server = await startServer();
});

afterAll(async () => {
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
});

const ITEMS: TableShape = { table: 'dbo.Items', section: 'items', key: ['Id'], columns: { Id: 'plain', A: 'plain', T: 'plain' } };
const OTHER: TableShape = { ...ITEMS, table: 'dbo.Other', section: 'other' };

interface Followed {
  readonly world: DaemonWorld;
  readonly database: TestDatabase;
  readonly items: FollowedReplica;
}

/** Two tables of 30 rows in a database of their own, and a replica of the first. */
async function followed(options: Partial<WorldOptions> = {}, { snapshot = true } = {}): Promise<Followed> {
  const database = await server.freshDatabase({ snapshot });
  const world = daemonWorld({ database, redis, tables: [{ shape: ITEMS }, { shape: OTHER }], ...options });
  onTestFinished(() => world.close());
  for (const { table } of [ITEMS, OTHER]) {
    await world.sql(
      `CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, A int NOT NULL, T nvarchar(30) NULL)`,
      `ALTER TABLE ${table} ENABLE CHANGE_TRACKING`,
      `INSERT INTO ${table} VALUES ${Array.from({ length: 30 }, (_, i) => `(${i + 1}, 0, N'row')`).join(', ')}`,
    );
  }
  return { world, database, items: world.follow('items') };
}

/** A random statement over either table; keys 1 to 40. */
function statement(random: () => number): string {
  const { table } = random() < 0.7 ? ITEMS : OTHER;
  const id = 1 + Math.floor(random() * 40);
  const kind = Math.floor(random() * 5);
  return (
    [
      `DELETE ${table} WHERE Id = ${id}`,
      `IF NOT EXISTS (SELECT 1 FROM ${table} WHERE Id = ${id}) INSERT INTO ${table} VALUES (${id}, ${id}, N'new')`,
      `UPDATE ${table} SET A = A + 1 WHERE Id % 3 = ${id % 3}`,
    ][kind] ?? `UPDATE ${table} SET A = A + 1, T = N'${id}' WHERE Id = ${id}`
  );
}

/** Changes rows, one transaction after another, until it is stopped. */
function writer(world: DaemonWorld, seed: number): { readonly count: () => number; stop(): Promise<void> } {
  const random = seededRandom(seed);
  let count = 0;
  let running = true;
  const run = (async () => {
    while (running) {
      await world.sql(statement(random));
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    count: () => count,
    stop: async () => {
      running = false;
      await run;
    },
  };
}

async function moreWritten(writing: { readonly count: () => number }, rows: number): Promise<void> {
  const from = writing.count();
  await until(`${rows} more transactions`, () => writing.count() >= from + rows);
}

describe('Redis', () => {
  it('that stops and starts again while rows change: nothing is lost, and the replica catches up', async () => {
    const { world, items } = await followed();
    const daemon = world.daemon();
    expect(await world.differences()).toEqual([]);
    const writing = writer(world, 1);
    for (let round = 0; round < 3; round += 1) {
      await moreWritten(writing, 20);
      await (round === 1 ? redis.kill() : redis.stop());
      await moreWritten(writing, 20);
      expect((await daemon.get('/live')).status).toBe(200);
      await redis.start();
    }
    await moreWritten(writing, 20);
    await writing.stop();
    expect(await world.differences()).toEqual([]);
    expect(items.replica.state().counters.diverged).toBe(0);
    await daemon.ready();
  });

  it('that comes back empty is loaded anew', async () => {
    const { world } = await followed();
    world.daemon();
    expect(await world.differences()).toEqual([]);
    await world.raw.flushall();
    await world.sql(`UPDATE dbo.Items SET A = 9 WHERE Id < 5`, 'DELETE dbo.Other WHERE Id = 7');
    expect(await world.differences()).toEqual([]);
  });
});

describe('Redis that goes back in time', () => {
  it('C4: while its leader lives: a new epoch, every subscriber is told, and what was taken back is read again', async () => {
    await using own = await privateTestRedis();
    const { world, items } = await followed({ redis: own });
    world.daemon();
    expect(await world.differences()).toEqual([]);
    await own.save('old.rdb');
    const { epoch } = await world.meta('items');
    await world.sql(
      'UPDATE dbo.Items SET A = 7 WHERE Id < 10',
      'DELETE dbo.Items WHERE Id = 12',
      `INSERT INTO dbo.Items VALUES (40, 1, N'x')`,
    );
    await world.caughtUp();
    await own.restartFrom('old.rdb');
    await until('the leader began a new epoch', async () => (await world.meta('items'))['epoch'] !== epoch);
    expect(await world.differences()).toEqual([]);
    expect(items.events.some(({ type }) => type === 'reset')).toBe(true);
    await world.close();
  });
});

describe('SQL Server', () => {
  it('that cuts connections in the middle of reads: every read is made again, nothing is lost', async (context) => {
    const control = server.sandbox?.control;
    if (control === undefined) {
      return context.skip('cutting connections is the sandbox’s');
    }
    const { world, items } = await followed();
    world.daemon();
    expect(await world.differences()).toEqual([]);
    const writing = writer(world, 2);
    for (const sqlContains of ['CHANGETABLE', 'COMMIT TRANSACTION', 'CHANGETABLE', 'CHANGE_TRACKING_CURRENT_VERSION', 'CHANGETABLE']) {
      const pause = control.pauseBefore({ appName: 'patchwire', sqlContains });
      await pause.reached;
      expect(control.cutConnections('patchwire')).toBeGreaterThan(0);
      pause.resume();
    }
    await moreWritten(writing, 10);
    await writing.stop();
    expect(await world.differences()).toEqual([]);
    expect(items.replica.state().counters).toMatchObject({ reloads: 0, diverged: 0 });
  });

  for (const snapshot of [true, false]) {
    const level = snapshot ? 'SNAPSHOT' : 'READ COMMITTED where SNAPSHOT is off';
    it(`R5: commits that become visible late all arrive, under ${level}, in every profile of the sandbox`, async (context) => {
      const control = server.sandbox?.control;
      if (control === undefined) {
        return context.skip('the visibility gap is the sandbox’s');
      }
      const { world, database, items } = await followed({}, { snapshot });
      const daemon = world.daemon();
      expect(await world.differences()).toEqual([]);
      if (!snapshot) {
        await daemon.line('does not allow SNAPSHOT isolation');
      }
      onTestFinished(() => {
        control.setProfile('implied');
        control.setVisibilityGap(0);
      });
      const sessions = await Promise.all([1, 2, 3].map(() => database.session()));
      for (const profile of ['implied', 'live', 'worst'] as const) {
        control.setProfile(profile);
        control.setVisibilityGap(60);
        await Promise.all(
          sessions.map(async (session, i) => {
            for (let n = 0; n < 10; n += 1) {
              const id = 1 + i * 10 + n;
              await session.request().batch(`UPDATE dbo.Items SET A = A + 1 WHERE Id = ${id}`);
              await session
                .request()
                .batch(n % 5 === 0 ? `DELETE dbo.Items WHERE Id = ${id}` : `UPDATE dbo.Other SET A = ${n} WHERE Id = ${id}`);
            }
          }),
        );
        control.setVisibilityGap(0);
        const version = await world.version();
        for (const section of ['items', 'other']) {
          await until('everything is confirmed', async () => BigInt((await world.meta(section))['confirmed'] ?? 0) >= version);
        }
        expect({ profile, differences: await world.differences() }).toEqual({ profile, differences: [] });
      }
      expect(items.replica.state().counters).toMatchObject({ reloads: 0, diverged: 0 });
    });
  }
});

/** A port of loopback where nothing listens until `open`. */
async function closedPort(): Promise<{ readonly port: number; open(target: number): Promise<void> }> {
  const listen = (relay: Server, port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      relay.once('error', reject);
      relay.listen(port, '127.0.0.1', () => {
        const address = relay.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  const first = createServer();
  const port = await listen(first, 0);
  await new Promise((resolve) => first.close(resolve));
  return {
    port,
    open: async (target) => {
      const sockets = new Set<Socket>();
      const relay = createServer((client) => {
        const upstream = connect(target, '127.0.0.1');
        for (const [one, other] of [
          [client, upstream],
          [upstream, client],
        ] as const) {
          sockets.add(one);
          one.on('error', () => other.destroy());
          one.on('close', () => other.destroy());
          one.pipe(other);
        }
      });
      await listen(relay, port);
      onTestFinished(async () => {
        sockets.forEach((socket) => socket.destroy());
        await new Promise((resolve) => relay.close(resolve));
      });
    },
  };
}

describe('at the start', () => {
  it('waits for Redis and for SQL Server, says for which, and goes on when they come', async (context) => {
    const { sandbox } = server;
    if (sandbox === null) {
      return context.skip('the relay knows the sandbox’s connection string');
    }
    const [redisPort, sqlPort] = [await closedPort(), await closedPort()];
    const database = await server.freshDatabase();
    const { world } = await followed({
      redisUrl: `redis://127.0.0.1:${redisPort.port}`,
      connection: database.connectionString.replace(`127.0.0.1,${sandbox.port}`, `127.0.0.1,${sqlPort.port}`),
      database,
    });
    const daemon = world.daemon();
    expect(await daemon.line(/"what":"Redis at /u)).toMatchObject({ code: 'PW-M301' });
    const { status, body } = await daemon.get('/ready');
    expect({ status, body }).toMatchObject({ status: 503, body: expect.stringMatching(/waiting for/u) as string });
    expect((await daemon.get('/live')).status).toBe(200);
    await redisPort.open(redis.server.port);
    expect(await daemon.line(/"what":"SQL Server /u)).toMatchObject({ code: 'PW-S201' });
    await sqlPort.open(sandbox.port);
    await daemon.ready();
    expect(await daemon.stop()).toMatchObject({ code: 0, stderr: '' });
  });

  it('--once loads, brings up to date, and ends with 0; again, it writes what changed and nothing else', async () => {
    const { world } = await followed();
    expect(await world.daemon('--once').cli.exited()).toMatchObject({ code: 0, stderr: '' });
    expect(await world.differences()).toEqual([]);
    await world.sql('UPDATE dbo.Items SET A = 5 WHERE Id = 3', 'DELETE dbo.Items WHERE Id = 4', 'UPDATE dbo.Other SET A = A');
    const { tip } = await world.meta('other');
    expect(await world.daemon('--once').cli.exited()).toMatchObject({ code: 0, stderr: '' });
    expect(await world.differences()).toEqual([]);
    expect((await world.meta('other'))['tip']).toBe(tip);
    expect(await world.raw.exists(`{${world.partition}:items}/lease`)).toBe(0);
  });
});

describe('daemons that end', () => {
  it('SIGTERM while rows change: what is in hand is finished, the lease is handed over, and the exit code is 0', async () => {
    const { world } = await followed({ lease: '60s' });
    const daemon = world.daemon();
    await world.caughtUp();
    const writing = writer(world, 3);
    await moreWritten(writing, 20);
    expect(await daemon.stop()).toMatchObject({ code: 0, signal: null, stderr: '' });
    for (const section of ['items', 'other']) {
      expect(await world.raw.exists(`{${world.partition}:${section}}/lease`)).toBe(0);
      expect((await world.meta(section))['pending']).toBe('');
    }
    await moreWritten(writing, 20);
    // With a lease of a minute that nobody gave up, this would not be caught up in time.
    world.daemon();
    await moreWritten(writing, 20);
    await writing.stop();
    expect(await world.differences()).toEqual([]);
  });

  it('a second daemon stands by, and takes over after kill -9 of the first, again and again', async () => {
    const { world, items } = await followed();
    let leader = world.daemon();
    await world.caughtUp();
    const writing = writer(world, 4);
    for (let round = 0; round < 2; round += 1) {
      const standby = world.daemon();
      await standby.line('standing by: another daemon leads');
      await standby.ready();
      const { leader: token } = await world.meta('items');
      await moreWritten(writing, 10);
      await leader.kill();
      await until('the standby leads', async () => (await world.meta('items'))['leader'] !== token);
      leader = standby;
    }
    await writing.stop();
    expect(await world.differences()).toEqual([]);
    expect(items.replica.state().counters).toMatchObject({ reloads: 0, diverged: 0 });
  });
});
