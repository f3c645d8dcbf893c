/** The errors that a reader of change tracking, or a script that sets it up, can run into and that no other file provokes. Runs on any SQL Server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

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

describe('queries', () => {
  test.each([
    ['2812 a batch that begins with an unknown word calls a procedure of that name', 'SELEC 1', [2812]],
    ['2812 a procedure that is not there', 'EXEC dbo.nothing_there', [2812]],
    ['102 a table cannot be a variable', 'SELECT c.id FROM CHANGETABLE(CHANGES @t, 0) AS c', [102]],
    ['156 a keyword where a name belongs', 'SELECT id FROM WHERE id = 1', [156]],
    ['207 a column that is not there', 'SELECT nothing FROM dbo.t', [207]],
    ['208 a table that is not there', 'SELECT id FROM dbo.nothing_there', [208]],
    ['911 a database that is not there', 'USE pw_nothing_there', [911]],
    ['4902 DISABLE of a table that is not there', 'ALTER TABLE dbo.nothing_there DISABLE CHANGE_TRACKING', [4902]],
    ['3701 an index that is not there', 'DROP INDEX IX_nothing ON dbo.t', [3701]],
  ])('%s', async (_title, text, numbers) => {
    expect(await db.errorsOf(text)).toEqual(numbers);
  });
});

describe('the functions of change tracking', () => {
  test('2.4-05, 22101 a mask that is none', async () => {
    expect(await db.errorsOf('SELECT CHANGE_TRACKING_IS_COLUMN_IN_MASK(2, 0x01) AS m')).toEqual([22_101]);
  });

  test('2.4-05, 257 and 8116 arguments of other types', async () => {
    expect(await db.errorsOf("DECLARE @m varchar(20) = 'x'; SELECT CHANGE_TRACKING_IS_COLUMN_IN_MASK(2, @m) AS m")).toEqual([257]);
    expect(await db.errorsOf("SELECT CHANGE_TRACKING_IS_COLUMN_IN_MASK('a', NULL) AS m")).toEqual([8116]);
  });

  test('2.5-01, 22109 a context that is no varbinary', async () => {
    expect(await db.errorsOf('DECLARE @c int = 1; WITH CHANGE_TRACKING_CONTEXT (@c) UPDATE dbo.t SET a = 1')).toEqual([22_109]);
  });
});

describe('SNAPSHOT transactions', () => {
  test('3964 a definition inside one', async () => {
    const session = await db.session();
    const transaction = session.transaction();
    await transaction.begin(5);
    await transaction.request().query('SELECT id FROM dbo.t');
    await expect(transaction.request().batch('ALTER TABLE dbo.t ADD extra int NULL')).rejects.toMatchObject({ number: 3964 });
    await transaction.rollback().catch(() => undefined);
    expect(await db.errorsOf('SELECT extra FROM dbo.t')).toEqual([207]);
  });

  test('3951 the level was changed inside a transaction', async () => {
    const session = await db.session();
    const transaction = session.transaction();
    await transaction.begin();
    await transaction.request().query('SELECT id FROM dbo.t');
    await expect(transaction.request().batch('SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT id FROM dbo.t')).rejects.toMatchObject({
      number: 3951,
    });
    await transaction.rollback().catch(() => undefined);
  });

  test('1.4-01 the state of the database says whether they are allowed', async () => {
    const own = await server.freshDatabase({ snapshot: false });
    const state = 'SELECT snapshot_isolation_state AS s, snapshot_isolation_state_desc AS d FROM sys.databases WHERE database_id = DB_ID()';
    expect(await own.rows(state)).toEqual([{ s: 0, d: 'OFF' }]);
    await own.rows('ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON');
    expect(await own.rows(state)).toEqual([{ s: 1, d: 'ON' }]);
  });

  test('1.5-03 a primary says that it can be written to', async () => {
    expect(await db.rows("SELECT DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS u")).toEqual([{ u: 'READ_WRITE' }]);
  });
});
