/** A database taken back to what it was, by BACKUP and RESTORE and by the control API; and databases that cannot be entered. */
import type sql from 'mssql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { onSandbox, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let home: TestDatabase;
let db: TestDatabase;
let master: sql.ConnectionPool;
let device: string;

beforeAll(async () => {
  server = await startServer();
  home = await server.freshDatabase({ tracking: false });
});

beforeEach(async () => {
  db = await server.freshDatabase();
  device = `${db.name}.bak`;
  master = await home.session();
  await master.request().batch('USE master');
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int NOT NULL, n int NOT NULL IDENTITY(10, 1))');
  await db.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; INSERT INTO dbo.t (id, a) VALUES (1, 100), (2, 100)');
});

afterEach(async () => {
  await inMaster(`IF DB_ID(N'${db.name}') IS NOT NULL ALTER DATABASE [${db.name}] SET MULTI_USER WITH ROLLBACK IMMEDIATE`);
  await master.close();
});

afterAll(async () => {
  await server.close();
});

/** All errors of a batch in master, in order; empty: it succeeded. */
async function inMaster(text: string): Promise<(number | undefined)[]> {
  try {
    await master.request().batch(text);
    return [];
  } catch (error) {
    const { precedingErrors, number } = error as sql.RequestError & { precedingErrors?: { number?: number }[] };
    return [...(precedingErrors ?? []).map((each) => each.number), number];
  }
}

const alone = (): string => `ALTER DATABASE [${db.name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE`;
const backup = (options = 'WITH INIT'): string => `BACKUP DATABASE [${db.name}] TO DISK = N'${device}' ${options}`;
const restore = (options = 'WITH REPLACE'): string => `RESTORE DATABASE [${db.name}] FROM DISK = N'${device}' ${options}`;
const shared = (): string => `ALTER DATABASE [${db.name}] SET MULTI_USER`;

/** Runs a query on a new connection: those that were open are gone. */
async function fresh<T>(text: string): Promise<T[]> {
  const session = await db.session();
  try {
    return (await session.request().batch<T>(text)).recordset ?? [];
  } finally {
    await session.close();
  }
}

interface Tracked {
  readonly current: string;
  readonly min: string;
  readonly object: number;
}

const STATE = `SELECT CHANGE_TRACKING_CURRENT_VERSION() AS [current],
  CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.t')) AS [min], OBJECT_ID(N'dbo.t') AS [object]`;

