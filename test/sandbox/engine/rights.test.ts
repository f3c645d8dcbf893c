/** Rights as they are granted, denied and revoked: on tables, schemas and databases, by roles, and what is told without them. Runs on any server. */
import type sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;
let other: TestDatabase;
let pool: sql.ConnectionPool;
const name = `pw_rights_${process.pid}_${Date.now().toString(36)}`;
const password = 'Rights-1-password';

beforeAll(async () => {
  server = await startServer();
  other = await server.freshDatabase();
  await other.rows(`CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)`);
  await other.rows(`CREATE LOGIN ${name} WITH PASSWORD = '${password}'`);
});

beforeEach(async () => {
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int NULL); CREATE TABLE dbo.u (id int NOT NULL PRIMARY KEY)');
  await db.rows('ALTER TABLE dbo.t ENABLE CHANGE_TRACKING; INSERT INTO dbo.t VALUES (1, 1)');
  await db.rows(`CREATE USER ${name} FOR LOGIN ${name}`);
  pool = await db.session({ user: name, password });
});

afterAll(async () => {
  await other.rows(`IF SUSER_ID(N'${name}') IS NOT NULL ALTER LOGIN ${name} DISABLE`);
  await server.close();
});

/** The error of a batch of the user, or its rows. */
async function asUser(text: string): Promise<unknown> {
  try {
    return (await pool.request().batch(text)).recordset ?? 'done';
  } catch (error) {
    return (error as sql.RequestError).number;
  }
}

async function logIn(database: TestDatabase = db): Promise<unknown> {
  try {
    await (await database.session({ user: name, password })).close();
    return 'in';
  } catch (error) {
    return (error as sql.ConnectionError).code;
  }
}

const READ = 'SELECT id FROM dbo.t';
const CHANGES = 'SELECT id FROM CHANGETABLE(CHANGES dbo.t, 0) AS c';

