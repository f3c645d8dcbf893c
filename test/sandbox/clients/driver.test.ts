/** The documented features of the driver `mssql`, as its own pages describe them, against a server that others may also name. */
import sql from 'mssql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { numbersOf, startServer } from '../../support/sandbox.ts';

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startServer();
  db = await server.freshDatabase();
  await db.rows(`
    CREATE TABLE dbo.numbers (n int NOT NULL PRIMARY KEY, text nvarchar(100) NULL);
    INSERT INTO dbo.numbers SELECT value, REPLICATE(N'x', 100) FROM GENERATE_SERIES(1, 20000)`);
});

beforeEach(async () => {
  await db.rows('DELETE dbo.numbers WHERE n > 20000');
});

afterAll(async () => {
  await server.close();
});

async function count(where: string, on: { request(): sql.Request } = db.pool): Promise<unknown> {
  return ((await on.request().query(`SELECT COUNT(*) AS n FROM dbo.numbers WHERE ${where}`)).recordset as { n: number }[])[0]?.n;
}

describe('streaming', () => {
  test('rows come one by one, with the columns before and the count after them', async () => {
    const request = db.pool.request();
    request.stream = true;
    const seen: string[] = [];
    let rows = 0;
    request.on('recordset', (columns: object) => seen.push(`columns ${Object.keys(columns).join()}`));
    request.on('row', () => (rows += 1));
    request.on('rowsaffected', (affected: number) => seen.push(`affected ${affected}`));
    const done = new Promise((resolve) => request.once('done', resolve));
    void request.query('SELECT n, text FROM dbo.numbers; SELECT 1 AS one');
    await done;
    expect(rows).toBe(20_001);
    expect(seen).toEqual(['columns n,text', 'affected 20000', 'columns one', 'affected 1']);
  });

  test('a paused request stops the server, which sends on when it is resumed', async () => {
    const pool = await db.session();
    const request = pool.request();
    request.stream = true;
    let rows = 0;
    request.on('row', () => {
      rows += 1;
      if (rows === 100) {
        request.pause();
      }
    });
    const done = new Promise((resolve) => request.once('done', resolve));
    void request.query('SELECT n, text FROM dbo.numbers');
    await expect.poll(() => rows).toBeGreaterThanOrEqual(100);
    // Other sessions are served meanwhile.
    expect(await count('n <= 10')).toBe(10);
    expect(rows).toBeLessThan(20_000);
    request.resume();
    await done;
    expect(rows).toBe(20_000);
  });

  test('rows can be read as a stream with back-pressure, and a stream that is left ends its request', async () => {
    const pool = await db.session();
    const request = pool.request();
    const stream = request.toReadableStream({ highWaterMark: 8 });
    void request.query('SELECT n FROM dbo.numbers ORDER BY n');
    const read: unknown[] = [];
    for await (const row of stream) {
      read.push((row as { n: number }).n);
      if (read.length === 300) {
        break;
      }
    }
    request.cancel();
    expect(read.at(-1)).toBe(300);
    expect(await count('n = 1', pool)).toBe(1);
  });

  test('a request that is cancelled while it streams or waits leaves its connection fit for the next', async () => {
    const pool = await db.session();
    for (const text of [
      'SELECT a.n FROM dbo.numbers AS a CROSS JOIN (SELECT TOP 20 n FROM dbo.numbers) AS b',
      "WAITFOR DELAY '00:01:00'",
    ]) {
      const request = pool.request();
      const outcome = request.query(text).then(
        () => 'answered',
        (error: unknown) => (error as sql.RequestError).code,
      );
      await expect.poll(() => pool.borrowed, { interval: 1 }).toBe(1);
      request.cancel();
      expect(await outcome).toBe('ECANCEL');
      expect(await count('n = 1', pool)).toBe(1);
    }
  });

  test('a request that takes too long times out', async () => {
    const pool = await db.session();
    const request = pool.request();
    (request as unknown as { overrides: object }).overrides = { requestTimeout: 50 };
    await expect(request.query("WAITFOR DELAY '00:01:00'")).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(await count('n = 1', pool)).toBe(1);
  });
});

