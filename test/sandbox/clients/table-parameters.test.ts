/** Table types: their variables, and table-valued parameters of the driver. Runs on any server. */
import sql from 'mssql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { numbersOf, onSandbox, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows(
    `CREATE TYPE dbo.Lines AS TABLE (id int NOT NULL PRIMARY KEY, name nvarchar(5) NULL DEFAULT N'none', price decimal(9, 2) NULL CHECK (price > 0),
      code varchar(10) NULL UNIQUE)`,
  );
});

afterAll(async () => {
  await server.close();
});

/** A value of dbo.Lines as the driver sends it. */
function lines(...rows: readonly (readonly (string | number | null)[])[]): sql.Table {
  const table = new sql.Table('dbo.Lines');
  table.columns.add('id', sql.Int);
  table.columns.add('name', sql.NVarChar(20));
  table.columns.add('price', sql.Decimal(9, 2));
  table.columns.add('code', sql.VarChar(10));
  for (const row of rows) {
    table.rows.add(...row);
  }
  return table;
}

describe('a variable of a table type', () => {
  test('has its columns, defaults and keys, beside other variables of one DECLARE', async () => {
    const text =
      "DECLARE @a int = 5, @t dbo.Lines, @b int = 6; INSERT INTO @t (id, price, code) VALUES (@a, 1, NULL), (@b, NULL, 'x'); SELECT * FROM @t ORDER BY id";
    expect(await db.rows(text)).toEqual([
      { id: 5, name: 'none', price: 1, code: null },
      { id: 6, name: 'none', price: null, code: 'x' },
    ]);
    expect(await db.errorOf('DECLARE @t dbo.Lines; INSERT INTO @t (id) VALUES (1), (1)')).toBe(2627);
    expect(await db.errorOf('DECLARE @t dbo.Lines; INSERT INTO @t (id, price) VALUES (1, 0)')).toBe(547);
  });

  test('is no scalar, and takes a type that is there', async () => {
    expect(await db.errorOf('DECLARE @t dbo.Lines; SELECT @t')).toBe(137);
    await expect(db.rows('DECLARE @a int, @t dbo.nothing')).rejects.toMatchObject({
      number: 2715,
      message: 'Column, parameter, or variable #2: Cannot find data type dbo.nothing.',
    });
  });
});

describe('a table-valued parameter', () => {
  test('is a table of its rows, beside other parameters', async () => {
    const request = db.pool
      .request()
      .input('t', sql.TVP('dbo.Lines'), lines([1, 'a', 1.5, 'x'], [2, null, null, null]))
      .input('n', 7);
    expect((await request.query('SELECT *, @n AS n FROM @t ORDER BY id')).recordset).toEqual([
      { id: 1, name: 'a', price: 1.5, code: 'x', n: 7 },
      { id: 2, name: null, price: null, code: null, n: 7 },
    ]);
    const many = lines(...Array.from({ length: 5000 }, (_, id) => [id, `n${id}`, 1, `c${id}`] as const));
    expect((await db.pool.request().input('t', many).query('SELECT COUNT(*) AS n, MAX(code) AS c FROM @t')).recordset).toEqual([
      { n: 5000, c: 'c999' },
    ]);
  });

  test('may be empty, and is joined and inserted from', async () => {
    await db.rows('CREATE TABLE dbo.kept (id int NOT NULL PRIMARY KEY, name nvarchar(5) NULL)');
    const copy =
      'INSERT INTO dbo.kept (id, name) SELECT t.id, t.name FROM @t AS t WHERE NOT EXISTS (SELECT 1 FROM dbo.kept AS k WHERE k.id = t.id)';
    const counts = [];
    for (const table of [lines(), lines([1, 'a', null, 'x']), lines([1, 'a', null, 'x'], [2, 'b', null, 'y'])]) {
      counts.push((await db.pool.request().input('t', table).query(copy)).rowsAffected);
    }
    expect(counts).toEqual([[0], [1], [1]]);
  });

  test('is prepared like any other', async () => {
    const statement = new sql.PreparedStatement(db.pool);
    statement.input('t', sql.TVP('dbo.Lines'));
    await statement.prepare('SELECT SUM(id) AS s FROM @t');
    try {
      expect((await statement.execute({ t: lines([1, 'a', 1, 'x'], [2, 'b', 1, 'y']) })).recordset).toEqual([{ s: 3 }]);
      expect((await statement.execute({ t: lines([5, 'a', 1, 'x']) })).recordset).toEqual([{ s: 5 }]);
    } finally {
      await statement.unprepare();
    }
  });

  test.each([
    ['INSERT', 'INSERT INTO @t (id) VALUES (9)'],
    ['UPDATE', 'UPDATE @t SET id = 1'],
    ['DELETE', 'DELETE FROM @t'],
  ])('is not written to: %s', async (_what, text) => {
    expect(
      (
        await numbersOf(
          db.pool
            .request()
            .input('t', lines([1, 'a', 1, 'x']))
            .query(text),
        )
      ).at(-1),
    ).toBe(10_700);
  });

  test('of another number of columns, or of a type that is not there, is refused', async () => {
    const narrow = new sql.Table('dbo.Lines');
    narrow.columns.add('id', sql.Int);
    narrow.rows.add(1);
    expect((await numbersOf(db.pool.request().input('t', narrow).query('SELECT 1 AS one'))).at(-1)).toBe(500);
    const gone = new sql.Table('dbo.Gone');
    gone.columns.add('id', sql.Int);
    gone.rows.add(1);
    expect(await numbersOf(db.pool.request().input('t', gone).query('SELECT 1 AS one'))).toContain(2715);
  });

  test('keeps what its type says of rows', async () => {
    const send = (table: sql.Table): Promise<number[]> => numbersOf(db.pool.request().input('t', table).query('SELECT 1 AS one'));
    expect(await send(lines([1, 'a', 1, 'x'], [1, 'b', 1, 'y']))).toContain(2627);
    expect(await send(lines([1, 'a', 0, 'x']))).toContain(547);
    expect(await send(lines([null, 'a', 1, 'x']))).toContain(515);
  });
});

