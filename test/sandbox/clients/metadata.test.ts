/** What drivers ask of the catalog before they do what their users want: formats of results, catalog procedures, descriptions. */
import type sql from 'mssql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows(`
    CREATE TABLE dbo.parents (id int NOT NULL CONSTRAINT PK_parents PRIMARY KEY, code char(3) NOT NULL CONSTRAINT UQ_code UNIQUE);
    CREATE TABLE dbo.kids (
      a int IDENTITY(1, 1) NOT NULL, b nvarchar(20) NOT NULL, c decimal(9, 2) NULL CONSTRAINT DF_c DEFAULT 1.5, d datetime2(3) NULL, e varbinary(max) NULL,
      parent int NULL CONSTRAINT FK_kids REFERENCES dbo.parents ON DELETE CASCADE, stamp rowversion, twice AS c * 2,
      CONSTRAINT PK_kids PRIMARY KEY (b DESC, a));
    CREATE INDEX IX_c ON dbo.kids (c, d DESC)`);
  await db.rows('CREATE VIEW dbo.shown AS SELECT a FROM dbo.kids');
});

afterAll(async () => {
  await server.close();
});

async function sets(text: string): Promise<sql.IRecordSet<Record<string, unknown>>[]> {
  return (await db.pool.request().batch(text)).recordsets as sql.IRecordSet<Record<string, unknown>>[];
}

/** The values of some columns, row by row. */
async function table(text: string, ...columns: readonly string[]): Promise<unknown[][]> {
  return (await db.rows(text)).map((row) => columns.map((column) => row[column]));
}

describe('SET FMTONLY ON', () => {
  test('answers with columns, and neither reads nor writes', async () => {
    const [columns, ...others] = await sets(
      "SET FMTONLY ON SELECT * FROM dbo.kids INSERT INTO dbo.parents VALUES (1, 'x') DELETE dbo.parents OUTPUT deleted.id SET FMTONLY OFF",
    );
    expect(columns).toEqual([]);
    expect(columns?.columns).toMatchObject({
      a: { identity: true, nullable: false },
      c: { precision: 9, scale: 2 },
      twice: { readOnly: true },
    });
    expect(others.map((set) => Object.keys(set.columns))).toEqual([['id']]);
    expect(await db.rows('SELECT * FROM dbo.parents')).toEqual([]);
  });

  test('goes through every branch, and through EXECUTE', async () => {
    const answered = await sets(
      "SET FMTONLY ON; IF 1 = 0 SELECT 1 AS a ELSE SELECT 2 AS b; WHILE 1 = 1 SELECT 3 AS c; EXEC ('SELECT 4 AS d'); SELECT 5 AS e INTO #kept; SET FMTONLY OFF; SELECT OBJECT_ID('tempdb..#kept') AS f",
    );
    expect(answered.map((set) => Object.keys(set.columns)[0])).toEqual(['a', 'b', 'c', 'd', 'f']);
    expect(answered.at(-1)).toEqual([{ f: null }]);
  });

  test('finds what is wrong', async () => {
    expect(await db.errorOf('SET FMTONLY ON; SELECT nosuch FROM dbo.kids')).toBe(207);
  });
});

describe('a bulk copy client', () => {
  test('asks for the transaction, the columns and their collations', async () => {
    const [depth, columns, collations] = await sets(
      "SELECT @@TRANCOUNT; SET FMTONLY ON SELECT * FROM [dbo].[parents] SET FMTONLY OFF EXEC ..sp_tablecollations_100 N'[dbo].[parents]'",
    );
    expect(depth).toEqual([{ '': 0 }]);
    expect(Object.keys(columns?.columns ?? {})).toEqual(['id', 'code']);
    expect(collations?.map((row) => [row['colid'], row['name'], row['collation']])).toEqual([
      [1, 'id', null],
      [2, 'code', 'SQL_Latin1_General_CP1_CI_AS'],
    ]);
  });

  test('asks about a temporary table in tempdb', async () => {
    const [rows] = await sets("CREATE TABLE #t (x nvarchar(3)); EXEC tempdb..sp_tablecollations_100 N'.[#t]'");
    expect(rows).toMatchObject([{ colid: 1, name: 'x' }]);
  });

  test('makes the list of columns itself, where hidden ones have to be named', async () => {
    const answered = await sets(`
      SELECT @@TRANCOUNT;
      DECLARE @Object_ID INT = OBJECT_ID('[dbo].[parents]');
      DECLARE @Query NVARCHAR(MAX), @Column_Names NVARCHAR(MAX) = NULL;
      IF CAST(SERVERPROPERTY('EngineEdition') AS INT) = 6
        SET @Query = N'SELECT @Column_Names = STRING_AGG(CAST(QUOTENAME([name]) AS NVARCHAR(MAX)), '', '') WITHIN GROUP (ORDER BY [column_id] ASC)'
      ELSE
        SET @Query = 'SELECT @Column_Names = COALESCE(@Column_Names + '', '', '''') + QUOTENAME([name])';
      IF HAS_PERMS_BY_NAME('.[sys].[all_columns]', 'OBJECT', 'SELECT') = 1
      BEGIN
        SET @Query = @Query + ' FROM .[sys].[all_columns] WHERE [object_id] = @Object_ID ORDER BY [column_id] ASC;'
        EXEC sp_executesql @Query, N'@Object_ID INT, @Column_Names NVARCHAR(MAX) OUTPUT', @Object_ID = @Object_ID, @Column_Names = @Column_Names OUTPUT;
      END
      SELECT @Column_Names = COALESCE(@Column_Names, '*');
      SET FMTONLY ON;
      EXEC(N'SELECT ' + @Column_Names + N' FROM [dbo].[parents]');
      SET FMTONLY OFF;`);
    expect(answered.map((set) => Object.keys(set.columns))).toEqual([[''], ['id', 'code']]);
  });
});

describe('sp_describe_first_result_set', () => {
  test('describes the first result set of a text with parameters', async () => {
    const rows = await db.rows(
      "EXEC sp_describe_first_result_set N'DECLARE @x int = 1; SELECT a, b, c, e, @p AS p FROM dbo.kids WHERE a = @x; SELECT 1', N'@p date'",
    );
    const shown = rows.map((row) =>
      ['column_ordinal', 'name', 'system_type_name', 'is_nullable', 'is_identity_column'].map((column) => row[column]),
    );
    expect(shown).toEqual([
      [1, 'a', 'int', false, true],
      [2, 'b', 'nvarchar(20)', false, false],
      [3, 'c', 'decimal(9,2)', true, false],
      [4, 'e', 'varbinary(max)', true, false],
      [5, 'p', 'date', true, false],
    ]);
    expect(rows[1]).toMatchObject({ max_length: 40, system_type_id: 231, tds_type_id: 231, tds_length: 40 });
  });

  test('has no rows for a text without a result set, and the error of a wrong one', async () => {
    expect(await db.rows("EXEC sp_describe_first_result_set N'DELETE dbo.kids'")).toEqual([]);
    expect(await db.errorOf("EXEC sp_describe_first_result_set N'SELECT nosuch FROM dbo.kids'")).not.toBe(0);
  });
});

describe('catalog procedures', () => {
  test('sp_tables: tables and views by pattern and type; databases, schemas, types', async () => {
    expect(await table("EXEC sp_tables '%', 'dbo', NULL, '''TABLE'''", 'TABLE_NAME')).toEqual([['kids'], ['parents']]);
    expect(await table("EXEC sp_tables @table_name = N'sh%'", 'TABLE_OWNER', 'TABLE_NAME', 'TABLE_TYPE')).toEqual([
      ['dbo', 'shown', 'VIEW'],
    ]);
    expect(await table("EXEC sp_tables '', '', '%'", 'TABLE_QUALIFIER')).toContainEqual([db.name]);
    expect(await table("EXEC sp_tables '', '%', ''", 'TABLE_OWNER')).toContainEqual(['dbo']);
    expect(await table("EXEC sp_tables '', '', '', '%'", 'TABLE_TYPE')).toEqual([['SYSTEM TABLE'], ['TABLE'], ['VIEW']]);
    expect(await db.errorOf("EXEC sp_tables '%', '%', 'elsewhere'")).toBe(15250);
  });

  test('sp_columns: names, types and sizes; dates are text to a client that does not say its version', async () => {
    const columns = ['COLUMN_NAME', 'DATA_TYPE', 'TYPE_NAME', 'PRECISION', 'LENGTH', 'SCALE', 'NULLABLE'];
    expect(await table("EXEC sp_columns_100 'kids', @ODBCVer = 3", ...columns)).toEqual([
      ['a', 4, 'int identity', 10, 4, 0, 0],
      ['b', -9, 'nvarchar', 20, 40, null, 0],
      ['c', 3, 'decimal', 9, 11, 2, 1],
      ['d', 93, 'datetime2', 23, 16, 3, 1],
      ['e', -3, 'varbinary', 0, 0, null, 1],
      ['parent', 4, 'int', 10, 4, 0, 1],
      ['stamp', -2, 'timestamp', 8, 8, null, 0],
      ['twice', 3, 'decimal', expect.any(Number), expect.any(Number), 2, 1],
    ]);
    expect(await table("EXEC sp_columns @table_name = 'kids', @column_name = 'd'", ...columns)).toEqual([
      ['d', -9, 'datetime2', 23, 46, null, 1],
    ]);
    expect(await table("EXEC sp_columns 'kids', @column_name = 'c'", 'COLUMN_DEF', 'ORDINAL_POSITION', 'IS_NULLABLE')).toEqual([
      ['((1.5))', 3, 'YES'],
    ]);
  });

  test('sp_pkeys, sp_fkeys, sp_statistics, sp_special_columns', async () => {
    expect(await table("EXEC sp_pkeys 'kids'", 'COLUMN_NAME', 'KEY_SEQ', 'PK_NAME')).toEqual([
      ['b', 1, 'PK_kids'],
      ['a', 2, 'PK_kids'],
    ]);
    const key = [
      'PKTABLE_NAME',
      'PKCOLUMN_NAME',
      'FKTABLE_NAME',
      'FKCOLUMN_NAME',
      'KEY_SEQ',
      'UPDATE_RULE',
      'DELETE_RULE',
      'FK_NAME',
      'PK_NAME',
    ];
    for (const call of ["EXEC sp_fkeys 'parents'", "EXEC sp_fkeys @fktable_name = 'kids'"]) {
      expect(await table(call, ...key)).toEqual([['parents', 'id', 'kids', 'parent', 1, 1, 0, 'FK_kids', 'PK_parents']]);
    }
    expect(await db.errorOf('EXEC sp_fkeys')).toBe(15252);
    expect(
      await table("EXEC sp_statistics 'kids'", 'NON_UNIQUE', 'INDEX_NAME', 'TYPE', 'SEQ_IN_INDEX', 'COLUMN_NAME', 'COLLATION'),
    ).toEqual([
      [null, null, 0, null, null, null],
      [0, 'PK_kids', 1, 1, 'b', 'D'],
      [0, 'PK_kids', 1, 2, 'a', 'A'],
      [1, 'IX_c', 3, 1, 'c', 'A'],
      [1, 'IX_c', 3, 2, 'd', 'D'],
    ]);
    expect(await table("EXEC sp_statistics 'kids', @is_unique = 'Y'", 'INDEX_NAME')).toHaveLength(3);
    expect(await table("EXEC sp_special_columns 'kids'", 'COLUMN_NAME')).toEqual([['b'], ['a']]);
    expect(await table("EXEC sp_special_columns 'kids', @col_type = 'V'", 'COLUMN_NAME')).toEqual([['stamp']]);
  });

  test('sp_databases, sp_datatype_info, and the lists of procedures, which are empty', async () => {
    expect(await table('EXEC sp_databases', 'DATABASE_NAME')).toContainEqual([db.name]);
    expect(await table('EXEC sp_datatype_info 4', 'TYPE_NAME', 'PRECISION')).toContainEqual(['int', 10]);
    expect(await table('EXEC sp_datatype_info_100 0, @ODBCVer = 3', 'TYPE_NAME')).toEqual(
      expect.arrayContaining([['datetime2'], ['nvarchar'], ['bit']]),
    );
    const [procedures] = await sets("EXEC sp_stored_procedures 'nosuch'");
    expect(Object.keys(procedures?.columns ?? {})).toContain('PROCEDURE_NAME');
    const [parameters] = await sets("EXEC sp_sproc_columns 'nosuch'");
    expect(Object.keys(parameters?.columns ?? {})).toContain('COLUMN_TYPE');
  });
});