describe('BACKUP and RESTORE', () => {
  test('take rows, definitions, users and change tracking back; versions are used again for other changes', async () => {
    await db.rows('UPDATE dbo.t SET a = 101 WHERE id = 1');
    await db.rows('CREATE USER kept WITHOUT LOGIN; GRANT SELECT ON dbo.t TO kept');
    const [before] = await db.rows<Tracked>(STATE);
    expect(await inMaster(backup())).toEqual([]);
    await db.rows('UPDATE dbo.t SET a = 999; DELETE dbo.t WHERE id = 2; INSERT INTO dbo.t (id, a) VALUES (3, 3)');
    await db.rows('ALTER TABLE dbo.t ADD later int NULL; CREATE TABLE dbo.later (id int); DROP USER kept');
    expect((await db.rows<Tracked>(STATE))[0]?.current).toBe(String(BigInt(before!.current) + 3n));

    expect(await inMaster(`${alone()}; ${restore('WITH REPLACE, RECOVERY')}; ${shared()}`)).toEqual([]);
    expect(await fresh(STATE)).toEqual([before]);
    expect(await fresh('SELECT * FROM dbo.t ORDER BY id')).toEqual([
      { id: 1, a: 101, n: 10 },
      { id: 2, a: 100, n: 11 },
    ]);
    expect(await fresh("SELECT OBJECT_ID(N'dbo.later') AS id, DATABASE_PRINCIPAL_ID(N'kept') AS [user]")).toEqual([
      { id: null, user: expect.any(Number) },
    ]);
    expect(await fresh('SELECT id, SYS_CHANGE_OPERATION AS op FROM CHANGETABLE(CHANGES dbo.t, 0) AS c ORDER BY id')).toEqual([
      { id: 1, op: 'I' },
      { id: 2, op: 'I' },
    ]);
    await fresh('INSERT INTO dbo.t (id, a) VALUES (4, 4)');
    expect(
      await fresh(
        'SELECT c.id, n, SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES dbo.t, 0) AS c JOIN dbo.t AS t ON t.id = c.id WHERE c.id = 4',
      ),
    ).toEqual([{ id: 4, n: 12, v: String(BigInt(before!.current) + 1n) }]);
  });

  test('what was open at the backup is not in it', async () => {
    const writer = (await db.session()).transaction();
    await writer.begin();
    await writer.request().batch('UPDATE dbo.t SET a = 5; DELETE dbo.t WHERE id = 2');
    expect(await inMaster(backup())).toEqual([]);
    await writer.commit();
    expect(await fresh('SELECT id, a FROM dbo.t')).toEqual([{ id: 1, a: 5 }]);
    expect(await inMaster(`${alone()}; ${restore()}; ${shared()}`)).toEqual([]);
    expect(await fresh('SELECT id, a FROM dbo.t')).toEqual([
      { id: 1, a: 100 },
      { id: 2, a: 100 },
    ]);
  });

  test('keep database id and creation date, and the service broker id of the backup', async () => {
    const identity = `SELECT database_id, create_date, service_broker_guid FROM sys.databases WHERE name = N'${db.name}'`;
    const [before] = await db.rows<{ database_id: number; service_broker_guid: string }>(identity);
    expect(await inMaster(backup())).toEqual([]);
    expect(await inMaster(`${alone()}; ${restore()}; ${shared()}`)).toEqual([]);
    const [after] = await fresh<{ database_id: number; service_broker_guid: string }>(identity);
    expect(after).toMatchObject({ database_id: before!.database_id, service_broker_guid: before!.service_broker_guid });
    expect(await inMaster(`${alone()}; ${restore('WITH REPLACE, NEW_BROKER')}; ${shared()}`)).toEqual([]);
    const [other] = await fresh<{ service_broker_guid: string }>(identity);
    expect(other?.service_broker_guid).not.toBe(before!.service_broker_guid);
  });

  test('append to a device unless INIT is written, and restore the first backup unless FILE names another', async () => {
    expect(await inMaster(backup('WITH INIT, FORMAT, COPY_ONLY, STATS = 10'))).toEqual([]);
    await db.rows('UPDATE dbo.t SET a = 2');
    expect(await inMaster(backup(''))).toEqual([]);
    expect(await inMaster(`${alone()}; ${restore('WITH REPLACE, FILE = 2')}; ${shared()}`)).toEqual([]);
    expect(await fresh('SELECT DISTINCT a FROM dbo.t')).toEqual([{ a: 2 }]);
    expect(await inMaster(`${alone()}; ${restore()}; ${shared()}`)).toEqual([]);
    expect(await fresh('SELECT DISTINCT a FROM dbo.t')).toEqual([{ a: 100 }]);
  });

  test('errors come in pairs: the cause, then 3013', async () => {
    expect((await inMaster(restore())).at(-1)).toBe(3013);
    expect(await inMaster(backup())).toEqual([]);
    await db.rows('SELECT 1 AS one');
    expect(await inMaster(restore())).toEqual([3101, 3013]);
    expect(await inMaster(`USE [${db.name}]; ${restore()}`)).toEqual([3102, 3013]);
    await inMaster('USE master');
    expect(await inMaster(`BEGIN TRAN; ${backup()}`)).toEqual([3021, 3013]);
    await inMaster('IF @@TRANCOUNT > 0 ROLLBACK');
    expect(await inMaster("BACKUP DATABASE [not-here] TO DISK = N'x.bak'")).toEqual([911, 3013]);
    expect(await inMaster(`RESTORE DATABASE [${db.name}_2] FROM DISK = N'never-written.bak'`)).toEqual([3201, 3013]);
    expect(await inMaster(`${alone()}; ${restore('WITH RECOVERY')}`)).toEqual([3159, 3013]);
    const other = `RESTORE DATABASE [${home.name}] FROM DISK = N'${device}'`;
    expect((await inMaster(other)).slice(0, onSandbox ? 2 : 0)).toEqual(onSandbox ? [3154, 3013] : []);
  });

  test.runIf(onSandbox)('make a new database of a backup, which goes its own way', async () => {
    const copy = `${db.name}_copy`;
    expect(await inMaster(backup())).toEqual([]);
    const into = `RESTORE DATABASE [${copy}] FROM DISK = N'${device}' WITH MOVE N'${db.name}' TO N'copy.mdf', RECOVERY`;
    expect(await inMaster(into)).toEqual([]);
    await inMaster(`UPDATE [${copy}].dbo.t SET a = 7 WHERE id = 1`);
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 100 }]);
    expect(await db.rows(`SELECT a FROM [${copy}].dbo.t ORDER BY id`)).toEqual([{ a: 7 }, { a: 100 }]);
    expect(await db.rows(`SELECT COUNT(DISTINCT database_id) AS n FROM sys.databases WHERE name IN (N'${db.name}', N'${copy}')`)).toEqual([
      { n: 2 },
    ]);
    expect(await inMaster(`DROP DATABASE [${copy}]`)).toEqual([]);
  });

  test.runIf(onSandbox)('what would need files or logs is refused by name', async () => {
    for (const [text, named] of [
      [`CREATE DATABASE s ON (NAME = x, FILENAME = 'x') AS SNAPSHOT OF [${db.name}]`, 'CREATE DATABASE … AS SNAPSHOT OF'],
      [`BACKUP LOG [${db.name}] TO DISK = N'x'`, 'BACKUP LOG'],
      [backup('WITH DIFFERENTIAL'), 'BACKUP DATABASE … WITH DIFFERENTIAL'],
      [restore('WITH NORECOVERY'), 'RESTORE DATABASE … WITH NORECOVERY'],
      [`RESTORE HEADERONLY FROM DISK = N'${device}'`, 'RESTORE HEADERONLY'],
    ] as const) {
      await expect(master.request().batch(text)).rejects.toMatchObject({ number: 50_001, message: expect.stringContaining(named) });
    }
  });
});

