/** Sessions beside each other: locks, views, conflicts, deadlocks. Runs on any SQL Server. */
import sql from 'mssql';
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
  await db.rows('INSERT INTO dbo.t VALUES (1, 1), (2, 2), (3, 3)');
});

afterAll(async () => {
  await server.close();
});

/** An open transaction that has written a row, on a session of its own. */
async function openWriter(text: string): Promise<sql.Transaction> {
  const transaction = (await db.session()).transaction();
  await transaction.begin();
  await transaction.request().batch(text);
  return transaction;
}

async function numberOf(promise: Promise<unknown>): Promise<number> {
  try {
    await promise;
    return 0;
  } catch (error) {
    return error instanceof sql.RequestError ? (error.number ?? -1) : -1;
  }
}

/** Waits until a session of the application is waiting in a request. */
async function untilRunning(appName: string): Promise<void> {
  await expect
    .poll(() => db.rows(`SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'${appName}' AND status = N'running'`), {
      timeout: 10_000,
    })
    .toHaveLength(1);
}

describe('READ COMMITTED', () => {
  test('a reader waits for the row that is being written, and sees what was committed', async () => {
    const writer = await openWriter('UPDATE dbo.t SET a = 10 WHERE id = 1');
    const reader = await db.session({ appName: 'rc-reader' });
    const read = reader.request().query('SELECT a FROM dbo.t WHERE id = 1');
    await untilRunning('rc-reader');
    await writer.commit();
    expect((await read).recordset).toEqual([{ a: 10 }]);
  });

  test('another row of the table is not waited for; NOLOCK waits for none', async () => {
    const writer = await openWriter('UPDATE dbo.t SET a = 11 WHERE id = 1');
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 2')).toEqual([{ a: 2 }]);
    expect(await db.rows('SELECT a FROM dbo.t WITH (NOLOCK) WHERE id = 1')).toEqual([{ a: 11 }]);
    await writer.rollback();
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 10 }]);
  });

  test('1222 after the lock timeout, for rows and for CHANGETABLE', async () => {
    const writer = await openWriter('UPDATE dbo.t SET a = 12 WHERE id = 1');
    expect(await db.errorOf('SET LOCK_TIMEOUT 0; SELECT a FROM dbo.t WHERE id = 1')).toBe(1222);
    expect(await db.errorOf('SET LOCK_TIMEOUT 20; SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, 0) AS c')).toBe(1222);
    await writer.rollback();
    await db.rows('SET LOCK_TIMEOUT -1');
  });

  test('a writer that waited writes on what it then finds', async () => {
    const first = await openWriter('UPDATE dbo.t SET a = a + 1 WHERE id = 2');
    const second = await db.session({ appName: 'second-writer' });
    const update = second.request().query('UPDATE dbo.t SET a = a + 1 WHERE id = 2');
    await untilRunning('second-writer');
    await first.commit();
    await update;
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 2')).toEqual([{ a: 4 }]);
  });

  test('READ_COMMITTED_SNAPSHOT reads the last committed row without waiting', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int); INSERT INTO dbo.t VALUES (1, 1)');
    await own.rows('ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE');
    const writer = (await own.session()).transaction();
    await writer.begin();
    await writer.request().batch('UPDATE dbo.t SET a = 2');
    expect(await own.rows('SELECT a FROM dbo.t')).toEqual([{ a: 1 }]);
    await writer.rollback();
  });

  test('1205 for one of two that wait for each other, the one with the lower priority', async () => {
    const session = await db.session({ appName: 'deadlock' });
    const low = session.transaction();
    await low.begin();
    await low.request().batch('SET DEADLOCK_PRIORITY LOW; UPDATE dbo.t SET a = 0 WHERE id = 1');
    const high = await openWriter('UPDATE dbo.t SET a = 0 WHERE id = 3');
    const waiting = numberOf(low.request().batch('UPDATE dbo.t SET a = 0 WHERE id = 3'));
    await untilRunning('deadlock');
    expect(await numberOf(high.request().batch('UPDATE dbo.t SET a = 0 WHERE id = 1'))).toBe(0);
    expect(await waiting).toBe(1205);
    await high.rollback();
    await numberOf(low.rollback());
  });
});

