/** What a login needs to read changes, and what it is told when it lacks that. Runs on any SQL Server. */
import sql from 'mssql';
import { Connection } from 'tedious';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { numbersOf, startServer } from '../../support/sandbox.ts';

const password = 'Least-1-password';
const name = `pw_least_${process.pid}_${Date.now().toString(36)}`;

let server: TestServer;
let db: TestDatabase;
let session: sql.ConnectionPool;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int, secret int); INSERT INTO dbo.t VALUES (1, 1, 1)');
  await db.rows('CREATE TABLE dbo.other (id int NOT NULL PRIMARY KEY)');
  await db.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; ALTER TABLE dbo.other ENABLE CHANGE_TRACKING; UPDATE dbo.t SET a = 2');
  await db.rows(`CREATE LOGIN ${name} WITH PASSWORD = '${password}'`);
});

/** A user without any right, and a session of its own. */
beforeEach(async () => {
  await session?.close();
  await db.rows(`IF DATABASE_PRINCIPAL_ID(N'${name}') IS NOT NULL DROP USER ${name}`);
  await db.rows(`CREATE USER ${name} FOR LOGIN ${name}`);
  session = await db.session({ user: name, password });
});

afterAll(async () => {
  await session?.close();
  await db.rows(`DROP USER ${name}`);
  // Its session may linger for a moment.
  await vi.waitUntil(async () => (await db.errorOf(`DROP LOGIN ${name}`)) === 0, { timeout: 10_000 });
  await server.close();
});

const CHANGES = 'SELECT c.id FROM CHANGETABLE(CHANGES dbo.t, 0) AS c';
const grant = (text: string): Promise<unknown> => db.rows(`${text} TO ${name}`);

async function read(text: string): Promise<unknown> {
  return (await session.request().batch(text)).recordset;
}

/** Numbers and the last message. */
async function refused(text: string): Promise<{ numbers: number[]; message: string }> {
  const request = session.request().batch(text);
  const message = await request.then(
    () => '',
    (error: unknown) => (error instanceof Error ? error.message : ''),
  );
  return { numbers: await numbersOf(session.request().batch(text)), message };
}

