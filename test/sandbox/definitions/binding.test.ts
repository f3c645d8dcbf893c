/** What is refused when a batch is compiled, and what only when a statement is reached. Runs on any SQL Server unless noted. */
import sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, v int NULL)');
  await db.rows('CREATE TABLE dbo.untracked (id int NOT NULL PRIMARY KEY)');
  await db.rows('CREATE TABLE dbo.trace (what varchar(50) NOT NULL)');
  await db.rows('CREATE TABLE dbo.counted (id int IDENTITY PRIMARY KEY, v int NULL)');
});

beforeEach(async () => {
  await db.rows('DELETE dbo.trace; DELETE dbo.t; DELETE dbo.counted');
});

afterAll(async () => {
  await server.close();
});

const traces = async (): Promise<string[]> => (await db.rows<{ what: string }>('SELECT what FROM dbo.trace')).map((row) => row.what);

describe('an error of compilation', () => {
  test.each([
    ['an unknown column', 'SELECT nope FROM dbo.t', 207],
    ['a column list of INSERT', 'INSERT INTO dbo.t (nope) VALUES (1)', 207],
    ['a column of an UPDATE', 'UPDATE dbo.t SET nope = 1', 207],
    ['a column of a MERGE', 'MERGE dbo.t AS t USING (VALUES (1)) AS s (id) ON t.id = s.nope WHEN MATCHED THEN DELETE;', 207],
    ['a column in a subquery', 'DELETE dbo.t WHERE id IN (SELECT nope FROM dbo.untracked)', 207],
    ['an unknown prefix', 'SELECT x.id FROM dbo.t', 4104],
    ['an ambiguous column', 'SELECT id FROM dbo.t AS a CROSS JOIN dbo.t AS b', 209],
    ['a column that is not grouped', 'SELECT id, COUNT(*) AS n FROM dbo.t GROUP BY v', 8120],
    ['an undeclared variable', 'SELECT @nope', 137],
    ['an undeclared variable that is set', 'SET @nope = 1', 137],
    ['an undeclared variable beside a missing table', 'SELECT @nope FROM dbo.missing', 137],
    ['an undeclared table variable', 'SELECT * FROM @nope', 1087],
    ['a variable declared twice', 'DECLARE @a int; DECLARE @A bigint', 134],
    ['an unknown function', 'SELECT NOPE(id) FROM dbo.t', 195],
    ['a function without its arguments', 'SELECT ISNULL(id) FROM dbo.t', 174],
    ['an unknown type of a variable', 'DECLARE @a nope', 2715],
    ['an unknown type of CAST', 'SELECT CAST(id AS nope) FROM dbo.t', 243],
    ['types that do not meet', 'INSERT INTO dbo.t (id, v) VALUES (1, NEWID())', 206],
    ['too many values', 'INSERT INTO dbo.t (id) VALUES (1, 2)', 110],
    ['too few columns', 'INSERT INTO dbo.t VALUES (1)', 213],
    ['an identity without a column list', 'INSERT INTO dbo.counted VALUES (1, 2)', 8101],
    ['an untracked table', 'SELECT * FROM CHANGETABLE(CHANGES dbo.untracked, 0) AS c', 22105],
    ['an aggregate in WHERE', 'SELECT id FROM dbo.t WHERE COUNT(*) > 1', 147],
    ['a UNION of different widths', 'SELECT id FROM dbo.t UNION SELECT id, v FROM dbo.t', 205],
    ['a temp table created twice', 'CREATE TABLE #twice (id int); DROP TABLE #twice; CREATE TABLE #twice (id int)', 2714],
  ])('is raised for %s before anything runs, in a branch that is never taken, and TRY does not catch it', async (_title, text, error) => {
    expect(await db.errorOf(`INSERT INTO dbo.trace VALUES ('before'); IF 1 = 0 BEGIN ${text}; END`)).toBe(error);
    expect(
      await db.errorOf(
        `BEGIN TRY INSERT INTO dbo.trace VALUES ('try'); IF 1 = 0 BEGIN ${text}; END END TRY BEGIN CATCH SELECT 1 AS caught END CATCH`,
      ),
    ).toBe(error);
    expect(await traces()).toEqual([]);
    const outside = `DECLARE @number int; BEGIN TRY EXEC (N'${text.replaceAll("'", "''")}') END TRY BEGIN CATCH SET @number = ERROR_NUMBER() END CATCH; SELECT @number AS number`;
    expect(await db.rows(outside)).toEqual([{ number: error }]);
  });

  test('2.1-09 is raised for each statement, the last one counts', async () => {
    const failure = await db.rows('SELECT nope FROM dbo.t;\nSELECT 1 AS a;\nSELECT x.id FROM dbo.t').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(sql.RequestError);
    const error = failure as sql.RequestError & { precedingErrors?: readonly sql.RequestError[] };
    expect([error.number, error.lineNumber]).toEqual([4104, 3]);
    expect(error.precedingErrors?.map((each) => [each.number, each.lineNumber])).toEqual([[207, 1]]);
  });

  test('ends a text that EXEC runs, not the batch around it, and @@ERROR tells it', async () => {
    const request = db.pool.request();
    const result: unknown[] = [];
    request.stream = true;
    request.on('row', (row) => result.push(row));
    const failed = new Promise((resolve) => request.on('error', resolve));
    const done = new Promise((resolve) => request.on('done', resolve));
    void request.batch("EXEC (N'SELECT nope FROM dbo.t'); SELECT @@ERROR AS error");
    await done;
    expect(((await failed) as sql.RequestError).number).toBe(207);
    expect(result).toEqual([{ error: 207 }]);
  });

  test('leaves an open transaction as it is, XACT_ABORT or not', async () => {
    const session = await db.session();
    await session.request().batch("SET XACT_ABORT ON; BEGIN TRAN; INSERT INTO dbo.trace VALUES ('kept')");
    await expect(session.request().batch('SELECT nope FROM dbo.t')).rejects.toMatchObject({ number: 207 });
    await session.request().batch('COMMIT; SET XACT_ABORT OFF');
    expect(await traces()).toEqual(['kept']);
  });

  test('knows the parameters of a statement', async () => {
    expect(await db.rows('SELECT @given AS g', { given: 7 })).toEqual([{ g: 7 }]);
    await expect(db.rows('SELECT @given AS g, @other AS o', { given: 7 })).rejects.toMatchObject({ number: 137 });
    await expect(db.rows('DECLARE @given int = 1; SELECT @given AS g', { given: 7 })).rejects.toMatchObject({ number: 134 });
  });
});

