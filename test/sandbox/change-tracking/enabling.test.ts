/** Switching change tracking on and off, what its functions answer, and what ends a checkpoint's validity. Runs on any SQL Server unless noted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

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

async function value(text: string, on: TestDatabase = db): Promise<bigint | null> {
  const [row] = await on.rows<{ v: string | number | null }>(`SELECT ${text} AS v`);
  return row === undefined || row.v === null ? null : BigInt(row.v);
}

const CURRENT = 'CHANGE_TRACKING_CURRENT_VERSION()';
const minimum = (table: string): string => `CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'${table}'))`;

async function state(table: string, on: TestDatabase = db): Promise<{ begin: bigint; minimum: bigint }> {
  const [row] = await on.rows<{ begin_version: string; min_valid_version: string }>(
    `SELECT begin_version, min_valid_version FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'${table}')`,
  );
  return { begin: BigInt(row!.begin_version), minimum: BigInt(row!.min_valid_version) };
}

describe('1.1 the database', () => {
  test('1.1-01 and 1.1-05 options can be changed and are shown', async () => {
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
  });

  test.each([
    ['1.1-02 0 minutes are refused', 'SET CHANGE_TRACKING (CHANGE_RETENTION = 0 MINUTES)', 5092],
    ['1.1-02 units are plural', 'SET CHANGE_TRACKING (CHANGE_RETENTION = 1 DAY)', 155],
    ['1.1-03 switching on twice', 'SET CHANGE_TRACKING = ON', 5088],
    ['1.1-03 an option twice', 'SET CHANGE_TRACKING (AUTO_CLEANUP = ON, AUTO_CLEANUP = OFF)', 5091],
    ['1.1-03 together with other options', 'SET CHANGE_TRACKING = OFF, RECOVERY SIMPLE', 22114],
    ['1.1-04 off while a table is tracked', 'SET CHANGE_TRACKING = OFF', 22115],
  ])('%s', async (_title, action, error) => {
    // Where another message (5069) follows, the driver reports the last one and keeps the first.
    expect([error, 5069]).toContain(await db.errorOf(`ALTER DATABASE [${db.name}] ${action}`));
  });
});

describe('1.2 the table', () => {
  test.each([
    ['1.2-02 a table without a primary key', 'CREATE TABLE dbo.heap (id int); ', 'ALTER TABLE dbo.heap ENABLE CHANGE_TRACKING', 4997],
    [
      '1.2-02 a rowversion in the key',
      'CREATE TABLE dbo.stamped (rv rowversion NOT NULL PRIMARY KEY)',
      'ALTER TABLE dbo.stamped ENABLE CHANGE_TRACKING',
      4999,
    ],
    ['1.2-03 switching on twice', 'SELECT 1', 'ALTER TABLE dbo.t ENABLE CHANGE_TRACKING', 4996],
    ['1.2-03 off where it is not on', 'SELECT 1', 'ALTER TABLE dbo.heap DISABLE CHANGE_TRACKING', 4998],
    ['1.2-03 a missing table', 'SELECT 1', 'ALTER TABLE dbo.missing ENABLE CHANGE_TRACKING', 4902],
    ['1.2-03 CHANGETABLE of an untracked table', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES dbo.heap, 0) AS c', 22105],
    ['1.2-03 CHANGETABLE of a missing table', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES dbo.missing, 0) AS c', 208],
    ['2.1-07 CHANGETABLE without an alias', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES dbo.t, 0)', 22104],
    ['2.1-07 a text as version', 'SELECT 1', "DECLARE @v nvarchar(5) = N'1'; SELECT * FROM CHANGETABLE(CHANGES dbo.t, @v) AS c", 8114],
    ['2.1-07 a date as version', 'SELECT 1', 'DECLARE @v datetime = GETDATE(); SELECT * FROM CHANGETABLE(CHANGES dbo.t, @v) AS c', 257],
    ['2.1-07 an expression as version', 'SELECT 1', 'DECLARE @v bigint = 1; SELECT * FROM CHANGETABLE(CHANGES dbo.t, @v + 1) AS c', 102],
    ['2.1-08 a catalog view', 'SELECT 1', 'SELECT * FROM CHANGETABLE(CHANGES sys.objects, 0) AS c', 22107],
    ['2.1-09 a branch that never runs', 'SELECT 1', 'IF 1 = 0 SELECT * FROM CHANGETABLE(CHANGES dbo.heap, 0) AS c', 22105],
    ['3.1-02 a literal NULL', 'SELECT 1', 'SELECT CHANGE_TRACKING_MIN_VALID_VERSION(NULL)', 8116],
    [
      '4.4-04 dropping the key of a tracked table',
      'CREATE TABLE dbo.keyed (id int NOT NULL CONSTRAINT PK_keyed PRIMARY KEY); ALTER TABLE dbo.keyed ENABLE CHANGE_TRACKING',
      'ALTER TABLE dbo.keyed DROP CONSTRAINT PK_keyed',
      3735,
    ],
  ])('%s', async (_title, before, text, error) => {
    await db.rows(before);
    expect([error, ...(error === 3735 ? [3727] : [])]).toContain(await db.errorOf(text));
  });

  test('1.2-03 and 3.1-02 without tracking on the database: 1718, and NULL', async () => {
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
    expect(result.recordset[0]).toMatchObject({ SYS_CHANGE_OPERATION: 'I', a: 7, b: 'k' });
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

describe('3 versions', () => {
  test('3.1-01 one transaction is one version, untracked writes, DDL and TRUNCATE none', async () => {
    const own = await server.freshDatabase();
    await own.rows(
      'CREATE TABLE dbo.a (id int NOT NULL PRIMARY KEY); CREATE TABLE dbo.b (id int NOT NULL PRIMARY KEY); CREATE TABLE dbo.c (id int)',
    );
    await own.rows('ALTER TABLE dbo.a ENABLE CHANGE_TRACKING');
    await own.rows('ALTER TABLE dbo.b ENABLE CHANGE_TRACKING');
    expect(await value(CURRENT, own)).toBe(0n);
    await own.rows('BEGIN TRAN; INSERT INTO dbo.a VALUES (1), (2); INSERT INTO dbo.b VALUES (1); COMMIT');
    expect(await value(CURRENT, own)).toBe(1n);
    await own.rows('INSERT INTO dbo.c VALUES (1)');
    expect(await own.errorOf('INSERT INTO dbo.a VALUES (1)')).toBe(2627);
    await own.rows('TRUNCATE TABLE dbo.a; CREATE TABLE dbo.d (id int)');
    expect(await value(CURRENT, own)).toBe(1n);
  });

  test('3.1-03 the counter survives switching tracking off and on', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    await own.rows('INSERT INTO dbo.t VALUES (1)');
    await own.rows('INSERT INTO dbo.t VALUES (2)');
    await own.rows('ALTER TABLE dbo.t DISABLE CHANGE_TRACKING');
    await own.rows('ALTER DATABASE CURRENT SET CHANGE_TRACKING = OFF');
    await own.rows('ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON');
    await own.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    expect(await value(CURRENT, own)).toBe(2n);
    expect(await value(minimum('dbo.t'), own)).toBe(2n);
  });

  test('3.1-04 commits are listed with their versions', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (2000, 1)');
    const [row] = await db.rows<{ v: string }>('SELECT MAX(commit_ts) AS v FROM sys.dm_tran_commit_table');
    expect(BigInt(row!.v)).toBe(await value(CURRENT));
  });

  test('3.2 the version comes at the commit: who commits later has the higher one', async () => {
    const base = (await value(CURRENT))!;
    const early = await db.session();
    const transaction = early.transaction();
    await transaction.begin();
    await transaction.request().batch('INSERT INTO dbo.t VALUES (3001, 1)');
    await db.rows('INSERT INTO dbo.t VALUES (3002, 1)');
    await transaction.commit();
    const rows = await db.rows<{ id: number; v: string }>(
      'SELECT c.id, c.SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES dbo.t, @base) AS c WHERE c.id > 3000 ORDER BY v',
      { base },
    );
    expect(rows).toEqual([
      { id: 3002, v: String(base + 1n) },
      { id: 3001, v: String(base + 2n) },
    ]);
  });

  test("3.3 a SNAPSHOT transaction's view begins at its first access to data, not at BEGIN", async () => {
    await db.rows('INSERT INTO dbo.t VALUES (4000, 0)');
    const reader = (await db.session()).transaction();
    await reader.begin(5);
    await db.rows('UPDATE dbo.t SET a = 1 WHERE id = 4000');
    const seen = async (): Promise<unknown> => (await reader.request().query('SELECT a FROM dbo.t WHERE id = 4000')).recordset;
    expect(await seen()).toEqual([{ a: 1 }]);
    await db.rows('UPDATE dbo.t SET a = 2 WHERE id = 4000');
    expect(await seen()).toEqual([{ a: 1 }]);
    await reader.commit();
  });

  test('3.4-01 a view read after the version never shows a version above it', async () => {
    const reader = (await db.session()).transaction();
    await reader.begin(5);
    const [row] = (await reader.request().query<{ v: string }>(`SELECT ${CURRENT} AS v`)).recordset;
    await reader.request().query('SELECT TOP (1) id FROM dbo.t');
    await db.rows('UPDATE dbo.t SET a = 9 WHERE id = 4000');
    const newer = await reader.request().query(`SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, ${row!.v}) AS c`);
    expect(newer.recordset).toEqual([]);
    await reader.commit();
  });
});

describe('4 what ends the validity of a checkpoint', () => {
  test('4.3-02 TRUNCATE moves begin and minimum to the current version', async () => {
    await db.rows('CREATE TABLE dbo.cut (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.cut ENABLE CHANGE_TRACKING');
    await db.rows('INSERT INTO dbo.cut VALUES (1)');
    const at = (await value(CURRENT))!;
    await db.rows('TRUNCATE TABLE dbo.cut');
    expect(await value(CURRENT)).toBe(at);
    expect(await state('dbo.cut')).toEqual({ begin: at, minimum: at });
    await db.rows('BEGIN TRAN; INSERT INTO dbo.cut VALUES (1); TRUNCATE TABLE dbo.cut; ROLLBACK');
    expect(await state('dbo.cut')).toEqual({ begin: at, minimum: at });
  });

  test('4.3-03 disable and enable begin anew, and what happened between is lost', async () => {
    await db.rows('CREATE TABLE dbo.again (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.again ENABLE CHANGE_TRACKING');
    await db.rows('INSERT INTO dbo.again VALUES (1)');
    await db.rows('ALTER TABLE dbo.again DISABLE CHANGE_TRACKING');
    await db.rows('INSERT INTO dbo.again VALUES (2)');
    await db.rows('ALTER TABLE dbo.again ENABLE CHANGE_TRACKING');
    const at = (await value(CURRENT))!;
    expect(await state('dbo.again')).toEqual({ begin: at, minimum: at });
    expect(await db.rows('SELECT * FROM CHANGETABLE(CHANGES dbo.again, 0) AS c')).toEqual([]);
  });

  test('4.3-05 a recreated or swapped table has another object id and no tracking', async () => {
    await db.rows('CREATE TABLE dbo.swap (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.swap ENABLE CHANGE_TRACKING');
    const before = await value("OBJECT_ID(N'dbo.swap')");
    await db.rows('CREATE TABLE dbo.swap_new (id int NOT NULL PRIMARY KEY)');
    await db.rows("EXEC sp_rename N'dbo.swap', N'swap_old'");
    await db.rows("EXEC sp_rename N'dbo.swap_new', N'swap'");
    expect(await value("OBJECT_ID(N'dbo.swap')")).not.toBe(before);
    expect(await value("OBJECT_ID(N'dbo.swap_old')")).toBe(before);
    expect(await db.errorOf('SELECT * FROM CHANGETABLE(CHANGES dbo.swap, 0) AS c')).toBe(22105);
    expect(await value(minimum('dbo.swap_old'))).not.toBeNull();
  });

  test('4.2-01 the cleanup on demand keeps what is within the retention', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (5000, 1)');
    const before = await value(minimum('dbo.t'));
    expect(await db.errorOf("EXEC sys.sp_flush_CT_internal_table_on_demand @TableToClean = N'dbo.t'")).toBe(0);
    expect(await value(minimum('dbo.t'))).toBe(before);
  });
});