describe('SNAPSHOT', () => {
  test('neither waits for writers nor sees them', async () => {
    const before = await db.rows('SELECT a FROM dbo.t ORDER BY id');
    const writer = await openWriter('UPDATE dbo.t SET a = 77');
    const reader = (await db.session()).transaction();
    await reader.begin(sql.ISOLATION_LEVEL.SNAPSHOT);
    const read = async (): Promise<unknown> => (await reader.request().query('SELECT a FROM dbo.t ORDER BY id')).recordset;
    expect(await read()).toEqual(before);
    expect((await reader.request().query('SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, 0) AS c WHERE c.id = 99')).recordset).toEqual([]);
    await writer.commit();
    expect(await read()).toEqual(before);
    await reader.commit();
  });

  test('1.4-01, 3952 where it is not allowed, at the first table and not at BEGIN', async () => {
    const own = await server.freshDatabase({ snapshot: false });
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)');
    const reader = (await own.session()).transaction();
    await reader.begin(sql.ISOLATION_LEVEL.SNAPSHOT);
    expect(await numberOf(reader.request().query('SELECT 1 AS one'))).toBe(0);
    expect(await numberOf(reader.request().query('SELECT id FROM dbo.t'))).toBe(3952);
    await numberOf(reader.rollback());
  });

  test('3960 for a row that somebody changed since, and the transaction is gone', async () => {
    const mine = (await db.session()).transaction();
    await mine.begin(sql.ISOLATION_LEVEL.SNAPSHOT);
    await mine.request().query('SELECT a FROM dbo.t WHERE id = 1');
    await db.rows('UPDATE dbo.t SET a = 5 WHERE id = 1');
    expect(await numberOf(mine.request().batch('UPDATE dbo.t SET a = 6 WHERE id = 1'))).toBe(3960);
    await numberOf(mine.rollback());
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 5 }]);
  });

  test('4.4-05, 3961 for a table that was altered since', async () => {
    await db.rows('CREATE TABLE dbo.altered (id int NOT NULL PRIMARY KEY)');
    const reader = (await db.session()).transaction();
    await reader.begin(sql.ISOLATION_LEVEL.SNAPSHOT);
    await reader.request().query('SELECT a FROM dbo.t WHERE id = 1');
    await db.rows('ALTER TABLE dbo.altered ADD b int NULL');
    expect(await numberOf(reader.request().query('SELECT id FROM dbo.altered'))).toBe(3961);
    await numberOf(reader.rollback());
  });

  test('3951 when the transaction began at another level', async () => {
    expect(await db.errorOf('BEGIN TRAN; SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT a FROM dbo.t; COMMIT')).toBe(3951);
    await db.errorOf('IF @@TRANCOUNT > 0 ROLLBACK; SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
  });
});

describe('a session', () => {
  test('a cancelled wait leaves the transaction open and the session usable', async () => {
    const writer = await openWriter('UPDATE dbo.t SET a = 8 WHERE id = 1');
    const other = (await db.session({ appName: 'cancelled' })).transaction();
    await other.begin();
    await other.request().batch('INSERT INTO dbo.t VALUES (50, 0)');
    const request = other.request();
    const waiting = request.query('UPDATE dbo.t SET a = 9 WHERE id = 1').catch((error: unknown) => error);
    await untilRunning('cancelled');
    request.cancel();
    expect(await waiting).toMatchObject({ code: 'ECANCEL' });
    await other.commit();
    await writer.rollback();
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 50')).toEqual([{ a: 0 }]);
  });

  test('TRY catches an error, a doomed transaction can only be rolled back', async () => {
    const rows = await db.rows(
      `SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; INSERT INTO dbo.t VALUES (1, 1); END TRY
       BEGIN CATCH SELECT ERROR_NUMBER() AS n, XACT_STATE() AS s; ROLLBACK; END CATCH; SET XACT_ABORT OFF`,
    );
    expect(rows).toEqual([{ n: 2627, s: -1 }]);
  });
});