describe.runIf(onSandbox)('the control API', () => {
  test('keeps states and goes back to them, cutting who is connected', async () => {
    const { control } = server.sandbox!;
    const [before] = await db.rows<Tracked>(STATE);
    const state = control.saveState(db.name);
    await db.rows('UPDATE dbo.t SET a = 1');
    const session = await db.session({ appName: 'cut-by-restore' });
    const open = session.transaction();
    await open.begin();
    await open.request().batch('INSERT INTO dbo.t (id, a) VALUES (9, 9)');
    control.restoreState(db.name, state);
    expect(control.sessions().some((each) => each.appName === 'cut-by-restore')).toBe(false);
    await open.rollback().catch(() => undefined);
    expect(await fresh(STATE)).toEqual([before]);
    expect(await fresh('SELECT id, a FROM dbo.t')).toEqual([
      { id: 1, a: 100 },
      { id: 2, a: 100 },
    ]);
    await fresh('UPDATE dbo.t SET a = 2 WHERE id = 1');
    control.restoreState(db.name, state);
    expect(await fresh('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 100 }]);
  });

  test('refuses to keep a database whose definition is not committed', async () => {
    const open = (await db.session()).transaction();
    await open.begin();
    await open.request().batch('CREATE TABLE dbo.u (id int)');
    expect(() => server.sandbox!.control.saveState(db.name)).toThrow(/being changed/);
    await open.rollback();
    const { control } = server.sandbox!;
    expect(() => control.restoreState(db.name, control.saveState(db.name))).not.toThrow();
  });
});

describe('databases that cannot be entered', () => {
  const entering = async (): Promise<unknown> => {
    try {
      await (await db.session()).close();
      return null;
    } catch (error) {
      return (error as sql.ConnectionError).code;
    }
  };

  test('OFFLINE: 942 for USE and for names, ELOGIN for a login, until ONLINE', async () => {
    expect(await inMaster(`ALTER DATABASE [${db.name}] SET OFFLINE WITH ROLLBACK IMMEDIATE`)).toEqual([]);
    expect(await inMaster(`USE [${db.name}]`)).toEqual([942]);
    expect(await inMaster(`SELECT * FROM [${db.name}].dbo.t`)).toEqual([942]);
    expect(await entering()).toBe('ELOGIN');
    const shown = await master.request().query(`SELECT state, state_desc FROM sys.databases WHERE name = N'${db.name}'`);
    expect(shown.recordset).toEqual([{ state: 6, state_desc: 'OFFLINE' }]);
    expect(await inMaster(`ALTER DATABASE [${db.name}] SET ONLINE`)).toEqual([]);
    expect(await fresh('SELECT COUNT(*) AS n FROM dbo.t')).toEqual([{ n: 2 }]);
  });

  test('SINGLE_USER: whoever set it has the database, also from master; the others meet 924, 4060 and 5064', async () => {
    expect(await inMaster(`ALTER DATABASE [${db.name}] SET SINGLE_USER WITH NO_WAIT`)).toEqual([5070, 5069]);
    expect(await inMaster(alone())).toEqual([]);
    expect(await inMaster(`SELECT user_access_desc FROM sys.databases WHERE name = N'${db.name}'`)).toEqual([]);
    expect(await entering()).toBe('ELOGIN');
    expect(await home.errorOf(`USE [${db.name}]`)).toBe(924);
    expect(await home.errorOf(`ALTER DATABASE [${db.name}] SET MULTI_USER`)).toBe(5069);
    expect(await inMaster(`USE [${db.name}]; UPDATE dbo.t SET a = 3; USE master; ${shared()}`)).toEqual([]);
    expect(await fresh('SELECT DISTINCT a FROM dbo.t')).toEqual([{ a: 3 }]);
  });

  test('READ_ONLY: 3906 for writes and definitions, reads go on', async () => {
    expect(await inMaster(`ALTER DATABASE [${db.name}] SET READ_ONLY WITH ROLLBACK IMMEDIATE`)).toEqual([]);
    const session = await db.session();
    for (const text of [
      'UPDATE dbo.t SET a = 1',
      'INSERT INTO dbo.t (id, a) VALUES (3, 1)',
      'CREATE TABLE dbo.u (id int)',
      'TRUNCATE TABLE dbo.t',
    ]) {
      await expect(session.request().batch(text)).rejects.toMatchObject({ number: 3906 });
    }
    const read = await session.request().query("SELECT COUNT(*) AS n, DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS u FROM dbo.t");
    expect(read.recordset).toEqual([{ n: 2, u: 'READ_ONLY' }]);
    await session.close();
    expect(await inMaster(`ALTER DATABASE [${db.name}] SET READ_WRITE WITH ROLLBACK IMMEDIATE`)).toEqual([]);
    expect(await fresh('UPDATE dbo.t SET a = 1; SELECT DISTINCT a FROM dbo.t')).toEqual([{ a: 1 }]);
  });

  test.runIf(onSandbox)('system databases keep their state: 5058', async () => {
    expect(await inMaster('ALTER DATABASE msdb SET SINGLE_USER')).toEqual([5058]);
  });
});
