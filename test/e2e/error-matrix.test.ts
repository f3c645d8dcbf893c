/**
 * The matrix of errors through the built command line: exit code, code, the thing and its value, the way out; nothing changed on disk, in SQL
 * Server or in Redis; and none of the planted secrets in anything that was printed, written or stored.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sql from 'mssql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.ts';
import { runCli } from '../support/cli.ts';
import { until } from '../support/daemon-process.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { CASES, type ErrorCase, type RedisKind, SECRETS } from './error-matrix-cases.ts';

const SETUP: readonly string[] = [
  'CREATE DATABASE Shop',
  'ALTER DATABASE Shop SET CHANGE_TRACKING = ON; ALTER DATABASE Shop SET ALLOW_SNAPSHOT_ISOLATION ON',
  'CREATE DATABASE Untracked',
  ...['reader', 'no_select', 'no_tracking', 'stranger'].map((name) => `CREATE LOGIN ${name} WITH PASSWORD = N'${SECRETS.sql}'`),
  `USE Shop;
   CREATE TABLE dbo.Orders (OrderID int NOT NULL PRIMARY KEY, Status varchar(10) NULL);
   CREATE TABLE dbo.Loose (Id int NOT NULL PRIMARY KEY);
   CREATE TABLE dbo.Heap (Id int NOT NULL);
   INSERT INTO dbo.Orders VALUES (1, 'new');`,
  `USE Shop;
   ALTER TABLE dbo.Orders ENABLE CHANGE_TRACKING;
   CREATE USER reader FOR LOGIN reader; CREATE USER no_select FOR LOGIN no_select; CREATE USER no_tracking FOR LOGIN no_tracking;
   GRANT SELECT ON SCHEMA::dbo TO reader; GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO reader;
   GRANT VIEW CHANGE TRACKING ON dbo.Orders TO no_select; GRANT SELECT ON dbo.Orders TO no_tracking;`,
  `USE Untracked;
   CREATE TABLE dbo.Orders (OrderID int NOT NULL PRIMARY KEY);
   CREATE USER reader FOR LOGIN reader; GRANT SELECT ON SCHEMA::dbo TO reader; GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO reader;`,
];

let sandbox: Sandbox;
let admin: sql.ConnectionPool;
const servers = new Map<RedisKind, PrivateTestRedis>();
/** Everything that a command printed, by its title. */
const printed: { readonly title: string; readonly text: string }[] = [];
const folder = temporaryFolder('errors');

