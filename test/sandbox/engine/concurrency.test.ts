/** What sessions beside each other may and may not see, level by level. Runs on any SQL Server that allows SNAPSHOT. */
import sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

const { READ_COMMITTED, READ_UNCOMMITTED, REPEATABLE_READ, SERIALIZABLE, SNAPSHOT } = sql.ISOLATION_LEVEL;

let server: TestServer;
let db: TestDatabase;
let counter = 0;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int NOT NULL); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
});

beforeEach(async () => {
  await db.rows('DELETE dbo.t; INSERT INTO dbo.t VALUES (1, 100), (2, 100)');
});

afterAll(async () => {
  await server.close();
});

interface Session {
  readonly name: string;
  readonly transaction: sql.Transaction;
  /** Runs a batch in the transaction: its rows, or the number of its error. */
  run(text: string): Promise<unknown>;
}

async function open(level: number): Promise<Session> {
  counter += 1;
  const name = `concurrency-${counter}`;
  const transaction = (await db.session({ appName: name })).transaction();
  await transaction.begin(level);
  return {
    name,
    transaction,
    run: async (text) => {
      try {
        return (await transaction.request().batch(text)).recordset ?? [];
      } catch (error) {
        return (error as sql.RequestError).number;
      }
    },
  };
}

async function untilRunning({ name }: Session): Promise<void> {
  await expect
    .poll(() => db.rows(`SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'${name}' AND status = N'running'`), {
      timeout: 10_000,
    })
    .toHaveLength(1);
}

async function end(...sessions: readonly Session[]): Promise<void> {
  for (const { transaction } of sessions) {
    await transaction.rollback().catch(() => undefined);
  }
}

const sum = async (): Promise<unknown> => (await db.rows<{ s: number }>('SELECT SUM(a) AS s FROM dbo.t'))[0]?.s;

