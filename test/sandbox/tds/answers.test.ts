/** What comes back for batches, calls and transactions, through the real driver. */
import mssql from 'mssql';
import { expect, test } from 'vitest';
import { SqlError } from '../../../src/sandbox/session.ts';
import type { ResultColumn, SqlValue } from '../../../src/sandbox/sql-types.ts';
import { DEFAULT_COLLATION } from '../../../src/sandbox/sql-types.ts';
import { answerRows, sqlMessage, until } from './toy-backend.ts';
import { toyServer } from './support.ts';

const INT: ResultColumn = { name: 'n', type: { name: 'int' }, nullable: false };

async function failure(work: Promise<unknown>): Promise<mssql.RequestError> {
  try {
    await work;
  } catch (error) {
    return error as mssql.RequestError;
  }
  throw new Error('it did not fail');
}

test('a batch of several statements: result sets, counts and messages in their order', async () => {
  await using toy = await toyServer();
  toy.backend.on('many', async (ask) => {
    await answerRows(ask, [INT], [[1], [2]]);
    ask.sink.done({ rowCount: 3, select: false, error: false, inTransaction: false });
    ask.sink.message(sqlMessage(0, 'printed', { class: 0, line: 3 }));
    await answerRows(
      ask,
      [
        { ...INT, name: '' },
        { ...INT, identity: true },
      ],
      [],
    );
    ask.sink.done({ rowCount: null, select: false, error: false, inTransaction: false });
    ask.sink.message(sqlMessage(50_000, 'raised', { class: 10, procedure: 'p' }));
  });
  const pool = await toy.connect();
  const request = pool.request();
  const infos: unknown[] = [];
  request.on('info', (info: object) => infos.push(info));
  const result = await request.batch('many');
  expect(result.recordsets).toEqual([[{ n: 1 }, { n: 2 }], []]);
  expect(result.rowsAffected).toEqual([2, 3, 0]);
  expect(infos).toMatchObject([
    { message: 'printed', number: 0, lineNumber: 3, serverName: 'toy' },
    { message: 'raised', number: 50_000, procName: 'p' },
  ]);
  const columns = (result.recordsets as mssql.IRecordSet<unknown>[])[1]?.columns;
  expect(columns?.['n']).toMatchObject({ nullable: false, identity: true });
});

test.each(['query', 'batch'] as const)(
  'an error of a statement reaches the driver with number, state, class, line and procedure (%s)',
  async (how) => {
    await using toy = await toyServer();
    toy.backend.on('bad', ({ sink }) => {
      sink.message(sqlMessage(2627, 'Violation of PRIMARY KEY constraint.', { state: 2, class: 14, line: 7, procedure: 'trigger' }));
      sink.done({ rowCount: null, select: false, error: true, inTransaction: false });
      sink.message(sqlMessage(3621, 'The statement has been terminated.', { class: 0 }));
    });
    const pool = await toy.connect();
    const error = await failure(pool.request()[how]('bad'));
    expect(error).toMatchObject({ number: 2627, state: 2, class: 14, lineNumber: 7, procName: 'trigger', code: 'EREQUEST' });
    await expect(pool.request()[how]('fine')).resolves.toMatchObject({ recordsets: [], output: {} });
  },
);

test('an error in the middle of rows keeps the connection', async () => {
  await using toy = await toyServer();
  toy.backend.on('half', async ({ sink }) => {
    sink.columns([INT]);
    await sink.row([1]);
    sink.message(sqlMessage(8134, 'Divide by zero error encountered.'));
    sink.done({ rowCount: 1, select: true, error: true, inTransaction: false });
  });
  const pool = await toy.connect();
  expect(await failure(pool.request().batch('half'))).toMatchObject({ number: 8134 });
  await pool.request().batch('fine');
});

