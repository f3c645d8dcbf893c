/** What .NET clients ask for their schema collections, and the catalog of rights. Runs on any server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { onSandbox, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows("CREATE TABLE dbo.head (id int NOT NULL CONSTRAINT PK_head PRIMARY KEY, name nvarchar(10) NULL DEFAULT N'x')");
  await db.rows(
    'CREATE TABLE dbo.line (a int NOT NULL, b date NOT NULL, CONSTRAINT PK_line PRIMARY KEY NONCLUSTERED (b, a)); CREATE INDEX IX_a ON dbo.line (a) INCLUDE (b)',
  );
});

afterAll(async () => {
  await server.close();
});

describe('the procedures of the schema collections', () => {
  test('sp_columns_managed', async () => {
    const all = 'EXEC sys.sp_columns_managed @Catalog, @Owner, @Table, @Column, 0';
    const rows = await db.rows(all, { Catalog: db.name, Owner: 'dbo', Table: 'head', Column: null });
    expect(
      rows.map((row) => [row['COLUMN_NAME'], row['ORDINAL_POSITION'], row['DATA_TYPE'], row['IS_NULLABLE'], row['IS_SPARSE']]),
    ).toEqual([
      ['id', 1, 'int', 'NO', 'NO'],
      ['name', 2, 'nvarchar', 'YES', 'NO'],
    ]);
    expect(Object.keys(rows[0] ?? {}).slice(-4)).toEqual(['COLLATION_CATALOG', 'IS_FILESTREAM', 'IS_SPARSE', 'IS_COLUMN_SET']);
    expect(await db.rows(all, { Catalog: null, Owner: null, Table: null, Column: 'b' })).toHaveLength(1);
    expect(await db.rows('EXEC sys.sp_columns_managed NULL, NULL, NULL, NULL, 2')).toEqual([]);
  });

  test('sp_indexes_managed', async () => {
    const names = { constraint_catalog: db.name, constraint_schema: 'dbo', table_catalog: db.name, table_schema: 'dbo' };
    expect(
      await db.rows('EXEC sys.sp_indexes_managed @Catalog, @Owner, @Table, @Name', { Catalog: null, Owner: null, Table: null, Name: null }),
    ).toEqual([
      { ...names, constraint_name: 'PK_head', table_name: 'head', index_name: 'PK_head', type_desc: 'CLUSTERED' },
      { ...names, constraint_name: 'IX_a', table_name: 'line', index_name: 'IX_a', type_desc: 'NONCLUSTERED' },
      { ...names, constraint_name: 'PK_line', table_name: 'line', index_name: 'PK_line', type_desc: 'NONCLUSTERED' },
    ]);
  });

  test('sp_indexcolumns_managed', async () => {
    const rows = await db.rows("EXEC sys.sp_indexcolumns_managed NULL, 'dbo', 'line', NULL, NULL");
    expect(rows.map((row) => [row['index_name'], row['column_name'], row['ordinal_position'], row['KeyType']])).toEqual([
      ['IX_a', 'a', 1, 56],
      ['PK_line', 'b', 1, 40],
      ['PK_line', 'a', 2, 56],
    ]);
  });
});

describe('compatibility views', () => {
  test('are found without their schema, in their database', async () => {
    const databases =
      'select name as database_name, dbid, crdate as create_date from master..sysdatabases where (name = @Name or (@Name is null))';
    expect(await db.rows(databases, { Name: db.name })).toEqual([
      { database_name: db.name, dbid: expect.any(Number), create_date: expect.any(Date) },
    ]);
    const users = 'select uid, name as user_name, createdate, updatedate from sysusers where (name = @Name or (@Name is null))';
    expect(await db.rows(users, { Name: 'dbo' })).toMatchObject([{ uid: 1, user_name: 'dbo' }]);
    expect(await db.rows("SELECT name FROM dbo.sysobjects WHERE xtype = 'U' ORDER BY name")).toEqual([{ name: 'head' }, { name: 'line' }]);
  });

  test.runIf(onSandbox)('that are not there are refused by name', async () => {
    for (const view of [
      'sysindexes',
      'sys.configurations',
      'sys.dm_tran_locks',
      'sys.database_files',
      'INFORMATION_SCHEMA.VIEW_COLUMN_USAGE',
    ]) {
      await expect(db.rows(`SELECT * FROM ${view}`)).rejects.toMatchObject({ number: 50_001, message: expect.stringContaining(view) });
    }
  });
});

test('procedures, parameters and assemblies of the user: none', async () => {
  for (const view of ['INFORMATION_SCHEMA.ROUTINES', 'INFORMATION_SCHEMA.PARAMETERS']) {
    expect(await db.rows(`SELECT * FROM ${view}`)).toEqual([]);
  }
  const types = `select assemblies.name, types.assembly_class, ASSEMBLYPROPERTY(assemblies.name, 'VersionMajor') as version_major
    from sys.assemblies as assemblies join sys.assembly_types as types on assemblies.assembly_id = types.assembly_id
    where assemblies.name <> 'Microsoft.SqlServer.Types'`;
  expect(await db.rows(types)).toEqual([]);
});

test('rights and members of roles are in the catalog', async () => {
  await db.rows(
    'CREATE USER keeper WITHOUT LOGIN; CREATE ROLE readers; ALTER ROLE readers ADD MEMBER keeper; ALTER ROLE db_datareader ADD MEMBER readers',
  );
  await db.rows(
    'GRANT SELECT ON dbo.head (name) TO keeper; DENY UPDATE ON dbo.head TO readers; GRANT VIEW CHANGE TRACKING ON SCHEMA::dbo TO keeper; GRANT CREATE TABLE TO keeper',
  );
  expect(
    await db.rows(
      `SELECT USER_NAME(role_principal_id) AS role, USER_NAME(member_principal_id) AS member FROM sys.database_role_members
      ORDER BY role_principal_id`,
    ),
  ).toEqual([
    { role: 'readers', member: 'keeper' },
    { role: 'db_owner', member: 'dbo' },
    { role: 'db_datareader', member: 'readers' },
  ]);
  const rights = await db.rows(
    `SELECT class_desc AS class, OBJECT_NAME(NULLIF(major_id, 0)) AS object, minor_id AS minor, USER_NAME(grantee_principal_id) AS who, type, permission_name AS what, state_desc AS state
    FROM sys.database_permissions WHERE USER_NAME(grantee_principal_id) IN ('keeper', 'readers') ORDER BY permission_name`,
  );
  expect(rights).toEqual([
    { class: 'DATABASE', object: null, minor: 0, who: 'keeper', type: 'CO  ', what: 'CONNECT', state: 'GRANT' },
    { class: 'DATABASE', object: null, minor: 0, who: 'keeper', type: 'CRTB', what: 'CREATE TABLE', state: 'GRANT' },
    { class: 'OBJECT_OR_COLUMN', object: 'head', minor: 2, who: 'keeper', type: 'SL  ', what: 'SELECT', state: 'GRANT' },
    { class: 'OBJECT_OR_COLUMN', object: 'head', minor: 0, who: 'readers', type: 'UP  ', what: 'UPDATE', state: 'DENY' },
    { class: 'SCHEMA', object: null, minor: 0, who: 'keeper', type: 'VWCT', what: 'VIEW CHANGE TRACKING', state: 'GRANT' },
  ]);
});
