/** Sessions of the sandbox over the wire: how they begin, what a reset leaves of them, what is refused, and fifty of them at once. */
import mssql from 'mssql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../src/sandbox/server.ts';
import type { Sandbox } from '../../../src/sandbox/server.ts';
import { PACKET, STATUS } from '../../../src/sandbox/tds/protocol.ts';
import { batch, call, login, packet, rawClient } from './raw-client.ts';
import type { LoginFields, RawClient } from './raw-client.ts';

let sandbox: Sandbox;
let pool: mssql.ConnectionPool;
const internalErrors: unknown[] = [];
const PASSWORD = 'Pw1!sessions';

beforeAll(async () => {
  sandbox = await startSandbox({ password: PASSWORD, database: 'shop', onInternalError: (error) => internalErrors.push(error) });
  pool = await new mssql.ConnectionPool({
    server: '127.0.0.1',
    port: sandbox.port,
    user: 'sa',
    password: PASSWORD,
    database: 'shop',
    pool: { max: 50, min: 0 },
    options: { encrypt: false, appName: 'pool' },
  }).connect();
});

afterAll(async () => {
  await pool.close();
  await sandbox.close();
});

/** Writes a message and returns the answer to it. */
async function ask(client: RawClient, message: Buffer): Promise<Buffer> {
  const before = client.messages().length;
  client.socket.write(message);
  await client.until(() => client.messages().length > before);
  return client.messages()[before] ?? Buffer.alloc(0);
}

async function loggedIn(fields: LoginFields = {}): Promise<RawClient> {
  const client = rawClient(sandbox.port);
  await ask(client, login({ password: PASSWORD, database: 'shop', ...fields }));
  return client;
}

/** Characters of an answer, whichever encoding they stand in. */
function textOf(answer: Buffer): string {
  return answer.toString('latin1').replaceAll('\0', '');
}

/** Numbers of the ERROR tokens at the beginning of an answer. */
function errorsOf(answer: Buffer): number[] {
  const numbers: number[] = [];
  for (let at = 0; answer.readUInt8(at) === 0xaa; at += 3 + answer.readUInt16LE(at + 1)) {
    numbers.push(answer.readInt32LE(at + 3));
  }
  return numbers;
}

/** The same packet with other bits in its status. */
function withStatus(message: Buffer, status: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt8(status, 1);
  return copy;
}

describe('logins', () => {
  test('a database that is not there: 4060 and then 18456, and the connection ends', async () => {
    using client = rawClient(sandbox.port);
    const answer = await ask(client, login({ password: PASSWORD, database: 'nowhere' }));
    expect(errorsOf(answer)).toEqual([4060, 18_456]);
    await client.closed;
  });

  test('a wrong password: 18456', async () => {
    using client = rawClient(sandbox.port);
    expect(errorsOf(await ask(client, login({ password: 'wrong' })))).toEqual([18_456]);
    await client.closed;
  });

  test.each<readonly [string, LoginFields, string]>([
    ['another language', { language: 'Deutsch' }, 'the language Deutsch'],
    ['a new password', { flags3: 0x01 }, 'changing the password at login'],
    ['a user instance', { flags3: 0x02 }, 'user instances'],
    ['a database file', { attach: 'c:\\x.mdf' }, 'attaching a database file'],
    [
      'federated authentication',
      {
        features: [
          [0x0a, Buffer.of(1)],
          [0x02, Buffer.of(1, 2, 3)],
        ],
      },
      'federated authentication',
    ],
    ['another byte order', { flags1: 0x01 }, 'clients that are not little-endian'],
  ])('%s is refused by name', async (_, fields, words) => {
    using client = rawClient(sandbox.port);
    const answer = await ask(client, login({ password: PASSWORD, ...fields }));
    expect(errorsOf(answer)).toEqual([50_001]);
    expect(textOf(answer)).toContain(words);
    await client.closed;
  });

  test.each<readonly [string, LoginFields]>([
    ['the language that it speaks', { language: 'us_english' }],
    [
      'features that a server may not know',
      {
        features: [
          [0x01, Buffer.alloc(0)],
          [0x0a, Buffer.of(1)],
          [0x04, Buffer.of(1)],
        ],
      },
    ],
  ])('%s is no obstacle', async (_, fields) => {
    using client = await loggedIn(fields);
    expect(client.messages()).toHaveLength(1);
    expect(errorsOf(await ask(client, batch('SELECT 1')))).toEqual([]);
  });

  test.each([
    [1, 512],
    [512, 512],
    [8192, 8192],
    [60_000, 32_767],
    [0, 4096],
  ])('a packet size of %i becomes %i, and no packet is larger', async (packetSize, wanted) => {
    using client = rawClient(sandbox.port);
    const sizes: number[] = [];
    let bytes = Buffer.alloc(0);
    client.socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (; bytes.length >= 8 && bytes.length >= bytes.readUInt16BE(2); bytes = bytes.subarray(bytes.readUInt16BE(2))) {
        sizes.push(bytes.readUInt16BE(2));
      }
    });
    await ask(client, login({ password: PASSWORD, packetSize }));
    await ask(client, batch("SELECT REPLICATE(CAST('x' AS varchar(max)), 100000)"));
    expect(Math.max(...sizes)).toBe(wanted);
  });

  test('Windows logins are refused with 18452, as to a client from another domain', async () => {
    const error: unknown = await new mssql.ConnectionPool({
      server: '127.0.0.1',
      port: sandbox.port,
      authentication: { type: 'ntlm', options: { domain: 'D', userName: 'u', password: 'p' } },
      options: { encrypt: false },
    } as mssql.config)
      .connect()
      .catch((reason: unknown) => reason);
    expect(String(error)).toContain('untrusted domain');
  });
});

