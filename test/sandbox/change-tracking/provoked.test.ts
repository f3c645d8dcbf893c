/** What plain T-SQL provokes beside ordinary changes: refusals, cascades, writes of other kinds. Runs on any SQL Server. */
import sql from 'mssql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';
import { bigintOf } from '../../support/tracking.ts';

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

/** The numbers of all errors that a batch ends with, in their order. */
async function errorsOf(text: string, on: TestDatabase = db): Promise<number[]> {
  try {
    await on.pool.request().batch(text);
    return [];
  } catch (error) {
    const { number = -1, precedingErrors = [] } = error as sql.RequestError & { precedingErrors?: { number: number }[] };
    return [...precedingErrors.map((each) => each.number), number];
  }
}

const value = (text: string, on: TestDatabase = db): Promise<bigint | null> => bigintOf(text, on);

const current = async (on: TestDatabase = db): Promise<bigint> => (await value('CHANGE_TRACKING_CURRENT_VERSION()', on)) ?? -1n;

/** `key:operation@version` of each change, versions relative to the baseline. */
async function changesOf(table: string, base: bigint, on: TestDatabase = db): Promise<string[]> {
  const rows = await on.rows<{ id: number; op: string; v: string }>(
    `SELECT c.id, c.SYS_CHANGE_OPERATION AS op, c.SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES ${table}, @base) AS c ORDER BY c.id`,
    { base },
  );
  return rows.map((row) => `${row.id}:${row.op}@${BigInt(row.v) - base}`);
}

describe('1 switching on', () => {
  test('1.1-02 and 1.1-03, 5069 and 5088 to 5092 a refused SET CHANGE_TRACKING tells its reason, then 5069', async () => {
    const off = await server.freshDatabase({ tracking: false });
    expect(await errorsOf('ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON')).toEqual([5088, 5069]);
    expect(await errorsOf('ALTER DATABASE CURRENT SET CHANGE_TRACKING (AUTO_CLEANUP = OFF)', off)).toEqual([5089, 5069]);
    expect(await errorsOf('ALTER DATABASE CURRENT SET CHANGE_TRACKING (AUTO_CLEANUP = ON, AUTO_CLEANUP = ON)')).toEqual([5091, 5069]);
    expect(await errorsOf('ALTER DATABASE CURRENT SET CHANGE_TRACKING (CHANGE_RETENTION = 0 MINUTES)')).toEqual([5092, 5069]);
    for (const name of ['master', 'model', 'msdb', 'tempdb']) {
      expect(await errorsOf(`ALTER DATABASE ${name} SET CHANGE_TRACKING = ON`)).toEqual([5090, 5069]);
    }
  });

  test('1.1-06, 5011 it takes ALTER on the database', async () => {
    const name = `pw_plain_${process.pid}_${Date.now().toString(36)}`;
    await db.rows(`CREATE LOGIN ${name} WITH PASSWORD = 'Plain-1-password'`);
    await db.rows(`CREATE USER ${name} FOR LOGIN ${name}`);
    const session = await db.session({ user: name, password: 'Plain-1-password' });
    const plain = { ...db, pool: session };
    expect(await errorsOf(`ALTER DATABASE [${db.name}] SET CHANGE_TRACKING (AUTO_CLEANUP = ON)`, plain)).toEqual([5011, 5069]);
    expect(await errorsOf('ALTER TABLE dbo.t DISABLE CHANGE_TRACKING', plain)).not.toEqual([]);
    await session.close();
    await db.rows(`DROP USER ${name}`);
    await expect.poll(() => db.errorOf(`DROP LOGIN ${name}`), { timeout: 10_000 }).toBe(0);
  });

  test('1.2-01 and 2.4-06 columns are not tracked unless it is asked for', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.a (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.a ENABLE CHANGE_TRACKING');
    expect(await own.rows('SELECT is_track_columns_updated_on AS on_ FROM sys.change_tracking_tables')).toEqual([{ on_: false }]);
    await own.rows('ALTER TABLE dbo.a DISABLE CHANGE_TRACKING');
    expect(await own.rows('SELECT object_id FROM sys.change_tracking_tables')).toEqual([]);
  });

  test('1.2-02, 4997 a unique index is not enough', async () => {
    await db.rows('CREATE TABLE dbo.uniquely (id int NOT NULL CONSTRAINT UQ_uniquely UNIQUE)');
    expect(await errorsOf('ALTER TABLE dbo.uniquely ENABLE CHANGE_TRACKING')).toEqual([4997]);
  });
});