describe('results', () => {
  test('several result sets, row counts and messages of one request', async () => {
    const request = db.pool.request();
    const messages: string[] = [];
    request.on('info', ({ message }: { message: string }) => messages.push(message));
    const { recordsets, rowsAffected, output } = await request.query(
      "SELECT 1 AS a, 2 AS b; PRINT 'between'; UPDATE dbo.numbers SET text = N'y' WHERE n < 4; SELECT 'x' AS c UNION ALL SELECT 'z'",
    );
    expect(recordsets).toEqual([[{ a: 1, b: 2 }], [{ c: 'x' }, { c: 'z' }]]);
    expect(rowsAffected).toEqual([1, 3, 2]);
    expect(messages).toEqual(['between']);
    expect(output).toEqual({});
  });

  test('rows as arrays, and columns that share a name', async () => {
    const request = db.pool.request();
    (request as unknown as { arrayRowMode: boolean }).arrayRowMode = true;
    const result = await request.query('SELECT 1 AS a, 2 AS a, NULL AS b');
    expect(result.recordset).toEqual([[1, 2, null]]);
    expect((await db.pool.request().query('SELECT 1 AS a, 2 AS a')).recordset).toEqual([{ a: [1, 2] }]);
  });

  test('columns are described', async () => {
    const { recordset } = await db.pool.request().query('SELECT n, text, CAST(1.5 AS decimal(9, 2)) AS d FROM dbo.numbers WHERE n = 1');
    expect(recordset.columns).toMatchObject({
      n: { index: 0, nullable: false },
      text: { index: 1, length: 200, nullable: true },
      d: { index: 2, precision: 9, scale: 2 },
    });
  });

  test('TEXTSIZE cuts what has no length of its own, and only that', async () => {
    const text = `SELECT CAST(REPLICATE('v', 60) AS varchar(max)) AS v, CAST(REPLICATE(N'n', 60) AS nvarchar(max)) AS n, CAST(0x0102030405060708090A0B AS varbinary(max)) AS b,
      CAST(REPLICATE('t', 60) AS text) AS t, REPLICATE('s', 60) AS s`;
    const lengths = async (set: string): Promise<unknown[]> =>
      Object.values((await db.rows<Record<string, string | Buffer>>(`${set} ${text}`))[0] ?? {}).map((value) => value.length);
    const pool = await db.session();
    expect(await lengths('SET TEXTSIZE 10;')).toEqual([10, 5, 10, 10, 60]);
    expect(await lengths('SET TEXTSIZE 0;')).toEqual([60, 60, 11, 60, 60]);
    expect(await lengths('SET TEXTSIZE 2147483647;')).toEqual([60, 60, 11, 60, 60]);
    expect((await pool.request().query("SELECT CAST(REPLICATE('v', 60) AS varchar(max)) AS v")).recordset[0]).toEqual({
      v: 'v'.repeat(60),
    });
  });

  test('parameters in a template string', async () => {
    const [low, high, text] = [5, 7, "it's"];
    const { recordset } = await db.pool.query`SELECT n, ${text} AS t FROM dbo.numbers WHERE n BETWEEN ${low} AND ${high} ORDER BY n`;
    expect(recordset).toEqual([5, 6, 7].map((n) => ({ n, t: "it's" })));
    expect((await db.pool.query`SELECT COUNT(*) AS c FROM dbo.numbers WHERE n IN (${[1, 2, 3]})`).recordset).toEqual([{ c: 3 }]);
  });

  test('output parameters, by query and by procedure', async () => {
    const query = db.pool.request().input('a', sql.Int, 20).output('b', sql.Int).output('c', sql.NVarChar(10), 'before');
    expect((await query.query("SET @b = @a + 1; SET @c = @c + N'!'")).output).toEqual({ b: 21, c: 'before!' });
    const call = db.pool.request();
    call.input('statement', sql.NVarChar, 'SET @twice = @p * 2').input('params', sql.NVarChar, '@p int, @twice int OUTPUT');
    expect(await call.input('p', sql.Int, 21).output('twice', sql.Int).execute('sp_executesql')).toMatchObject({
      output: { twice: 42 },
      returnValue: 0,
    });
  });

  test('a table-valued parameter of a type that is not there is refused', async () => {
    const table = new sql.Table('dbo.list');
    table.columns.add('n', sql.Int);
    table.rows.add(1);
    const request = db.pool.request().input('list', sql.TVP('dbo.list'), table);
    const error = await request.query('SELECT * FROM @list').catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(sql.RequestError);
    expect((error as sql.RequestError).message).toMatch(/dbo\.list/);
  });
});

describe('prepared statements', () => {
  test('run many times, stream, and are gone when they are unprepared', async () => {
    const statement = new sql.PreparedStatement(db.pool);
    statement.input('low', sql.Int).input('text', sql.NVarChar(100)).output('seen', sql.Int);
    await statement.prepare('SELECT n FROM dbo.numbers WHERE n BETWEEN @low AND @low + 1; SET @seen = @low; SELECT @text AS t');
    for (const low of [3, 900]) {
      const { recordsets, output } = await statement.execute({ low, text: `from ${low}` });
      expect(recordsets).toEqual([[{ n: low }, { n: low + 1 }], [{ t: `from ${low}` }]]);
      expect(output).toEqual({ seen: low });
    }
    await statement.unprepare();
    await expect(statement.execute({ low: 1, text: '' })).rejects.toMatchObject({ code: 'ENOTPREPARED' });
  });

  test('an error of one leaves it fit for use', async () => {
    const statement = new sql.PreparedStatement(db.pool);
    statement.input('by', sql.Int);
    await statement.prepare('SELECT 10 / @by AS q');
    expect(await numbersOf(statement.execute({ by: 0 }))).toEqual([8134]);
    expect((await statement.execute({ by: 5 })).recordset).toEqual([{ q: 2 }]);
    await statement.unprepare();
  });
});

