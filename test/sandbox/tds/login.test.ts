/** Who gets in and how: logins, packet sizes, encryption, FreeTDS as a second client, and what the control of the server can do to clients. */
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import mssql from 'mssql';
import { expect, test } from 'vitest';
import { DEFAULT_COLLATION } from '../../../src/sandbox/sql-types.ts';
import type { ResultColumn } from '../../../src/sandbox/sql-types.ts';
import { answerRows, sqlMessage, until } from './toy-backend.ts';
import { PASSWORD, toyServer } from './support.ts';

const collation = DEFAULT_COLLATION;
const run = promisify(execFile);

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
}

test('the backend learns who connects: user, password, database, names, read-only intent', async () => {
  await using toy = await toyServer();
  await toy.connect({ options: { appName: 'Ωapp', readOnlyIntent: true } });
  expect(toy.backend.last.login).toMatchObject({ user: 'sa', password: PASSWORD, database: 'shop', appName: 'Ωapp', readOnlyIntent: true });
  expect(toy.backend.last.login.hostName).not.toBe('');
});

test.each([
  ['a wrong password', { password: 'wrong' }, 18_456],
  ['a database that does not exist', { database: 'nowhere' }, 4060],
])('%s is refused with ELOGIN', async (_, config, number) => {
  await using toy = await toyServer();
  const error = (await failure(toy.connect(config))) as { code: string; originalError: { message: string } };
  expect(error.code).toBe('ELOGIN');
  expect(number === 4060 ? error.originalError.message : error.originalError.message).toContain(
    number === 4060 ? 'Cannot open database' : 'Login failed',
  );
  await until(() => toy.listener.connections().length === 0);
});

test.each([512, 4096, 16_384, 32_767])('packets of %i bytes carry long requests and long answers', async (packetSize) => {
  await using toy = await toyServer();
  const text = 'Ωabc'.repeat(30_000);
  toy.backend.on('echo', (ask) =>
    answerRows(
      ask,
      [{ name: 't', type: { name: 'nvarchar', length: 'max', collation }, nullable: true }],
      [[ask.parameters[0]?.value ?? null], ['end']],
    ),
  );
  const pool = await toy.connect({ options: { packetSize } as mssql.config['options'] & object });
  const { recordset } = await pool.request().input('t', mssql.NVarChar(mssql.MAX), text).query('echo');
  expect(recordset).toEqual([{ t: text }, { t: 'end' }]);
});

test('an answer that fills its packets exactly still ends', async () => {
  await using toy = await toyServer();
  const pool = await toy.connect({ options: { packetSize: 512 } as mssql.config['options'] & object });
  for (let length = 400; length < 520; length++) {
    toy.backend.on('fill', (ask) =>
      answerRows(ask, [{ name: 'b', type: { name: 'varbinary', length: 8000 }, nullable: true }], [[Buffer.alloc(length, 1)]]),
    );
    const { recordset } = await pool.request().batch<{ b: Buffer }>('fill');
    expect(recordset[0]?.b).toHaveLength(length);
  }
});

/** FreeTDS prints what it reads exactly: decimals with every digit, times with seven. */
async function tsql(port: number, sql: string, password = PASSWORD): Promise<string> {
  const script = `${sql}\ngo\nexit\n`;
  const client = run('tsql', ['-H', '127.0.0.1', '-p', String(port), '-U', 'sa', '-P', password], {
    env: { ...process.env, TDSVER: '7.4', LC_ALL: 'C.UTF-8' },
    encoding: 'utf8',
  });
  client.child.stdin?.end(script);
  const { stdout, stderr } = await client.catch((error: { stdout: string; stderr: string }) => error);
  return `${stdout}\n${stderr}`;
}

test('FreeTDS connects, and reads decimals and times to the last digit', async () => {
  await using toy = await toyServer();
  const columns: ResultColumn[] = [
    { name: 'd', type: { name: 'decimal', precision: 38, scale: 10 }, nullable: true },
    { name: 'm', type: { name: 'money' }, nullable: true },
    { name: 'b', type: { name: 'bigint' }, nullable: true },
    { name: 't', type: { name: 'nvarchar', length: 'max', collation }, nullable: true },
    { name: 'c', type: { name: 'varchar', length: 10, collation }, nullable: true },
    { name: 'g', type: { name: 'uniqueidentifier' }, nullable: true },
    { name: 'x', type: { name: 'text', collation }, nullable: true },
  ];
  toy.backend.on('select everything', async (ask) => {
    await answerRows(ask, columns, [
      [
        -12_345_678_901_234_567_890_123_456_789_012_345_678n,
        -(2n ** 63n),
        2n ** 63n - 1n,
        'Ω😀',
        'é€',
        '01234567-89AB-CDEF-FEDC-BA9876543210',
        'old',
      ],
      [null, null, null, null, null, null, null],
    ]);
    ask.sink.message(sqlMessage(208, "Invalid object name 'x'.", { line: 4 }));
    ask.sink.done({ rowCount: null, select: false, error: true, inTransaction: false });
  });
  const output = await tsql(toy.listener.port, 'select everything');
  expect(output).toContain(
    [
      '-1234567890123456789012345678.9012345678',
      '-922337203685477.5808',
      '9223372036854775807',
      'Ω😀',
      'é€',
      '01234567-89AB-CDEF-FEDC-BA9876543210',
      'old',
    ].join('\t'),
  );
  expect(output).toContain(Array.from({ length: 7 }, () => 'NULL').join('\t'));
  expect(output).toMatch(/Msg 208 \(severity 16, state 1\) from toy Line 4:\s+"Invalid object name 'x'\."/u);
});

