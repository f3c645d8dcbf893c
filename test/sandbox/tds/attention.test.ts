/** Cancelling: while a request waits, in the middle of rows, after its end. The connection stays usable in every case. */
import mssql from 'mssql';
import { Connection, Request } from 'tedious';
import { expect, test } from 'vitest';
import type { ResultColumn } from '../../../src/sandbox/sql-types.ts';
import { answerRows, until } from './toy-backend.ts';
import type { Toy } from './support.ts';
import { PASSWORD, toyServer } from './support.ts';

const INT: ResultColumn = { name: 'n', type: { name: 'int' }, nullable: false };

function waitForAbort(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}

function* endless(): Generator<[number]> {
  for (let n = 0; ; n = (n + 1) % 1_000_000) {
    yield [n];
  }
}

/** One connection of the driver underneath, where no pool can hide a lost connection behind a new one. */
async function connection(toy: Toy): Promise<Connection> {
  const opened = new Connection({
    server: '127.0.0.1',
    authentication: { type: 'default', options: { userName: 'sa', password: PASSWORD } },
    options: { port: toy.listener.port, encrypt: false, cancelTimeout: 20_000, requestTimeout: 0 },
  });
  await new Promise<void>((resolve, reject) => opened.connect((error) => (error === undefined ? resolve() : reject(error))));
  return opened;
}

interface Run {
  readonly request: Request;
  readonly ended: Promise<Error | null | undefined>;
  readonly rows: () => number;
}

function run(on: Connection, sql: string): Run {
  let rows = 0;
  let request!: Request;
  const ended = new Promise<Error | null | undefined>((resolve) => {
    request = new Request(sql, (error) => resolve(error));
    request.on('row', () => rows++);
    on.execSqlBatch(request);
  });
  return { request, ended, rows: () => rows };
}

async function expectUsable(toy: Toy, on: Connection): Promise<void> {
  toy.backend.on('one', (ask) => answerRows(ask, [INT], [[1]]));
  const { ended, rows } = run(on, 'one');
  expect(await ended).toBeFalsy();
  expect(rows()).toBe(1);
  expect(toy.backend.sessions).toHaveLength(1);
}

test('a request that waits is cancelled, and the backend is told', async () => {
  await using toy = await toyServer();
  let reached = false;
  toy.backend.on('wait', ({ signal }) => {
    reached = true;
    return waitForAbort(signal);
  });
  const on = await connection(toy);
  const { request, ended } = run(on, 'wait');
  await until(() => reached);
  request.cancel();
  expect(await ended).toMatchObject({ code: 'ECANCEL' });
  await expectUsable(toy, on);
  on.close();
});

test('a stream of rows without end is cancelled in the middle', async () => {
  await using toy = await toyServer();
  toy.backend.on('endless', (ask) => answerRows(ask, [INT], endless()));
  const on = await connection(toy);
  const { request, ended, rows } = run(on, 'endless');
  await until(() => rows() > 5000);
  request.cancel();
  expect(await ended).toMatchObject({ code: 'ECANCEL' });
  await expectUsable(toy, on);
  on.close();
});

test('a client that has stopped reading can still cancel', async () => {
  await using toy = await toyServer();
  toy.backend.on('endless', (ask) => answerRows(ask, [INT], endless()));
  const on = await connection(toy);
  const { request, ended, rows } = run(on, 'endless');
  await until(() => rows() > 100);
  request.pause();
  request.cancel();
  expect(await ended).toMatchObject({ code: 'ECANCEL' });
  await expectUsable(toy, on);
  on.close();
});

test('a cancel that crosses the end of the answer is acknowledged too', async () => {
  await using toy = await toyServer();
  let finish = (): void => undefined;
  toy.backend.on('finishes', async (ask) => {
    await new Promise<void>((resolve) => (finish = resolve));
    await answerRows(ask, [INT], [[1]]);
  });
  const on = await connection(toy);
  for (let i = 0; i < 20; i++) {
    const { request, ended } = run(on, 'finishes');
    finish = () => undefined;
    await until(() => toy.backend.last.log.filter((line) => line === 'batch finishes').length === i + 1);
    finish();
    request.cancel();
    expect(await ended).toMatchObject({ code: 'ECANCEL' });
  }
  await expectUsable(toy, on);
  on.close();
});

test('a backend that ends normally although it was cancelled does no harm', async () => {
  await using toy = await toyServer();
  let reached = false;
  toy.backend.on('deaf', async (ask) => {
    reached = true;
    await new Promise<void>((resolve) => ask.signal.addEventListener('abort', () => resolve(), { once: true }));
    ask.sink.columns([INT]);
    await ask.sink.row([1]);
    ask.sink.done({ rowCount: 1, select: true, error: false, inTransaction: false });
  });
  const on = await connection(toy);
  const { request, ended, rows } = run(on, 'deaf');
  await until(() => reached);
  request.cancel();
  expect(await ended).toMatchObject({ code: 'ECANCEL' });
  expect(rows()).toBe(0);
  await expectUsable(toy, on);
  on.close();
});

test('a procedure call is cancelled like a batch', async () => {
  await using toy = await toyServer();
  let reached = false;
  toy.backend.on('wait', ({ signal }) => {
    reached = true;
    return waitForAbort(signal);
  });
  const pool = await toy.connect();
  const request = pool.request().input('n', mssql.Int, 1);
  const answer = request.query('wait').catch((error: unknown) => error);
  await until(() => reached);
  request.cancel();
  expect(await answer).toMatchObject({ code: 'ECANCEL' });
  await pool.request().batch('fine');
});

test('requestTimeout gives ETIMEOUT and keeps the connection', async () => {
  await using toy = await toyServer();
  toy.backend.on('wait', ({ signal }) => waitForAbort(signal));
  const pool = await toy.connect({ requestTimeout: 100 });
  const sessions = toy.backend.sessions.length;
  const error: unknown = await pool
    .request()
    .batch('wait')
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'ETIMEOUT' });
  await pool.request().batch('fine');
  expect(toy.backend.sessions.length - sessions).toBe(1);
});

test('a transaction stays open over a cancelled request', async () => {
  await using toy = await toyServer();
  let reached = false;
  toy.backend.on('wait', ({ signal }) => {
    reached = true;
    return waitForAbort(signal);
  });
  const pool = await toy.connect();
  const transaction = new mssql.Transaction(pool);
  await transaction.begin();
  const request = new mssql.Request(transaction);
  const answer = request.batch('wait').catch((error: unknown) => error);
  await until(() => reached);
  request.cancel();
  expect(await answer).toMatchObject({ code: 'ECANCEL' });
  await new mssql.Request(transaction).batch('fine');
  await transaction.commit();
  expect(toy.backend.last.log).toContain('commit');
});

test('a big parameter that is cancelled while it is being sent is never executed', async () => {
  await using toy = await toyServer();
  const on = await connection(toy);
  const { TYPES } = await import('tedious');
  const ended = new Promise<Error | null | undefined>((resolve) => {
    const request = new Request('big', (error) => resolve(error));
    request.addParameter('p', TYPES.NVarChar, 'x'.repeat(3_000_000), { length: Infinity });
    on.execSql(request);
    request.cancel();
  });
  expect(await ended).toMatchObject({ code: 'ECANCEL' });
  expect(toy.backend.last.log).not.toContain('execute big');
  await expectUsable(toy, on);
  on.close();
});