test('an error that a backend throws is an error of the request', async () => {
  await using toy = await toyServer();
  toy.backend.on('throws', () => {
    throw new SqlError(102, "Incorrect syntax near 'x'.", { class: 15, line: 2 });
  });
  const pool = await toy.connect();
  expect(await failure(pool.request().batch('throws'))).toMatchObject({ number: 102, lineNumber: 2 });
  expect(await failure(pool.request().query('throws'))).toMatchObject({ number: 102, lineNumber: 2 });
});

test('an exception that is no SQL error is told, reported and ends the connection', async () => {
  await using toy = await toyServer();
  toy.backend.on('bug', () => {
    throw new TypeError('of the backend');
  });
  const pool = await toy.connect();
  expect(await failure(pool.request().batch('bug'))).toMatchObject({ number: 3624, message: expect.stringContaining('of the backend') });
  expect(toy.internalErrors).toMatchObject([{ message: 'of the backend' }]);
  await until(() => toy.backend.sessions.every((session) => session.closed));
  await (await toy.connect()).request().batch('fine');
});

test('a value that its column cannot hold spoils no byte of the answer before it', async () => {
  await using toy = await toyServer();
  toy.backend.on('wrong', (ask) =>
    answerRows(
      ask,
      [INT, INT],
      [
        [1, 2],
        [3, 4n],
      ],
    ),
  );
  const pool = await toy.connect();
  const request = pool.request();
  const rows: unknown[] = [];
  request.stream = true;
  request.on('row', (row) => rows.push(row));
  const error = new Promise<unknown>((resolve) => request.once('error', resolve));
  void request.batch('wrong').catch(() => undefined);
  expect(await error).toMatchObject({ number: 3624 });
  expect(rows).toHaveLength(1);
  expect(toy.internalErrors).toHaveLength(1);
});

test('a change of database in a batch reaches the client', async () => {
  await using toy = await toyServer();
  toy.backend.on('use other', ({ sink, session }) => {
    session.database = 'other';
    sink.environment({ kind: 'database', from: 'shop', to: 'other' });
    sink.done({ rowCount: null, select: false, error: false, inTransaction: false });
  });
  const pool = await toy.connect();
  await pool.request().batch('use other');
  expect(toy.listener.connections()[0]?.database).toBe('other');
});

test('a procedure of the backend: result sets, output parameters, return status, parameters left to their default', async () => {
  await using toy = await toyServer();
  toy.backend.on('exec dbo.fill', async (ask) => {
    await answerRows(ask, [INT], [[5]]);
    expect(ask.parameters.map((parameter) => parameter.name)).toEqual(['@in', '@out']);
    return new Map<string, SqlValue>([['@out', 'done']]);
  });
  const pool = await toy.connect();
  const result = await pool.request().input('in', mssql.Int, 1).output('out', mssql.NVarChar(20)).execute('dbo.fill');
  expect(result.recordset).toEqual([{ n: 5 }]);
  expect(result.output).toEqual({ out: 'done' });
  expect(result.returnValue).toBe(7);
});

test('an unknown procedure is error 2812, a cursor is refused by name', async () => {
  await using toy = await toyServer();
  const pool = await toy.connect();
  expect(await failure(pool.request().execute('nowhere'))).toMatchObject({ number: 2812 });
  expect(await failure(pool.request().execute('sp_cursoropen'))).toMatchObject({
    number: 50_001,
    message: expect.stringContaining('sp_cursoropen'),
  });
});

test('prepared statements: prepare, execute twice, unprepare', async () => {
  await using toy = await toyServer();
  toy.backend.on('twice @n', async (ask) => {
    await answerRows(ask, [INT], [[(ask.parameters[0]?.value as number) * 2]]);
    return new Map<string, SqlValue>([['@out', `Ω${ask.parameters[0]?.value as number}`]]);
  });
  const pool = await toy.connect();
  const statement = new mssql.PreparedStatement(pool);
  statement.input('n', mssql.Int);
  statement.output('out', mssql.NVarChar(10));
  await statement.prepare('twice @n');
  for (const n of [4, 21]) {
    const result = await statement.execute({ n });
    expect(result.recordset).toEqual([{ n: n * 2 }]);
    expect(result.output).toEqual({ out: `Ω${n}` });
  }
  await statement.unprepare();
  expect(toy.backend.last.log.filter((line) => line.includes('twice'))).toEqual(['execute twice @n', 'execute twice @n']);
});