describe('a missing table', () => {
  test('stops the batch when the statement is reached; what came before has happened', async () => {
    expect(
      await db.errorOf("INSERT INTO dbo.trace VALUES ('before'); SELECT nope FROM dbo.missing; INSERT INTO dbo.trace VALUES ('after')"),
    ).toBe(208);
    expect(await traces()).toEqual(['before']);
    expect(await db.errorOf('IF 1 = 0 SELECT * FROM dbo.missing')).toBe(0);
  });

  test('is not caught by TRY around it, but by one outside of its batch', async () => {
    expect(await db.errorOf('BEGIN TRY SELECT * FROM dbo.missing END TRY BEGIN CATCH SELECT 1 AS caught END CATCH')).toBe(208);
    expect(
      await db.rows("BEGIN TRY EXEC (N'SELECT * FROM dbo.missing') END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS number END CATCH"),
    ).toEqual([{ number: 208 }]);
    expect(
      await db.rows(
        "BEGIN TRY EXEC sp_executesql N'BEGIN TRY SELECT * FROM dbo.missing END TRY BEGIN CATCH SELECT 1 AS inside END CATCH' END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS number END CATCH",
      ),
    ).toEqual([{ number: 208 }]);
  });

  test('puts off whatever else is wrong with its statement', async () => {
    expect(await db.errorOf('IF 1 = 0 SELECT t.nope FROM dbo.t AS t JOIN dbo.missing AS m ON m.id = t.id')).toBe(0);
    expect(await db.errorOf('IF 1 = 0 UPDATE t SET nope = 1 FROM dbo.t AS t JOIN dbo.missing AS m ON m.id = t.id')).toBe(0);
    expect(await db.errorOf('IF 1 = 0 UPDATE t SET nope = 1 FROM dbo.t AS t JOIN dbo.t AS m ON m.id = t.id')).toBe(207);
  });

  test('that the batch creates is bound when its statement is reached', async () => {
    expect(await db.rows('CREATE TABLE dbo.born (a int); INSERT INTO dbo.born VALUES (3); SELECT a FROM dbo.born')).toEqual([{ a: 3 }]);
    expect(await db.errorOf("INSERT INTO dbo.trace VALUES ('x'); CREATE TABLE dbo.born2 (a int); SELECT b FROM dbo.born2")).toBe(207);
    expect(await traces()).toEqual(['x']);
    expect(await db.rows('SELECT v AS a INTO #made FROM dbo.t; INSERT INTO #made VALUES (4); SELECT a FROM #made')).toEqual([{ a: 4 }]);
  });
});