describe('transactions', () => {
  test.each(Object.entries(sql.ISOLATION_LEVEL))('%s: committed work stays, rolled back work does not', async (name, level) => {
    const pool = await db.session();
    for (const end of ['commit', 'rollback'] as const) {
      const transaction = pool.transaction();
      await transaction.begin(level);
      const shown = await transaction
        .request()
        .query('SELECT transaction_isolation_level AS l, @@TRANCOUNT AS t FROM sys.dm_exec_sessions WHERE session_id = @@SPID');
      expect(shown.recordset).toEqual([{ l: level, t: 1 }]);
      await transaction.request().query(`INSERT INTO dbo.numbers (n, text) VALUES (${end === 'commit' ? 20_001 : 20_002}, N'${name}')`);
      await transaction[end]();
    }
    expect(await count('n > 20000')).toBe(1);
  });

  test('an error that leaves the transaction open lets it go on; one that ends it says so', async () => {
    const pool = await db.session();
    const transaction = pool.transaction();
    let aborted = false;
    transaction.on('rollback', (byServer: boolean) => (aborted = byServer));
    await transaction.begin();
    expect(await numbersOf(transaction.request().query('INSERT INTO dbo.numbers (n) VALUES (1)'))).toEqual([2627]);
    await transaction.request().query('INSERT INTO dbo.numbers (n) VALUES (20003)');
    expect(await numbersOf(transaction.request().query("SET XACT_ABORT ON; SELECT CAST('x' AS int)"))).toEqual([245]);
    await expect(transaction.rollback()).rejects.toMatchObject({ code: 'EABORT' });
    expect(aborted).toBe(true);
    expect(await count('n = 20003')).toBe(0);
  });

  test('a prepared statement in a transaction is part of it', async () => {
    const transaction = db.pool.transaction();
    await transaction.begin();
    const statement = new sql.PreparedStatement(transaction);
    statement.input('n', sql.Int);
    await statement.prepare('INSERT INTO dbo.numbers (n) VALUES (@n)');
    await statement.execute({ n: 20_004 });
    await statement.unprepare();
    await transaction.rollback();
    expect(await count('n = 20004')).toBe(0);
  });
});

describe('auto-commit off', () => {
  test('a statement begins a transaction, which a rollback ends', async () => {
    const pool = await db.session();
    const run = async (text: string): Promise<unknown> => (await pool.request().batch(text)).recordset;
    await run('SET IMPLICIT_TRANSACTIONS ON');
    expect(await run('SELECT @@TRANCOUNT AS t')).toEqual([{ t: 0 }]);
    await run('INSERT INTO dbo.numbers (n) VALUES (20005)');
    expect(await run('SELECT @@TRANCOUNT AS t')).toEqual([{ t: 1 }]);
    await run('ROLLBACK');
    expect(await run('SELECT @@TRANCOUNT AS t')).toEqual([{ t: 0 }]);
    await run('SELECT TOP 1 n FROM dbo.numbers');
    expect(await run('SELECT @@TRANCOUNT AS t')).toEqual([{ t: 1 }]);
    await run('COMMIT');
    await run('BEGIN TRANSACTION');
    expect(await run('SELECT @@TRANCOUNT AS t')).toEqual([{ t: 2 }]);
    await run('ROLLBACK; SET IMPLICIT_TRANSACTIONS OFF');
    expect(await count('n = 20005')).toBe(0);
  });
});

describe('connections', () => {
  test.each([
    (text: string) => text,
    (text: string) => text.replace('Server=', 'Data Source=').replace('Database=', 'Initial Catalog=').replace('User Id=', 'UID='),
  ])('connection strings %#', async (spell) => {
    const pool = await new sql.ConnectionPool(spell(db.connectionString)).connect();
    expect((await pool.request().query('SELECT DB_NAME() AS name')).recordset).toEqual([{ name: db.name }]);
    await pool.close();
  });

  test('requests wait for a connection of the pool; the driver does not reset it between them', async () => {
    const pool = await db.session();
    const results = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => (await pool.request().query(`SELECT ${n} AS n`)).recordset),
    );
    expect(results).toEqual(Array.from({ length: 20 }, (_, n) => [{ n }]));
    await pool.request().batch('CREATE TABLE #left (n int); SET ROWCOUNT 1');
    expect((await pool.request().query('SELECT n FROM dbo.numbers')).recordset).toHaveLength(1);
    expect(await numbersOf(pool.request().query('SELECT n FROM #left'))).toEqual([]);
  });
});