test('a value is brought to its declared type', async () => {
  await using toy = await toyServer();
  let seen: unknown;
  toy.backend.on('declared', ({ parameters, sink }) => {
    seen = parameters.map(({ type, value }) => [type.name, value]);
    sink.done({ rowCount: null, select: false, error: false, inTransaction: false });
  });
  const pool = await toy.connect();
  const request = pool.request();
  request.input('statement', mssql.NVarChar, 'declared');
  request.input(
    'params',
    mssql.NVarChar,
    '@a bigint, @b nvarchar(3), @c decimal(9,1) = 4.2, @d [varbinary](2), @e char (4) output, @f money',
  );
  request.input('a', mssql.Int, 7).input('B', mssql.NVarChar, 'four').input('c', mssql.Decimal(9, 3), -1.25);
  request
    .input('d', mssql.VarBinary, Buffer.of(1, 2, 3))
    .input('e', mssql.VarChar, 'x')
    .input('f', mssql.Money, 2);
  await request.execute('sp_executesql');
  expect(seen).toEqual([
    ['bigint', 7n],
    ['nvarchar', 'fou'],
    ['decimal', -13n],
    ['varbinary', Buffer.of(1, 2)],
    ['char', 'x   '],
    ['money', 20_000n],
  ]);
});

test.each([
  [8178, '@a int, @b int', ['a']],
  [8145, '@a int', ['a', 'b']],
])('error %i for parameters that do not fit their declaration', async (number, declared, names) => {
  await using toy = await toyServer();
  const pool = await toy.connect();
  const request = pool.request().input('statement', mssql.NVarChar, 'x').input('params', mssql.NVarChar, declared);
  for (const name of names) {
    request.input(name, mssql.Int, 1);
  }
  expect(await failure(request.execute('sp_executesql'))).toMatchObject({ number });
});

test.each([
  [mssql.ISOLATION_LEVEL.READ_UNCOMMITTED, 'read uncommitted'],
  [mssql.ISOLATION_LEVEL.READ_COMMITTED, 'read committed'],
  [mssql.ISOLATION_LEVEL.REPEATABLE_READ, 'repeatable read'],
  [mssql.ISOLATION_LEVEL.SERIALIZABLE, 'serializable'],
  [mssql.ISOLATION_LEVEL.SNAPSHOT, 'snapshot'],
])('a transaction at isolation level %i begins and commits, another rolls back', async (level, name) => {
  await using toy = await toyServer();
  const pool = await toy.connect();
  const transaction = new mssql.Transaction(pool);
  await transaction.begin(level);
  expect(toy.backend.last.transactionId).not.toBe(0n);
  await new mssql.Request(transaction).query('inside');
  await transaction.commit();
  expect(toy.backend.last.transactionId).toBe(0n);
  const second = new mssql.Transaction(pool);
  await second.begin(level);
  await second.rollback();
  expect(toy.backend.last.log.filter((line) => /^(begin|commit|rollback)/u.test(line))).toEqual([
    `begin ${name}`,
    'commit',
    `begin ${name}`,
    'rollback',
  ]);
});

