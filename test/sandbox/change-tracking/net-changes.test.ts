/** What one row of CHANGETABLE means relative to a baseline. The numbers are those of the fact sheet on change tracking; it runs on any SQL Server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;
let counter = 0;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
});

afterAll(async () => {
  await server.close();
});

interface Change {
  readonly v: string;
  readonly c: string | null;
  readonly op: string;
  readonly cols: string | null;
  readonly ctx: string | null;
  readonly k: number;
}

/** A tracked table t(id, a, b, c) with rows 1 to 3, and what happened to it after a baseline. */
async function changesAfter(
  statements: readonly string[],
  options: { readonly columns?: boolean; readonly before?: readonly string[] } = {},
): Promise<{ base: bigint; changes: Change[]; table: string }> {
  counter += 1;
  const table = `dbo.t${counter}`;
  const named = (text: string): string => text.replaceAll('{t}', table);
  await db.rows(named('CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, a int NULL, b int NULL, c nvarchar(20) NULL)'));
  await db.rows(named("INSERT INTO {t} (id, a, b, c) VALUES (1, 1, 1, N'one'), (2, 2, 2, N'two'), (3, 3, 3, N'three')"));
  await db.rows(named(`ALTER TABLE {t} ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ${options.columns === false ? 'OFF' : 'ON'})`));
  for (const statement of options.before ?? []) {
    await db.rows(named(statement));
  }
  const base = await current();
  for (const statement of statements) {
    await db.rows(named(statement));
  }
  return { base, table, changes: await changesSince(table, base) };
}

async function current(): Promise<bigint> {
  const [row] = await db.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
  return BigInt(row!.v);
}

async function changesSince(table: string, base: bigint): Promise<Change[]> {
  return await db.rows<Change>(
    `SELECT ct.SYS_CHANGE_VERSION AS v, ct.SYS_CHANGE_CREATION_VERSION AS c, ct.SYS_CHANGE_OPERATION AS op,
      CONVERT(nvarchar(200), ct.SYS_CHANGE_COLUMNS, 2) AS cols, CONVERT(nvarchar(300), ct.SYS_CHANGE_CONTEXT, 2) AS ctx, ct.id AS k
     FROM CHANGETABLE(CHANGES ${table}, @base) AS ct ORDER BY ct.id`,
    { base },
  );
}

/** One change as `op@version/creation cols`, versions relative to the baseline. */
function brief(base: bigint, change: Change): string {
  const relative = (version: string | null): string => (version === null ? '-' : String(BigInt(version) - base));
  return `${change.k}:${change.op}@${relative(change.v)}/${relative(change.c)}`;
}