describe('a reset', () => {
  test('goes back to the database of the login, ends the transaction and forgets temp tables', async () => {
    using client = await loggedIn();
    await ask(client, batch('CREATE TABLE #gone (i int); BEGIN TRAN; USE master'));
    const answer = await ask(
      client,
      withStatus(
        batch("SELECT DB_NAME() + CAST(@@TRANCOUNT AS nvarchar(9)) + ISNULL(CAST(OBJECT_ID('tempdb..#gone') AS nvarchar(9)), N'-')"),
        STATUS.endOfMessage | STATUS.resetConnection,
      ),
    );
    expect(textOf(answer)).toContain('shop0-');
  });

  test('that keeps the transaction keeps it', async () => {
    using client = await loggedIn();
    await ask(client, batch('CREATE TABLE #gone (i int); BEGIN TRAN'));
    const answer = await ask(
      client,
      withStatus(
        batch("SELECT DB_NAME() + CAST(@@TRANCOUNT AS nvarchar(9)) + ISNULL(CAST(OBJECT_ID('tempdb..#gone') AS nvarchar(9)), N'-')"),
        STATUS.endOfMessage | STATUS.resetKeepTransaction,
      ),
    );
    expect(textOf(answer)).toContain('shop1-');
  });

  test('inside EXECUTE AS is error 18059, and the connection ends', async () => {
    using client = await loggedIn();
    await ask(client, batch("CREATE USER visitor WITHOUT LOGIN; EXECUTE AS USER = 'visitor'"));
    const answer = await ask(client, withStatus(batch('SELECT 1'), STATUS.endOfMessage | STATUS.resetConnection));
    expect(errorsOf(answer)).toEqual([18_059]);
    await client.closed;
  });
});

