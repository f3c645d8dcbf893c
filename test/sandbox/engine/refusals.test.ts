/** What would change results and is not built is refused by name, with 50001; nothing of it is silently ignored. On the sandbox only. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { onSandbox, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

describe.runIf(onSandbox)('refused by name', () => {
  beforeAll(async () => {
    server = await startServer();
    db = await server.freshDatabase();
    await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a nvarchar(20))');
  });

  afterAll(async () => {
    await server.close();
  });

  test.each([
    ['SELECT id FROM dbo.t WITH (NOWAIT)', 'NOWAIT'],
    ['SELECT id FROM dbo.t OPTION (PARAMETERIZATION FORCED)', 'PARAMETERIZATION FORCED'],
    ['DELETE dbo.t OPTION (PARAMETERIZATION FORCED)', 'PARAMETERIZATION FORCED'],
    ['SET LANGUAGE Deutsch', 'SET LANGUAGE'],
    ['SET ANSI_NULLS OFF', 'ANSI_NULLS'],
    ['EXEC sp_helpdb', 'sp_helpdb'],
    ['EXEC sys.sp_nothing_known', 'sp_nothing_known'],
    ['CREATE TRIGGER dbo.tr ON dbo.t INSTEAD OF INSERT AS SELECT 1', 'INSTEAD OF'],
    ["UPDATETEXT dbo.t.a @p 0 0 'x'", 'UPDATETEXT'],
    ['CREATE USER elsewhere WITHOUT LOGIN WITH DEFAULT_SCHEMA = other', 'default schema'],
    ['ALTER DATABASE CURRENT SET EMERGENCY', 'EMERGENCY'],
    ['CREATE TABLE ##everywhere (id int)', 'global temp tables'],
    ['DECLARE c CURSOR FOR SELECT 1', 'cursors'],
    ["SELECT PARSE('1' AS int)", 'PARSE'],
    ['SELECT CHECKSUM(1)', 'CHECKSUM'],
    ['SELECT APPROX_COUNT_DISTINCT(id) FROM dbo.t', 'APPROX_COUNT_DISTINCT'],
    ["SELECT FORMAT(1, 'N', 'de-DE')", 'the culture de-DE'],
    ['SELECT CONVERT(nvarchar(40), GETDATE(), 130)', 'style 130'],
    ["SELECT CONVERT(datetime, '1/1/1440', 131)", 'style 131'],
    ["SELECT FORMAT(1.5, 'E')", 'the pattern E'],
    ['SELECT id FROM dbo.t FOR XML PATH', 'FOR XML'],
    ['SELECT id FROM dbo.t TABLESAMPLE (10 PERCENT)', 'TABLESAMPLE'],
    ['UPDATE d SET a = NULL FROM (SELECT x.a FROM dbo.t AS x JOIN dbo.t AS y ON y.id = x.id) AS d', 'a query of several tables'],
    ["RAISERROR('a', 1, 1) WITH SETERROR", 'SETERROR'],
    ['RAISERROR(50001, 1, 1)', 'a message number'],
    ['GOTO inside; IF 1 = 1 BEGIN inside: SELECT 1 END', 'GOTO into a block'],
  ])('%s', async (text, named) => {
    await expect(db.rows(text)).rejects.toMatchObject({ number: 50_001, message: expect.stringContaining(named) });
  });

  test.each([
    ['SELECT id FROM dbo.t WITH (ROWLOCK) OPTION (MAXDOP 1, RECOMPILE)'],
    ['SET TEXTSIZE 64512; SET LANGUAGE us_english'],
    ['ALTER DATABASE CURRENT SET AUTO_SHRINK OFF'],
  ])('accepted without effect: %s', async (text) => {
    expect(await db.errorOf(text)).toBe(0);
  });
});
