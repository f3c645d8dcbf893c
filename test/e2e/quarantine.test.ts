/** Rows that cannot be published, as the built daemon treats them: all others live, the row named, subscribers told, repaired by itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DaemonWorld, daemonWorld, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';

const NOTES: TableShape = { table: 'dbo.Notes', section: 'notes', key: ['Id'], columns: { Id: 'plain', Body: 'plain', N: 'plain' } };
const OTHER: TableShape = { table: 'dbo.Other', section: 'other', key: ['Id'], columns: { Id: 'plain', Body: 'plain' } };
const LONG = "REPLICATE(CAST(N'x' AS nvarchar(max)), 3000)";
/** Above proto-max-bulk-len of the server below, and far below limits.maxDocument. */
const HUGE = "REPLICATE(CAST(N'x' AS nvarchar(max)), 1500000)";

let redis: PrivateTestRedis;
let server: TestServer;
let world: DaemonWorld;

beforeAll(async () => {
  redis = await privateTestRedis({ args: ['--proto-max-bulk-len', '1048576'] });
  server = await startServer();
});

afterAll(async () => {
  await world?.close();
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
});

const held = async (section: string): Promise<string[]> => (await redis.raw.hkeys(`{${world.partition}:${section}}/quarantine`)).toSorted();
const documents = (section: string): Promise<number> => redis.raw.hlen(`{${world.partition}:${section}}/index`);
const json = async (...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await world.command(...args, '--json');
  expect({ args, code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout) as unknown;
};

describe('three oversize rows of a thousand', () => {
  it('the others are live, the rows are named, subscribers are not equal until they are repaired', async () => {
    const database = await server.freshDatabase();
    world = daemonWorld({ database, redis, tables: [{ shape: NOTES }, { shape: OTHER }] });
    const rows = Array.from({ length: 1000 }, (_, i) => `(${i + 1}, N'body ${i + 1}', 0)`);
    await world.sql(
      'CREATE TABLE dbo.Notes (Id int NOT NULL PRIMARY KEY, Body nvarchar(max) NULL, N int NOT NULL)',
      'CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY, Body nvarchar(max) NULL)',
      'ALTER TABLE dbo.Notes ENABLE CHANGE_TRACKING',
      'ALTER TABLE dbo.Other ENABLE CHANGE_TRACKING',
      `INSERT INTO dbo.Notes VALUES ${rows.join(', ')}`,
      "INSERT INTO dbo.Other VALUES (1, N'one')",
      `UPDATE dbo.Notes SET Body = ${LONG} WHERE Id IN (7, 500)`,
    );
    const notes = world.follow('notes');
    const other = world.follow('other');
    const daemon = world.daemon('--set', 'limits.maxDocument=2KiB');
    await world.caughtUp();
    expect(await held('notes')).toEqual(['500', '7']);
    expect(await documents('notes')).toBe(998);
    await world.sql(`UPDATE dbo.Notes SET Body = ${LONG} WHERE Id = 42`, "UPDATE dbo.Notes SET Body = N'after' WHERE Id = 43");
    await world.caughtUp();
    await until('the change beside it', () => notes.replica.get('43')?.['Body'] === 'after');
    expect(notes.replica.get('42')).toBeUndefined();
    await until('the count', () => notes.replica.state().reasons.includes('rows quarantined'));
    expect(notes.replica.state().equal).toBe(false);
    expect(await world.differences('other')).toEqual([]);
    expect(other.replica.state().equal).toBe(true);
    expect((await daemon.get('/ready')).body).toContain('3 rows are in quarantine');
    expect((await daemon.get('/metrics')).body).toMatch(/patchwire_quarantined_rows\{section="notes",table="dbo.Notes"\} 3/);

    const listed = (await json('quarantine', 'list', 'notes')) as { dataKey: string; code: string }[];
    expect(listed.map(({ dataKey, code }) => `${dataKey} ${code}`).toSorted()).toEqual(['42 PW-S225', '500 PW-S225', '7 PW-S225']);
    expect(JSON.stringify(listed)).not.toContain('xxx');

    await world.sql("UPDATE dbo.Notes SET Body = N'short' WHERE Id IN (7, 42)", 'DELETE dbo.Notes WHERE Id = 500');
    expect(await world.differences()).toEqual([]);
    expect(await held('notes')).toEqual([]);

    await world.sql(`UPDATE dbo.Notes SET Body = ${LONG} WHERE Id = 9`);
    await world.caughtUp();
    expect(await json('quarantine', 'drop', 'notes', '--all', '--yes')).toMatchObject({ rows: 1 });
    await until('it says so', () => notes.replica.state().reasons.includes('section incomplete'));
    await daemon.stop();
  });
});

describe('a document that Redis does not take', () => {
  it('costs the connection until the row is found, then the others go on; Redis takes more: it is published when asked', async () => {
    const database = await server.freshDatabase();
    await world.close();
    world = daemonWorld({ database, redis, tables: [{ shape: NOTES }], batch: { rows: 50 } });
    const rows = Array.from({ length: 200 }, (_, i) => `(${i + 1}, N'body ${i + 1}', 0)`);
    await world.sql(
      'CREATE TABLE dbo.Notes (Id int NOT NULL PRIMARY KEY, Body nvarchar(max) NULL, N int NOT NULL)',
      'ALTER TABLE dbo.Notes ENABLE CHANGE_TRACKING',
      `INSERT INTO dbo.Notes VALUES ${rows.join(', ')}`,
    );
    world.follow('notes');
    const daemon = world.daemon('--set', 'limits.maxDocument=8MiB');
    await world.equal();
    await world.sql(`UPDATE dbo.Notes SET N = 1, Body = CASE WHEN Id = 77 THEN ${HUGE} ELSE Body END`);
    await world.caughtUp();
    expect(await held('notes')).toEqual(['77']);
    expect(await documents('notes')).toBe(199);
    expect(await json('quarantine', 'show', 'dbo.Notes', '77')).toMatchObject({ dataKey: '77', reason: 'refused', attempts: 1 });
    await redis.raw.config('SET', 'proto-max-bulk-len', '536870912');
    expect(await json('quarantine', 'retry', 'notes', '--all')).toMatchObject({
      message: '1 rows were read again: 1 left the quarantine, 0 still cannot be published.',
    });
    expect(await world.differences()).toEqual([]);
    await daemon.stop();
  });
});
