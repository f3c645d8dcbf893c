/** Transactions of one session and of several: what is undone when, who waits, who is the victim, and what ends it. Runs on any SQL Server. */
import type sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;
let counter = 0;

beforeAll(async () => {
  server = await startServer();
});

beforeEach(async () => {
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int NOT NULL); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
  await db.rows('CREATE TABLE dbo.u (id int NOT NULL PRIMARY KEY, a int NOT NULL)');
  await db.rows('INSERT INTO dbo.t VALUES (1, 100), (2, 100), (3, 100); INSERT INTO dbo.u VALUES (1, 100), (2, 100)');
});

afterAll(async () => {
  await server.close();
});

interface Session {
  readonly name: string;
  /** Runs a batch: its rows, or the numbers of its errors. */
  run(text: string): Promise<unknown>;
}

async function connect(): Promise<Session> {
  counter += 1;
  const name = `transactions-${process.pid}-${counter}`;
  const pool = await db.session({ appName: name });
  return {
    name,
    run: async (text) => {
      try {
        return (await pool.request().batch(text)).recordset ?? [];
      } catch (error) {
        const { precedingErrors, number } = error as sql.RequestError & { precedingErrors?: { number?: number }[] };
        return [...(precedingErrors ?? []).map((each) => each.number), number];
      }
    },
  };
}

async function untilWaiting(...sessions: readonly Session[]): Promise<void> {
  for (const { name } of sessions) {
    await expect
      .poll(() => db.rows(`SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'${name}' AND status = N'running'`), {
        timeout: 10_000,
      })
      .toHaveLength(1);
  }
}