describe('rights on rows', () => {
  test('each verb has its own, 229 without it', async () => {
    for (const [right, text] of [
      ['SELECT', READ],
      ['INSERT', 'INSERT INTO dbo.t VALUES (2, 2)'],
      ['UPDATE', 'UPDATE dbo.t SET a = 3'],
      ['DELETE', 'DELETE dbo.t'],
    ] as const) {
      expect([right, await asUser(text)]).toEqual([right, 229]);
      await db.rows(`GRANT ${right} ON dbo.t TO ${name}`);
      expect([right, await asUser(text)]).not.toEqual([right, 229]);
    }
  });

  test.each([
    ['a schema', 'ON SCHEMA::dbo'],
    ['the database', ''],
  ])('may be given for %s, and a DENY anywhere wins', async (_, on) => {
    await db.rows(`GRANT SELECT ${on} TO ${name}`);
    expect(await asUser(READ)).toEqual([{ id: 1 }]);
    await db.rows(`DENY SELECT ON dbo.t TO ${name}`);
    expect(await asUser(READ)).toBe(229);
    expect(await asUser('SELECT id FROM dbo.u')).toEqual([]);
    await db.rows(`REVOKE SELECT ON dbo.t FROM ${name}; DENY SELECT TO public`);
    expect(await asUser(READ)).toBe(229);
  });

  test('UPDATE and DELETE with WHERE take SELECT too', async () => {
    await db.rows(`GRANT UPDATE, DELETE ON dbo.t TO ${name}`);
    expect(await asUser('UPDATE dbo.t SET a = 2')).toBe('done');
    expect(await asUser('UPDATE dbo.t SET a = 2 WHERE id = 1')).toBe(229);
    expect(await asUser('DELETE dbo.t WHERE id = 1')).toBe(229);
    await db.rows(`GRANT SELECT ON dbo.t TO ${name}`);
    expect(await asUser('UPDATE dbo.t SET a = 2 WHERE id = 1; DELETE dbo.t WHERE id = 1')).toBe('done');
  });

  test('CONTROL holds all of them; roles hand them on, through other roles too', async () => {
    await db.rows(`CREATE ROLE inner_role; CREATE ROLE outer_role; GRANT CONTROL ON dbo.t TO outer_role`);
    await db.rows(`ALTER ROLE outer_role ADD MEMBER inner_role; ALTER ROLE inner_role ADD MEMBER ${name}`);
    expect(await asUser(`${READ}; UPDATE dbo.t SET a = 1; DELETE dbo.t; INSERT INTO dbo.t VALUES (1, 1)`)).toEqual([{ id: 1 }]);
    expect(await asUser(CHANGES)).toEqual([{ id: 1 }]);
    await db.rows(`ALTER ROLE inner_role DROP MEMBER ${name}`);
    expect(await asUser(READ)).toBe(229);
  });

  test('fixed roles: what each may and may not', async () => {
    const may = async (): Promise<unknown[]> => [
      await asUser(READ),
      await asUser('UPDATE dbo.t SET a = 5'),
      await asUser(CHANGES),
      await asUser('CREATE TABLE dbo.mine (id int)'),
    ];
    const rows = [{ id: 1 }];
    for (const [role, expected] of [
      ['db_datareader', [rows, 229, 229, 262]],
      ['db_datawriter', [229, 'done', 229, 262]],
      ['db_ddladmin', [229, 229, 229, 'done']],
      ['db_owner', [rows, 'done', rows, 'done']],
    ] as const) {
      await db.rows(`ALTER ROLE ${role} ADD MEMBER ${name}`);
      expect([role, await may()]).toEqual([role, expected]);
      await db.rows(`ALTER ROLE ${role} DROP MEMBER ${name}; DROP TABLE IF EXISTS dbo.mine`);
    }
    await db.rows(`ALTER ROLE db_owner ADD MEMBER ${name}; ALTER ROLE db_denydatareader ADD MEMBER ${name}`);
    expect(await asUser(READ)).toBe(229);
  });

  test('1.3-01: VIEW CHANGE TRACKING on table or schema, beside SELECT', async () => {
    await db.rows(`GRANT SELECT ON dbo.t TO ${name}`);
    expect(await asUser(CHANGES)).toBe(229);
    await db.rows(`GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO ${name}`);
    expect(await asUser(CHANGES)).toEqual([{ id: 1 }]);
    await db.rows(`DENY VIEW CHANGE TRACKING ON dbo.t TO ${name}`);
    expect(await asUser(CHANGES)).toBe(229);
    expect(await asUser("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.t')) AS v")).toEqual([{ v: null }]);
  });
});

describe('views', () => {
  test('take a right on the view, and none on what it reads', async () => {
    await db.rows('CREATE VIEW dbo.inner_view AS SELECT id, a FROM dbo.t');
    await db.rows(
      'CREATE VIEW dbo.v AS SELECT id FROM dbo.inner_view WHERE EXISTS (SELECT 1 FROM dbo.t AS other WHERE other.id = inner_view.id)',
    );
    await db.rows(`GRANT SELECT ON dbo.t TO ${name}`);
    expect(await asUser('SELECT id FROM dbo.v')).toBe(229);
    await db.rows(`REVOKE SELECT ON dbo.t FROM ${name}; GRANT SELECT ON dbo.v TO ${name}`);
    expect(await asUser('SELECT id FROM dbo.v')).toEqual([{ id: 1 }]);
    expect(await asUser('SELECT v.id FROM dbo.v JOIN dbo.t ON t.id = v.id')).toBe(229);
    expect(await asUser('SELECT id FROM dbo.inner_view')).toBe(229);
  });
});