describe('a definition that changes', () => {
  test('is not yet known to the statements after it in the batch', async () => {
    await db.rows('CREATE TABLE dbo.grows (a int)');
    expect(await db.errorOf('ALTER TABLE dbo.grows ADD b int; SELECT b FROM dbo.grows')).toBe(207);
    expect(await db.rows("SELECT COL_LENGTH(N'dbo.grows', N'b') AS length")).toEqual([{ length: null }]);
    await db.rows("ALTER TABLE dbo.grows ADD b int; EXEC (N'INSERT INTO dbo.grows (b) VALUES (1)')");
    expect(await db.rows('SELECT a, b FROM dbo.grows')).toEqual([{ a: null, b: 1 }]);
  });

  test('is seen by a batch that ran before', async () => {
    await db.rows('CREATE TABLE dbo.changes (a int)');
    const text = 'IF 1 = 1 SELECT a FROM dbo.changes';
    expect(await db.errorOf(text)).toBe(0);
    await db.rows("EXEC sp_rename N'dbo.changes.a', N'b', N'COLUMN'");
    expect(await db.errorOf(text)).toBe(207);
    await db.rows("EXEC sp_rename N'dbo.changes.b', N'a', N'COLUMN'");
    expect(await db.errorOf(text)).toBe(0);
    await db.rows('DROP TABLE dbo.changes');
    expect(await db.errorOf(text)).toBe(208);
  });

  test('by another transaction is waited for', async () => {
    await db.rows('CREATE TABLE dbo.locked (a int)');
    const other = await db.session();
    await other.request().batch('BEGIN TRAN; ALTER TABLE dbo.locked ADD b int');
    expect(await db.errorOf('SET LOCK_TIMEOUT 50; SELECT 1 AS before')).toBe(0);
    const waiting = db.rows('SELECT b FROM dbo.locked').catch((error: unknown) => error);
    await other.request().batch('ROLLBACK');
    const outcome = await waiting;
    expect(outcome).toMatchObject({ number: expect.toSatisfy((number: number) => number === 207 || number === 1222) });
    await db.rows('SET LOCK_TIMEOUT -1');
  });

  test('of a table variable holds in the whole batch after it', async () => {
    expect(
      await db.rows('IF 1 = 0 BEGIN DECLARE @t TABLE (a int); DECLARE @v int END; INSERT INTO @t VALUES (5); SELECT a, @v AS v FROM @t'),
    ).toEqual([{ a: 5, v: null }]);
    expect(
      await db.rows(
        'DECLARE @i int = 0; WHILE @i < 3 BEGIN DECLARE @t TABLE (a int); INSERT INTO @t VALUES (@i); SET @i += 1 END; SELECT COUNT(*) AS n FROM @t',
      ),
    ).toEqual([{ n: 3 }]);
    expect(await db.errorOf('SELECT * FROM @t; DECLARE @t TABLE (a int)')).toBe(1087);
  });
});

test('what has a batch to itself is refused elsewhere', async () => {
  expect(await db.errorOf("SELECT 1 AS a; EXEC (N'SELECT 1 AS b'); SELECT 2 AS c")).toBe(0);
  await expect(db.rows('SELECT 1 AS a\nCREATE VIEW dbo.late AS SELECT 1 AS a')).rejects.toMatchObject({ number: 111 });
  await expect(db.rows('SELECT 1 AS a; CREATE SCHEMA late')).rejects.toMatchObject({ number: 111 });
});

test('values of constants are no matter of compilation', async () => {
  expect(await db.errorOf("INSERT INTO dbo.trace VALUES ('ran'); SELECT CAST('abc' AS int)")).toBe(245);
  expect(await traces()).toEqual(['ran']);
});
