/** Bulk loads through the driver: what its options do, what is refused, and that a load happens completely or not at all. */
import sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { numbersOf, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows(`
    CREATE TABLE dbo.parents (id int NOT NULL PRIMARY KEY);
    CREATE TABLE dbo.things (
      id int NOT NULL CONSTRAINT PK_things PRIMARY KEY,
      name nvarchar(10) NULL CONSTRAINT DF_name DEFAULT N'nobody',
      parent int NULL CONSTRAINT FK_parent REFERENCES dbo.parents,
      size int NOT NULL CONSTRAINT CK_size CHECK (size > 0),
      twice AS size * 2);
    CREATE TABLE dbo.counted (id int IDENTITY(1, 1) PRIMARY KEY, name varchar(20) NOT NULL, big nvarchar(max) NULL);
    ALTER TABLE dbo.things ENABLE CHANGE_TRACKING`);
});

beforeEach(async () => {
  await db.rows('DELETE dbo.things; TRUNCATE TABLE dbo.counted');
});

afterAll(async () => {
  await server.close();
});

type Thing = readonly [id: number, name: string | null, parent: number | null, size: number | null];

function things(rows: readonly Thing[], name = 'dbo.things'): sql.Table {
  const table = new sql.Table(name);
  table.columns.add('id', sql.Int, { nullable: false });
  table.columns.add('name', sql.NVarChar(10), { nullable: true });
  table.columns.add('parent', sql.Int, { nullable: true });
  table.columns.add('size', sql.Int, { nullable: false });
  for (const row of rows) {
    table.rows.add(...row);
  }
  return table;
}

async function load(table: sql.Table, options: object = {}, pool: sql.ConnectionPool | sql.Transaction = db.pool): Promise<number> {
  return (await new sql.Request(pool as sql.ConnectionPool).bulk(table, options)).rowsAffected;
}

async function count(table = 'dbo.things'): Promise<unknown> {
  return (await db.rows(`SELECT COUNT(*) AS n FROM ${table}`))[0]?.['n'];
}