const INSERT = "INSERT INTO {t} (id, a, b, c) VALUES (9, 9, 9, N'nine')";
const REINSERT = "INSERT INTO {t} (id, a, b, c) VALUES (1, 8, 8, N'again')";
const SEQUENCES: readonly (readonly [title: string, statements: readonly string[], expected: readonly string[]])[] = [
  ['2.2-01 an insert is I', [INSERT], ['9:I@1/1']],
  ['2.2-02 an update is U without creation version', ['UPDATE {t} SET a = 5 WHERE id = 1'], ['1:U@1/-']],
  ['2.2-03 a delete is D', ['DELETE {t} WHERE id = 1'], ['1:D@1/-']],
  ['2.2-04 insert then update stays I with both versions', [INSERT, 'UPDATE {t} SET a = 5 WHERE id = 9'], ['9:I@2/1']],
  ['2.2-05 insert then delete is D with a creation version', [INSERT, 'DELETE {t} WHERE id = 9'], ['9:D@2/1']],
  ['2.2-05 insert then delete inside one transaction is D', [`BEGIN TRAN; ${INSERT}; DELETE {t} WHERE id = 9; COMMIT`], ['9:D@1/1']],
  ['2.2-06 update then delete is D', ['UPDATE {t} SET a = 5 WHERE id = 1', 'DELETE {t} WHERE id = 1'], ['1:D@2/-']],
  ['2.2-07 delete then insert of the same key is U with creation version', ['DELETE {t} WHERE id = 1', REINSERT], ['1:U@2/2']],
  ['2.2-08 delete, insert, update is U', ['DELETE {t} WHERE id = 1', REINSERT, 'UPDATE {t} SET a = 4 WHERE id = 1'], ['1:U@3/2']],
  ['2.2-09 delete and insert twice is U', ['DELETE {t} WHERE id = 1', REINSERT, 'DELETE {t} WHERE id = 1', REINSERT], ['1:U@4/4']],
  [
    '2.2-10 insert, delete, insert of a new row in one transaction is I',
    [`BEGIN TRAN; ${INSERT}; DELETE {t} WHERE id = 9; ${INSERT}; COMMIT`],
    ['9:I@1/1'],
  ],
  [
    '2.2-11 two updates are one U at the last version',
    ['UPDATE {t} SET a = 5 WHERE id = 1', 'UPDATE {t} SET b = 5 WHERE id = 1'],
    ['1:U@2/-'],
  ],
  ['2.2-12 a changed key is D of the old and I of the new', ['UPDATE {t} SET id = 7 WHERE id = 1'], ['1:D@1/-', '7:I@1/1']],
  ['2.2-13 a shift of all keys is D, U, U, I', ['UPDATE {t} SET id = id + 1'], ['1:D@1/-', '2:U@1/1', '3:U@1/1', '4:I@1/1']],
  ['2.2-14 a key set to itself looks like delete and insert', ['UPDATE {t} SET id = id WHERE id = 1'], ['1:U@1/1']],
  ['2.2-15 a no-op update is reported', ['UPDATE {t} SET a = a WHERE id = 1'], ['1:U@1/-']],
  ['2.2-16 statements that touch no row leave nothing', ['UPDATE {t} SET a = 1 WHERE id = 99', 'DELETE {t} WHERE id = 99'], []],
  [
    '2.2-17 MERGE is one version, each row as its own action',
    [
      `MERGE {t} AS t USING (VALUES (1, 50), (9, 90)) AS s (id, a) ON t.id = s.id
       WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, s.a) WHEN NOT MATCHED BY SOURCE AND t.id = 3 THEN DELETE;`,
    ],
    ['1:U@1/-', '3:D@1/-', '9:I@1/1'],
  ],
  ['2.2-19 a rollback leaves nothing', [`BEGIN TRAN; ${INSERT}; ROLLBACK`], []],
  [
    '2.2-19 a rollback to a savepoint leaves what came before it',
    ['BEGIN TRAN; UPDATE {t} SET a = 5 WHERE id = 1; SAVE TRAN s; DELETE {t} WHERE id = 2; ROLLBACK TRAN s; COMMIT'],
    ['1:U@1/-'],
  ],
  ['2.2-22 INSERT … SELECT is inserts', ['INSERT INTO {t} (id, a) SELECT id + 100, a FROM {t} WHERE id < 3'], ['101:I@1/1', '102:I@1/1']],
  ['2.2-24 a column added with a default is no change', ['ALTER TABLE {t} ADD d int NOT NULL DEFAULT 7 WITH VALUES'], []],
];

describe('2.2 what one row means', () => {
  test.each(SEQUENCES)('%s', async (_title, statements, expected) => {
    const { base, changes } = await changesAfter(statements);
    expect(changes.map((change) => brief(base, change))).toEqual(expected);
  });

  test('2.2-16 MERGE that touches no row leaves the version', async () => {
    const { base } = await changesAfter(['MERGE {t} AS t USING (SELECT 99 AS id) AS s ON t.id = s.id WHEN MATCHED THEN DELETE;']);
    expect(await current()).toBe(base);
  });

  test('2.2-21 TRUNCATE reports no deletes and moves no version', async () => {
    const { base, changes, table } = await changesAfter(['DELETE {t} WHERE id = 1', 'TRUNCATE TABLE {t}']);
    expect(changes).toEqual([]);
    expect(await current()).toBe(base + 1n);
    expect(await db.rows(`SELECT * FROM ${table}`)).toEqual([]);
  });

  test('2.2-25 a key respelled in another case keeps its old spelling', async () => {
    await db.rows('CREATE TABLE dbo.spelled (code nvarchar(10) NOT NULL PRIMARY KEY, n int)');
    await db.rows('ALTER TABLE dbo.spelled ENABLE CHANGE_TRACKING');
    await db.rows("INSERT INTO dbo.spelled VALUES (N'abc', 1)");
    const base = await current();
    await db.rows("UPDATE dbo.spelled SET code = N'ABC' WHERE code = N'abc'");
    const rows = await db.rows<{ code: string; op: string }>(
      'SELECT ct.code, ct.SYS_CHANGE_OPERATION AS op FROM CHANGETABLE(CHANGES dbo.spelled, @base) AS ct',
      { base },
    );
    expect(rows).toEqual([{ code: 'abc', op: 'U' }]);
    expect(await db.rows('SELECT code FROM dbo.spelled')).toEqual([{ code: 'ABC' }]);
  });
});