describe('EXECUTE sp_executesql', () => {
  const declare = "DECLARE @t dbo.Lines; INSERT INTO @t (id, code) VALUES (1, 'a'), (2, 'b');";

  test('passes a variable of a table type, by place and by name', async () => {
    const text = "N'SELECT @a AS a, COUNT(*) AS n, @b AS b FROM @lines'";
    const parameters = "N'@a int, @lines dbo.Lines READONLY, @b int'";
    for (const values of ['5, @t, 6', '@b = 6, @lines = @t, @a = 5']) {
      expect(await db.rows(`${declare} EXEC sp_executesql ${text}, ${parameters}, ${values}`)).toEqual([{ a: 5, n: 2, b: 6 }]);
    }
  });

  test('takes no other table, no scalar, and only as READONLY', async () => {
    await db.rows('CREATE TYPE dbo.Other AS TABLE (id int NULL)');
    const other = "DECLARE @t dbo.Other; EXEC sp_executesql N'SELECT * FROM @l', N'@l dbo.Lines READONLY', @t";
    expect(await db.errorOf(other)).toBe(206);
    expect(await db.errorOf("EXEC sp_executesql N'SELECT * FROM @l', N'@l dbo.Lines READONLY', 5")).toBe(206);
    expect(await db.errorOf(`${declare} EXEC sp_executesql N'SELECT * FROM @l', N'@l dbo.Lines', @t`)).toBe(352);
    expect(await db.errorOf(`${declare} EXEC sp_executesql N'DELETE @l', N'@l dbo.Lines READONLY', @t`)).toBe(10_700);
  });
});

describe('the type', () => {
  test('is in the catalog with its columns', async () => {
    expect(
      await db.rows("SELECT system_type_id AS id, is_user_defined AS own, is_table_type AS tables FROM sys.types WHERE name = 'Lines'"),
    ).toEqual([{ id: 243, own: true, tables: true }]);
    const columns = `SELECT c.name, c.is_nullable FROM sys.table_types AS t JOIN sys.columns AS c ON c.object_id = t.type_table_object_id
      WHERE t.name = 'Lines' ORDER BY c.column_id`;
    expect(await db.rows(columns)).toEqual([
      { name: 'id', is_nullable: false },
      { name: 'name', is_nullable: true },
      { name: 'price', is_nullable: true },
      { name: 'code', is_nullable: true },
    ]);
  });

  test('is made once, dropped once, and undone with its transaction', async () => {
    await db.rows('CREATE TYPE dbo.Short AS TABLE (id int NULL, INDEX IX_Short (id))');
    expect(await db.errorOf('CREATE TYPE dbo.Short AS TABLE (other int NULL)')).toBe(219);
    await db.rows('BEGIN TRANSACTION; DROP TYPE dbo.Short; ROLLBACK');
    await db.rows('DECLARE @t dbo.Short; INSERT INTO @t VALUES (1)');
    await db.rows('DROP TYPE dbo.Short');
    expect(await db.errorOf('DROP TYPE dbo.Short')).toBe(218);
    await db.rows('DROP TYPE IF EXISTS dbo.Short');
    expect(await db.errorOf('CREATE TYPE dbo.Named AS TABLE (id int CONSTRAINT PK_Named PRIMARY KEY)')).toBe(156);
  });

  test.runIf(onSandbox)('that is an alias of another is refused by name', async () => {
    await expect(db.rows('CREATE TYPE dbo.Name FROM nvarchar(10)')).rejects.toMatchObject({
      number: 50_001,
      message: expect.stringContaining('FROM'),
    });
  });
});