describe('requests', () => {
  const u16 = (value: number): Buffer => Buffer.of(value & 0xff, value >>> 8);
  const text = (value: string): Buffer =>
    Buffer.concat([Buffer.from([0, 0, 0xe7]), u16(8000), Buffer.alloc(5), u16(value.length * 2), Buffer.from(value, 'utf16le')]);
  const maxHead = (name: string): Buffer =>
    Buffer.concat([Buffer.of(name.length), Buffer.from(name, 'utf16le'), Buffer.from([0, 0xa5, 0xff, 0xff])]);
  const chunk = (size: number): Buffer => Buffer.concat([Buffer.of(size & 0xff, size >>> 8, 0, 0), Buffer.alloc(size, 0x61)]);

  test('a value of unknown length comes in chunks', async () => {
    using client = await loggedIn();
    const unknown = Buffer.concat([
      maxHead('@b'),
      Buffer.from([0xfe, ...Array.from({ length: 7 }, () => 0xff)]),
      chunk(1000),
      chunk(1),
      chunk(2000),
      Buffer.alloc(4),
    ]);
    const answer = await ask(
      client,
      call(
        'sp_executesql',
        Buffer.concat([text("SELECT N'bytes ' + CAST(DATALENGTH(@b) AS nvarchar(9))"), text('@b varbinary(max)'), unknown]),
      ),
    );
    expect(textOf(answer)).toContain('bytes 3001');
  });

  test.each<readonly [string, number]>([
    ['json', 0xf4],
    ['vector', 0xf5],
    ['CLR type', 0xf0],
    ['sql_variant', 0x62],
  ])('a parameter of the type %s is refused by name, and the connection goes on', async (name, id) => {
    using client = await loggedIn();
    expect(textOf(await ask(client, call('sp_executesql', Buffer.from([0, 0, id, 0, 0]))))).toContain(
      `${name} parameters are not supported`,
    );
    expect(errorsOf(await ask(client, batch('SELECT 1')))).toEqual([]);
  });

  // Severity 10 is told as 0. Source: learn.microsoft.com, "Database engine error severities".
  test('PRINT and RAISERROR of low severity are messages in their place between the results, with state and line', async () => {
    const seen: unknown[] = [];
    const request = pool.request();
    request.stream = true;
    request.on('info', (info: { message: string; number: number; state: number; class: number; lineNumber: number }) =>
      seen.push([info.message, info.number, info.class, info.state, info.lineNumber]),
    );
    request.on('row', (row: object) => seen.push(row));
    const done = new Promise((resolve) => request.once('done', resolve));
    void request.batch("PRINT 'one'\nSELECT 1 AS n\nRAISERROR('two %d', 5, 3, 7)\nSELECT 2 AS n\nRAISERROR('three', 10, 1) WITH NOWAIT");
    await done;
    expect(seen).toEqual([['one', 0, 0, 1, 1], { n: 1 }, ['two 7', 50_000, 5, 3, 3], { n: 2 }, ['three', 50_000, 0, 1, 5]]);
  });

  test.each<readonly [string, boolean, boolean]>([
    ['INNER', false, false],
    ['LEFT', false, true],
    ['RIGHT', true, false],
    ['FULL', true, true],
  ])('%s JOIN: whether the columns of its sides may be NULL', async (join, left, right) => {
    const { recordset } = await pool.request().batch(`SELECT * FROM (VALUES (1)) AS a(x) ${join} JOIN (VALUES (1), (2)) AS b(y) ON x = y`);
    const { columns } = recordset as mssql.IRecordSet<unknown>;
    expect([columns['x']?.nullable, columns['y']?.nullable]).toEqual([left, right]);
  });

  test('row counts: of reads and writes, none under NOCOUNT', async () => {
    const { rowsAffected } = await pool
      .request()
      .batch(
        'CREATE TABLE #n (i int); INSERT #n VALUES (1), (2), (3); UPDATE #n SET i = 0 WHERE i > 1; SET NOCOUNT ON; DELETE #n; SET NOCOUNT OFF; SELECT 1 AS a',
      );
    expect(rowsAffected).toEqual([3, 2, 1]);
  });

  test('an attention takes back a request that has not begun, which is answered first', async () => {
    using client = rawClient(sandbox.port);
    const attention = packet(PACKET.attention, Buffer.alloc(0));
    client.socket.write(Buffer.concat([login({ password: PASSWORD }), batch("WAITFOR DELAY '00:05'"), attention, batch('SELECT 1')]));
    await client.until(() => client.messages().length === 4);
    const status = (message: Buffer | undefined): number | undefined => message?.readUInt16LE(message.length - 12);
    expect(
      client
        .messages()
        .slice(1, 3)
        .map((message) => status(message)),
    ).toEqual([0x02, 0x20]);
    expect(errorsOf(client.messages()[3] ?? Buffer.alloc(0))).toEqual([]);
  });
});

test('fifty sessions at once: fifty open transactions, fifty streams whose rows come in turns', { timeout: 120_000 }, async () => {
  await pool.request().batch('CREATE TABLE dbo.Fifty (id int NOT NULL PRIMARY KEY, who int NOT NULL)');
  const sessions = Array.from({ length: 50 }, (_, i) => ({ id: i, transaction: new mssql.Transaction(pool) }));
  // Each step begins when all have ended the one before: so all fifty are inside their transactions together.
  const all = (step: (session: (typeof sessions)[number]) => Promise<unknown>): Promise<unknown[]> => Promise.all(sessions.map(step));
  await all(({ transaction }) => transaction.begin());
  await all(({ id, transaction }) =>
    new mssql.Request(transaction).input('id', mssql.Int, id).query('INSERT dbo.Fifty VALUES (@id, @@SPID)'),
  );
  expect(sandbox.connections().filter(({ appName }) => appName === 'pool')).toHaveLength(50);

  const order: number[] = [];
  const ROWS = 2000;
  const counts = await all(
    ({ id, transaction }) =>
      new Promise<number>((resolve, reject) => {
        const request = new mssql.Request(transaction);
        request.stream = true;
        let count = 0;
        request.on('row', () => {
          count++;
          order.push(id);
        });
        request.once('error', reject);
        request.once('done', () => resolve(count));
        void request.query(`WITH n AS (SELECT i FROM (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) AS v(i))
          SELECT TOP (${ROWS}) a.i, REPLICATE('x', 300) AS pad FROM n AS a CROSS JOIN n AS b CROSS JOIN n AS c CROSS JOIN n AS d`);
      }),
  );
  expect(counts).toEqual(sessions.map(() => ROWS));
  const turns = order.filter((id, i) => i > 0 && id !== order[i - 1]).length;
  expect(turns).toBeGreaterThan(200);

  await all(async ({ id, transaction }) => (id % 2 === 0 ? transaction.commit() : transaction.rollback()));
  const { recordset } = await pool.request().query<{ id: number; who: number }>('SELECT id, who FROM dbo.Fifty ORDER BY id');
  expect(recordset.map(({ id }) => id)).toEqual(Array.from({ length: 25 }, (_, i) => i * 2));
  expect(new Set(recordset.map(({ who }) => who)).size).toBe(25);
  expect(internalErrors).toEqual([]);
});