describe('2.4 the column mask', () => {
  const mask = (...ids: number[]): string =>
    `00000000${ids.map((id) => `${id.toString(16).padStart(2, '0').toUpperCase()}000000`).join('')}`;

  test('2.4-01 it is NULL when columns are not tracked', async () => {
    const { changes } = await changesAfter(['UPDATE {t} SET a = 5 WHERE id = 1'], { columns: false });
    expect(changes.map((each) => each.cols)).toEqual([null]);
  });

  test.each([
    ['for an insert', [INSERT]],
    ['for a delete', ['DELETE {t} WHERE id = 1']],
    ['when every column but the key was set', ["UPDATE {t} SET a = 1, b = 1, c = N'x' WHERE id = 1"]],
    ['when a key column was set', ['UPDATE {t} SET id = 1, a = 2 WHERE id = 1']],
    [
      'when such an event is inside the window',
      ["UPDATE {t} SET a = 1, b = 1, c = N'x' WHERE id = 1", 'UPDATE {t} SET a = 2 WHERE id = 1'],
    ],
  ])('2.4-01 it is NULL %s', async (_title, statements) => {
    const { changes } = await changesAfter(statements);
    expect(changes.map((each) => each.cols)).toEqual([null]);
  });

  test('2.4-02 it is the union of all updates in the window', async () => {
    const { changes } = await changesAfter([
      'UPDATE {t} SET a = 5 WHERE id = 1',
      'UPDATE {t} SET b = 5 WHERE id = 1',
      "UPDATE {t} SET c = N'5' WHERE id = 1",
    ]);
    expect(changes.map((each) => each.cols)).toEqual([mask(2, 3, 4)]);
  });

  test('2.4-03 it follows the SET list: a column set to its old value is listed', async () => {
    const { changes } = await changesAfter(['UPDATE {t} SET b = b WHERE id = 1']);
    expect(changes.map((each) => each.cols)).toEqual([mask(3)]);
  });

  test('2.4-03 a rowversion is listed with every update, a computed column never', async () => {
    await db.rows('CREATE TABLE dbo.masked (id int NOT NULL PRIMARY KEY, a int, b int, rv rowversion, twice AS a * 2)');
    await db.rows('ALTER TABLE dbo.masked ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = ON)');
    await db.rows('INSERT INTO dbo.masked (id, a) VALUES (1, 1)');
    const base = await current();
    await db.rows('UPDATE dbo.masked SET a = 2 WHERE id = 1');
    const changes = await changesSince('dbo.masked', base);
    expect(changes.map((each) => each.cols)).toEqual([mask(2, 4)]);
    expect(await db.rows('SELECT twice FROM dbo.masked')).toEqual([{ twice: 4 }]);
  });

  test('2.4-05 CHANGE_TRACKING_IS_COLUMN_IN_MASK reads it, and says 1 for NULL', async () => {
    const { table, base } = await changesAfter(['UPDATE {t} SET a = 5 WHERE id = 1', 'DELETE {t} WHERE id = 2']);
    const rows = await db.rows(
      `SELECT ct.id, CHANGE_TRACKING_IS_COLUMN_IN_MASK(COLUMNPROPERTY(OBJECT_ID(N'${table}'), 'a', 'ColumnId'), ct.SYS_CHANGE_COLUMNS) AS a,
        CHANGE_TRACKING_IS_COLUMN_IN_MASK(COLUMNPROPERTY(OBJECT_ID(N'${table}'), 'b', 'ColumnId'), ct.SYS_CHANGE_COLUMNS) AS b
       FROM CHANGETABLE(CHANGES ${table}, @base) AS ct ORDER BY ct.id`,
      { base },
    );
    expect(rows.map((row) => [Number(row['id']), Number(row['a']), Number(row['b'])])).toEqual([
      [1, 1, 0],
      [2, 1, 1],
    ]);
  });
});

