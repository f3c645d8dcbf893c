/** Message 3621 behind an error that undid a writing statement: when it comes, and when it does not. Runs on any server. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

const TERMINATED = 'info 3621, level 0, state 1: The statement has been terminated.';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.parent (id int NOT NULL PRIMARY KEY); INSERT INTO dbo.parent VALUES (1), (2)');
  await db.rows(
    `CREATE TABLE dbo.t (id int NOT NULL CONSTRAINT PK_t PRIMARY KEY, a tinyint NULL CHECK (a > 0), v varchar(3) NULL, d datetime NULL,
      p int NULL CONSTRAINT FK_t REFERENCES dbo.parent (id)); INSERT INTO dbo.t VALUES (1, 1, 'a', '2026-01-01', 1)`,
  );
});

afterAll(async () => {
  await server.close();
});

/** Errors, messages and what PRINT says, in the order in which they come. */
async function told(text: string): Promise<string[]> {
  const request = db.pool.request();
  request.stream = true;
  const found: string[] = [];
  request.on('info', (info: { number: number; class: number; state: number; message: string }) => {
    found.push(info.number === 0 ? info.message : `info ${info.number}, level ${info.class}, state ${info.state}: ${info.message}`);
  });
  request.on('error', (error: { number: number }) => {
    found.push(`error ${error.number}`);
  });
  await new Promise<void>((resolve) => {
    request.on('done', () => {
      resolve();
    });
    void request.batch(text);
  });
  return found;
}

test.each([
  ['a key that is there', 'INSERT INTO dbo.t (id) VALUES (1)', 2627],
  ['a foreign key', 'UPDATE dbo.t SET p = 9', 547],
  ['a row that is referenced', 'DELETE dbo.parent WHERE id = 1', 547],
  ['a check', 'MERGE dbo.t AS t USING (SELECT 1 AS id) AS s ON s.id = t.id WHEN MATCHED THEN UPDATE SET a = 0;', 547],
  ['NULL', 'UPDATE dbo.t SET id = NULL', 515],
  ['a text that does not fit', "UPDATE dbo.t SET v = 'abcd'", 2628],
  ['a number that does not fit', 'DECLARE @n int = 256; UPDATE dbo.t SET a = @n', 220],
  ['a division by zero', 'DECLARE @n int = 0; UPDATE dbo.t SET a = 1 / @n', 8134],
  ['a time that does not fit', "UPDATE dbo.t SET d = CAST('0001-01-01' AS datetime2)", 242],
  ['SELECT … INTO', 'DECLARE @n int = 0; SELECT 1 / @n AS x INTO #made', 8134],
])('a write that fails of %s is followed by 3621, and the batch goes on', async (_what, text, number) => {
  expect(await told(`${text}\n PRINT 'next'`)).toEqual([`error ${number}`, TERMINATED, 'next']);
});

test('a definition that fails of its rows is followed by 3621, a constraint that they break is not', async () => {
  await db.rows('CREATE TABLE dbo.alike (a int NULL, b int NULL); INSERT INTO dbo.alike VALUES (1, 0), (1, NULL)');
  expect(await told('CREATE UNIQUE INDEX UX ON dbo.alike (a)')).toEqual(['error 1505', TERMINATED]);
  expect(await told('ALTER TABLE dbo.alike ALTER COLUMN b int NOT NULL')).toEqual(['error 515', TERMINATED]);
  expect(await told('ALTER TABLE dbo.alike ADD CONSTRAINT CK CHECK (b > 0)')).toEqual(['error 547']);
});

test('nothing follows where no statement was writing, under XACT_ABORT, and where TRY catches', async () => {
  expect(await told("DECLARE @n int = 0; SELECT 1 / @n AS x; PRINT 'next'")).toEqual(['error 8134', 'next']);
  expect(await told("INSERT INTO dbo.t (id) VALUES ('x'); PRINT 'next'")).toEqual(['error 245']);
  expect(await told('INSERT INTO dbo.t (id, id) VALUES (5, 5)')).toEqual(['error 264']);
  expect(await told("SET XACT_ABORT ON; INSERT INTO dbo.t (id) VALUES (1); PRINT 'next'")).toEqual(['error 2627']);
  await told('SET XACT_ABORT OFF');
  expect(await told("BEGIN TRY INSERT INTO dbo.t (id) VALUES (1) END TRY BEGIN CATCH PRINT 'caught' END CATCH")).toEqual(['caught']);
});

test('an error of a trigger is followed by 3621, and the batch ends', async () => {
  await db.rows('CREATE TABLE dbo.fired (id int NOT NULL PRIMARY KEY)');
  await db.rows('CREATE TRIGGER dbo.fires ON dbo.fired AFTER INSERT AS INSERT INTO dbo.t (id) VALUES (1)');
  expect(await told("INSERT INTO dbo.fired VALUES (1); PRINT 'next'")).toEqual(['error 2627', TERMINATED]);
  expect(await db.rows('SELECT id FROM dbo.fired')).toEqual([]);
});

test('what runs inside EXEC and sp_executesql is told the same way', async () => {
  const text = "EXEC ('INSERT INTO dbo.t (id) VALUES (1)'); EXEC sp_executesql N'DELETE dbo.parent WHERE id = 1'; PRINT 'next'";
  expect(await told(text)).toEqual(['error 2627', TERMINATED, 'error 547', TERMINATED, 'next']);
});

// Source: learn.microsoft.com, RAISERROR and TRY...CATCH, about severities from 20 on.
test('RAISERROR of severity 20 WITH LOG ends the connection, whatever TRY is around it', async () => {
  const session = await db.session({ appName: 'fatal' });
  const refused: unknown = await session
    .request()
    .batch(
      `BEGIN TRANSACTION; INSERT INTO dbo.parent VALUES (77);
       BEGIN TRY RAISERROR('over', 20, 3) WITH LOG END TRY BEGIN CATCH SELECT 1 AS caught END CATCH`,
    )
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ number: 50_000, class: 20, state: 3, precedingErrors: [{ number: 2745, class: 16 }] });
  await expect.poll(() => db.rows("SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'fatal'")).toEqual([]);
  expect(await db.rows('SELECT id FROM dbo.parent WHERE id = 77')).toEqual([]);
});