describe('1.3 rights', () => {
  test('1.3-01, 229 CHANGETABLE takes VIEW CHANGE TRACKING and SELECT, on the table or on its schema', async () => {
    await grant('GRANT VIEW CHANGE TRACKING ON dbo.t');
    expect((await refused(CHANGES)).message).toContain('SELECT');
    await grant('GRANT SELECT ON dbo.t');
    expect(await read(CHANGES)).toEqual([{ id: 1 }]);
    expect(await read('SELECT v.id FROM CHANGETABLE(VERSION dbo.t, (id), (1)) AS v')).toEqual([{ id: 1 }]);
    expect((await refused('SELECT c.id FROM CHANGETABLE(CHANGES dbo.other, 0) AS c')).numbers).not.toEqual([]);
    await grant('GRANT SELECT ON SCHEMA::dbo');
    await grant('GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo');
    expect(await read('SELECT c.id FROM CHANGETABLE(CHANGES dbo.other, 0) AS c')).toEqual([]);
    await grant('DENY VIEW CHANGE TRACKING ON dbo.t');
    expect((await refused(CHANGES)).numbers).toEqual([229]);
  });

  test('1.3-02, 229 db_datareader alone is not enough, and the message names what is missing', async () => {
    await db.rows(`ALTER ROLE db_datareader ADD MEMBER ${name}`);
    expect(await read('SELECT a FROM dbo.t')).toEqual([{ a: 2 }]);
    const { numbers, message } = await refused(CHANGES);
    expect(numbers).toEqual([229]);
    expect(message).toContain('VIEW CHANGE TRACKING');
    await db.rows(`ALTER ROLE db_datareader DROP MEMBER ${name}`);
  });

  test('1.3-03 and 4.3-10 the minimum is NULL without the right, without tracking and without the table alike', async () => {
    await db.rows('CREATE TABLE dbo.untracked (id int NOT NULL PRIMARY KEY)');
    const minimum = (table: string): string => `SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'${table}')) AS v`;
    await grant('GRANT SELECT ON SCHEMA::dbo');
    for (const table of ['dbo.t', 'dbo.untracked', 'dbo.nothing']) {
      expect(await read(minimum(table))).toEqual([{ v: null }]);
    }
    await grant('GRANT VIEW CHANGE TRACKING ON dbo.t');
    expect(await read(minimum('dbo.t'))).toEqual([{ v: '0' }]);
    expect(await read(minimum('dbo.untracked'))).toEqual([{ v: null }]);
  });

  test('1.3-04 catalog views show the tables on which one has a right, and no error', async () => {
    const tracked = 'SELECT OBJECT_NAME(object_id) AS name FROM sys.change_tracking_tables ORDER BY name';
    const tables = "SELECT name FROM sys.tables WHERE name IN (N't', N'other') ORDER BY name";
    expect([await read(tracked), await read(tables)]).toEqual([[], []]);
    await grant('GRANT SELECT ON dbo.t');
    expect([await read(tracked), await read(tables)]).toEqual([[{ name: 't' }], [{ name: 't' }]]);
    await grant('GRANT SELECT ON SCHEMA::dbo');
    expect(await read(tracked)).toEqual([{ name: 'other' }, { name: 't' }]);
  });

  test('1.3-06 and 4.2-01 cleanup on demand is for db_owner', async () => {
    const flush = "EXEC sys.sp_flush_CT_internal_table_on_demand @TableToClean = N'dbo.t'";
    await grant('GRANT SELECT ON SCHEMA::dbo');
    await grant('GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo');
    expect((await refused(flush)).numbers).not.toEqual([]);
    await db.rows(`ALTER ROLE db_owner ADD MEMBER ${name}`);
    expect((await refused(flush)).numbers).toEqual([]);
    await db.rows(`ALTER ROLE db_owner DROP MEMBER ${name}`);
  });

  test('1.3-07, 230 a column that is denied stops the join with the rows, while the changes are still listed', async () => {
    await grant('GRANT SELECT ON SCHEMA::dbo');
    await grant('GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo');
    await grant('DENY SELECT ON dbo.t (secret)');
    expect(await read(CHANGES)).toEqual([{ id: 1 }]);
    const join = (column: string): string =>
      `SELECT c.id, t.${column} AS x FROM CHANGETABLE(CHANGES dbo.t, 0) AS c LEFT JOIN dbo.t AS t ON t.id = c.id`;
    expect(await read(join('a'))).toEqual([{ id: 1, x: 2 }]);
    const { numbers, message } = await refused(join('secret'));
    expect(numbers).toEqual([230]);
    expect(message).toContain("'secret'");
    await db.rows(`REVOKE SELECT ON dbo.t (secret) TO ${name}`);
    expect(await read(join('secret'))).toEqual([{ id: 1, x: 1 }]);
  });

  test('1.3-01, 230 SELECT on the columns of the key is enough for CHANGETABLE, and for these columns', async () => {
    await grant('GRANT VIEW CHANGE TRACKING ON dbo.t');
    await grant('GRANT SELECT ON dbo.t (id, a)');
    expect(await read(CHANGES)).toEqual([{ id: 1 }]);
    expect(await read('SELECT id, a FROM dbo.t')).toEqual([{ id: 1, a: 2 }]);
    expect((await refused('SELECT secret FROM dbo.t')).numbers).toEqual([230]);
  });
});

describe('logins', () => {
  test('18456 a wrong password, and a login that is not there, are told alike', async () => {
    for (const login of [
      { user: name, password: 'wrong' },
      { user: 'pw_nobody', password },
    ]) {
      await expect(db.session(login)).rejects.toMatchObject({
        code: 'ELOGIN',
        originalError: expect.objectContaining({ message: expect.stringContaining('Login failed') }) as unknown,
      });
    }
  });

  /** The numbers that a server sends while it refuses a login; the pool keeps but the last message. */
  async function refusedLogin(database: string): Promise<number[]> {
    const { server: host, port, options } = sql.ConnectionPool.parseConnectionString(db.connectionString) as sql.config;
    const connection = new Connection({
      server: host,
      authentication: { type: 'default', options: { userName: name, password } },
      options: {
        database,
        ...(port === undefined ? {} : { port }),
        encrypt: options?.encrypt ?? false,
        trustServerCertificate: true,
        // The driver would try again by itself.
        maxRetriesOnTransientErrors: 0,
      },
    });
    const numbers: number[] = [];
    connection.on('errorMessage', ({ number }: { number: number }) => numbers.push(number));
    const failed = await new Promise((resolve) => connection.connect(resolve));
    connection.close();
    expect(failed).toBeInstanceOf(Error);
    return numbers;
  }

  test('4060 and 18456 a database that is not there, and one in which the login is no user', async () => {
    expect(await refusedLogin(`${db.name}_gone`)).toEqual([4060, 18_456]);
    await session.close();
    await db.rows(`DROP USER ${name}`);
    expect(await refusedLogin(db.name)).toEqual([4060, 18_456]);
    await db.rows(`CREATE USER ${name} FOR LOGIN ${name}`);
  });
});