describe('2.5 the context', () => {
  test('2.5-01 a statement carries it', async () => {
    const { changes } = await changesAfter([
      'DECLARE @c varbinary(128) = 0xBEEF; WITH CHANGE_TRACKING_CONTEXT (@c) UPDATE {t} SET a = 5 WHERE id = 1',
      'WITH CHANGE_TRACKING_CONTEXT (0x01) INSERT INTO {t} (id) VALUES (9)',
    ]);
    expect(changes.map((each) => each.ctx)).toEqual(['BEEF', '01']);
  });

  test('2.5-01, 102, 156 and 22109 a wrong type, a NULL literal and an expression are refused; an untracked table takes a context', async () => {
    expect(await db.errorOf('DECLARE @c int = 1; WITH CHANGE_TRACKING_CONTEXT (@c) UPDATE dbo.masked SET a = 5')).toBe(22109);
    expect(await db.errorOf('WITH CHANGE_TRACKING_CONTEXT (NULL) UPDATE dbo.masked SET a = 5')).toBe(156);
    expect(await db.errorOf('WITH CHANGE_TRACKING_CONTEXT (0x01 + 0x02) UPDATE dbo.masked SET a = 5')).toBe(102);
    await db.rows('CREATE TABLE dbo.untracked (id int NOT NULL PRIMARY KEY)');
    expect(await db.errorOf('WITH CHANGE_TRACKING_CONTEXT (0x01) INSERT INTO dbo.untracked VALUES (1)')).toBe(0);
  });

  test('2.5-02 the last statement wins, and one without clears it', async () => {
    const { changes } = await changesAfter([
      'WITH CHANGE_TRACKING_CONTEXT (0x01) UPDATE {t} SET a = 5 WHERE id IN (1, 2)',
      'WITH CHANGE_TRACKING_CONTEXT (0x02) UPDATE {t} SET a = 6 WHERE id = 1',
      'UPDATE {t} SET a = 6 WHERE id = 2',
    ]);
    expect(changes.map((each) => each.ctx)).toEqual(['02', null]);
  });
});

describe('2.6 the baseline', () => {
  test('2.6-01 and 2.6-02 NULL and 0 are all changes still stored', async () => {
    const { table } = await changesAfter(['UPDATE {t} SET a = 5 WHERE id = 1'], { before: ['DELETE {t} WHERE id = 2'] });
    const all = [{ id: 1 }, { id: 2 }];
    expect(await db.rows(`SELECT ct.id FROM CHANGETABLE(CHANGES ${table}, NULL) AS ct ORDER BY ct.id`)).toEqual(all);
    expect(await db.rows(`SELECT ct.id FROM CHANGETABLE(CHANGES ${table}, 0) AS ct ORDER BY ct.id`)).toEqual(all);
  });

  test('2.6-03 and 2.6-04 a negative or a future baseline is an empty set without an error', async () => {
    const { table, base } = await changesAfter(['UPDATE {t} SET a = 5 WHERE id = 1']);
    expect(await changesSince(table, -1n)).toEqual([]);
    expect(await changesSince(table, base + 1000n)).toEqual([]);
  });

  test('2.6-06 a baseline equal to the minimum is valid', async () => {
    const { table, base, changes } = await changesAfter(['UPDATE {t} SET a = 5 WHERE id = 1']);
    const [row] = await db.rows<{ v: string }>(`SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'${table}')) AS v`);
    expect(BigInt(row!.v)).toBe(base);
    expect(await changesSince(table, BigInt(row!.v))).toEqual(changes);
  });
});
