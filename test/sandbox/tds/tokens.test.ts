/** The bytes of answers, where drivers overlook what they say: flags of DONE tokens, environment changes, what follows an attention. */
import { expect, test } from 'vitest';
import { PACKET, TOKEN } from '../../../src/sandbox/tds/protocol.ts';
import type { ResultColumn, SqlType, SqlValue } from '../../../src/sandbox/sql-types.ts';
import { batch, call, login, packet, rawClient } from './raw-client.ts';
import type { RawClient } from './raw-client.ts';
import { toyServer } from './support.ts';
import { answerRows, until } from './toy-backend.ts';

const INT: ResultColumn = { name: 'n', type: { name: 'int' }, nullable: true };
const RESET = 0x08;

/** A NULL int parameter by name, given or left to its default. */
function intParameter(name: string, value: number | 'default'): Buffer {
  const text = Buffer.from(name, 'utf16le');
  const data = Buffer.alloc(value === 'default' ? 1 : 5, value === 'default' ? 0 : 4);
  if (value !== 'default') {
    data.writeInt32LE(value, 1);
  }
  return Buffer.concat([Buffer.of(name.length), text, Buffer.of(value === 'default' ? 2 : 0, 0x26, 4), data]);
}

function textParameter(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf16le');
  const head = Buffer.alloc(12);
  head.writeUInt8(0xe7, 2);
  head.writeUInt16LE(8000, 3);
  head.writeUInt16LE(bytes.length, 10);
  return Buffer.concat([head, bytes]);
}

/** Writes a message and returns the answer to it. */
async function ask(client: RawClient, message: Buffer): Promise<Buffer> {
  const before = client.messages().length;
  client.socket.write(message);
  await until(() => client.messages().length > before);
  return client.messages()[before] ?? Buffer.alloc(0);
}

/** Tokens of an answer without result sets: [token, status] of DONE tokens, [token, kind] of environment changes. */
function tokens(answer: Buffer): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  for (let at = 0; at < answer.length;) {
    const token = answer.readUInt8(at);
    if (token === TOKEN.done || token === TOKEN.doneProcedure || token === TOKEN.doneInProcedure) {
      found.push([token, answer.readUInt16LE(at + 1)]);
      at += 13;
    } else if (token === TOKEN.returnStatus) {
      found.push([token, answer.readInt32LE(at + 1)]);
      at += 5;
    } else {
      found.push([token, answer.readUInt8(at + 3)]);
      at += 3 + answer.readUInt16LE(at + 1);
    }
  }
  return found;
}

const MORE = 0x01;
const ERROR = 0x02;
const IN_TRANSACTION = 0x04;
const COUNT = 0x10;
const ATTENTION = 0x20;

test('every DONE of a batch but the last says that more follows', async () => {
  await using toy = await toyServer();
  const done = { select: false, error: false, inTransaction: false };
  toy.backend.on('three', ({ sink }) => {
    sink.done({ ...done, rowCount: 3 });
    sink.done({ ...done, rowCount: null });
    sink.done({ ...done, rowCount: 0, inTransaction: true });
  });
  toy.backend.on('none', () => undefined);
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  expect(tokens(await ask(client, batch('three')))).toEqual([
    [TOKEN.done, COUNT | MORE],
    [TOKEN.done, MORE],
    [TOKEN.done, COUNT | IN_TRANSACTION],
  ]);
  expect(tokens(await ask(client, batch('none')))).toEqual([[TOKEN.done, 0]]);
});

test('the statements of a procedure end with DONEINPROC, then status and DONEPROC; of two calls in a message only the last is final', async () => {
  await using toy = await toyServer();
  toy.backend.on('stmt', ({ sink }) => sink.done({ rowCount: 1, select: false, error: false, inTransaction: false }));
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  const first = call('sp_executesql', textParameter('stmt'));
  // Another call in the same message: the separator, then what a message has after its headers.
  const both = packet(PACKET.rpc, Buffer.concat([first.subarray(8), Buffer.of(0xff), first.subarray(12)]));
  const one = [
    [TOKEN.doneInProcedure, COUNT | MORE],
    [TOKEN.returnStatus, 0],
  ];
  expect(tokens(await ask(client, first))).toEqual([...one, [TOKEN.doneProcedure, 0]]);
  expect(tokens(await ask(client, both))).toEqual([...one, [TOKEN.doneProcedure, MORE], ...one, [TOKEN.doneProcedure, 0]]);
});

