/**
 * Orders in which a reader may ask for the version and the changes, each with the commit that falls between the two: what is lost, what
 * comes twice. Runs on any SQL Server.
 */
import sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;
let counter = 0;
/** A tracked table of the test's own with rows 1 to 5, older than its tracking. */
let table: string;
let base: bigint;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
});

beforeEach(async () => {
  counter += 1;
  table = `dbo.t${counter}`;
  await db.rows(
    `CREATE TABLE ${table} (id int NOT NULL PRIMARY KEY, a int NULL); INSERT INTO ${table} VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)`,
  );
  await db.rows(`ALTER TABLE ${table} ENABLE CHANGE_TRACKING`);
  base = await versionOf(db.pool);
});

afterAll(async () => {
  await server.close();
});

type Asked = Pick<sql.Transaction, 'request'> | sql.ConnectionPool;

async function versionOf(on: Asked): Promise<bigint> {
  const { recordset } = await on.request().query<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
  return BigInt(recordset[0]!.v);
}

interface Change {
  readonly id: number;
  readonly op: string;
  readonly v: bigint;
}

/** @param shape the query around CHANGETABLE, with {c} in its place */
async function changesAfter(baseline: bigint, on: Asked = db.pool, shape = 'SELECT * FROM {c} ORDER BY id'): Promise<Change[]> {
  const c = `(SELECT c.id, c.SYS_CHANGE_OPERATION AS op, c.SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES ${table}, @base) AS c) AS x`;
  const request = on.request().input('base', sql.BigInt, baseline.toString());
  const { recordset } = await request.query<{ id: number; op: string; v: string }>(shape.replace('{c}', c));
  return recordset.map(({ id, op, v }) => ({ id, op, v: BigInt(v) }));
}

const ids = (changes: readonly Change[]): number[] => changes.map(({ id }) => id);
const update = async (id: number): Promise<void> => {
  await db.rows(`UPDATE ${table} SET a = a + 1 WHERE id = ${id}`);
};
/** A transaction of a session of its own. */
async function open(level: number = sql.ISOLATION_LEVEL.SNAPSHOT): Promise<sql.Transaction> {
  const transaction = (await db.session()).transaction();
  await transaction.begin(level);
  return transaction;
}