describe('what a reader may see', () => {
  test('a dirty row only under READ UNCOMMITTED', async () => {
    const writer = await open(READ_COMMITTED);
    await writer.run('UPDATE dbo.t SET a = 1 WHERE id = 1');
    const dirty = await open(READ_UNCOMMITTED);
    expect(await dirty.run('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 1 }]);
    const clean = await open(READ_COMMITTED);
    expect(await clean.run('SET LOCK_TIMEOUT 0; SELECT a FROM dbo.t WHERE id = 1')).toBe(1222);
    await end(writer, dirty, clean);
  });

  test('another value on a second look under READ COMMITTED, not under REPEATABLE READ', async () => {
    const committed = await open(READ_COMMITTED);
    expect(await committed.run('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 100 }]);
    await db.rows('UPDATE dbo.t SET a = 101 WHERE id = 1');
    expect(await committed.run('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 101 }]);
    const repeatable = await open(REPEATABLE_READ);
    await repeatable.run('SELECT a FROM dbo.t WHERE id = 1');
    expect(await db.errorOf('SET LOCK_TIMEOUT 0; UPDATE dbo.t SET a = 102 WHERE id = 1')).toBe(1222);
    await end(committed, repeatable);
    await db.rows('SET LOCK_TIMEOUT -1');
  });

  test('no phantom under SERIALIZABLE and none under SNAPSHOT', async () => {
    const serializable = await open(SERIALIZABLE);
    expect(await serializable.run('SELECT COUNT(*) AS n FROM dbo.t')).toEqual([{ n: 2 }]);
    expect(await db.errorOf('SET LOCK_TIMEOUT 0; INSERT INTO dbo.t VALUES (3, 1)')).toBe(1222);
    await end(serializable);
    await db.rows('SET LOCK_TIMEOUT -1');
    const snapshot = await open(SNAPSHOT);
    expect(await snapshot.run('SELECT COUNT(*) AS n FROM dbo.t')).toEqual([{ n: 2 }]);
    await db.rows('INSERT INTO dbo.t VALUES (3, 1)');
    expect(await snapshot.run('SELECT COUNT(*) AS n FROM dbo.t')).toEqual([{ n: 2 }]);
    await end(snapshot);
  });

  test('the order of commits, whole: a SNAPSHOT reader never sees half of a transfer', async () => {
    const writers = [0, 1].map(async (writer) => {
      const session = await db.session();
      for (let index = 0; index < 30; index += 1) {
        const amount = (index % 7) - writer;
        await session
          .request()
          .batch(`BEGIN TRAN; UPDATE dbo.t SET a = a - ${amount} WHERE id = 1; UPDATE dbo.t SET a = a + ${amount} WHERE id = 2; COMMIT`);
      }
    });
    const reading = (async () => {
      const session = await db.session();
      for (let index = 0; index < 60; index += 1) {
        const transaction = session.transaction();
        await transaction.begin(SNAPSHOT);
        const one = await transaction.request().query<{ a: number }>('SELECT a FROM dbo.t WHERE id = 1');
        const two = await transaction.request().query<{ a: number }>('SELECT a FROM dbo.t WHERE id = 2');
        expect((one.recordset[0]?.a ?? 0) + (two.recordset[0]?.a ?? 0)).toBe(200);
        await transaction.commit();
      }
    })();
    await Promise.all([...writers, reading]);
    expect(await sum()).toBe(200);
  });
});

describe('what two writers may do to each other', () => {
  test('no increment is lost between many sessions', async () => {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => db.session()));
    await Promise.all(
      sessions.map(async (session) => {
        for (let index = 0; index < 25; index += 1) {
          await session.request().batch('UPDATE dbo.t SET a = a + 1 WHERE id = 1');
        }
      }),
    );
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 300 }]);
  });

  test('a lost update is an error under SNAPSHOT: 3960 for the second', async () => {
    const first = await open(SNAPSHOT);
    const second = await open(SNAPSHOT);
    expect(await first.run('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 100 }]);
    expect(await second.run('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 100 }]);
    expect(await first.run('UPDATE dbo.t SET a = 110 WHERE id = 1')).toEqual([]);
    const waiting = second.run('UPDATE dbo.t SET a = 120 WHERE id = 1');
    await untilRunning(second);
    await first.transaction.commit();
    expect(await waiting).toBe(3960);
    await end(second);
    expect(await db.rows('SELECT a FROM dbo.t WHERE id = 1')).toEqual([{ a: 110 }]);
  });

  test('3960 for a delete of a changed row and for a row that was deleted meanwhile', async () => {
    const deleting = await open(SNAPSHOT);
    await deleting.run('SELECT a FROM dbo.t');
    await db.rows('UPDATE dbo.t SET a = 5 WHERE id = 1');
    expect(await deleting.run('DELETE dbo.t WHERE id = 1')).toBe(3960);
    const updating = await open(SNAPSHOT);
    await updating.run('SELECT a FROM dbo.t');
    await db.rows('DELETE dbo.t WHERE id = 2');
    expect(await updating.run('UPDATE dbo.t SET a = 6 WHERE id = 2')).toBe(3960);
    await end(deleting, updating);
  });

  test('write skew happens under SNAPSHOT and ends in 1205 under SERIALIZABLE', async () => {
    const skew = async (level: number): Promise<unknown[]> => {
      const left = await open(level);
      const right = await open(level);
      await left.run('SELECT SUM(a) AS s FROM dbo.t');
      await right.run('SELECT SUM(a) AS s FROM dbo.t');
      const first = left.run('UPDATE dbo.t SET a = a - 150 WHERE id = 1');
      if (level === SERIALIZABLE) {
        await untilRunning(left);
      } else {
        await first;
      }
      const results = [await right.run('UPDATE dbo.t SET a = a - 150 WHERE id = 2'), await first];
      await left.transaction.commit().catch(() => undefined);
      await right.transaction.commit().catch(() => undefined);
      await end(left, right);
      return results;
    };
    expect(await skew(SNAPSHOT)).toEqual([[], []]);
    expect(await sum()).toBe(-100);
    await db.rows('UPDATE dbo.t SET a = 100');
    expect(await skew(SERIALIZABLE)).toEqual(expect.arrayContaining([1205, []]));
    expect(await sum()).toBe(50);
  });

  test('a deadlock of three has one victim, and the others finish', async () => {
    await db.rows('INSERT INTO dbo.t VALUES (3, 100)');
    const sessions = [await open(READ_COMMITTED), await open(READ_COMMITTED), await open(READ_COMMITTED)];
    for (const [index, session] of sessions.entries()) {
      await session.run(`UPDATE dbo.t SET a = ${index} WHERE id = ${index + 1}`);
    }
    const results = await Promise.all(
      sessions.map(async (session, index) => {
        const result = await session.run(`UPDATE dbo.t SET a = ${index} WHERE id = ${((index + 1) % 3) + 1}`);
        await (result === 1205 ? session.transaction.rollback().catch(() => undefined) : session.transaction.commit());
        return result;
      }),
    );
    expect(results.filter((result) => result === 1205)).toHaveLength(1);
    expect(results.filter((result) => Array.isArray(result))).toHaveLength(2);
  });

  test('1222 leaves the transaction open, and what it did before', async () => {
    const holder = await open(READ_COMMITTED);
    await holder.run('UPDATE dbo.t SET a = 1 WHERE id = 1');
    const session = await open(READ_COMMITTED);
    await session.run('UPDATE dbo.t SET a = 7 WHERE id = 2');
    expect(await session.run('SET LOCK_TIMEOUT 10; UPDATE dbo.t SET a = 7 WHERE id = 1')).toBe(1222);
    expect(await session.run('SELECT @@TRANCOUNT AS n, a FROM dbo.t WHERE id = 2')).toEqual([{ n: 1, a: 7 }]);
    await session.transaction.commit();
    await end(holder);
    expect(await sum()).toBe(107);
  });
});

test('fifty sessions beside each other: each commit has its own version, and every row arrives', async () => {
  const base = BigInt((await db.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v'))[0]!.v);
  const sessions = await Promise.all(Array.from({ length: 50 }, () => db.session()));
  await Promise.all(
    sessions.map(async (session, index) => {
      for (let row = 0; row < 4; row += 1) {
        await session.request().query(`INSERT INTO dbo.t VALUES (${1000 + index * 10 + row}, 1)`);
      }
    }),
  );
  const rows = await db.rows<{ id: number; v: string }>(
    'SELECT c.id, c.SYS_CHANGE_VERSION AS v FROM CHANGETABLE(CHANGES dbo.t, @base) AS c WHERE c.id >= 1000',
    { base },
  );
  expect(rows).toHaveLength(200);
  expect(new Set(rows.map((row) => row.v)).size).toBe(200);
  expect(rows.every((row) => BigInt(row.v) > base && BigInt(row.v) <= base + 200n)).toBe(true);
});
