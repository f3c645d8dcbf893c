/** Definitions that change under change tracking: what is no change of rows, and what is refused while a table is tracked. Runs on any SQL Server. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;
let counter = 0;
/** A tracked table of the test's own with one row, older than its tracking; its columns are tracked too. */
let table: string;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
});

beforeEach(async () => {
  counter += 1;
  table = `dbo.s${counter}`;
  await db.rows(`CREATE TABLE ${table} (id int NOT NULL CONSTRAINT PK_s${counter} PRIMARY KEY, a int NULL, b varchar(20) NULL)`);
  await db.rows(`INSERT INTO ${table} VALUES (1, 1, 'one')`);
  await db.rows(`ALTER TABLE ${table} ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ON)`);
});

afterAll(async () => {
  await server.close();
});

interface Seen {
  readonly id: number;
  readonly op: string;
  readonly cols: string | null;
}

const changes = (): Promise<Seen[]> =>
  db.rows<Seen>(
    `SELECT c.id, c.SYS_CHANGE_OPERATION AS op, CONVERT(nvarchar(100), c.SYS_CHANGE_COLUMNS, 2) AS cols FROM CHANGETABLE(CHANGES ${table}, 0) AS c ORDER BY c.id`,
  );

async function version(): Promise<string> {
  const [row] = await db.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
  return row!.v;
}

test('4.4-01 a new column is no change, filled or not, until it is written to', async () => {
  const before = await version();
  await db.rows(`ALTER TABLE ${table} ADD c int NOT NULL DEFAULT 7 WITH VALUES, d int NULL`);
  expect(await db.rows(`SELECT c, d FROM ${table}`)).toEqual([{ c: 7, d: null }]);
  expect([await changes(), await version()]).toEqual([[], before]);
  await db.rows(`UPDATE ${table} SET c = 8`);
  expect(await changes()).toEqual([{ id: 1, op: 'U', cols: '0000000004000000' }]);
});

test('4.4-02, 207 a column that is dropped is no change; a query that names it fails', async () => {
  await db.rows(`UPDATE ${table} SET a = 2`);
  const before = await version();
  await db.rows(`ALTER TABLE ${table} DROP COLUMN a`);
  expect(await version()).toBe(before);
  expect(await changes()).toMatchObject([{ id: 1, op: 'U' }]);
  expect(await db.errorsOf(`SELECT a FROM ${table}`)).toEqual([207]);
});

test('4.4-02 and 2.4-04 the masks of other columns stay readable after a column was dropped', async () => {
  await db.rows(`UPDATE ${table} SET b = 'two'`);
  await db.rows(`ALTER TABLE ${table} DROP COLUMN a`);
  const rows = await db.rows<{ m: unknown }>(
    `SELECT CHANGE_TRACKING_IS_COLUMN_IN_MASK(COLUMNPROPERTY(OBJECT_ID(N'${table}'), 'b', 'ColumnId'), c.SYS_CHANGE_COLUMNS) AS m
     FROM CHANGETABLE(CHANGES ${table}, 0) AS c`,
  );
  expect(rows.map(({ m }) => Number(m))).toEqual([1]);
});

test('4.4-02 another type of a column is no change, whatever it does to the values', async () => {
  const before = await version();
  await db.rows(`ALTER TABLE ${table} ALTER COLUMN b nvarchar(40) NULL`);
  expect([await changes(), await version()]).toEqual([[], before]);
  expect(await db.rows(`SELECT b FROM ${table}`)).toEqual([{ b: 'one' }]);
});

test('4.4-03, 207 a renamed column is no change; the old name is gone', async () => {
  const before = await version();
  await db.rows(`EXEC sp_rename N'${table}.a', N'z', N'COLUMN'`);
  expect([await changes(), await version()]).toEqual([[], before]);
  expect(await db.errorsOf(`SELECT a FROM ${table}`)).toEqual([207]);
  expect(await db.rows(`SELECT * FROM ${table}`)).toEqual([{ id: 1, z: 1, b: 'one' }]);
});

test('4.4-04 and 4.3-03, 3735 and 3727 the key can be changed only while the table is not tracked, which begins its history anew', async () => {
  const drop = `ALTER TABLE ${table} DROP CONSTRAINT PK_s${counter}`;
  expect(await db.errorsOf(drop)).toEqual([3735, 3727]);
  await db.rows(`UPDATE ${table} SET a = 2`);
  await db.rows(`ALTER TABLE ${table} DISABLE CHANGE_TRACKING; ${drop}`);
  await db.rows(`ALTER TABLE ${table} ALTER COLUMN b varchar(20) NOT NULL`);
  await db.rows(`ALTER TABLE ${table} ADD PRIMARY KEY (b, id)`);
  await db.rows(`ALTER TABLE ${table} ENABLE CHANGE_TRACKING`);
  const [row] = await db.rows<{ v: string }>(
    `SELECT begin_version AS v FROM sys.change_tracking_tables WHERE object_id = OBJECT_ID(N'${table}')`,
  );
  expect(row!.v).toBe(await version());
  await db.rows(`UPDATE ${table} SET a = 3`);
  const [change] = await db.rows(`SELECT c.b, c.id FROM CHANGETABLE(CHANGES ${table}, ${row!.v}) AS c`);
  expect(change).toEqual({ b: 'one', id: 1 });
});

test('4.4-04, 4922 a column of the key can neither go nor change its type', async () => {
  expect(await db.errorsOf(`ALTER TABLE ${table} DROP COLUMN id`)).toContain(4922);
  expect(await db.errorsOf(`ALTER TABLE ${table} ALTER COLUMN id bigint NOT NULL`)).toContain(4922);
});

test('4.4-04 the index of the key can be neither dropped nor disabled', async () => {
  expect(await db.errorsOf(`DROP INDEX PK_s${counter} ON ${table}`)).not.toEqual([]);
  expect(await db.errorsOf(`ALTER INDEX PK_s${counter} ON ${table} DISABLE`)).not.toEqual([]);
  await db.rows(`UPDATE ${table} SET a = 2`);
  expect(await changes()).toMatchObject([{ id: 1, op: 'U' }]);
});

test('4.2-05 an update of a column with a unique index is an update, also where rows exchange their values', async () => {
  await db.rows(`CREATE UNIQUE INDEX UX_s${counter} ON ${table} (a); INSERT INTO ${table} VALUES (2, 2, 'two')`);
  const before = await version();
  await db.rows(`UPDATE ${table} SET a = 3 - a`);
  const rows = await db.rows(`SELECT c.id, c.SYS_CHANGE_OPERATION AS op FROM CHANGETABLE(CHANGES ${table}, ${before}) AS c ORDER BY c.id`);
  expect(rows).toEqual([
    { id: 1, op: 'U' },
    { id: 2, op: 'U' },
  ]);
});