describe('a bulk load', () => {
  test('makes its table and brings values of every type unharmed', async () => {
    const table = new sql.Table('dbo.made');
    table.create = true;
    const at = new Date('2021-05-06T07:08:09.123Z');
    const cells: readonly (readonly [string, () => sql.ISqlType, unknown])[] = [
      ['a', sql.Int, 7],
      ['b', sql.BigInt, '9007199254740993'],
      ['c', () => sql.Decimal(20, 4), 12.25],
      ['d', sql.Bit, true],
      ['e', sql.Float, 1.5],
      ['f', sql.Real, 2.5],
      ['g', () => sql.NVarChar(20), 'é日'],
      ['h', () => sql.VarChar(20), 'text'],
      ['i', () => sql.NVarChar(sql.MAX), 'x'.repeat(20_000)],
      ['j', () => sql.VarBinary(sql.MAX), Buffer.alloc(9000, 7)],
      ['k', () => sql.DateTime2(3), at],
      ['l', sql.DateTime, at],
      ['m', sql.Date, new Date('2021-05-06T00:00:00Z')],
      ['n', () => sql.Time(3), new Date('1970-01-01T07:08:09.123Z')],
      ['o', sql.UniqueIdentifier, '6F9619FF-8B86-D011-B42D-00C04FC964FF'],
      ['p', sql.Money, 3.25],
      ['q', sql.SmallInt, -5],
      ['r', sql.TinyInt, 200],
      ['s', () => sql.DateTimeOffset(3), at],
      ['t', () => sql.Char(4), 'ab'],
    ];
    for (const [name, type] of cells) {
      table.columns.add(name, type(), { nullable: true });
    }
    table.rows.add(...cells.map(([, , value]) => value as string));
    table.rows.add(...cells.map(() => null));
    expect(await load(table)).toBe(2);
    const [full, empty] = await db.rows('SELECT * FROM dbo.made ORDER BY CASE WHEN a IS NULL THEN 1 ELSE 0 END');
    expect(full).toEqual(Object.fromEntries(cells.map(([name, , value]) => [name, name === 't' ? 'ab  ' : value])));
    expect(empty).toEqual(Object.fromEntries(cells.map(([name]) => [name, null])));
  });

  test('has a default for NULL, unless NULLs are to be kept', async () => {
    await load(things([[1, null, null, 1]]));
    await load(things([[2, null, null, 1]]), { keepNulls: true });
    expect(await db.rows('SELECT id, name, twice FROM dbo.things ORDER BY id')).toEqual([
      { id: 1, name: 'nobody', twice: 2 },
      { id: 2, name: null, twice: 2 },
    ]);
  });

  test('tests CHECK and FOREIGN KEY constraints only where it is asked to, and they are not trusted afterwards', async () => {
    const trust = `SELECT name, is_not_trusted FROM sys.check_constraints UNION ALL SELECT name, is_not_trusted FROM sys.foreign_keys ORDER BY name`;
    await db.rows('ALTER TABLE dbo.things WITH CHECK CHECK CONSTRAINT ALL');
    expect(await numbersOf(load(things([[1, 'a', null, -1]]), { checkConstraints: true }))).toEqual([547]);
    expect(await numbersOf(load(things([[1, 'a', 99, 1]]), { checkConstraints: true }))).toEqual([547]);
    expect(await count()).toBe(0);
    expect(await db.rows(trust)).toEqual([
      { name: 'CK_size', is_not_trusted: false },
      { name: 'FK_parent', is_not_trusted: false },
    ]);
    const transaction = db.pool.transaction();
    await transaction.begin();
    await load(things([[1, 'a', 99, -1]]), {}, transaction);
    await transaction.rollback();
    expect(await db.rows(trust)).toMatchObject([{ is_not_trusted: false }, { is_not_trusted: false }]);
    await load(things([[1, 'a', 99, -1]]));
    expect(await db.rows(trust)).toMatchObject([{ is_not_trusted: true }, { is_not_trusted: true }]);
    await db.rows('DELETE dbo.things; ALTER TABLE dbo.things WITH CHECK CHECK CONSTRAINT ALL');
    expect(await db.rows(trust)).toMatchObject([{ is_not_trusted: false }, { is_not_trusted: false }]);
  });

  test.each([
    [
      'a key that is there',
      [
        [3, 'x', null, 1],
        [1, 'y', null, 1],
      ],
      {},
      2627,
    ],
    ['NULL into NOT NULL', [[3, 'x', null, null]], {}, 515],
    [
      'an order that its rows do not have',
      [
        [5, 'x', null, 1],
        [4, 'y', null, 1],
      ],
      { order: { id: 'ASC' } },
      4819,
    ],
    ['a text that is too long for its column', [[3, 'x'.repeat(11), null, 1]], {}, 4815],
  ] satisfies readonly (readonly [string, readonly Thing[], object, number])[])(
    'is refused for %s, and nothing remains',
    async (_, rows, options, error) => {
      await db.rows("INSERT INTO dbo.things (id, name, size) VALUES (1, N'there', 1)");
      expect(await numbersOf(load(things(rows), options))).toEqual([error]);
      expect(await db.rows('SELECT id, name FROM dbo.things')).toEqual([{ id: 1, name: 'there' }]);
    },
  );

  test('is refused where the stream is not as the table is', async () => {
    const named = (column: string, type: sql.ISqlType, nullable: boolean): sql.Table => {
      const table = new sql.Table('dbo.counted');
      table.columns.add(column, type, { nullable });
      table.rows.add('x');
      return table;
    };
    expect(await numbersOf(load(named('nosuch', sql.VarChar(20), true)))).toEqual([207]);
    expect(await numbersOf(load(named('big', sql.NVarChar(4000), true)))).toEqual([4816]);
    expect(await numbersOf(load(named('big', sql.NVarChar(sql.MAX), false)))).toEqual([4816]);
    expect(await numbersOf(load(things([], 'dbo.nosuch')))).toEqual([208]);
    const computed = new sql.Table('dbo.things');
    computed.columns.add('twice', sql.Int, { nullable: true });
    expect(await numbersOf(load(computed))).toEqual([271]);
  });

  test('converts from the type that it brings to the type of the column', async () => {
    const table = new sql.Table('dbo.things');
    table.columns.add('id', sql.NVarChar(10), { nullable: false });
    table.columns.add('size', sql.BigInt, { nullable: false });
    table.rows.add('12', 5);
    await load(table);
    expect(await db.rows('SELECT id, size FROM dbo.things')).toEqual([{ id: 12, size: 5 }]);
    table.rows.add('twelve', 5);
    expect(await numbersOf(load(table))).not.toEqual([]);
    expect(await count()).toBe(1);
  });

  test('has new identities where it leaves the column out, and keeps those that it brings', async () => {
    const names = new sql.Table('dbo.counted');
    names.columns.add('name', sql.VarChar(20), { nullable: false });
    names.rows.add('first');
    names.rows.add('second');
    await load(names);
    const whole = new sql.Table('dbo.counted');
    whole.columns.add('id', sql.Int, { nullable: false });
    whole.columns.add('name', sql.VarChar(20), { nullable: false });
    whole.rows.add(70, 'seventieth');
    await load(whole);
    await db.rows("INSERT INTO dbo.counted (name) VALUES ('next')");
    expect((await db.rows('SELECT id FROM dbo.counted ORDER BY id')).map(({ id }) => id)).toEqual([1, 2, 70, 71]);
  });

  test('belongs to the transaction that is open', async () => {
    const transaction = db.pool.transaction();
    await transaction.begin();
    expect(await load(things([[1, 'a', null, 1]]), {}, transaction)).toBe(1);
    expect((await transaction.request().query('SELECT COUNT(*) AS n FROM dbo.things')).recordset).toEqual([{ n: 1 }]);
    await transaction.rollback();
    expect(await count()).toBe(0);
  });

  test('locks the table to the end of its transaction where it is asked to', async () => {
    const transaction = db.pool.transaction();
    await transaction.begin();
    await load(things([[1, 'a', null, 1]]), { lockTable: true }, transaction);
    const write = 'SET LOCK_TIMEOUT 50; INSERT INTO dbo.things (id, size) VALUES (2, 1)';
    expect(await db.errorOf(write)).toBe(1222);
    await transaction.commit();
    expect(await db.errorOf(write)).toBe(0);
  });

  test('is tracked as inserts, of one version', async () => {
    const [{ from } = { from: null }] = await db.rows<{ from: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS [from]');
    await load(things(Array.from({ length: 500 }, (_, index): Thing => [index, 'a', null, 1])));
    const changes = await db.rows(
      `SELECT SYS_CHANGE_OPERATION AS o, COUNT(*) AS n, COUNT(DISTINCT SYS_CHANGE_VERSION) AS v, COUNT(SYS_CHANGE_CONTEXT) AS c FROM CHANGETABLE(CHANGES dbo.things, ${from}) AS ct GROUP BY SYS_CHANGE_OPERATION`,
    );
    expect(changes).toEqual([{ o: 'I', n: 500, v: 1, c: 0 }]);
  });

  test('fires triggers only where it is asked to, once for all its rows', async () => {
    await db.rows('CREATE TABLE dbo.seen (n int NOT NULL)');
    await db.rows('CREATE TRIGGER dbo.watch ON dbo.counted AFTER INSERT AS INSERT INTO dbo.seen SELECT COUNT(*) FROM inserted');
    const names = new sql.Table('dbo.counted');
    names.columns.add('name', sql.VarChar(20), { nullable: false });
    names.rows.add('first');
    names.rows.add('second');
    await load(names);
    expect(await db.rows('SELECT n FROM dbo.seen')).toEqual([]);
    await load(names, { fireTriggers: true });
    expect(await db.rows('SELECT n FROM dbo.seen')).toEqual([{ n: 2 }]);
    await db.rows('DROP TRIGGER dbo.watch');
  });

  test('takes INSERT, and ALTER where it sets identities or passes constraints by', async () => {
    const login = `loader_${db.name}`;
    await db.rows(
      `CREATE LOGIN [${login}] WITH PASSWORD = 'Pw-1234567'; CREATE USER [${login}] FOR LOGIN [${login}]; GRANT INSERT, SELECT ON dbo.things TO [${login}]`,
    );
    const pool = await db.session({ user: login, password: 'Pw-1234567' });
    expect(await numbersOf(load(things([[1, 'a', null, 1]]), {}, pool))).toEqual([1088]);
    expect(await load(things([[1, 'a', null, 1]]), { checkConstraints: true }, pool)).toBe(1);
    const names = new sql.Table('dbo.counted');
    names.columns.add('name', sql.VarChar(20), { nullable: false });
    expect(await numbersOf(load(names, {}, pool))).toEqual([229]);
  });

  test('goes into a temporary table of its session', async () => {
    const pool = await db.session();
    await pool.request().batch('CREATE TABLE #things (id int NOT NULL, name nvarchar(10) NULL, parent int NULL, size int NOT NULL)');
    expect(await load(things([[1, 'a', null, 1]], '#things'), {}, pool)).toBe(1);
    expect((await pool.request().batch('SELECT name FROM #things')).recordset).toEqual([{ name: 'a' }]);
  });

  test('that is cancelled while it streams leaves nothing, and its connection serves on', async () => {
    const pool = await db.session();
    const request = pool.request();
    const rows = Array.from({ length: 60_000 }, (_, index): Thing => [index, 'abcdefghij', null, 1]);
    const outcome = request.bulk(things(rows)).then(
      () => 'loaded',
      (error: unknown) => (error as sql.RequestError).code,
    );
    // It is under way when its connection has been taken from the pool.
    await expect.poll(() => pool.borrowed, { interval: 1 }).toBe(1);
    request.cancel();
    expect(await outcome).toBe('ECANCEL');
    expect((await pool.request().query('SELECT COUNT(*) AS n FROM dbo.things')).recordset).toEqual([{ n: 0 }]);
  });
});