describe('definitions', () => {
  test('take ALTER on the table: 1088 and 3701 without it, and no more than that with it', async () => {
    await db.rows(`GRANT SELECT ON dbo.t TO ${name}`);
    const add = 'ALTER TABLE dbo.t ADD b int NULL';
    expect(await asUser(add)).toBe(1088);
    expect(await asUser('TRUNCATE TABLE dbo.t')).toBe(1088);
    expect(await asUser('CREATE INDEX i ON dbo.t (a)')).toBe(1088);
    expect(await asUser('DROP TABLE dbo.t')).toBe(3701);
    expect(await asUser('ALTER TABLE dbo.t DISABLE CHANGE_TRACKING')).toBe(1088);
    await db.rows(`GRANT ALTER ON dbo.t TO ${name}`);
    expect(await asUser(`${add}; TRUNCATE TABLE dbo.t; CREATE INDEX i ON dbo.t (a)`)).toBe('done');
    expect(await asUser('CREATE TABLE dbo.mine (id int)')).toBe(262);
  });

  test('of users, roles and rights take rights of their own: 15247', async () => {
    expect(await asUser('CREATE USER x WITHOUT LOGIN')).toBe(15_247);
    expect(await asUser('CREATE ROLE x')).toBe(15_247);
    expect(await asUser(`CREATE LOGIN pw_x WITH PASSWORD = '${password}'`)).toBe(15_247);
    expect(await asUser(`ALTER DATABASE [${db.name}] SET ALLOW_SNAPSHOT_ISOLATION OFF`)).toBe(5069);
    expect(await asUser('CREATE DATABASE pw_x')).toBe(262);
  });

  test('VIEW DATABASE STATE: 297 without it', async () => {
    expect(await asUser('SELECT commit_ts FROM sys.dm_tran_commit_table')).toBe(297);
    await db.rows(`GRANT VIEW DATABASE STATE TO ${name}`);
    expect(await asUser('SELECT commit_ts FROM sys.dm_tran_commit_table')).toEqual([{ commit_ts: '1' }]);
  });
});

describe('what can be seen', () => {
  const SEEN = `SELECT name FROM sys.tables WHERE name IN (N't', N'u') ORDER BY name`;

  test('tables that one has a right on, by name, id and view', async () => {
    expect(await asUser(SEEN)).toEqual([]);
    expect(await asUser("SELECT OBJECT_ID(N'dbo.t') AS id, OBJECT_ID(N'dbo.u') AS other")).toEqual([{ id: null, other: null }]);
    await db.rows(`GRANT VIEW DEFINITION ON dbo.u TO ${name}; GRANT SELECT ON dbo.t TO ${name}`);
    expect(await asUser(SEEN)).toEqual([{ name: 't' }, { name: 'u' }]);
    expect(await asUser('SELECT id FROM dbo.u')).toBe(229);
  });

  test('HAS_PERMS_BY_NAME and membership functions say what holds', async () => {
    const ask = `SELECT HAS_PERMS_BY_NAME(N'dbo.t', 'OBJECT', 'SELECT') AS rows_,
      HAS_PERMS_BY_NAME(N'dbo', 'SCHEMA', 'ALTER') AS [schema], HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE') AS [database],
      HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE') AS [server], IS_MEMBER('db_ddladmin') AS member,
      IS_ROLEMEMBER('db_datareader') AS [role], IS_SRVROLEMEMBER('sysadmin') AS [admin], IS_MEMBER('no such role') AS nothing`;
    await db.rows(`GRANT VIEW DEFINITION ON dbo.t TO ${name}`);
    const none = { rows_: 0, schema: 0, database: 0, server: 0, member: 0, role: 0, admin: 0, nothing: null };
    expect(await asUser(ask)).toEqual([none]);
    await db.rows(`ALTER ROLE db_ddladmin ADD MEMBER ${name}; ALTER ROLE db_datareader ADD MEMBER ${name}`);
    expect(await asUser(ask)).toEqual([{ ...none, rows_: 1, schema: 1, database: 1, member: 1, role: 1 }]);
  });
});