const values = async (): Promise<unknown[]> => (await db.rows<{ a: number }>('SELECT a FROM dbo.t ORDER BY id')).map((row) => row.a);
const version = async (): Promise<bigint> => BigInt((await db.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v'))[0]!.v);

describe('savepoints', () => {
  test('nest, may have the same name, and take tracked changes back', async () => {
    const base = await version();
    const session = await connect();
    await session.run(`BEGIN TRAN; UPDATE dbo.t SET a = 1 WHERE id = 1; SAVE TRAN s; UPDATE dbo.t SET a = 2 WHERE id = 2;
      SAVE TRAN s; UPDATE dbo.t SET a = 3 WHERE id = 3; INSERT INTO dbo.t VALUES (4, 4)`);
    expect(await session.run('ROLLBACK TRAN s; SELECT a FROM dbo.t ORDER BY id')).toEqual([{ a: 1 }, { a: 2 }, { a: 100 }]);
    expect(await session.run('SELECT @@TRANCOUNT AS n, XACT_STATE() AS x')).toEqual([{ n: 1, x: 1 }]);
    await session.run('COMMIT');
    expect(await db.rows('SELECT id FROM CHANGETABLE(CHANGES dbo.t, @base) AS c ORDER BY id', { base })).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await version()).toBe(base + 1n);
  });

  test('that are not there are 6401, without a transaction 3903 and 628; names have letter case', async () => {
    const session = await connect();
    expect(await session.run('ROLLBACK')).toEqual([3903]);
    expect(await session.run('SAVE TRAN s')).toEqual([628]);
    expect(await session.run('COMMIT')).toEqual([3902]);
    await session.run('BEGIN TRAN outside; SAVE TRAN s');
    expect(await session.run('ROLLBACK TRAN S')).toEqual([6401]);
    expect(await session.run('BEGIN TRAN inside; ROLLBACK TRAN inside')).toEqual([6401]);
    expect(await session.run('ROLLBACK TRAN outside; SELECT @@TRANCOUNT AS n')).toEqual([{ n: 0 }]);
  });

  test('give the locks of what they undo back', async () => {
    const holder = await connect();
    await holder.run('BEGIN TRAN; SAVE TRAN s; UPDATE dbo.t SET a = 1 WHERE id = 1');
    const waiter = await connect();
    const waiting = waiter.run('UPDATE dbo.t SET a = 7 WHERE id = 1');
    await untilWaiting(waiter);
    await holder.run('ROLLBACK TRAN s');
    expect(await waiting).toEqual([]);
    await holder.run('COMMIT');
    expect(await values()).toEqual([7, 100, 100]);
  });
});

describe('errors inside a transaction', () => {
  const statementErrors = [
    ['INSERT INTO dbo.t VALUES (1, 1)', 2627],
    ['INSERT INTO dbo.t VALUES (9, NULL)', 515],
    ['UPDATE dbo.t SET a = 1 / 0', 8134],
    ["RAISERROR('mine', 16, 1)", 50_000],
  ] as const;

  test.each(statementErrors)('%s undoes itself and the batch goes on, with XACT_ABORT OFF', async (text, number) => {
    const session = await connect();
    const rest = `BEGIN TRAN; UPDATE dbo.t SET a = 5 WHERE id = 2; ${text}; UPDATE dbo.t SET a = 6 WHERE id = 3; COMMIT`;
    expect(await session.run(rest)).toEqual([number]);
    expect(await values()).toEqual([100, 5, 6]);
  });

  test.each(statementErrors.slice(0, 3))('%s takes the transaction with it, with XACT_ABORT ON', async (text, number) => {
    const session = await connect();
    expect(
      await session.run(`SET XACT_ABORT ON; BEGIN TRAN; UPDATE dbo.t SET a = 5 WHERE id = 2; ${text}; UPDATE dbo.u SET a = 6; COMMIT`),
    ).toEqual([number]);
    expect(await session.run('SELECT @@TRANCOUNT AS n')).toEqual([{ n: 0 }]);
    expect(await values()).toEqual([100, 100, 100]);
    expect(await db.rows('SELECT DISTINCT a FROM dbo.u')).toEqual([{ a: 100 }]);
  });

  test('RAISERROR does not ask XACT_ABORT, THROW does', async () => {
    const session = await connect();
    await session.run('SET XACT_ABORT ON');
    expect(await session.run("BEGIN TRAN; UPDATE dbo.t SET a = 5 WHERE id = 2; RAISERROR('mine', 16, 1); COMMIT")).toEqual([50_000]);
    expect(await values()).toEqual([100, 5, 100]);
    expect(await session.run("BEGIN TRAN; UPDATE dbo.t SET a = 6 WHERE id = 2; THROW 50001, 'mine', 1; COMMIT")).toEqual([50_001]);
    expect(await values()).toEqual([100, 5, 100]);
    await session.run('SET XACT_ABORT OFF');
    expect(await session.run("BEGIN TRAN; UPDATE dbo.t SET a = 7 WHERE id = 2; THROW 50001, 'mine', 1; COMMIT")).toEqual([50_001]);
    expect(await session.run('SELECT @@TRANCOUNT AS n, a FROM dbo.t WHERE id = 2')).toEqual([{ n: 1, a: 7 }]);
    await session.run('ROLLBACK');
  });

  test('a conversion that fails ends batch and transaction, whatever XACT_ABORT says', async () => {
    const session = await connect();
    expect(await session.run("BEGIN TRAN; UPDATE dbo.t SET a = 5; SELECT CAST('x' AS int) AS x; UPDATE dbo.u SET a = 1; COMMIT")).toEqual([
      245,
    ]);
    expect(await session.run('SELECT @@TRANCOUNT AS n')).toEqual([{ n: 0 }]);
    expect(await values()).toEqual([100, 100, 100]);
  });

  test('caught with XACT_ABORT ON it leaves a transaction that can only be rolled back: 3930, 3931, 3998', async () => {
    const session = await connect();
    const doomed = `SET XACT_ABORT ON; BEGIN TRAN; SAVE TRAN s; UPDATE dbo.t SET a = 5;
      BEGIN TRY INSERT INTO dbo.t VALUES (1, 1) END TRY
      BEGIN CATCH `;
    expect(
      await session.run(`${doomed} SELECT XACT_STATE() AS x, @@TRANCOUNT AS n, COUNT(*) AS rows_ FROM dbo.t; ROLLBACK END CATCH`),
    ).toEqual([{ x: -1, n: 1, rows_: 3 }]);
    expect(await session.run(`${doomed} UPDATE dbo.u SET a = 1 END CATCH`)).toContain(3930);
    expect(await session.run('SELECT @@TRANCOUNT AS n')).toEqual([{ n: 0 }]);
    expect(await session.run(`${doomed} COMMIT END CATCH`)).toContain(3930);
    expect(await session.run(`${doomed} ROLLBACK TRAN s END CATCH`)).toContain(3931);
    expect(await session.run(`${doomed} PRINT 'nothing' END CATCH`)).toEqual([3998]);
    expect(await values()).toEqual([100, 100, 100]);
  });

  test('dynamic SQL that ends with another count of transactions is told 266', async () => {
    const session = await connect();
    expect(await session.run("EXEC (N'BEGIN TRAN')")).toEqual([266]);
    expect(await session.run("EXEC sp_executesql N'COMMIT'; SELECT @@TRANCOUNT AS n")).toEqual([266]);
    expect(await session.run('SELECT @@TRANCOUNT AS n')).toEqual([{ n: 0 }]);
  });
});

describe('levels', () => {
  test('READ_COMMITTED_SNAPSHOT: readers wait for nobody and see what was committed when their statement began', async () => {
    await db.rows(`ALTER DATABASE [${db.name}] SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE`);
    const writer = await connect();
    await writer.run('BEGIN TRAN; UPDATE dbo.t SET a = 1; DELETE dbo.t WHERE id = 3; INSERT INTO dbo.t VALUES (4, 4)');
    const reader = await connect();
    const seen = 'SET LOCK_TIMEOUT 0; SELECT id, a FROM dbo.t ORDER BY id';
    expect(await reader.run(`BEGIN TRAN; ${seen}`)).toEqual([1, 2, 3].map((id) => ({ id, a: 100 })));
    expect(await reader.run('SET LOCK_TIMEOUT 0; SELECT a FROM dbo.t WITH (READCOMMITTEDLOCK)')).toEqual([1222]);
    expect(await reader.run('SET LOCK_TIMEOUT 0; UPDATE dbo.t SET a = a + 1 WHERE id = 1')).toEqual([1222]);
    await writer.run('COMMIT');
    expect(await reader.run(seen)).toEqual([1, 2, 4].map((id) => ({ id, a: id === 4 ? 4 : 1 })));
    await reader.run('ROLLBACK');
  });

  test('SNAPSHOT: 3951 when it comes too late, 3952 where it is not allowed, 3961 and 3964 for definitions', async () => {
    const session = await connect();
    await session.run(
      'SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN TRAN; SELECT a FROM dbo.t; SET TRANSACTION ISOLATION LEVEL SNAPSHOT',
    );
    expect(await session.run('SELECT a FROM dbo.t')).toEqual([3951]);
    await session.run('IF @@TRANCOUNT > 0 ROLLBACK; SET TRANSACTION ISOLATION LEVEL SNAPSHOT');
    await session.run('BEGIN TRAN; SELECT a FROM dbo.t');
    expect(await session.run('CREATE INDEX i ON dbo.t (a)')).toEqual([3964]);
    await session.run('IF @@TRANCOUNT > 0 ROLLBACK');
    await session.run('BEGIN TRAN; SELECT a FROM dbo.u');
    await db.rows('ALTER TABLE dbo.t ADD b int NULL');
    expect(await session.run('SELECT a FROM dbo.t')).toEqual([3961]);
    await session.run('IF @@TRANCOUNT > 0 ROLLBACK');
    await db.rows(`ALTER DATABASE [${db.name}] SET ALLOW_SNAPSHOT_ISOLATION OFF`);
    expect(await session.run('SELECT a FROM dbo.t')).toEqual([3952]);
    await db.rows(`ALTER DATABASE [${db.name}] SET ALLOW_SNAPSHOT_ISOLATION ON`);
    expect(await session.run('SELECT COUNT(*) AS n FROM dbo.t')).toEqual([{ n: 3 }]);
  });

  test('LOCK_TIMEOUT: 0 gives up at once, a time after it, -1 waits', async () => {
    const holder = await connect();
    await holder.run('BEGIN TRAN; UPDATE dbo.t SET a = 1 WHERE id = 1');
    const session = await connect();
    expect(await session.run('SELECT @@LOCK_TIMEOUT AS ms')).toEqual([{ ms: -1 }]);
    expect(await session.run('SET LOCK_TIMEOUT 0; SELECT a FROM dbo.t')).toEqual([1222]);
    expect(await session.run('SET LOCK_TIMEOUT 20; UPDATE dbo.t SET a = 2 WHERE id = 1; SELECT @@TRANCOUNT AS n')).toEqual([1222]);
    expect(await session.run('SET LOCK_TIMEOUT 20; ALTER TABLE dbo.t ADD c int NULL')).toEqual([1222]);
    const waiting = session.run('SET LOCK_TIMEOUT -1; SELECT a FROM dbo.t WHERE id = 1');
    await untilWaiting(session);
    await holder.run('COMMIT');
    expect(await waiting).toEqual([{ a: 1 }]);
  });

  test('sys.partitions counts rows that are not committed', async () => {
    const counted = async (): Promise<unknown> =>
      (await db.rows<{ n: string }>("SELECT SUM(rows) AS n FROM sys.partitions WHERE object_id = OBJECT_ID(N'dbo.t') AND index_id < 2"))[0]
        ?.n;
    const writer = await connect();
    await writer.run('BEGIN TRAN; INSERT INTO dbo.t VALUES (7, 7), (8, 8); UPDATE dbo.t SET a = 9 WHERE id = 8; DELETE dbo.t WHERE id = 1');
    expect(await counted()).toBe('4');
    await writer.run('ROLLBACK');
    expect(await counted()).toBe('3');
    await writer.run('DELETE dbo.t WHERE id = 1');
    expect(await counted()).toBe('2');
  });
});

describe('deadlocks', () => {
  /** Two sessions take their first locks, the first waits, the second closes the circle. */
  async function collide(first: Session, second: Session, steps: readonly [string, string, string, string]): Promise<unknown[]> {
    await first.run(`BEGIN TRAN; ${steps[0]}`);
    await second.run(`BEGIN TRAN; ${steps[1]}`);
    const waiting = first.run(steps[2]);
    await untilWaiting(first);
    const other = second.run(steps[3]);
    return await Promise.all([
      waiting.then(async (result) => [result, await first.run('IF @@TRANCOUNT > 0 COMMIT')][0]),
      other.then(async (result) => [result, await second.run('IF @@TRANCOUNT > 0 COMMIT')][0]),
    ]);
  }
  const rows = [
    'UPDATE dbo.t SET a = 1 WHERE id = 1',
    'UPDATE dbo.t SET a = 2 WHERE id = 2',
    'UPDATE dbo.t SET a = 3 WHERE id = 2',
    'UPDATE dbo.t SET a = 4 WHERE id = 1',
  ] as const;

  test('have exactly one victim, whose transaction is gone', async () => {
    const [left, right] = [await connect(), await connect()];
    const results = await collide(left, right, rows);
    expect(results.filter((each) => JSON.stringify(each) === '[1205]')).toHaveLength(1);
    expect(results.filter((each) => JSON.stringify(each) === '[]')).toHaveLength(1);
    expect([
      [1, 3, 100],
      [4, 2, 100],
    ]).toContainEqual(await values());
  });

  test('take the one of lower priority, also when the other closes the circle', async () => {
    const [low, normal] = [await connect(), await connect()];
    await low.run('SET DEADLOCK_PRIORITY LOW');
    expect(await collide(low, normal, rows)).toEqual([[1205], []]);
    expect(await values()).toEqual([4, 2, 100]);
    await low.run('SET DEADLOCK_PRIORITY 7');
    expect(await collide(low, normal, rows)).toEqual([[], [1205]]);
    expect(await values()).toEqual([1, 3, 100]);
  });

  test('are found between definitions and rows, and between tables locked whole', async () => {
    const [left, right] = [await connect(), await connect()];
    await left.run('SET DEADLOCK_PRIORITY LOW');
    expect(
      await collide(left, right, [
        'UPDATE dbo.t SET a = 1 WHERE id = 1',
        'UPDATE dbo.u SET a = 1 WHERE id = 1',
        'ALTER TABLE dbo.u ADD b int NULL',
        'ALTER TABLE dbo.t ADD b int NULL',
      ]),
    ).toEqual([[1205], []]);
    expect(
      await collide(left, right, [
        'SELECT a FROM dbo.t WITH (TABLOCK, HOLDLOCK)',
        'SELECT a FROM dbo.t WITH (TABLOCK, HOLDLOCK)',
        'UPDATE dbo.t SET a = 1 WHERE id = 1',
        'UPDATE dbo.t SET a = 2 WHERE id = 2',
      ]),
    ).toEqual([[1205], []]);
  });

  test('are found past a holder that does nothing: a table shared by two, one of them in the circle', async () => {
    const [idle, left, right] = [await connect(), await connect(), await connect()];
    await idle.run('BEGIN TRAN; SELECT a FROM dbo.t WITH (TABLOCK, HOLDLOCK)');
    await left.run('SET DEADLOCK_PRIORITY LOW');
    expect(
      await collide(left, right, [
        'UPDATE dbo.u SET a = 1 WHERE id = 1',
        'SELECT a FROM dbo.t WITH (TABLOCK, HOLDLOCK)',
        'UPDATE dbo.t SET a = 1 WHERE id = 1',
        'SELECT a FROM dbo.u WHERE id = 1',
      ]),
    ).toEqual([[1205], [{ a: 100 }]]);
    await idle.run('ROLLBACK');
  });

  test('can be caught: the transaction is doomed, and the number is 1205', async () => {
    const [left, right] = [await connect(), await connect()];
    await left.run('SET DEADLOCK_PRIORITY LOW');
    const caught = `BEGIN TRY ${rows[2]} END TRY BEGIN CATCH
      DECLARE @n int = ERROR_NUMBER(), @x int = XACT_STATE(); ROLLBACK; SELECT @n AS n, @x AS x END CATCH`;
    expect(await collide(left, right, [rows[0], rows[1], caught, rows[3]])).toEqual([[{ n: 1205, x: -1 }], []]);
  });
});

describe('several databases', () => {
  test('one transaction over two: each gets a version of its own, both or none', async () => {
    const other = await server.freshDatabase();
    await other.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, a int); ALTER TABLE dbo.t ENABLE CHANGE_TRACKING');
    const base = await version();
    const session = await connect();
    await session.run(
      `BEGIN TRAN; UPDATE dbo.t SET a = 1 WHERE id = 1; INSERT INTO [${other.name}].dbo.t SELECT id, a FROM dbo.t; ROLLBACK`,
    );
    expect(await version()).toBe(base);
    await session.run(`BEGIN TRAN; UPDATE dbo.t SET a = 1 WHERE id = 1; INSERT INTO [${other.name}].dbo.t SELECT id, a FROM dbo.t; COMMIT`);
    expect(await version()).toBe(base + 1n);
    expect(await other.rows('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v, (SELECT COUNT(*) FROM dbo.t) AS n')).toEqual([
      { v: '1', n: 3 },
    ]);
    expect(await db.rows(`SELECT COUNT(*) AS n FROM [${other.name}].dbo.t AS o JOIN dbo.t AS t ON t.id = o.id AND t.a = o.a`)).toEqual([
      { n: 3 },
    ]);
  });
});
