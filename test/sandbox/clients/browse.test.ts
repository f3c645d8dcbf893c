/** SET NO_BROWSETABLE ON, byte for byte: where the columns of a result set come from. And how far a SET reaches. Always a sandbox. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlledServer, TestDatabase } from '../../support/sandbox.ts';
import { startControlled } from '../../support/sandbox.ts';
import { batch, login, rawClient } from '../tds/raw-client.ts';

const EXPRESSION = 0x04;
const KEY = 0x08;
const HIDDEN = 0x10;
const RENAMED = 0x20;

let server: ControlledServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startControlled();
  db = await server.freshDatabase();
  await db.rows("CREATE TABLE dbo.head (id int NOT NULL PRIMARY KEY, name nvarchar(10) NULL); INSERT INTO dbo.head VALUES (7, N'seven')");
  await db.rows(
    'CREATE TABLE dbo.line (a int NOT NULL, b int NOT NULL, head int NULL, CONSTRAINT UQ UNIQUE (a, b)); INSERT INTO dbo.line VALUES (1, 2, 7)',
  );
  await db.rows('CREATE TABLE dbo.keyless (v int NULL)');
});

afterAll(async () => {
  await server.close();
});

/** The answer to a batch. */
async function answer(text: string): Promise<Buffer> {
  using client = rawClient(server.sandbox.port);
  client.socket.write(login({ password: server.sandbox.password, database: db.name }));
  await client.until(() => client.messages().length === 1);
  client.socket.write(batch(text));
  await client.until(() => client.messages().length === 2);
  return client.messages()[1] ?? Buffer.alloc(0);
}

function token(id: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(id, body.length & 0xff, body.length >>> 8), body]);
}

/** TABNAME and COLINFO as MS-TDS 2.2.7 lays them out. */
function origins(
  tables: readonly (readonly string[])[],
  columns: readonly (readonly [table: number, status: number, name?: string])[],
): Buffer {
  const names = tables.map((parts) =>
    Buffer.concat([
      Buffer.of(parts.length),
      ...parts.map((part) => Buffer.concat([Buffer.of(part.length, 0), Buffer.from(part, 'utf16le')])),
    ]),
  );
  const infos = columns.map(([table, status, name], index) =>
    Buffer.concat([
      Buffer.of(index + 1, table, status),
      ...(name === undefined ? [] : [Buffer.of(name.length), Buffer.from(name, 'utf16le')]),
    ]),
  );
  return Buffer.concat([token(0xa4, Buffer.concat(names)), token(0xa5, Buffer.concat(infos))]);
}

describe('under SET NO_BROWSETABLE ON', () => {
  const cases: readonly (readonly [string, string, Buffer])[] = [
    [
      'a selected key is called one',
      'SELECT * FROM dbo.head',
      origins(
        [['dbo', 'head']],
        [
          [1, KEY],
          [1, 0],
        ],
      ),
    ],
    [
      'a key that is not selected comes hidden, another name is told',
      'SELECT name AS n, 1 AS one FROM head',
      origins(
        [['head']],
        [
          [1, RENAMED, 'name'],
          [0, EXPRESSION],
          [1, KEY | HIDDEN],
        ],
      ),
    ],
    [
      'a join has the keys of its tables, whole or not at all',
      'SELECT l.head, h.name, l.a FROM dbo.line AS l JOIN dbo.head AS h ON h.id = l.head',
      origins(
        [
          ['dbo', 'line'],
          ['dbo', 'head'],
        ],
        [
          [1, 0],
          [2, 0],
          [1, KEY],
          [1, KEY | HIDDEN],
          [2, KEY | HIDDEN],
        ],
      ),
    ],
    ['a table without a key has none', 'SELECT v FROM dbo.keyless', origins([['dbo', 'keyless']], [[1, 0]])],
    ['DISTINCT adds no key', 'SELECT DISTINCT name FROM dbo.head', origins([['dbo', 'head']], [[1, 0]])],
    [
      'a derived table says where its columns are from',
      'SELECT n FROM (SELECT name AS n FROM dbo.head) AS d',
      origins([['dbo', 'head']], [[1, RENAMED, 'name']]),
    ],
  ];

  test.each(cases)('%s', async (_what, text, expected) => {
    const found = await answer(`SET NO_BROWSETABLE ON; ${text}`);
    const at = found.indexOf(expected.subarray(0, 4));
    expect(found.subarray(at, at + expected.length).toString('hex')).toBe(expected.toString('hex'));
  });

  test('a hidden column has its value in each row', async () => {
    const found = await answer('SET NO_BROWSETABLE ON; SELECT name FROM dbo.head');
    const row = Buffer.concat([Buffer.of(0xd1, 10, 0), Buffer.from('seven', 'utf16le'), Buffer.of(7, 0, 0, 0)]);
    expect(found.includes(row)).toBe(true);
  });

  test('groups have no key, and nothing is said without it', async () => {
    for (const text of ['SET NO_BROWSETABLE ON; SELECT COUNT(*) AS n FROM dbo.head', 'SELECT id FROM dbo.head']) {
      expect((await answer(text)).includes(origins([['dbo', 'head']], []).subarray(0, 4))).toBe(false);
    }
  });
});

test('what SET says inside sp_executesql or EXECUTE ends there', async () => {
  const [only] = await db.rows(
    `SET LOCK_TIMEOUT 111;
    EXEC sp_executesql N'SET LOCK_TIMEOUT 222; SET XACT_ABORT ON; SET TRANSACTION ISOLATION LEVEL SNAPSHOT';
    EXEC ('SET LOCK_TIMEOUT 333; SET DATEFIRST 3');
    SELECT @@LOCK_TIMEOUT AS timeout, @@DATEFIRST AS first, @@OPTIONS & 16384 AS aborts,
      (SELECT transaction_isolation_level FROM sys.dm_exec_sessions WHERE session_id = @@SPID) AS isolation;
    SET LOCK_TIMEOUT -1`,
  );
  expect(only).toEqual({ timeout: 111, first: 7, aborts: 0, isolation: 2 });
});

test('so a request with parameters changes nothing for the next one', async () => {
  const session = await db.session();
  await session.request().input('ms', 5).query('SET LOCK_TIMEOUT 444; SELECT @ms AS ms');
  expect((await session.request().batch('SELECT @@LOCK_TIMEOUT AS timeout')).recordset).toEqual([{ timeout: -1 }]);
});
