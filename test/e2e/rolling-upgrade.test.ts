/**
 * Rolling upgrade: a daemon that knows only the format before this one (in this process, on a manager that is told so) beside the built program,
 * under load. The newer one takes over without a gap or a load; the older one refuses by name what the newer one wrote, and harms nothing.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createDaemon, type Daemon } from '../../src/daemon/daemon.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import { STORE_FORMAT } from '../../src/wire/messages.ts';
import { type DaemonProcess, daemonWorld, type DaemonWorld, type FollowedReplica, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';

const shape = (name: string): TableShape => ({ table: `dbo.${name}`, section: name, key: ['Id'], columns: { Id: 'plain', N: 'plain' } });
const SHARED = ['a', 'b', 'c'];
/** A section that is followed and never loaded: what the format before does not know. */
const NEW = 'followed';

let redis: PrivateTestRedis;
let server: TestServer;
let world: DaemonWorld;
let older: Daemon;
let newer: DaemonProcess;
let replicas: readonly FollowedReplica[];
let writing: () => Promise<void> = () => Promise.resolve();

/** A daemon of the format before: with these of the configuration's tables. */
function startOlder(sections: readonly string[]): Daemon {
  const config = loadConfig({ path: join(world.cli.cwd ?? '', 'cdc.config.yaml'), env: { ...world.cli.env } });
  const { lease, replay } = config.manager;
  const daemon = createDaemon(
    { ...config, tables: config.tables.filter(({ section }) => sections.includes(section)) },
    {
      log: createLogger({ level: 'silent', pretty: false }),
      manager: () =>
        redisDataManager({
          url: redis.url,
          partition: world.partition,
          leaseMs: lease,
          replay: { maxBytes: replay.maxBytes, maxAgeMs: replay.maxAge },
          commandTimeoutMs: lease / 2,
          format: STORE_FORMAT - 1,
          clock: systemClock,
        }),
    },
  );
  void daemon.start();
  return daemon;
}

const leads = (daemon: Daemon): readonly string[] =>
  daemon
    .status()
    .sections.filter(({ leading }) => leading)
    .map(({ section }) => section);

async function heldBy(pid: number | undefined, sections: readonly string[]): Promise<boolean> {
  const { revision: _, ...entries } = await world.raw.hgetall(`{${world.partition}}/daemons`);
  const [id] = Object.entries(entries).find(([, text]) => (JSON.parse(text) as { pid: number }).pid === pid) ?? [];
  const holders = await world.raw.mget(sections.map((section) => `{${world.partition}:${section}}/lease`));
  return id !== undefined && holders.every((holder) => holder === id);
}

beforeAll(async () => {
  redis = await privateTestRedis();
  server = await startServer();
  const database = await server.freshDatabase();
  world = daemonWorld({
    database,
    redis,
    tables: [...SHARED.map((name) => ({ shape: shape(name) })), { shape: shape(NEW), entry: { initial: 'none' } }],
  });
  for (const name of [...SHARED, NEW]) {
    await world.sql(
      `CREATE TABLE dbo.${name} (Id int NOT NULL PRIMARY KEY, N int NOT NULL)`,
      `ALTER TABLE dbo.${name} ENABLE CHANGE_TRACKING`,
      `INSERT INTO dbo.${name} VALUES ${Array.from({ length: 20 }, (_, i) => `(${i}, 0)`).join(', ')}`,
    );
  }
  replicas = SHARED.map((name) => world.follow(name));
});

afterAll(async () => {
  await writing();
  await older?.stop();
  await world?.close();
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
});

function write(): () => Promise<void> {
  let going = true;
  const run = (async () => {
    for (let n = 1; going; n += 1) {
      await world.sql(SHARED.map((name) => `UPDATE dbo.${name} SET N = ${n} WHERE Id = ${n % 20}`).join('; '));
    }
  })();
  return async () => {
    going = false;
    await run;
  };
}

describe('rolling upgrade', () => {
  it('a newer daemon takes over from an older one under load, without a gap or a load', async () => {
    older = startOlder(SHARED);
    await world.caughtUp(...SHARED);
    writing = write();
    newer = world.daemon();
    await until('the newer one leads what the older one gave it', () => leads(older).length === 2);
    await world.caughtUp(...SHARED);
    await older.stop();
    await until('the newer one leads everything', () => heldBy(newer.cli.process.pid, [...SHARED, NEW]));
    await world.caughtUp(...SHARED);
    const metas = await Promise.all([...SHARED, NEW].map((name) => world.meta(name)));
    expect(metas.map(({ format }) => format)).toEqual(['1', '1', '1', String(STORE_FORMAT)]);
    for (const { replica } of replicas) {
      expect(replica.state().counters).toMatchObject({ reloads: 0, diverged: 0, invalid: 0 });
    }
  });

  it('PW-M313: an older daemon refuses a newer format by name, stands still for it, and goes on with the rest', async () => {
    older = startOlder([...SHARED, NEW]);
    await until('the older one stands by', () => older.status().sections.every(({ phase }) => phase === 'standby' || phase === 'stopped'));
    expect(leads(older), 'nothing is handed to an older one').toEqual([]);
    await newer.kill();
    const before = await world.meta(NEW);
    await until('the older one leads what it knows', () => SHARED.every((name) => leads(older).includes(name)));
    const trouble = await until('it says why it does not lead the rest', () => {
      const found = older.status().sections.find(({ section }) => section === NEW);
      return found?.phase === 'stopped' && found.trouble;
    });
    expect(trouble).toMatchObject({ code: 'PW-M313', message: expect.stringContaining(`format ${STORE_FORMAT}`) });
    await world.caughtUp(...SHARED);
    expect(await world.meta(NEW), 'nothing of it was touched').toEqual(before);
    expect(leads(older)).toHaveLength(SHARED.length);
  });

  it('the newer one takes up again what the older one refused, and loads nothing', async () => {
    const { epoch } = await world.meta(NEW);
    newer = world.daemon();
    await until('the newer one leads it', () => heldBy(newer.cli.process.pid, [NEW]));
    await older.stop();
    await until('and the rest', () => heldBy(newer.cli.process.pid, [...SHARED, NEW]));
    await writing();
    expect(await world.differences(...SHARED)).toEqual([]);
    expect(await world.meta(NEW)).toMatchObject({ epoch, state: 'live' });
    for (const { replica } of replicas) {
      expect(replica.state().counters).toMatchObject({ reloads: 0, diverged: 0, invalid: 0 });
    }
  });
});