test('transaction requests tell the client of begin, commit and rollback, and DONE of being inside', async () => {
  await using toy = await toyServer();
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  const request = (...bytes: number[]): Buffer => packet(PACKET.transaction, Buffer.from([4, 0, 0, 0, ...bytes]));
  const begin = request(5, 0, 5, 0);
  expect(tokens(await ask(client, begin))).toEqual([
    [TOKEN.environmentChange, 8],
    [TOKEN.done, IN_TRANSACTION],
  ]);
  // A second one inside, and its end, change nothing for the client.
  expect(tokens(await ask(client, begin))).toEqual([[TOKEN.done, IN_TRANSACTION]]);
  expect(tokens(await ask(client, request(7, 0, 0, 0)))).toEqual([[TOKEN.done, IN_TRANSACTION]]);
  expect(tokens(await ask(client, request(9, 0, 2, 115, 0)))).toEqual([[TOKEN.done, IN_TRANSACTION]]);
  expect(tokens(await ask(client, request(8, 0, 2, 115, 0, 0)))).toEqual([[TOKEN.done, IN_TRANSACTION]]);
  expect(tokens(await ask(client, request(7, 0, 0, 0)))).toEqual([
    [TOKEN.environmentChange, 9],
    [TOKEN.done, 0],
  ]);
  // Commit nothing; then begin, and roll back with the flag that begins the next one.
  expect((await ask(client, request(7, 0, 0, 0))).readUInt8(0)).toBe(TOKEN.error);
  await ask(client, begin);
  expect(tokens(await ask(client, request(8, 0, 0, 1, 2, 0)))).toEqual([
    [TOKEN.environmentChange, 10],
    [TOKEN.environmentChange, 8],
    [TOKEN.done, IN_TRANSACTION],
  ]);
  expect(toy.backend.last.log).toEqual([
    'begin snapshot',
    'begin snapshot',
    'commit',
    'save s',
    'rollback s',
    'commit',
    'commit',
    'begin snapshot',
    'rollback',
    'begin read committed',
  ]);
});

test('a reset forgets prepared statements, ends the transaction and is acknowledged before the answer', async () => {
  await using toy = await toyServer();
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  const prepare = call('sp_prepare', Buffer.concat([Buffer.from([0, 1, 0x26, 4, 0]), textParameter(''), textParameter('stmt')]));
  const execute = call('sp_execute', intParameter('', 1));
  await ask(client, prepare);
  expect(tokens(await ask(client, execute)).at(-1)).toEqual([TOKEN.doneProcedure, 0]);
  await ask(client, packet(PACKET.transaction, Buffer.from([4, 0, 0, 0, 5, 0, 0, 0])));
  const reset = Buffer.from(execute);
  reset.writeUInt8(1 | RESET, 1);
  const answer = tokens(await ask(client, reset));
  expect(answer.slice(0, 2)).toEqual([
    [TOKEN.environmentChange, 10],
    [TOKEN.environmentChange, 18],
  ]);
  expect(answer.at(-1)).toEqual([TOKEN.doneProcedure, ERROR]);
  expect(toy.backend.last.log.at(-1)).toBe('reset');
});

test('a parameter that is left to its default is not handed to the procedure', async () => {
  await using toy = await toyServer();
  let names: string[] = [];
  toy.backend.on('exec p', ({ parameters }) => {
    names = parameters.map(({ name, value }) => `${name}=${value as number}`);
  });
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  await ask(client, call('p', Buffer.concat([intParameter('@a', 1), intParameter('@b', 'default'), intParameter('@c', 3)])));
  expect(names).toEqual(['@a=1', '@c=3']);
});

test('after an attention no row leaves, and two messages follow: the end of the answer, and the acknowledgement', async () => {
  await using toy = await toyServer();
  let reached = false;
  toy.backend.on('deaf', async (ask2) => {
    reached = true;
    await new Promise<void>((resolve) => ask2.signal.addEventListener('abort', () => resolve(), { once: true }));
    ask2.sink.environment({ kind: 'rollback', transactionId: 5n });
    ask2.sink.columns([INT]);
    await ask2.sink.row([1]);
    ask2.sink.done({ rowCount: 1, select: true, error: false, inTransaction: false });
  });
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  client.socket.write(batch('deaf'));
  await until(() => reached);
  client.socket.write(packet(PACKET.attention, Buffer.alloc(0)));
  await until(() => client.messages().length === 3);
  expect(client.messages().slice(1).map(tokens)).toEqual([
    [
      [TOKEN.environmentChange, 10],
      [TOKEN.done, ERROR],
    ],
    [[TOKEN.done, ATTENTION]],
  ]);
});

test('sp_prepexec executes at once and gives a handle; values without names find their parameters by place', async () => {
  await using toy = await toyServer();
  const seen: string[] = [];
  toy.backend.on('stmt', ({ parameters }) => {
    seen.push(parameters.map(({ name, value }) => `${name}=${value as number}`).join());
  });
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  const handle = Buffer.from([0, 1, 0x26, 4, 0]);
  const declared = textParameter('@a int, @b int');
  const values = Buffer.concat([intParameter('', 1), intParameter('', 2)]);
  const answer = await ask(client, call('sp_prepexec', Buffer.concat([handle, declared, textParameter('stmt'), values])));
  // RETURNVALUE: ordinal 0, no name, output, no user type, nullable, INTN(4), 4 bytes: 1.
  expect(answer.includes(Buffer.from('ac00000001000000000100260404' + '01000000', 'hex'))).toBe(true);
  await ask(client, call('sp_execute', Buffer.concat([intParameter('', 1), intParameter('@B', 4), intParameter('@a', 3)])));
  expect(seen).toEqual(['@a=1,@b=2', '@a=3,@b=4']);
  await ask(client, call('sp_unprepare', intParameter('', 1)));
  expect(tokens(await ask(client, call('sp_execute', Buffer.concat([intParameter('', 1), values])))).at(-1)).toEqual([
    TOKEN.doneProcedure,
    ERROR,
  ]);
});