test('FreeTDS is told why its login fails', async () => {
  await using toy = await toyServer();
  expect(await tsql(toy.listener.port, 'x', 'wrong')).toMatch(/Msg 18456/u);
});

test('control: clients are listed, and cut all or by a filter; their sessions are closed', async () => {
  await using toy = await toyServer();
  const one = await toy.connect({ options: { appName: 'one' } });
  const two = await toy.connect({ options: { appName: 'two' } });
  await one.request().batch('fine');
  await two.request().batch('fine');
  await until(() => toy.listener.connections().length === 2);
  expect(
    toy.listener
      .connections()
      .map((client) => client.appName)
      .toSorted(),
  ).toEqual(['one', 'two']);
  expect(toy.listener.cutConnections((client) => client.appName === 'one')).toBe(1);
  await until(() => toy.listener.connections().length === 1);
  expect(toy.backend.sessions.filter((session) => !session.closed).map((session) => session.login.appName)).toEqual(['two']);
  expect(toy.listener.cutConnections()).toBe(1);
  await until(() => toy.backend.sessions.every((session) => session.closed));
});

test('control: a connection that is cut aborts its request before its session is closed', async () => {
  await using toy = await toyServer();
  const order: string[] = [];
  toy.backend.on('wait', async ({ signal, session }) => {
    order.push('running');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    order.push(session.closed ? 'aborted when closed' : 'aborted');
  });
  const pool = await toy.connect();
  const answer = failure(pool.request().batch('wait'));
  await until(() => order.length === 1);
  toy.listener.cutConnections();
  expect(await answer).toMatchObject({ code: expect.stringMatching(/ESOCKET|ECONNCLOSED|ECONNRESET/u) });
  await until(() => toy.backend.sessions.every((session) => session.closed));
  expect(order).toEqual(['running', 'aborted']);
});

test('control: an answer can be held back after its request was executed, and a cut then loses only the answer', async () => {
  const held: (() => void)[] = [];
  let hold = false;
  await using toy = await toyServer({
    beforeAnswer: () => (hold ? new Promise<void>((resolve) => held.push(resolve)) : Promise.resolve()),
  });
  const pool = await toy.connect();
  await pool.request().batch('fine');
  hold = true;
  const slow = pool.request().batch('slow');
  await until(() => held.length === 1);
  expect(toy.backend.last.log.at(-1)).toBe('batch slow');
  held[0]?.();
  await slow;
  const lost = failure(pool.request().batch('lost'));
  await until(() => held.length > 1);
  hold = false;
  toy.listener.cutConnections();
  expect(await lost).toBeInstanceOf(Error);
  expect(toy.backend.sessions.flatMap((session) => session.log)).toContain('batch lost');
});

test('a held answer can be cancelled', async () => {
  let hold = false;
  let holding = false;
  await using toy = await toyServer({
    beforeAnswer: () => {
      holding = hold;
      return hold ? new Promise<void>(() => undefined) : Promise.resolve();
    },
  });
  const pool = await toy.connect();
  await pool.request().batch('fine');
  hold = true;
  const request = pool.request();
  const answer = failure(request.batch('slow'));
  await until(() => holding);
  hold = false;
  request.cancel();
  expect(await answer).toMatchObject({ code: 'ECANCEL' });
  await pool.request().batch('fine');
});

test('who connects and says nothing is cut after the login time', async () => {
  await using toy = await toyServer({ loginTimeoutMs: 50 });
  const socket = connect(toy.listener.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
});

test('a port that is taken is an error, and close frees it', async () => {
  const toy = await toyServer();
  const { port } = toy.listener;
  await expect(toyServer({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await toy[Symbol.asyncDispose]();
  await using again = await toyServer({ port });
  expect(again.listener.port).toBe(port);
});