test('a transaction that the server has ended cannot be rolled back: 3903', async () => {
  await using toy = await toyServer();
  toy.backend.on('conflict', ({ sink, session }) => {
    sink.message(sqlMessage(3960, 'Snapshot isolation transaction aborted due to update conflict.'));
    const { transactionId } = session;
    void session.rollback('');
    sink.environment({ kind: 'rollback', transactionId });
    sink.done({ rowCount: null, select: false, error: true, inTransaction: false });
  });
  const pool = await toy.connect();
  const transaction = new mssql.Transaction(pool);
  await transaction.begin();
  let rolledBack = false;
  transaction.on('rollback', () => (rolledBack = true));
  expect(await failure(new mssql.Request(transaction).query('conflict'))).toMatchObject({ number: 3960 });
  expect(rolledBack).toBe(true);
  await failure(transaction.rollback());
  await pool.request().batch('fine');
});

test('a connection that goes back to its pool is reset before it is used again', async () => {
  await using toy = await toyServer();
  const { Connection, Request } = await import('tedious');
  const connection = new Connection({
    server: '127.0.0.1',
    authentication: { type: 'default', options: { userName: 'sa', password: 'Tøp sécret €' } },
    options: { port: toy.listener.port, encrypt: false, database: 'shop' },
  });
  await new Promise<void>((resolve, reject) => connection.connect((error) => (error === undefined ? resolve() : reject(error))));
  await new Promise<void>((resolve, reject) => connection.beginTransaction((error) => (error ? reject(error) : resolve())));
  const reset = new Promise<void>((resolve) => connection.once('resetConnection', () => resolve()));
  await new Promise<void>((resolve, reject) => connection.reset((error) => (error ? reject(error) : resolve())));
  await reset;
  expect(toy.backend.last.log).toContain('reset');
  expect(toy.backend.last.transactionId).toBe(0n);
  await new Promise<void>((resolve, reject) => {
    connection.execSqlBatch(new Request('fine', (error) => (error ? reject(error) : resolve())));
  });
  connection.close();
});

test('several sessions at once, each with its own requests', async () => {
  await using toy = await toyServer();
  const gates: (() => void)[] = [];
  toy.backend.on('wait', async (ask) => {
    await new Promise<void>((resolve) => gates.push(resolve));
    await answerRows(ask, [INT], [[ask.session.id]]);
  });
  const pool = await toy.connect({ pool: { max: 4, min: 0 } });
  const running = Array.from({ length: 4 }, () => pool.request().batch<{ n: number }>('wait'));
  await expect.poll(() => gates.length).toBe(4);
  for (const open of gates) {
    open();
  }
  const ids = (await Promise.all(running)).map((result) => result.recordset[0]?.n);
  expect(new Set(ids).size).toBe(4);
});

test('100,000 rows stream with pause and resume, and the server waits for a client that does not read', async () => {
  await using toy = await toyServer();
  let sent = 0;
  const text = 'x'.repeat(100);
  const columns: ResultColumn[] = [
    INT,
    { name: 't', type: { name: 'nvarchar', length: 100, collation: DEFAULT_COLLATION }, nullable: true },
  ];
  toy.backend.on('much', (ask) =>
    answerRows(
      ask,
      columns,
      (function* () {
        for (sent = 0; sent < 100_000; sent++) {
          yield [sent, sent % 3 === 0 ? null : text];
        }
      })(),
    ),
  );
  const pool = await toy.connect();
  const request = pool.request();
  request.stream = true;
  let count = 0;
  let sum = 0;
  let sentWhilePaused = 0;
  const done = new Promise<void>((resolve, reject) => {
    request.on('row', (row: { n: number }) => {
      count++;
      sum += row.n;
      if (count === 1000) {
        request.pause();
        // The server stands still once everything on the way is full.
        let before = -1;
        const watch = setInterval(() => {
          if (before === sent) {
            clearInterval(watch);
            sentWhilePaused = sent;
            request.resume();
          }
          before = sent;
        }, 100);
      }
    });
    request.on('error', reject);
    request.on('done', () => resolve());
  });
  void request.batch('much');
  await done;
  expect(count).toBe(100_000);
  expect(sum).toBe((100_000 * 99_999) / 2);
  expect(sentWhilePaused).toBeLessThan(100_000);
});
