/** Users, roles and logins come and go. Runs on any SQL Server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;
const name = `pw_going_${process.pid}_${Date.now().toString(36)}`;
const password = 'Going-1-password';

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)');
  await db.rows(`CREATE LOGIN ${name} WITH PASSWORD = '${password}'`);
  await db.rows(`CREATE USER ${name} FOR LOGIN ${name}`);
  await db.rows(`GRANT SELECT ON dbo.t TO ${name}`);
});

afterAll(async () => {
  await db.errorOf(`DROP LOGIN ${name}`);
  await server.close();
});

async function idOf(call: string): Promise<unknown> {
  const [row] = await db.rows(`SELECT ${call} AS id`);
  return row!['id'];
}

describe('principals', () => {
  test('DATABASE_PRINCIPAL_ID and SUSER_ID know them', async () => {
    expect(await idOf(`DATABASE_PRINCIPAL_ID(N'${name}')`)).toBeTypeOf('number');
    expect(await idOf("DATABASE_PRINCIPAL_ID(N'dbo')")).toBe(1);
    expect(await idOf("DATABASE_PRINCIPAL_ID(N'nobody-here')")).toBeNull();
    expect(await idOf(`SUSER_ID(N'${name}')`)).toBeTypeOf('number');
    expect(await idOf("SUSER_ID(N'nobody-here')")).toBeNull();
  });

  test('a login that is connected cannot be dropped', async () => {
    const session = await db.session({ user: name, password });
    expect((await session.request().query('SELECT COUNT(*) AS n FROM dbo.t')).recordset).toEqual([{ n: 0 }]);
    expect(await db.errorOf(`DROP LOGIN ${name}`)).toBe(15_434);
    await session.close();
  });

  test('a role with members cannot be dropped, and no member of it is left behind by DROP USER', async () => {
    await db.rows('CREATE ROLE readers');
    await db.rows('CREATE USER passing WITHOUT LOGIN');
    await db.rows('ALTER ROLE readers ADD MEMBER passing');
    expect(await db.errorOf('DROP ROLE readers')).toBe(15_144);
    await db.rows('ALTER ROLE readers DROP MEMBER passing');
    await db.rows('DROP USER passing');
    expect(await idOf("DATABASE_PRINCIPAL_ID(N'passing')")).toBeNull();
    await db.rows('DROP ROLE readers');
    expect(await db.errorOf('DROP ROLE db_owner')).toBe(15_150);
  });

  test('a user of the same name that comes after has none of the rights of the one before', async () => {
    await db.rows(`DROP USER ${name}`);
    expect(await db.errorOf(`DROP USER ${name}`)).toBe(15_151);
    expect(await db.errorOf(`DROP USER IF EXISTS ${name}`)).toBe(0);
    await db.rows(`CREATE USER ${name} FOR LOGIN ${name}`);
    const session = await db.session({ user: name, password });
    await expect(session.request().query('SELECT COUNT(*) AS n FROM dbo.t')).rejects.toMatchObject({ number: 229 });
    await session.close();
  });

  test('a dropped login cannot come in', async () => {
    await expect.poll(() => db.errorOf(`DROP LOGIN ${name}`), { timeout: 10_000 }).toBe(0);
    await expect(db.session({ user: name, password })).rejects.toMatchObject({ code: 'ELOGIN' });
    expect(await db.errorOf(`DROP LOGIN ${name}`)).toBe(15_151);
  });
});
