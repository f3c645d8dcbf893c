/** Single rows and short load pages of the SQL Server adapter: what `table show --sample` and slow loads rest on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableSelection } from '../../src/model/table.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import type { ChangeTracker } from '../../src/source/change-tracker.ts';
import { sqlServerChangeTracker } from '../../src/source/sqlserver/sql-server-change-tracker.ts';
import { startServer, type TestDatabase, type TestServer } from '../support/sandbox.ts';

let server: TestServer;
let database: TestDatabase;
let tracker: ChangeTracker;
const { signal } = new AbortController();

beforeAll(async () => {
  server = await startServer();
  database = await server.freshDatabase();
  await database.rows(`CREATE TABLE dbo.Keys (
    D decimal(18,4) NOT NULL, N nvarchar(20) COLLATE Latin1_General_100_CI_AS NOT NULL, T datetime2(3) NOT NULL, G uniqueidentifier NOT NULL,
    V int NOT NULL, CONSTRAINT PK_Keys PRIMARY KEY (D, N, T, G));
    ALTER TABLE dbo.Keys ENABLE CHANGE_TRACKING;`);
  await database.rows(`INSERT INTO dbo.Keys VALUES
    (1.5, N'Alpha', '2026-01-02T03:04:05.678', '0E984725-C51C-4BF4-9960-E1C80E27ABA0', 1),
    (2, N'a|b', '2026-01-02T00:00:00', '0E984725-C51C-4BF4-9960-E1C80E27ABA0', 2),
    (3, N'c', '2026-01-03T00:00:00', '0E984725-C51C-4BF4-9960-E1C80E27ABA0', 3)`);
  tracker = sqlServerChangeTracker({
    source: 'test',
    connection: database.connectionString,
    limits: { pageRows: 2 },
    logger: createLogger({ level: 'silent', pretty: false }),
  });
  await tracker.open({ signal });
});

afterAll(async () => {
  await tracker?.[Symbol.asyncDispose]();
  await server?.close();
});

const SELECTION: TableSelection = { schema: 'dbo', name: 'Keys', columns: 'all', json: [], filter: null };

describe('readRow', () => {
  it.each([
    ['as the row spells it', '1.5000|Alpha|2026-01-02T03:04:05.678|0e984725-c51c-4bf4-9960-e1c80e27aba0', 1],
    ['in another spelling that SQL Server takes for it', '1.5|ALPHA|2026-01-02T03:04:05.678|0E984725-C51C-4BF4-9960-E1C80E27ABA0', 1],
    ['with a percent-encoded part', '2|a%7Cb|2026-01-02T00:00:00|0e984725-c51c-4bf4-9960-e1c80e27aba0', 2],
  ])('finds a row by its key, %s', async (_how, dataKey, value) => {
    const table = await tracker.describe(SELECTION, { signal });
    const row = await tracker.readRow(table, { dataKey, signal });
    expect(row?.document).toMatchObject({ V: value });
    expect(row?.dataKey).toMatch(/^[12]\.[05]000\|/);
  });

  it('is shaped like every other row', async () => {
    const table = await tracker.describe({ ...SELECTION, shape: { V: { mask: true }, N: { as: 'name' } } }, { signal });
    const row = await tracker.readRow(table, { dataKey: null, signal });
    expect(row?.document).toMatchObject({ V: '*', name: 'Alpha' });
  });

  it('answers null for a row that is not there, or does not pass the filter', async () => {
    const table = await tracker.describe({ ...SELECTION, filter: 'V > 2' }, { signal });
    expect((await tracker.readRow(table, { dataKey: null, signal }))?.document).toMatchObject({ V: 3 });
    const there = '2|a%7Cb|2026-01-02T00:00:00|0e984725-c51c-4bf4-9960-e1c80e27aba0';
    expect(await tracker.readRow(table, { dataKey: there, signal })).toBeNull();
    expect(await tracker.readRow(table, { dataKey: there.replace('a%7Cb', 'x'), signal })).toBeNull();
  });

  it('refuses what is no key of the table by name', async () => {
    const table = await tracker.describe(SELECTION, { signal });
    await expect(tracker.readRow(table, { dataKey: '1|x', signal })).rejects.toMatchObject({
      code: 'PW-C109',
      message: expect.stringContaining('whose key is D, N, T, G') as string,
    });
  });
});

describe('a load page of fewer rows', () => {
  it('ends where it was told to, and never beyond pageRows', async () => {
    const table = await tracker.describe(SELECTION, { signal });
    const first = await tracker.readLoadPage(table, { after: null, rows: 1, signal });
    expect([first.rows.length, first.end]).toEqual([1, false]);
    const rest = await tracker.readLoadPage(table, { after: first.last, rows: 100, signal });
    expect([rest.rows.length, rest.end]).toEqual([2, false]);
    expect((await tracker.readLoadPage(table, { after: rest.last, rows: 100, signal })).end).toBe(true);
  });
});
