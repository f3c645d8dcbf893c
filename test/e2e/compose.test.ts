/** What docker/compose.yaml puts together, without the containers: its scripts, its users of Redis, its configuration, the built daemon. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import sql from 'mssql';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { startSandbox } from '../../src/sandbox/server.ts';
import { startCli } from '../support/cli.ts';
import { until } from '../support/daemon-process.ts';
import { sectionDifferences, type TableShape } from '../support/equality.ts';
import { privateTestRedis } from '../support/redis.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../docker/${name}`, import.meta.url));
const batches = (name: string): string[] =>
  readFileSync(path(name), 'utf8')
    .split(/^GO$/mu)
    .filter((text) => text.trim() !== '');

const CUSTOMERS: TableShape = {
  table: 'dbo.Customers',
  section: 'customers',
  key: ['CustomerID'],
  columns: { CustomerID: 'plain', Name: 'plain', City: 'plain' },
};
const ORDERS: TableShape = {
  table: 'dbo.Orders',
  section: 'orders',
  key: ['OrderID'],
  columns: { OrderID: 'plain', CustomerID: 'plain', Status: 'plain', Total: 'decimal2', ChangedAt: 'datetime2' },
};

async function currentVersion(pool: sql.ConnectionPool): Promise<bigint> {
  const { recordset } = await pool.request().query<{ version: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS version');
  return BigInt(recordset[0]?.version ?? -1);
}

it('sets the database up twice, follows what the writer writes with the rights it is given, and stops at SIGTERM', async () => {
  await using redis = await privateTestRedis({ args: ['--aclfile', path('users.acl')] });
  await using sandbox = await startSandbox();
  const compose = parse(readFileSync(path('compose.yaml'), 'utf8')) as {
    readonly services: {
      readonly patchwire: { readonly environment: { readonly PATCHWIRE_MSSQL: string; readonly PATCHWIRE_REDIS: string } };
    };
  };
  const { PATCHWIRE_MSSQL, PATCHWIRE_REDIS } = compose.services.patchwire.environment;
  const raw = new Redis(redis.url.replace('redis://', 'redis://default:Try-It-0nly!@'), { protocol: 2 });
  const admin = new sql.ConnectionPool({
    ...sql.ConnectionPool.parseConnectionString(sandbox.connectionString('master')),
    pool: { min: 1, max: 1 },
    requestTimeout: 0,
  } as sql.config);
  const reader = new sql.ConnectionPool(sandbox.connectionString('OrderDesk'));
  await admin.connect();
  try {
    for (const batch of [...batches('setup.sql'), ...batches('setup.sql')]) {
      await admin.request().batch(batch);
    }
    await reader.connect();
    await using daemon = startCli(['run', '--config', path('cdc.config.yaml'), '--set', 'http.port=0'], {
      env: {
        PATCHWIRE_MSSQL: PATCHWIRE_MSSQL.replace('sqlserver,1433', `127.0.0.1,${sandbox.port}`),
        PATCHWIRE_REDIS: PATCHWIRE_REDIS.replace('redis:6379', new URL(redis.url).host),
      },
    });
    const [use, loop] = batches('writer.sql');
    await admin.request().batch(use ?? '');
    const writing = admin.request();
    const written = writing.batch(loop ?? '').then(
      () => null,
      (error: unknown) => error,
    );
    await until('the first shipped orders', async () => {
      const documents = await raw.mget('{shop:orders}:1', '{shop:orders}:2', '{shop:orders}:3');
      return documents.every((text) => text?.includes('"Status":"shipped"'));
    });
    writing.cancel();
    expect(await written).toMatchObject({ code: 'ECANCEL' });
    const version = await currentVersion(reader);
    for (const shape of [CUSTOMERS, ORDERS]) {
      await until(`${shape.section} at ${version}`, async () => {
        const upTo = await raw.hget(`{shop:${shape.section}}/meta`, 'upTo');
        return BigInt(upTo === null || upTo === '' ? -1 : upTo) >= version;
      });
      expect(await sectionDifferences({ pool: reader, redis: raw, partition: 'shop' }, shape)).toEqual([]);
    }
    daemon.process.kill('SIGTERM');
    expect(await daemon.exited()).toMatchObject({ code: 0, signal: null });
  } finally {
    raw.disconnect();
    await Promise.all([admin.close(), reader.close()]);
  }
});
