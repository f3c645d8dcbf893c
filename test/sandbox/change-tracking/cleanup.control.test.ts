/** Cleanup by retention, at the pace of a clock that the test holds. On the sandbox only: SQL Server cleans up every thirty minutes or so. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlledServer, TestDatabase } from '../../support/sandbox.ts';
import { startControlled } from '../../support/sandbox.ts';

let server: ControlledServer;
let db: TestDatabase;
let now = Date.parse('2026-01-01T00:00:00Z');
const MINUTE = 60_000;

/** What the sandbox has set to run every thirty minutes. */
let everyHalfHour: (() => void) | null = null;

const clock = {
  now: () => now,
  after: (ms: number, callback: () => void) => {
    if (ms === 30 * MINUTE) {
      everyHalfHour = callback;
      return () => undefined;
    }
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1));
    return () => {
      clearTimeout(timer);
    };
  },
};

async function minimum(table: string): Promise<bigint> {
  const [row] = await db.rows<{ v: string }>(`SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'${table}')) AS v`);
  return BigInt(row!.v);
}

const ids = async (table: string): Promise<number[]> =>
  (await db.rows<{ id: number }>(`SELECT c.id FROM CHANGETABLE(CHANGES ${table}, 0) AS c ORDER BY c.id`)).map((row) => row.id);

describe('4.1 automatic cleanup', () => {
  beforeAll(async () => {
    server = await startControlled({ clock });
    db = await server.freshDatabase();
    await db.rows('ALTER DATABASE CURRENT SET CHANGE_TRACKING (CHANGE_RETENTION = 10 MINUTES)');
    for (const table of ['t', 'idle']) {
      await db.rows(`CREATE TABLE dbo.${table} (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.${table} ENABLE CHANGE_TRACKING`);
    }
    await db.rows('INSERT INTO dbo.t VALUES (1)');
    await db.rows('INSERT INTO dbo.t VALUES (2)');
  });

  afterAll(async () => {
    await server.close();
  });

  test('4.1-05 with AUTO_CLEANUP OFF nothing goes, however old', async () => {
    now += 24 * 60 * MINUTE;
    server.sandbox.control.cleanUpExpired();
    expect(await ids('dbo.t')).toEqual([1, 2]);
    expect(await minimum('dbo.t')).toBe(0n);
    expect(await db.rows('SELECT COUNT(*) AS n FROM sys.dm_tran_commit_table')).toEqual([{ n: 2 }]);
  });

  test('4.1-04 there is no history before the first cleanup', async () => {
    expect(await db.errorOf('SELECT * FROM dbo.MSchange_tracking_history')).toBe(208);
  });

  test('2.6-05, 3.5-01, 4.1-01 and 4.3-01 every thirty minutes what is older than the retention goes, also of idle tables, the commits too, and what is younger stays: an older baseline is silently incomplete', async () => {
    await db.rows('ALTER DATABASE CURRENT SET CHANGE_TRACKING (AUTO_CLEANUP = ON)');
    await db.rows('INSERT INTO dbo.t VALUES (3)');
    now += 5 * MINUTE;
    await db.rows('INSERT INTO dbo.t VALUES (4)');
    // Data outlives its retention until the cleanup runs.
    now += 6 * MINUTE;
    expect(await ids('dbo.t')).toEqual([1, 2, 3, 4]);
    everyHalfHour?.();
    expect(await ids('dbo.t')).toEqual([4]);
    expect(await minimum('dbo.t')).toBe(3n);
    expect(await db.rows('SELECT commit_ts AS v FROM sys.dm_tran_commit_table')).toEqual([{ v: '4' }]);
    // 3.5-01: an idle table's minimum moves with the others.
    expect(await minimum('dbo.idle')).toBe(3n);
    expect(await db.rows('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v')).toEqual([{ v: '4' }]);
  });

  test('4.1-04 the history names the table, the rows and the version', async () => {
    const rows = await db.rows(
      `SELECT internal_table_name AS i, table_name AS t, rows_cleaned_up AS n, cleanup_version AS v, end_time AS at, OBJECT_ID(N'dbo.t') AS id
       FROM dbo.MSchange_tracking_history`,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ t: 'dbo.t', n: '3', v: '3', at: new Date(now) });
    expect(rows[0]!['i']).toBe(`change_tracking_${String(rows[0]!['id'])}`);
  });

  test('4.1-02 a view that was open before keeps the rows, whose minimum refuses them already', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (5)');
    const reader = (await db.session()).transaction();
    await reader.begin(5);
    await reader.request().query('SELECT id FROM dbo.t');
    now += 60 * MINUTE;
    server.sandbox.control.cleanUpExpired();
    expect(await minimum('dbo.t')).toBe(5n);
    const seen = await reader.request().query('SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, 0) AS c ORDER BY c.id');
    expect(seen.recordset).toEqual([{ id: 4 }, { id: 5 }]);
    await reader.commit();
    expect(await ids('dbo.t')).toEqual([]);
  });

  test('4.2-01 on demand it removes what is older than the retention and tells how much', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (6)');
    await db.rows('INSERT INTO dbo.idle VALUES (1)');
    now += 11 * MINUTE;
    await db.rows('INSERT INTO dbo.idle VALUES (2)');
    const flush = (text: string): Promise<{ n: string }[]> =>
      db.rows(`DECLARE @n bigint; EXEC sys.sp_flush_CT_internal_table_on_demand ${text}; SELECT @n AS n`);
    expect(await flush("@TableToClean = N'dbo.idle', @DeletedRowCount = @n OUTPUT")).toEqual([{ n: '1' }]);
    expect(await ids('dbo.idle')).toEqual([2]);
    expect(await ids('dbo.t')).toEqual([6]);
    expect(await flush("N't', @n OUTPUT")).toEqual([{ n: '1' }]);
    expect(await minimum('dbo.t')).toBe(7n);
  });

  test('4.2-02 commits go on demand when every table is cleaned up to them, so many at a time, and it tells how far', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.a (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.a ENABLE CHANGE_TRACKING');
    await own.rows('CREATE TABLE dbo.b (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.b ENABLE CHANGE_TRACKING');
    for (const id of [1, 2, 3]) {
      await own.rows(`INSERT INTO dbo.a VALUES (${id})`);
    }
    const flush = `DECLARE @n bigint, @at datetime, @v bigint;
      EXEC sys.sp_flush_commit_table_on_demand 2, @deleted_rows = @n OUTPUT, @date_cleanedup = @at OUTPUT, @cleanup_ts = @v OUTPUT;
      SELECT @n AS n, @at AS at, @v AS v, (SELECT COUNT(*) FROM sys.dm_tran_commit_table) AS [left]`;
    const { control } = server.sandbox;
    control.cleanUp(own.name, { table: 'dbo.a', version: 3n });
    // The other table may still need them.
    expect(await own.rows(flush)).toEqual([{ n: '0', at: null, v: '0', left: 3 }]);
    control.cleanUp(own.name, { table: 'dbo.b', version: 3n });
    expect(await own.rows(flush)).toEqual([{ n: '2', at: new Date(now), v: '3', left: 1 }]);
    expect(await own.rows(flush)).toEqual([{ n: '1', at: new Date(now), v: '3', left: 0 }]);
    expect(await own.rows('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v')).toEqual([{ v: '3' }]);
  });
});
