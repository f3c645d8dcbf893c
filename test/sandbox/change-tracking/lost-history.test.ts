/** What ends the validity of a checkpoint, and what tells so. Runs on any SQL Server. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';
import { bigintOf, CURRENT, minimumOf as minimum, trackingOf } from '../../support/tracking.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
});

afterAll(async () => {
  await server.close();
});

const value = (text: string, on: TestDatabase = db): Promise<bigint | null> => bigintOf(text, on);

const state = (table: string, on: TestDatabase = db): ReturnType<typeof trackingOf> => trackingOf(table, on);

const current = async (on: TestDatabase = db): Promise<bigint> => (await value('CHANGE_TRACKING_CURRENT_VERSION()', on)) ?? -1n;

async function begin(table: string, on: TestDatabase = db): Promise<bigint | null> {
  return await value(`(SELECT begin_version FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'${table}'))`, on);
}

/** `key:operation@version` of each change, versions relative to the baseline. */
async function changesOf(table: string, base: bigint, on: TestDatabase = db): Promise<string[]> {
  const rows = await on.rows<{ id: number; op: string; v: string }>(
    `SELECT c.id, c.SYS_CHANGE_OPERATION AS op, c.SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES ${table}, @base) AS c ORDER BY c.id`,
    { base },
  );
  return rows.map((row) => `${row.id}:${row.op}@${BigInt(row.v) - base}`);
}

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

  test('4.3-03 disable and enable between two commits leaves every number as it was', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    await own.rows('INSERT INTO dbo.t VALUES (1)');
    const cycle = 'ALTER TABLE dbo.t DISABLE CHANGE_TRACKING; DELETE dbo.t; ALTER TABLE dbo.t ENABLE CHANGE_TRACKING';
    await own.rows(cycle);
    const before = [await begin('dbo.t', own), await current(own)];
    await own.rows('ALTER TABLE dbo.t DISABLE CHANGE_TRACKING');
    await own.rows('INSERT INTO dbo.t VALUES (2)');
    await own.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    expect([await begin('dbo.t', own), await current(own)]).toEqual(before);
    expect(await changesOf('dbo.t', 1n, own)).toEqual([]);
  });

  test('4.3-02 two TRUNCATEs without a change between them look like one', async () => {
    await db.rows('CREATE TABLE dbo.twice (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.twice ENABLE CHANGE_TRACKING');
    await db.rows('TRUNCATE TABLE dbo.twice');
    const first = await begin('dbo.twice');
    await db.rows('TRUNCATE TABLE dbo.twice');
    expect(await begin('dbo.twice')).toBe(first);
  });

  test('4.3-04 switching the database off and on begins anew for all tables; the counter goes on', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.a (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.a ENABLE CHANGE_TRACKING');
    await own.rows('CREATE TABLE dbo.b (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.b ENABLE CHANGE_TRACKING');
    await own.rows('INSERT INTO dbo.a VALUES (1)');
    await own.rows('INSERT INTO dbo.b VALUES (1)');
    await own.rows('ALTER TABLE dbo.a DISABLE CHANGE_TRACKING; ALTER TABLE dbo.b DISABLE CHANGE_TRACKING');
    await own.rows('ALTER DATABASE CURRENT SET CHANGE_TRACKING = OFF');
    expect(await value('CHANGE_TRACKING_CURRENT_VERSION()', own)).toBeNull();
    await own.rows('ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON');
    await own.rows('ALTER TABLE dbo.a ENABLE CHANGE_TRACKING; ALTER TABLE dbo.b ENABLE CHANGE_TRACKING');
    expect([await begin('dbo.a', own), await begin('dbo.b', own), await current(own)]).toEqual([2n, 2n, 2n]);
    expect(await changesOf('dbo.a', 0n, own)).toEqual([]);
    await own.rows('INSERT INTO dbo.a VALUES (2)');
    expect(await changesOf('dbo.a', 2n, own)).toEqual(['2:I@1']);
  });

  test('4.3-10 the minimum is NULL when tracking is off or the table is gone', async () => {
    await db.rows('CREATE TABLE dbo.leaving (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.leaving ENABLE CHANGE_TRACKING');
    const minimum = "CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.leaving'))";
    expect(await value(minimum)).not.toBeNull();
    await db.rows('ALTER TABLE dbo.leaving DISABLE CHANGE_TRACKING');
    expect(await value(minimum)).toBeNull();
    await db.rows('DROP TABLE dbo.leaving');
    expect(await value(minimum)).toBeNull();
  });

  describe('a database of a backup', () => {
    let source: TestDatabase;
    let backup: string;

    /** Runs a batch outside every database under test. */
    async function outside(text: string): Promise<void> {
      const session = await db.session();
      await session.request().batch('USE master');
      await session.request().batch(text);
      await session.close();
    }

    beforeEach(async () => {
      source = await server.freshDatabase();
      backup = `DISK = N'${source.name}.bak'`;
      await source.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
      await source.rows('INSERT INTO dbo.t VALUES (1)');
      await outside(`BACKUP DATABASE [${source.name}] TO ${backup} WITH INIT, COPY_ONLY`);
    });

    test('4.3-06 RESTORE takes the version back, and it comes again with other changes, which the minimum does not show', async () => {
      await source.rows('INSERT INTO dbo.t VALUES (2)');
      await source.rows('INSERT INTO dbo.t VALUES (3)');
      const checkpoint = await current(source);
      expect(checkpoint).toBe(3n);
      await outside(`ALTER DATABASE [${source.name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE;
        RESTORE DATABASE [${source.name}] FROM ${backup} WITH REPLACE; ALTER DATABASE [${source.name}] SET MULTI_USER`);
      // Connections from before are gone.
      const session = await source.session();
      const restored: TestDatabase = { ...source, rows: async (text) => (await session.request().batch(text)).recordset ?? [] };
      expect(await current(restored)).toBe(1n);
      await restored.rows('INSERT INTO dbo.t VALUES (12)');
      await restored.rows('INSERT INTO dbo.t VALUES (13)');
      await restored.rows('INSERT INTO dbo.t VALUES (14)');
      expect(await current(restored)).toBe(checkpoint + 1n);
      expect(await value(minimum('dbo.t'), restored)).toBe(0n);
      const after = 'SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, 3) AS c';
      expect(await restored.rows(after)).toEqual([{ id: 14 }]);
      expect(await restored.rows('SELECT id FROM dbo.t ORDER BY id')).toEqual([{ id: 1 }, { id: 12 }, { id: 13 }, { id: 14 }]);
    });
  });
});