describe('2.1 the form of CHANGETABLE', () => {
  test('2.1-06, 22110 to 22112 VERSION takes each key column once and no other', async () => {
    await db.rows('CREATE TABLE dbo.pair (a int NOT NULL, b int NOT NULL, c int, PRIMARY KEY (a, b))');
    await db.rows('ALTER TABLE dbo.pair ENABLE CHANGE_TRACKING; INSERT INTO dbo.pair VALUES (1, 2, 3)');
    const version = (keys: string, values: string): Promise<number[]> =>
      errorsOf(`SELECT * FROM CHANGETABLE(VERSION dbo.pair, (${keys}), (${values})) AS v`);
    expect(await version('b, a', '2, 1')).toEqual([]);
    expect(await version('a', '1')).toEqual([22_110]);
    expect(await version('a, c', '1, 3')).toEqual([22_111]);
    expect(await version('a, a', '1, 1')).toEqual([22_112]);
  });

  test('2.1-06 VERSION of a row that the caller has changed and not committed is NULL', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (70, 1)');
    const rows = await db.rows(
      'BEGIN TRAN; UPDATE dbo.t SET a = 2 WHERE id = 70; SELECT v.SYS_CHANGE_VERSION AS v FROM CHANGETABLE(VERSION dbo.t, (id), (70)) AS v; ROLLBACK',
    );
    expect(rows).toEqual([{ v: null }]);
  });

  test('2.1-07, 102 a literal beyond int, a fraction, a sign and a function are refused, a bigint parameter is not', async () => {
    for (const version of ['2147483648', '1.5', '-1', 'CHANGE_TRACKING_CURRENT_VERSION()']) {
      expect(await errorsOf(`SELECT * FROM CHANGETABLE(CHANGES dbo.t, ${version}) AS c`)).toEqual([102]);
    }
    expect(await errorsOf('SELECT * FROM CHANGETABLE(CHANGES dbo.t, 2147483647) AS c')).toEqual([]);
    expect(await db.rows('SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, @v) AS c', { v: 9_007_199_254_740_993n })).toEqual([]);
    expect(await db.errorOf('DECLARE @v int = 0; SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, @v) AS c')).toBe(0);
  });

  test('2.1-08, 22107 views and temporary tables are refused', async () => {
    await db.rows('CREATE VIEW dbo.seen AS SELECT id FROM dbo.t');
    expect(await errorsOf('SELECT * FROM CHANGETABLE(CHANGES dbo.seen, 0) AS c')).toEqual([22_107]);
    expect(await errorsOf('CREATE TABLE #t (id int PRIMARY KEY); SELECT * FROM CHANGETABLE(CHANGES #t, 0) AS c')).toEqual([22_107]);
  });

  test('2.1-09, 22105 one untracked table refuses a whole UNION, but not the batch that creates it', async () => {
    await db.rows('CREATE TABLE dbo.silent (id int NOT NULL PRIMARY KEY)');
    const both = 'SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, 0) AS c UNION ALL SELECT c.id FROM CHANGETABLE(CHANGES dbo.silent, 0) AS c';
    expect(await errorsOf(both)).toEqual([22_105]);
    const made = `CREATE TABLE dbo.made (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.made ENABLE CHANGE_TRACKING;
      SELECT c.id FROM CHANGETABLE(CHANGES dbo.made, 0) AS c`;
    expect(await errorsOf(made)).toEqual([]);
  });

  test('2.1-10 FORCESEEK changes no answer', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (71, 1)');
    const plain = await db.rows('SELECT * FROM CHANGETABLE(CHANGES dbo.t, 0) AS c');
    expect(await db.rows('SELECT * FROM CHANGETABLE(CHANGES dbo.t, 0, FORCESEEK) AS c')).toEqual(plain);
    const version = await db.rows('SELECT v.id FROM CHANGETABLE(VERSION dbo.t, (id), (71), FORCESEEK) AS v');
    expect(version).toEqual([{ id: 71 }]);
  });
});

