/** Switching change tracking on and off, and the form of CHANGETABLE. Runs on any SQL Server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';
import { bigintOf, CURRENT, minimumOf as minimum, trackingOf } from '../../support/tracking.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int)');
  await db.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
});

afterAll(async () => {
  await server.close();
});

const value = (text: string, on: TestDatabase = db): Promise<bigint | null> => bigintOf(text, on);

const state = (table: string, on: TestDatabase = db): ReturnType<typeof trackingOf> => trackingOf(table, on);

describe('1.1 the database', () => {
  test('1.1-01, 1.1-02 and 1.1-05 options can be changed and are shown', async () => {
    const own = await server.freshDatabase({ tracking: false });
    const shown = `SELECT is_auto_cleanup_on AS auto, retention_period AS n, retention_period_units_desc AS unit, retention_period_units AS u
      FROM sys.change_tracking_databases WHERE database_id = DB_ID()`;
    expect(await own.rows(shown)).toEqual([]);
    expect(await value(CURRENT, own)).toBeNull();
    // 1.1-02: the defaults.
    await own.rows('ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON');
    expect(await own.rows(shown)).toEqual([{ auto: true, n: 2, unit: 'DAYS', u: 3 }]);
    await own.rows(`ALTER DATABASE [${own.name}] SET CHANGE_TRACKING (CHANGE_RETENTION = 90 MINUTES)`);
    await own.rows(`ALTER DATABASE [${own.name}] SET CHANGE_TRACKING (AUTO_CLEANUP = OFF)`);
    expect(await own.rows(shown)).toEqual([{ auto: false, n: 90, unit: 'MINUTES', u: 1 }]);
    expect(await value(CURRENT, own)).toBe(0n);
    expect(await own.rows("SELECT DATABASEPROPERTYEX(DB_NAME(), 'IsChangeTrackingEnabled') AS v")).toEqual([{ v: 1 }]);
  });

  test.each([
    ['1.1-02, 5092 a retention of 0 minutes', 'SET CHANGE_TRACKING (CHANGE_RETENTION = 0 MINUTES)', 5092],
    ['1.1-02, 5092 a retention beyond 2147483647 minutes', 'SET CHANGE_TRACKING (CHANGE_RETENTION = 1491309 DAYS)', 5092],
    ['1.1-02, 155 a unit in the singular', 'SET CHANGE_TRACKING (CHANGE_RETENTION = 1 DAY)', 155],
    ['1.1-03, 5088 switching on twice', 'SET CHANGE_TRACKING = ON', 5088],
    ['1.1-03, 5091 an option twice', 'SET CHANGE_TRACKING (AUTO_CLEANUP = ON, AUTO_CLEANUP = OFF)', 5091],
    ['1.1-03, 22114 together with other options', 'SET CHANGE_TRACKING = OFF, RECOVERY SIMPLE', 22114],
    ['1.1-04, 22115 off while a table is tracked', 'SET CHANGE_TRACKING = OFF', 22115],
  ])('%s', async (_title, action, error) => {
    // Another message (5069) may follow.
    expect(await db.errorsOf(`ALTER DATABASE [${db.name}] ${action}`)).toContain(error);
  });
});

describe('1.2 the table', () => {
  test.each([
    ['1.2-02, 4997 a table without a primary key', 'CREATE TABLE dbo.heap (id int); ', 'ALTER TABLE dbo.heap ENABLE CHANGE_TRACKING', 4997],
    [
      '1.2-02, 4999 a rowversion in the key',
      'CREATE TABLE dbo.stamped (rv rowversion NOT NULL PRIMARY KEY)',
      'ALTER TABLE dbo.stamped ENABLE CHANGE_TRACKING',
      4999,
    ],
    ['1.2-03, 4996 switching on twice', 'SELECT 1', 'ALTER TABLE dbo.t ENABLE CHANGE_TRACKING', 4996],
    ['1.2-03, 4998 off where it is not on', 'SELECT 1', 'ALTER TABLE dbo.heap DISABLE CHANGE_TRACKING', 4998],
    ['1.2-03, 4902 a missing table', 'SELECT 1', 'ALTER TABLE dbo.missing ENABLE CHANGE_TRACKING', 4902],
    ['1.2-03, 22105 CHANGETABLE of an untracked table', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES dbo.heap, 0) AS c', 22105],
    ['1.2-03, 208 CHANGETABLE of a missing table', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES dbo.missing, 0) AS c', 208],
    ['2.1-07, 22104 CHANGETABLE without an alias', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES dbo.t, 0)', 22104],
    [
      '2.1-07, 8114 a text as version',
      'SELECT 1',
      "DECLARE @v nvarchar(5) = N'1'; SELECT * FROM CHANGETABLE(CHANGES dbo.t, @v) AS c",
      8114,
    ],
    [
      '2.1-07, 257 a date as version',
      'SELECT 1',
      'DECLARE @v datetime = GETDATE(); SELECT * FROM CHANGETABLE(CHANGES dbo.t, @v) AS c',
      257,
    ],
    [
      '2.1-07, 102 an expression as version',
      'SELECT 1',
      'DECLARE @v bigint = 1; SELECT * FROM CHANGETABLE(CHANGES dbo.t, @v + 1) AS c',
      102,
    ],
    ['2.1-08, 22107 a catalog view', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES sys.objects, 0) AS c', 22107],
    ['2.1-09, 22105 a branch that never runs', 'SELECT 1', 'IF 1 = 0 SELECT * FROM CHANGETABLE(CHANGES dbo.heap, 0) AS c', 22105],
    ['3.1-02, 8116 a literal NULL', 'SELECT 1', 'SELECT CHANGE_TRACKING_MIN_VALID_VERSION(NULL)', 8116],
    [
      '4.4-04, 3735 and 3727 dropping the key of a tracked table',
      'CREATE TABLE dbo.keyed (id int NOT NULL CONSTRAINT PK_keyed PRIMARY KEY); ALTER TABLE dbo.keyed ENABLE CHANGE_TRACKING',
      'ALTER TABLE dbo.keyed DROP CONSTRAINT PK_keyed',
      3735,
    ],
  ])('%s', async (_title, before, text, error) => {
    await db.rows(before);
    // 3735 is followed by 3727.
    expect(await db.errorsOf(text)).toEqual([error, ...(error === 3735 ? [3727] : [])]);
  });

  test('1.2-03, 1718 and 3.1-02 without tracking on the database no table can be tracked, and the minimum is NULL', async () => {
    const own = await server.freshDatabase({ tracking: false });
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)');
    expect(await own.errorOf('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING')).toBe(1718);
    expect(await value(minimum('dbo.t'), own)).toBeNull();
    expect(await value(minimum('dbo.missing'), own)).toBeNull();
  });

  test('1.2-04 and 1.2-05 what the catalog shows of a tracked table', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)');
    await own.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ON)');
    expect(await state('dbo.t', own)).toEqual({ begin: 0n, minimum: 0n });
    expect(await own.rows('SELECT is_track_columns_updated_on AS tracks FROM sys.change_tracking_tables')).toEqual([{ tracks: true }]);
    expect(await own.rows("SELECT name FROM sys.internal_tables WHERE parent_object_id = OBJECT_ID(N'dbo.t')")).toEqual([
      { name: `change_tracking_${(await value("OBJECT_ID(N'dbo.t')", own))!}` },
    ]);
  });

  test('1.1-06 enabling and disabling are undone by a rollback', async () => {
    await db.rows('CREATE TABLE dbo.undone (id int NOT NULL PRIMARY KEY)');
    await db.rows('BEGIN TRAN; ALTER TABLE dbo.undone ENABLE CHANGE_TRACKING; ROLLBACK');
    expect(await value(minimum('dbo.undone'))).toBeNull();
    await db.rows('BEGIN TRAN; ALTER TABLE dbo.t DISABLE CHANGE_TRACKING; ROLLBACK');
    expect(await value(minimum('dbo.t'))).not.toBeNull();
  });
});

describe('2.1 the form of CHANGETABLE', () => {
  test('2.1-01 to 2.1-06 the columns, the key in key order', async () => {
    await db.rows('CREATE TABLE dbo.composite (b nvarchar(5) NOT NULL, x int, a int NOT NULL, CONSTRAINT PK_composite PRIMARY KEY (a, b))');
    await db.rows('ALTER TABLE dbo.composite ENABLE CHANGE_TRACKING');
    await db.rows("INSERT INTO dbo.composite VALUES (N'k', 1, 7)");
    const result = await db.pool.request().query('SELECT * FROM CHANGETABLE(CHANGES dbo.composite, 0) AS c');
    expect(Object.keys(result.recordset.columns)).toEqual([
      'SYS_CHANGE_VERSION',
      'SYS_CHANGE_CREATION_VERSION',
      'SYS_CHANGE_OPERATION',
      'SYS_CHANGE_COLUMNS',
      'SYS_CHANGE_CONTEXT',
      'a',
      'b',
    ]);
    expect(result.recordset[0]).toMatchObject({
      SYS_CHANGE_OPERATION: 'I',
      SYS_CHANGE_COLUMNS: null,
      SYS_CHANGE_CONTEXT: null,
      a: 7,
      b: 'k',
    });
    const { columns } = result.recordset;
    const types = Object.values(columns).map(({ type, length }) => [
      (type as unknown as { declaration: string }).declaration,
      ...(length === undefined || length < 128 ? [] : [length]),
    ]);
    expect(types).toEqual([['bigint'], ['bigint'], ['nchar'], ['varbinary', 4100], ['varbinary', 128], ['int'], ['nvarchar']]);
    expect(await db.rows('SELECT c.k FROM CHANGETABLE(CHANGES dbo.composite, 0) AS c (v, cv, op, cols, ctx, k, l)')).toEqual([{ k: 7 }]);
  });

  test('2.1-06 VERSION tells the last change of one key', async () => {
    await db.rows('CREATE TABLE dbo.versions (id int NOT NULL PRIMARY KEY, a int)');
    await db.rows('INSERT INTO dbo.versions VALUES (1, 1)');
    await db.rows('ALTER TABLE dbo.versions ENABLE CHANGE_TRACKING');
    await db.rows('INSERT INTO dbo.versions VALUES (2, 2)');
    const of = (id: number): Promise<unknown[]> =>
      db.rows(`SELECT v.SYS_CHANGE_VERSION AS v, v.id FROM CHANGETABLE(VERSION dbo.versions, (id), (${id})) AS v`);
    expect(await of(1)).toEqual([{ v: null, id: 1 }]);
    expect(await of(2)).toEqual([{ v: String(await value(CURRENT)), id: 2 }]);
    expect(await of(3)).toEqual([]);
  });

  test('2.1-08 a synonym stands for its table', async () => {
    await db.rows('CREATE SYNONYM dbo.t_alias FOR dbo.t');
    expect(await db.errorOf('SELECT * FROM CHANGETABLE(CHANGES dbo.t_alias, 0) AS c')).toBe(0);
  });

  test('2.3 a transaction does not see its own changes', async () => {
    const before = await value(CURRENT);
    const [sets] = await db.rows<{ n: number; v: string }>(
      `BEGIN TRAN; INSERT INTO dbo.t VALUES (1000, 1);
       SELECT (SELECT COUNT(*) FROM CHANGETABLE(CHANGES dbo.t, 0) AS c WHERE c.id = 1000) AS n, CHANGE_TRACKING_CURRENT_VERSION() AS v; ROLLBACK`,
    );
    expect(sets).toEqual({ n: 0, v: String(before) });
  });
});
