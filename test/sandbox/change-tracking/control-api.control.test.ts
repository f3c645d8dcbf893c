/** The control API: late visibility, sessions held before a statement, cut connections. On a sandbox in this process. */
import sql from 'mssql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlledServer, TestDatabase } from '../../support/sandbox.ts';
import { startControlled } from '../../support/sandbox.ts';

let server: ControlledServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startControlled();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int)');
  await db.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
  await db.rows('INSERT INTO dbo.t VALUES (1, 1), (2, 2), (3, 3)');
});

afterAll(async () => {
  await server.close();
});

describe('the control API', () => {
  test('3.6 in the visibility gap the version is there and the row is not', async () => {
    const control = server.sandbox.control;
    await db.rows('EXEC sandbox.set_visibility_gap @ms = 600000');
    const [before] = await db.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
    const writer = (await db.session()).request().query('INSERT INTO dbo.t VALUES (60, 1)');
    await expect
      .poll(() => db.rows('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v'), { timeout: 10_000 })
      .toEqual([{ v: String(BigInt(before!.v) + 1n) }]);
    const reader = (await db.session()).transaction();
    await reader.begin(sql.ISOLATION_LEVEL.SNAPSHOT);
    expect((await reader.request().query('SELECT id FROM dbo.t WHERE id = 60')).recordset).toEqual([]);
    await reader.commit();
    control.setVisibilityGap(0);
    control.closeGaps();
    await writer;
    expect(await db.rows('SELECT id FROM dbo.t WHERE id = 60')).toEqual([{ id: 60 }]);
  });

  test('a session is held before a statement until it is let go', async () => {
    const pause = server.sandbox.control.pauseBefore({ appName: 'held', sqlContains: 'FROM dbo.t' });
    const session = await db.session({ appName: 'held' });
    const answer = session.request().batch('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v; SELECT COUNT(*) AS n FROM dbo.t WHERE id = 70');
    await pause.reached;
    await db.rows('INSERT INTO dbo.t VALUES (70, 1)');
    pause.resume();
    const result = await answer;
    const [row] = await db.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
    expect((result.recordsets as unknown[][])[0]).toEqual([{ v: String(BigInt(row!.v) - 1n) }]);
    expect((result.recordsets as unknown[][])[1]).toEqual([{ n: 1 }]);
  });

  test('connections are cut by application, and their transactions rolled back', async () => {
    const session = await db.session({ appName: 'to-be-cut' });
    const transaction = session.transaction();
    await transaction.begin();
    await transaction.request().batch('INSERT INTO dbo.t VALUES (80, 1)');
    await db.rows("EXEC sandbox.cut_connections @app_name = N'to-be-cut'");
    await expect.poll(() => db.rows('SELECT id FROM dbo.t WITH (NOLOCK) WHERE id = 80'), { timeout: 10_000 }).toEqual([]);
    // The driver keeps the dead connection with its transaction until it is told.
    await transaction.rollback().catch(() => undefined);
  });

  test('4.3-06 a database is taken back without its sessions, and its versions come again', async () => {
    const own = await server.freshDatabase();
    await own.rows(
      'CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; INSERT INTO dbo.t VALUES (1)',
    );
    const saved = server.sandbox.control.saveState(own.name);
    await own.rows('INSERT INTO dbo.t VALUES (2)');
    server.sandbox.control.restoreState(own.name, saved);
    const session = await own.session();
    await session.request().batch('INSERT INTO dbo.t VALUES (3)');
    const { recordset } = await session.request().query('SELECT c.id, c.SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES dbo.t, 1) AS c');
    expect(recordset).toEqual([{ id: 3, v: '2' }]);
  });

  test('4.3-07 a copy begins with the versions of its original, which then mean something else', async () => {
    const own = await server.freshDatabase();
    await own.rows(
      'CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; INSERT INTO dbo.t VALUES (1)',
    );
    const copy = `${own.name}_copy`;
    server.sandbox.control.restoreState(copy, server.sandbox.control.saveState(own.name));
    const session = await own.session();
    await own.rows('INSERT INTO dbo.t VALUES (2)');
    await session.request().batch(`USE [${copy}]`);
    await session.request().batch('INSERT INTO dbo.t VALUES (3)');
    const changes = 'SELECT c.id, CHANGE_TRACKING_CURRENT_VERSION() AS v FROM CHANGETABLE(CHANGES dbo.t, 1) AS c';
    expect(await own.rows(changes)).toEqual([{ id: 2, v: '2' }]);
    expect((await session.request().batch(changes)).recordset).toEqual([{ id: 3, v: '2' }]);
    await session.request().batch(`USE master; DROP DATABASE [${copy}]`);
  });
});
