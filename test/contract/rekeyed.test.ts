/** A table whose key is folded otherwise than before: the same keys have other identities, and each row has one document all the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/daemon-process.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { type TroubledWorld, troubled } from './redis-troubles-world.ts';

let server: TestServer;
let redis: PrivateTestRedis;
let here: TroubledWorld;

beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), privateTestRedis()]);
  here = await troubled(server, redis, {});
});

afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
  await server?.close();
});

/** The table anew, with a key under this collation. */
async function rekeyed(collation: string): Promise<void> {
  await here.world.sql(
    'DROP TABLE dbo.Items',
    `CREATE TABLE dbo.Items (Id nvarchar(20) COLLATE ${collation} NOT NULL PRIMARY KEY, A int NOT NULL, T nvarchar(30) NULL)`,
    'ALTER TABLE dbo.Items ENABLE CHANGE_TRACKING',
    "INSERT INTO dbo.Items VALUES (N'ABC', 1, N'x'), (N'DEF', 2, N'y'), (N'7', 3, N'z')",
  );
}

async function held(identities: readonly string[]): Promise<void> {
  const { index, meta, document } = here.keys;
  await until(`the index of ${identities.join()}`, async () => {
    const found = (await redis.raw.hkeys(index)).toSorted().join();
    return found === identities.toSorted().join() && (await redis.raw.hget(meta, 'state')) === 'live';
  });
  const documents = await redis.raw.mget(...['ABC', 'DEF', '7'].map((key) => document + key));
  expect(documents.map((text) => (JSON.parse(text ?? 'null') as { A?: number } | null)?.A)).toEqual([1, 2, 3]);
}

describe('a key under another collation', () => {
  it('L4: the sweep leaves one entry of each row, and its document, whichever way the identities changed', async () => {
    await rekeyed('Latin1_General_100_CI_AS');
    // All thirty rows of before are gone: that wants a confirmation.
    await until('a sweep that waits', () => here.told('PW-S231').length > 0);
    await here.world.command('resync', 'items', '--confirm');
    await held(['abc', 'def', '7']);
    await rekeyed('Latin1_General_100_CS_AS');
    await held(['ABC', 'DEF', '7']);
    await rekeyed('Latin1_General_100_CI_AS');
    await held(['abc', 'def', '7']);
    expect(here.told('PW-S211')).toEqual([]);
    expect(here.told('PW-S231')).toHaveLength(1);
  });
});