describe('version first', () => {
  test('3.4-01 then the changes, in one SNAPSHOT transaction: nothing is lost, and all of it is one moment', async () => {
    await update(1);
    const reader = await open();
    const version = await versionOf(reader);
    await update(2);
    const first = await changesAfter(base, reader);
    await update(1);
    // The base rows are of the same moment as the changes, however late they are read.
    const { recordset } = await reader.request().query<{ a: number }>(`SELECT a FROM ${table} WHERE id = 1`);
    expect(recordset).toEqual([{ a: 1 }]);
    expect(await changesAfter(base, reader)).toEqual(first);
    await reader.commit();
    const second = await changesAfter(version);
    expect(new Set([...ids(first), ...ids(second)])).toEqual(new Set([1, 2]));
    expect(ids(second)).toContain(1);
    // Whatever the first read has beyond the version comes again.
    expect(second.map(({ id }) => id)).toEqual(expect.arrayContaining(ids(first.filter(({ v }) => v > version))));
  });

  test('3.4-01 a view read after the version never shows a version above it, once it is fixed', async () => {
    const reader = await open();
    const version = await versionOf(reader);
    await reader.request().query(`SELECT TOP (1) id FROM ${table}`);
    await update(1);
    expect(await changesAfter(version, reader)).toEqual([]);
    await reader.commit();
  });

  test('3.4-03 in one SNAPSHOT transaction and the changes in a later one: nothing is lost, some comes twice', async () => {
    const asking = await open();
    const version = await versionOf(asking);
    await asking.commit();
    await update(1);
    const reader = await open();
    expect(ids(await changesAfter(base, reader))).toEqual([1]);
    await reader.commit();
    expect(ids(await changesAfter(version))).toEqual([1]);
  });

  test('3.4-04 then everything under READ COMMITTED: nothing is lost, what is above the version comes again', async () => {
    await update(1);
    const version = await versionOf(db.pool);
    await update(2);
    expect(ids(await changesAfter(base))).toEqual([1, 2]);
    expect(ids(await changesAfter(version))).toEqual([2]);
  });

  test('3.4-05 and nothing above it: a row that changes again comes one read later, and an insert has become an update', async () => {
    await db.rows(`INSERT INTO ${table} VALUES (9, 0)`);
    const version = await versionOf(db.pool);
    await update(9);
    const read = (await changesAfter(base)).filter(({ v }) => v <= version);
    expect(read).toEqual([]);
    expect(await changesAfter(base)).toEqual([{ id: 9, op: 'I', v: version + 1n }]);
    expect(await changesAfter(version)).toEqual([{ id: 9, op: 'U', v: version + 1n }]);
  });

  test('3.4-10 kept as the version before it: the last commit comes in every read', async () => {
    await update(1);
    const kept = (await versionOf(db.pool)) - 1n;
    expect(ids(await changesAfter(kept))).toEqual([1]);
    expect(ids(await changesAfter((await versionOf(db.pool)) - 1n))).toEqual([1]);
  });

  test('3.5-04 then the whole table, in one SNAPSHOT transaction: what follows the version makes the load complete', async () => {
    const reader = await open();
    const version = await versionOf(reader);
    await db.rows(`INSERT INTO ${table} VALUES (9, 0)`);
    const { recordset } = await reader.request().query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`);
    await db.rows(`DELETE ${table} WHERE id = 1`);
    await reader.commit();
    const rows = new Set(recordset.map(({ id }) => id));
    for (const { id, op } of await changesAfter(version)) {
      if (op === 'D') {
        rows.delete(id);
      } else {
        rows.add(id);
      }
    }
    expect([...rows].toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 9]);
  });
});

describe('changes first', () => {
  test('3.4-06 then the version, under READ COMMITTED: the commit between the two is lost for ever', async () => {
    await update(1);
    expect(ids(await changesAfter(base))).toEqual([1]);
    await update(2);
    const version = await versionOf(db.pool);
    expect(await changesAfter(version)).toEqual([]);
  });

  test('3.4-07 and the greatest of their versions: nothing is lost when the whole result was read', async () => {
    await update(1);
    await update(2);
    const first = await changesAfter(base);
    await update(3);
    const greatest = first.reduce((max, { v }) => (v > max ? v : max), base);
    expect(ids(await changesAfter(greatest))).toEqual([3]);
  });
});

describe('pages', () => {
  test('3.4-08 in another order than that of the versions, the greatest of a page as baseline: what is older is lost', async () => {
    await update(1);
    await update(2);
    const page = await changesAfter(base, db.pool, 'SELECT TOP (1) * FROM {c} ORDER BY id DESC');
    expect(ids(page)).toEqual([2]);
    expect(await changesAfter(page[0]!.v)).toEqual([]);
  });

  test('3.4-09 and 3.5-03 that end inside a version: the rest of it is lost, but not WITH TIES', async () => {
    await db.rows(`UPDATE ${table} SET a = 1 WHERE id IN (1, 2, 3)`);
    const cut = await changesAfter(base, db.pool, 'SELECT TOP (2) * FROM {c} ORDER BY v');
    expect(cut).toHaveLength(2);
    expect(await changesAfter(cut[1]!.v)).toEqual([]);
    await update(4);
    const whole = await changesAfter(base, db.pool, 'SELECT TOP (2) WITH TIES * FROM {c} ORDER BY v');
    expect(ids(whole).toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
    expect(ids(await changesAfter(whole[0]!.v))).toEqual([4]);
  });
});

describe('base rows of another moment', () => {
  test('3.4-11 a dirty value that is rolled back leaves no change that would correct it', async () => {
    await update(1);
    const writer = await open(sql.ISOLATION_LEVEL.READ_COMMITTED);
    await writer.request().batch(`UPDATE ${table} SET a = 99 WHERE id = 1`);
    expect(await db.rows(`SELECT a FROM ${table} WITH (NOLOCK) WHERE id = 1`)).toEqual([{ a: 99 }]);
    const version = await versionOf(db.pool);
    await writer.rollback();
    expect(await changesAfter(version)).toEqual([]);
    expect(await db.rows(`SELECT a FROM ${table} WHERE id = 1`)).toEqual([{ a: 1 }]);
  });

  test('3.4-04 without SNAPSHOT a row may be gone when it is fetched, and its delete comes with the next read', async () => {
    await update(1);
    const version = await versionOf(db.pool);
    expect(await changesAfter(base)).toMatchObject([{ id: 1, op: 'U' }]);
    await db.rows(`DELETE ${table} WHERE id = 1`);
    expect(await db.rows(`SELECT id FROM ${table} WHERE id = 1`)).toEqual([]);
    expect(await changesAfter(version)).toMatchObject([{ id: 1, op: 'D' }]);
  });

  test('1.4-03 READ_COMMITTED_SNAPSHOT is one view for each statement, not for several', async () => {
    const own = await server.freshDatabase();
    await own.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int); INSERT INTO dbo.t VALUES (1, 1)');
    await own.rows('ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE');
    const reader = (await own.session()).transaction();
    await reader.begin(sql.ISOLATION_LEVEL.READ_COMMITTED);
    const read = async (): Promise<unknown> => (await reader.request().query('SELECT a FROM dbo.t')).recordset;
    expect(await read()).toEqual([{ a: 1 }]);
    await own.rows('UPDATE dbo.t SET a = 2');
    expect(await read()).toEqual([{ a: 2 }]);
    await reader.commit();
  });
});