test('rows of a result set that had begun stop with the attention', async () => {
  await using toy = await toyServer();
  let reached = false;
  const afterwards = 0x7a7b7c7d;
  toy.backend.on('deaf', async ({ sink, signal }) => {
    sink.columns([INT]);
    await sink.row([1]);
    reached = true;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await sink.row([afterwards]);
  });
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  client.socket.write(batch('deaf'));
  await until(() => reached);
  client.socket.write(packet(PACKET.attention, Buffer.alloc(0)));
  await until(() => client.messages().length === 3);
  const [, answer, acknowledgement] = client.messages();
  expect(answer?.readUInt8(0)).toBe(TOKEN.columnMetadata);
  expect(answer?.includes(Buffer.from('7d7c7b7a', 'hex'))).toBe(false);
  expect(tokens(acknowledgement ?? Buffer.alloc(0))).toEqual([[TOKEN.done, ATTENTION]]);
});

test('streaming leaves the event loop a turn at every flush, however fast the client reads', async () => {
  await using toy = await toyServer();
  let streaming = true;
  let turns = 0;
  const count = (): void => {
    turns++;
    if (streaming) {
      setImmediate(count);
    }
  };
  const text: ResultColumn = { name: 't', type: { name: 'varbinary', length: 8000 }, nullable: true };
  const row = Buffer.alloc(8000);
  toy.backend.on('stream', async (ask2) => {
    setImmediate(count);
    // 1.6 MB: 25 flushes, which the system's own buffers would take at once.
    await answerRows(
      ask2,
      [text],
      Array.from({ length: 200 }, () => [row]),
    );
    streaming = false;
  });
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  await ask(client, batch('stream'));
  expect(turns).toBeGreaterThanOrEqual(20);
});

/** What stands behind the type of a column and its flags in COLMETADATA, for one column with a name of one character. */
async function columnAndRow(column: ResultColumn, value: SqlValue): Promise<{ type: Buffer; row: Buffer }> {
  await using toy = await toyServer();
  toy.backend.on('one', (each) => answerRows(each, [column], [[value]]));
  using client = rawClient(toy.listener.port);
  await ask(client, login());
  const answer = await ask(client, batch('one'));
  // Token, count, user type, flags; behind the type the name; the DONE at the end.
  const name = answer.indexOf(Buffer.from([1, column.name.charCodeAt(0), 0]), 9);
  return { type: answer.subarray(9, name), row: answer.subarray(name + 3, answer.length - 13) };
}

const FIXED_TYPES: readonly (readonly [SqlType, SqlValue, string, string])[] = [
  [{ name: 'bit' }, true, '32', '01'],
  [{ name: 'tinyint' }, 255, '30', 'ff'],
  [{ name: 'smallint' }, -2, '34', 'feff'],
  [{ name: 'int' }, 1, '38', '01000000'],
  [{ name: 'bigint' }, 2n, '7f', '0200000000000000'],
  [{ name: 'real' }, 1, '3b', '0000803f'],
  [{ name: 'float' }, 1, '3e', '000000000000f03f'],
  [{ name: 'smallmoney' }, 10_000n, '7a', '10270000'],
  [{ name: 'money' }, 10_000n, '3c', '0000000010270000'],
  [{ name: 'smalldatetime' }, { days: 693_595, ticks: 600_000_000n }, '3a', '00000100'],
  [{ name: 'datetime' }, { days: 693_596, ticks: 10_000_000n }, '3d', '010000002c010000'],
];

test.each(FIXED_TYPES.map(([type, value, id, data]) => ({ title: type.name, type, value, id, data })))(
  '$title: a column that cannot be NULL has the type of fixed length and no length before its values; one that can has both',
  async ({ type, value, id, data }) => {
    const fixed = await columnAndRow({ name: 'c', type, nullable: false }, value);
    expect([fixed.type.toString('hex'), fixed.row.toString('hex')]).toEqual([id, `d1${data}`]);
    const nullable = await columnAndRow({ name: 'c', type, nullable: true }, value);
    const length = (data.length / 2).toString(16).padStart(2, '0');
    expect(nullable.type).toHaveLength(2);
    expect([nullable.type.readUInt8(1), nullable.row.toString('hex')]).toEqual([data.length / 2, `d1${length}${data}`]);
  },
);

test('a decimal inside a sql_variant has its full width, whatever its precision', async () => {
  const decimal: SqlValue = { type: { name: 'decimal', precision: 9, scale: 2 }, variant: -125n };
  const { row } = await columnAndRow({ name: 'c', type: { name: 'sql_variant' }, nullable: true }, decimal);
  expect(row.toString('hex')).toBe(`d1150000006a020902007d${'00'.repeat(15)}`);
});