describe('2.2 writes of other kinds', () => {
  test('2.2-18 what a foreign key deletes, empties or rewrites is tracked at the version of the statement', async () => {
    await db.rows('CREATE TABLE dbo.parent (id int NOT NULL PRIMARY KEY); INSERT INTO dbo.parent VALUES (1), (2), (3)');
    await db.rows(`CREATE TABLE dbo.child (id int NOT NULL PRIMARY KEY, p int NULL REFERENCES dbo.parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
      CREATE TABLE dbo.loose (id int NOT NULL PRIMARY KEY, p int NULL REFERENCES dbo.parent (id) ON DELETE SET NULL);
      CREATE TABLE dbo.grandchild (id int NOT NULL PRIMARY KEY, c int NOT NULL REFERENCES dbo.child (id) ON DELETE CASCADE)`);
    await db.rows(`INSERT INTO dbo.child VALUES (10, 1), (11, 1), (20, 2), (30, NULL); INSERT INTO dbo.loose VALUES (40, 1), (41, 2);
      INSERT INTO dbo.grandchild VALUES (50, 10), (51, 20)`);
    for (const table of ['parent', 'child', 'loose', 'grandchild']) {
      await db.rows(`ALTER TABLE dbo.${table} ENABLE CHANGE_TRACKING`);
    }
    const base = await current();
    await db.rows('DELETE dbo.parent WHERE id = 1');
    expect(await changesOf('dbo.parent', base)).toEqual(['1:D@1']);
    expect(await changesOf('dbo.child', base)).toEqual(['10:D@1', '11:D@1']);
    expect(await changesOf('dbo.grandchild', base)).toEqual(['50:D@1']);
    expect(await changesOf('dbo.loose', base)).toEqual(['40:U@1']);
    expect(await db.rows('SELECT p FROM dbo.loose WHERE id = 40')).toEqual([{ p: null }]);
    await db.rows('DELETE dbo.loose');
    const then = await current();
    await db.rows('UPDATE dbo.parent SET id = 9 WHERE id = 2');
    expect(await changesOf('dbo.parent', then)).toEqual(['2:D@1', '9:I@1']);
    expect(await changesOf('dbo.child', then)).toEqual(['20:U@1']);
    expect(await db.rows('SELECT p FROM dbo.child WHERE id = 20')).toEqual([{ p: 9 }]);
  });

  test('2.2-18 what a trigger writes is tracked at the version of the statement that fired it', async () => {
    await db.rows(
      'CREATE TABLE dbo.fired (id int NOT NULL PRIMARY KEY, a int); CREATE TABLE dbo.log1 (id int NOT NULL PRIMARY KEY, n int)',
    );
    await db.rows(
      'ALTER TABLE dbo.fired ENABLE CHANGE_TRACKING; ALTER TABLE dbo.log1 ENABLE CHANGE_TRACKING; INSERT INTO dbo.log1 VALUES (1, 0)',
    );
    await db.rows(`CREATE TRIGGER dbo.tr_fired ON dbo.fired AFTER INSERT, DELETE AS
      BEGIN
        UPDATE dbo.log1 SET n = n + 1 WHERE id = 1;
        INSERT INTO dbo.log1 (id, n) SELECT id, a FROM inserted;
      END`);
    const base = await current();
    await db.rows('INSERT INTO dbo.fired VALUES (10, 1), (11, 1)');
    expect(await current()).toBe(base + 1n);
    expect(await changesOf('dbo.fired', base)).toEqual(['10:I@1', '11:I@1']);
    expect(await changesOf('dbo.log1', base)).toEqual(['1:U@1', '10:I@1', '11:I@1']);
    // What the trigger cannot do takes the statement with it.
    expect(await errorsOf('DELETE dbo.log1 WHERE id = 11; INSERT INTO dbo.fired VALUES (1, 1)')).toContain(2627);
    expect(await changesOf('dbo.fired', base + 2n)).toEqual([]);
    expect(await db.rows('SELECT id FROM dbo.fired WHERE id = 1')).toEqual([]);
  });

  test('2.2-22 a bulk load is inserts at one version', async () => {
    await db.rows(
      'CREATE TABLE dbo.loaded (id int NOT NULL PRIMARY KEY, a nvarchar(20) NULL); ALTER TABLE dbo.loaded ENABLE CHANGE_TRACKING',
    );
    const base = await current();
    const rows = new sql.Table('dbo.loaded');
    rows.create = false;
    rows.columns.add('id', sql.Int, { nullable: false });
    rows.columns.add('a', sql.NVarChar(20), { nullable: true });
    for (let id = 1; id <= 500; id += 1) {
      rows.rows.add(id, `row ${id}`);
    }
    expect((await db.pool.request().bulk(rows)).rowsAffected).toBe(500);
    expect(await current()).toBe(base + 1n);
    const changes = await changesOf('dbo.loaded', base);
    expect(changes).toHaveLength(500);
    expect(changes.every((each) => each.endsWith(':I@1'))).toBe(true);
  });

  test('2.2-18, 1785 a cascade that is refused further down leaves nothing behind', async () => {
    await db.rows(`CREATE TABLE dbo.top1 (id int NOT NULL PRIMARY KEY); INSERT INTO dbo.top1 VALUES (1);
      CREATE TABLE dbo.mid1 (id int NOT NULL PRIMARY KEY, t int REFERENCES dbo.top1 (id) ON DELETE CASCADE); INSERT INTO dbo.mid1 VALUES (1, 1);
      CREATE TABLE dbo.low1 (id int NOT NULL PRIMARY KEY, m int REFERENCES dbo.mid1 (id)); INSERT INTO dbo.low1 VALUES (1, 1)`);
    await db.rows('ALTER TABLE dbo.mid1 ENABLE CHANGE_TRACKING');
    const base = await current();
    expect(await errorsOf('DELETE dbo.top1')).toEqual([547]);
    expect(await current()).toBe(base);
    expect(await db.rows('SELECT id FROM dbo.mid1')).toEqual([{ id: 1 }]);
    expect(await errorsOf('CREATE TABLE dbo.self1 (id int PRIMARY KEY, up int REFERENCES dbo.self1 (id) ON DELETE CASCADE)')).toContain(
      1785,
    );
  });

  test('2.2-20 column.WRITE is tracked as an update of its column', async () => {
    await db.rows(
      "CREATE TABLE dbo.lob (id int NOT NULL PRIMARY KEY, text nvarchar(max), b int); INSERT INTO dbo.lob VALUES (1, N'abcdef', 1)",
    );
    await db.rows('ALTER TABLE dbo.lob ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ON)');
    const base = await current();
    await db.rows("UPDATE dbo.lob SET text.WRITE(N'XY', 2, 3) WHERE id = 1");
    expect(await changesOf('dbo.lob', base)).toEqual(['1:U@1']);
    await db.rows("UPDATE dbo.lob SET text.WRITE(N'!', NULL, 0) WHERE id = 1");
    expect(await db.rows('SELECT text FROM dbo.lob')).toEqual([{ text: 'abXYf!' }]);
    const masks = await db.rows<{ m: string }>(
      'SELECT CONVERT(nvarchar(50), c.SYS_CHANGE_COLUMNS, 2) AS m FROM CHANGETABLE(CHANGES dbo.lob, @base) AS c',
      { base },
    );
    expect(masks).toEqual([{ m: '0000000002000000' }]);
  });

  test('2.2-23, 4900 SWITCH is refused when either table is tracked', async () => {
    await db.rows('CREATE TABLE dbo.from1 (id int NOT NULL PRIMARY KEY); CREATE TABLE dbo.to1 (id int NOT NULL PRIMARY KEY)');
    await db.rows('ALTER TABLE dbo.to1 ENABLE CHANGE_TRACKING');
    expect(await errorsOf('ALTER TABLE dbo.from1 SWITCH TO dbo.to1')).toEqual([4900]);
    expect(await errorsOf('ALTER TABLE dbo.to1 SWITCH TO dbo.from1')).toEqual([4900]);
  });

  test('2.4-04 a renamed column keeps its id in the mask', async () => {
    await db.rows('CREATE TABLE dbo.renamed (id int NOT NULL PRIMARY KEY, a int, b int); INSERT INTO dbo.renamed VALUES (1, 1, 1)');
    await db.rows('ALTER TABLE dbo.renamed ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ON)');
    await db.rows('UPDATE dbo.renamed SET b = 2');
    await db.rows("EXEC sp_rename N'dbo.renamed.b', N'c', N'COLUMN'");
    const [row] = await db.rows(
      `SELECT CHANGE_TRACKING_IS_COLUMN_IN_MASK(COLUMNPROPERTY(OBJECT_ID(N'dbo.renamed'), 'c', 'ColumnId'), x.SYS_CHANGE_COLUMNS) AS c,
        CHANGE_TRACKING_IS_COLUMN_IN_MASK(COLUMNPROPERTY(OBJECT_ID(N'dbo.renamed'), 'a', 'ColumnId'), x.SYS_CHANGE_COLUMNS) AS a
       FROM CHANGETABLE(CHANGES dbo.renamed, 0) AS x`,
    );
    expect([Number(row!['c']), Number(row!['a'])]).toEqual([1, 0]);
  });

  test('2.5-01, 22108 the context belongs to writes and not to a SELECT; it precedes CTEs', async () => {
    expect(await errorsOf('WITH CHANGE_TRACKING_CONTEXT (0x01) SELECT 1 AS a')).toEqual([22_108]);
    await db.rows('INSERT INTO dbo.t VALUES (80, 1)');
    const cte = 'WITH CHANGE_TRACKING_CONTEXT (0x07), x AS (SELECT 80 AS id) UPDATE t SET a = 2 FROM dbo.t AS t JOIN x ON x.id = t.id';
    expect(await errorsOf(cte)).toEqual([]);
    const rows = await db.rows('SELECT c.SYS_CHANGE_CONTEXT AS ctx FROM CHANGETABLE(VERSION dbo.t, (id), (80)) AS c');
    expect(rows).toEqual([{ ctx: Buffer.from([7]) }]);
  });

  test('3.1-02, 8116 a tinyint is no object id', async () => {
    expect(await errorsOf('DECLARE @i tinyint = 1; SELECT CHANGE_TRACKING_MIN_VALID_VERSION(@i)')).toEqual([8116]);
  });
});