async function startServers(): Promise<void> {
  const args: Partial<Record<RedisKind, readonly string[]>> = {
    password: ['--requirepass', SECRETS.redis],
    evicting: ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'],
    cluster: ['--cluster-enabled', 'yes'],
    node: ['--cluster-enabled', 'yes'],
  };
  for (const kind of ['plain', 'password', 'acl', 'evicting', 'cluster', 'node', 'down', 'replica'] as const) {
    servers.set(kind, await privateTestRedis({ args: args[kind] ?? [] }));
  }
  const { hostname, port } = new URL(server('plain').url);
  await server('replica').raw.replicaof(hostname, Number(port));
  await until('the replica follows', async () => (await server('replica').raw.info('replication')).includes('master_link_status:up'));
  await server('acl').raw.call('ACL', 'SETUSER', 'short', 'on', `>${SECRETS.redis}`, '~{shop*', '&*', '+@all', '-xadd');
  // Two nodes; the one that is asked has a single slot.
  await server('cluster').raw.call('CLUSTER', 'ADDSLOTS', '0');
  await server('node').raw.call('CLUSTER', 'ADDSLOTSRANGE', '1', '16383');
  const other = new URL(server('node').url);
  await server('cluster').raw.call('CLUSTER', 'MEET', other.hostname, other.port);
  await until('the cluster is up', async () => String(await server('cluster').raw.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  await server('down').stop();
}

function server(kind: RedisKind): PrivateTestRedis {
  const found = servers.get(kind);
  if (found === undefined) {
    throw new Error(`there is no Redis of kind ${kind}`);
  }
  return found;
}

beforeAll(async () => {
  sandbox = await startSandbox();
  admin = await new sql.ConnectionPool({
    ...sql.ConnectionPool.parseConnectionString(sandbox.connectionString('master')),
    pool: { min: 1, max: 1 },
  } as sql.config).connect();
  for (const batch of SETUP) {
    await admin.request().batch(batch);
  }
  await startServers();
});

afterAll(async () => {
  await admin?.close();
  await sandbox?.close();
  await Promise.all([...servers.values()].map((item) => item[Symbol.asyncDispose]()));
});

function configuration(item: ErrorCase): unknown {
  const redis = new URL(server(item.redis ?? 'plain').url);
  const user = item.redisUser === undefined || item.redisUser === '' ? '' : `${item.redisUser}@`;
  const right = { server: '127.0.0.1', port: sandbox.port, database: 'Shop', user: 'reader', password: SECRETS.sql, encrypt: false };
  const source =
    item.connection === undefined ? { ...right, ...item.source } : { connection: item.connection.replace('PORT', String(sandbox.port)) };
  const http =
    (item.more?.['http'] as { readonly port: unknown } | undefined)?.port === 'REDIS' ? { port: Number(redis.port) } : { port: 0 };
  return {
    sources: { shop: source },
    manager: { redis: { url: `redis://${user}${redis.host}` }, partition: 'shop' },
    ...(item.tables === undefined ? {} : { tables: item.tables }),
    http,
  };
}

/** What must not change: every object and version of SQL Server, every key of Redis. */
async function state(item: ErrorCase): Promise<unknown> {
  const { recordset } = await admin.request().query(`SELECT (SELECT COUNT(*) FROM Shop.sys.objects) AS objects,
    (SELECT COUNT(*) FROM Shop.sys.change_tracking_tables) AS tracked,
    (SELECT COUNT(*) FROM Shop.dbo.Orders) AS rows`);
  const redis = item.redis === 'down' ? null : server(item.redis ?? 'plain').raw;
  const keys = redis === null || item.redis === 'password' ? [] : await redis.keys('*');
  return { recordset, keys: keys.toSorted() };
}

describe('what an operator can get wrong', () => {
  it.each(CASES)('$title: $code', async (item) => {
    const cwd = join(folder, item.title.replaceAll(/\W+/gu, '-'));
    mkdirSync(cwd);
    const file = join(cwd, 'cdc.config.yaml');
    const text = stringify(configuration(item));
    writeFileSync(file, text);
    const before = await state(item);
    const human = await runCli([...item.args], { cwd });
    const machine = await runCli([...item.args, '--json'], { cwd });
    printed.push({ title: item.title, text: [human.stdout, human.stderr, machine.stdout, machine.stderr].join('\n') });
    expect({ exit: human.code, said: human.stderr || human.stdout }).toEqual({ exit: item.exit, said: expect.stringContaining(item.code) });
    const said = human.stderr || human.stdout;
    for (const name of item.names) {
      expect(said).toContain(name);
    }
    expect(said).toMatch(item.way);
    expect(machine.code).toBe(item.exit);
    expect(machine.stderr || machine.stdout).toContain(item.code);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(readdirSync(cwd)).toEqual(['cdc.config.yaml']);
    expect(await state(item)).toEqual(before);
  });

  it('shows no secret, in any of it', async () => {
    expect(printed).toHaveLength(CASES.length);
    const stored = await Promise.all(
      (['plain', 'acl', 'evicting', 'cluster'] as const).map(async (kind) => {
        const { raw } = server(kind);
        return (await Promise.all((await raw.keys('*')).map(async (key) => key + (await raw.dumpBuffer(key))?.toString('latin1')))).join(
          '\n',
        );
      }),
    );
    for (const secret of Object.values(SECRETS)) {
      expect(printed.filter(({ text }) => text.includes(secret)).map(({ title }) => title)).toEqual([]);
      expect(stored.filter((text) => text.includes(secret))).toEqual([]);
    }
  });
});
