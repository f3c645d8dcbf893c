/** Batches that are deep, long or endless: each has an answer or an error, and the session lives on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
});

afterAll(async () => {
  await server.close();
});

const times = (text: string, count: number): string => text.repeat(count);

// SQL Server's own limits are not documented: only that there are some, and these numbers (sys.messages).
describe('a batch that is nested too deeply is refused by 191 or 8631, and its session goes on', () => {
  const deep = 20_000;
  test.each([
    ['brackets', `SELECT ${times('(', deep)}1${times(')', deep)}`],
    ['CASE', `SELECT ${times('CASE WHEN 1 = 1 THEN ', deep)}1${times(' END', deep)}`],
    ['signs', `SELECT ${times('- ', deep)}1`],
    ['functions', `SELECT ${times('ABS(', deep)}1${times(')', deep)}`],
    ['derived tables', `SELECT * FROM ${times('(SELECT * FROM ', deep)}(SELECT 1 AS a) x${times(') x', deep)}`],
    ['subqueries', `SELECT 1 WHERE ${times('EXISTS (SELECT 1 WHERE ', deep)}1 = 1${times(')', deep)}`],
    ['blocks', `${times('BEGIN ', deep)}SELECT 1 ${times('END ', deep)}`],
    ['IF', `${times('IF 1 = 1 ', deep)}SELECT 1`],
    ['sums', `SELECT 1${times(' + 1', deep)}`],
    ['OR', `SELECT 1 WHERE 1 = 0${times(' OR 1 = 0', deep)}`],
    ['NOT', `SELECT 1 WHERE ${times('NOT ', deep)}1 = 1`],
    ['UNION', `SELECT 1${times(' UNION ALL SELECT 1', deep)}`],
  ])('%s', async (_what, text) => {
    const session = await db.session();
    const refused = session.request().batch(text);
    await expect(refused).rejects.toSatisfy((error: { number: number }) => error.number === 191 || error.number === 8631);
    expect((await session.request().batch('SELECT 1 AS a')).recordset).toEqual([{ a: 1 }]);
  });
});

test('a statement that is refused for its depth leaves the transaction as it was', async () => {
  const session = await db.session();
  await session.request().batch('CREATE TABLE dbo.depth (id int PRIMARY KEY); BEGIN TRANSACTION; INSERT INTO dbo.depth VALUES (1)');
  await expect(session.request().batch(`INSERT INTO dbo.depth SELECT 2${times(' + 1', 20_000)}`)).rejects.toMatchObject({ number: 8631 });
  const { recordset } = await session.request().batch('SELECT @@TRANCOUNT AS n, (SELECT COUNT(*) FROM dbo.depth) AS c; COMMIT');
  expect(recordset).toEqual([{ n: 1, c: 1 }]);
});

test('a pattern of many wildcards is answered in the time of one', async () => {
  const wild = times('%a', 20);
  const rows = await db.rows(
    `DECLARE @t varchar(max) = REPLICATE(CAST('a' AS varchar(max)), 100000);
     SELECT CASE WHEN @t LIKE '${wild}%b' THEN 1 ELSE 0 END AS ends, PATINDEX('${wild}%b%', @t) AS found, PATINDEX('%ba%', @t + 'ba') AS at`,
  );
  expect(rows).toEqual([{ ends: 0, found: '0', at: '100001' }]);
});

test('a running total over many rows is answered in time', async () => {
  const digits = '(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))';
  const rows = await db.rows(
    `SELECT MAX(t.total) AS total, MAX(t.seen) AS seen FROM (
       SELECT SUM(CAST(n.k AS bigint)) OVER (ORDER BY n.k) AS total, CUME_DIST() OVER (ORDER BY n.k) AS seen
       FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * (g.d % 2) AS k
             FROM ${digits} AS a (d) CROSS JOIN ${digits} AS b (d) CROSS JOIN ${digits} AS c (d) CROSS JOIN ${digits} AS e (d)
             CROSS JOIN ${digits} AS f (d) CROSS JOIN (VALUES (0), (1)) AS g (d)) AS n) AS t`,
  );
  expect(rows).toEqual([{ total: '19999900000', seen: 1 }]);
});

test.each([
  'DECLARE @i int = 0; WHILE 1 = 1 SET @i += 1',
  'again: GOTO again',
  'WHILE 1 = 1 BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH END CATCH',
])('a batch without an end leaves others their turn, and ends with an attention: %s', async (text) => {
  const request = (await db.session({ appName: 'endless' })).request();
  const ended = request.batch(text);
  // Both are answered while it runs.
  await expect
    .poll(() => db.rows("SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'endless' AND status = N'running'"))
    .toHaveLength(1);
  request.cancel();
  await expect(ended).rejects.toMatchObject({ code: 'ECANCEL' });
});

// Sources: learn.microsoft.com "Maximum capacity specifications for SQL Server", "Table Value Constructor", "GROUP BY".
describe('what is too much of something is refused', () => {
  const numbered = (count: number, each: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => each(index)).join(', ');
  test.each([
    ['1025 columns', `CREATE TABLE dbo.wide (${numbered(1025, (index) => `c${index} int`)})`, 1702],
    ['4097 items', `SELECT ${numbered(4097, (index) => `${index} AS c${index}`)}`, 1056],
    ['1001 rows of INSERT', `DECLARE @t TABLE (a int); INSERT INTO @t (a) VALUES ${numbered(1001, (index) => `(${index})`)}`, 10_738],
    ['1000 columns of 9 bytes', `CREATE TABLE dbo.long (${numbered(1000, (index) => `c${index} decimal(19)`)})`, 1701],
    [
      'a key of 33 columns',
      `CREATE TABLE dbo.keyed (${numbered(33, (index) => `c${index} int`)}, CONSTRAINT pk PRIMARY KEY (${numbered(33, (index) => `c${index}`)}))`,
      1750,
    ],
    [
      'an index of 33 columns',
      `CREATE TABLE #keyed (${numbered(33, (index) => `c${index} int`)}); CREATE INDEX ix ON #keyed (${numbered(33, (index) => `c${index}`)})`,
      1904,
    ],
    ['a name of 129 characters', `SELECT 1 AS ${times('x', 129)}`, 103],
    ['a quoted name of 129 characters', `CREATE TABLE [${times('x', 129)}] (a int)`, 103],
    [
      'a cube of 13 columns',
      `SELECT 1 FROM (SELECT ${numbered(13, (index) => `${index} AS c${index}`)}) AS t GROUP BY CUBE (${numbered(13, (index) => `c${index}`)})`,
      10_703,
    ],
  ])('%s', async (_what, text, number) => {
    await expect(db.rows(text)).rejects.toMatchObject({ number });
  });

  test('and what is not quite too much is not', async () => {
    await db.rows(`CREATE TABLE dbo.wide (${numbered(1024, (index) => `c${index} int`)}); DROP TABLE dbo.wide`);
    const [row] = await db.rows(`SELECT ${numbered(4096, (index) => `${index} AS c${index}`)}`);
    expect(Object.keys(row as object)).toHaveLength(4096);
    const rows = await db.rows(`SELECT COUNT(*) AS n FROM (VALUES ${numbered(1001, (index) => `(${index})`)}) AS v (a)`);
    expect(rows).toEqual([{ n: 1001 }]);
  });
});