describe('databases and logins', () => {
  test('a database without a user of the login: 916 for names and USE, until guests may connect', async () => {
    expect(await asUser(`SELECT id FROM [${other.name}].dbo.t`)).toBe(916);
    expect(await asUser(`USE [${other.name}]`)).toBe(916);
    expect(await logIn(other)).toBe('ELOGIN');
    await other.rows('GRANT CONNECT TO guest');
    expect(await asUser(`SELECT id FROM [${other.name}].dbo.t`)).toBe(229);
    await other.rows('GRANT SELECT ON dbo.t TO guest');
    expect(await asUser(`SELECT id FROM [${other.name}].dbo.t`)).toEqual([]);
    await other.rows('REVOKE CONNECT FROM guest');
    expect(await asUser(`SELECT id FROM [${other.name}].dbo.t`)).toBe(916);
  });

  test('DENY CONNECT keeps a user out', async () => {
    expect(await logIn()).toBe('in');
    await db.rows(`DENY CONNECT TO ${name}`);
    expect(await logIn()).toBe('ELOGIN');
    await db.rows(`GRANT CONNECT TO ${name}`);
    expect(await logIn()).toBe('in');
  });

  test('a user of a login that was dropped is an orphan, until ALTER USER gives it to another', async () => {
    const [left, again] = [`${name}_left`, `${name}_again`];
    await db.rows(
      `CREATE LOGIN ${left} WITH PASSWORD = '${password}'; CREATE USER orphan FOR LOGIN ${left}; GRANT SELECT ON dbo.t TO orphan`,
    );
    await db.rows(
      `DROP LOGIN ${left}; CREATE LOGIN ${left} WITH PASSWORD = '${password}'; CREATE LOGIN ${again} WITH PASSWORD = '${password}'`,
    );
    await expect(db.session({ user: left, password })).rejects.toMatchObject({ code: 'ELOGIN' });
    await db.rows(`ALTER USER orphan WITH LOGIN = ${again}`);
    const session = await db.session({ user: again, password });
    expect((await session.request().query(READ)).recordset).toEqual([{ id: 1 }]);
    await session.close();
    await expect.poll(() => db.errorOf(`DROP LOGIN ${again}`), { timeout: 10_000 }).toBe(0);
    await db.rows(`DROP LOGIN ${left}`);
  });

  test('sysadmin may everything, while it is one', async () => {
    expect(await asUser("SELECT IS_SRVROLEMEMBER(N'sysadmin') AS r")).toEqual([{ r: 0 }]);
    await db.rows(`ALTER SERVER ROLE sysadmin ADD MEMBER ${name}`);
    const admin = await db.session({ user: name, password });
    const asked = "SELECT IS_SRVROLEMEMBER(N'sysadmin') AS r, USER_NAME() AS u, COUNT(*) AS n FROM dbo.t";
    expect((await admin.request().query(asked)).recordset).toEqual([{ r: 1, u: 'dbo', n: 1 }]);
    await admin.close();
    await db.rows(`ALTER SERVER ROLE sysadmin DROP MEMBER ${name}`);
    const session = await db.session({ user: name, password });
    await expect(session.request().query(READ)).rejects.toMatchObject({ number: 229 });
    await session.close();
  });

  test('EXECUTE AS and REVERT: rights of another user for a while', async () => {
    const admin = await db.session();
    await admin.request().batch(`EXECUTE AS USER = N'${name}'`);
    await expect(admin.request().batch(READ)).rejects.toMatchObject({ number: 229 });
    expect((await admin.request().batch<{ u: string }>('SELECT USER_NAME() AS u')).recordset).toEqual([{ u: name }]);
    await admin.request().batch('REVERT');
    expect((await admin.request().batch(READ)).recordset).toEqual([{ id: 1 }]);
    await admin.close();
  });

  test('a trigger writes with the rights of its table, not of whoever fires it', async () => {
    await db.rows('CREATE TRIGGER dbo.audit ON dbo.t AFTER INSERT AS INSERT INTO dbo.u SELECT id FROM inserted');
    await db.rows(`GRANT INSERT ON dbo.t TO ${name}`);
    expect(await asUser('INSERT INTO dbo.t VALUES (7, 7)')).toBe('done');
    expect(await db.rows('SELECT id FROM dbo.u')).toEqual([{ id: 7 }]);
    expect(await asUser('INSERT INTO dbo.u VALUES (8)')).toBe(229);
  });
});
