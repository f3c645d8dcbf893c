/** Versions: what moves them, when a commit gets its own, and what a view shows of them. Runs on any SQL Server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';
import { bigintOf, CURRENT, minimumOf as minimum } from '../../support/tracking.ts';

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
