/** Messages of bulk loads that no driver of the tests sends: broken, cut, out of turn, with ends of their own. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SqlError } from '../../../src/sandbox/session.ts';
import { PACKET, ProtocolError } from '../../../src/sandbox/tds/protocol.ts';
import { readBulkRows } from '../../../src/sandbox/tds/bulk-stream.ts';
import type { TestDatabase, TestServer } from '../../support/sandbox.ts';
import { startControlled } from '../../support/sandbox.ts';
import { batch, login, packet, rawClient } from './raw-client.ts';
import type { RawClient } from './raw-client.ts';
import { until } from './toy-backend.ts';

const COLLATION = 'SQL_Latin1_General_CP1_CI_AS';
const LONG_DONE = Buffer.concat([Buffer.of(0xfd), Buffer.alloc(12)]);
const SHORT_DONE = Buffer.concat([Buffer.of(0xfd), Buffer.alloc(8)]);
/** One column, `id int NOT NULL`. */
const COLUMNS = Buffer.from('810100000000000800380269006400', 'hex');

function row(id: number): Buffer {
  const bytes = Buffer.alloc(5, 0xd1);
  bytes.writeInt32LE(id, 1);
  return bytes;
}

let server: TestServer;
let db: TestDatabase;

beforeAll(async () => {
  server = await startControlled({ password: 'Tøp sécret €' });
  db = await server.freshDatabase();
  await db.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)');
});

afterAll(async () => {
  await server.close();
});

/** Logs in, uses the database and says the messages, each after the answer to the one before. */
async function say(...messages: readonly Buffer[]): Promise<RawClient> {
  const client = rawClient(server.sandbox?.port ?? 0);
  for (const [index, message] of [login(), batch(`USE [${db.name}]`), ...messages].entries()) {
    client.socket.write(message);
    await until(() => client.messages().length > index || client.socket.destroyed);
  }
  return client;
}

async function ids(): Promise<unknown[]> {
  return (await db.rows('SELECT id FROM dbo.t ORDER BY id')).map(({ id }) => id);
}

const ANNOUNCED = batch('INSERT BULK dbo.t (id int)');

test.each([
  ['the DONE of TDS 7.2', LONG_DONE],
  ['the DONE of before', SHORT_DONE],
  ['no DONE', Buffer.alloc(0)],
])('a bulk load may end with %s', (_, end) => {
  const { columns, rows } = readBulkRows(Buffer.concat([COLUMNS, row(1), row(2), end]), COLLATION);
  expect(columns).toMatchObject([{ name: 'id', type: { name: 'int' }, nullable: false }]);
  expect([...rows]).toEqual([[1], [2]]);
  // A statement that had to wait reads them again.
  expect([...rows]).toEqual([[1], [2]]);
});

test('the message of a bulk load is taken once, after its statement', async () => {
  await db.rows('DELETE dbo.t');
  const load = packet(PACKET.bulkLoad, Buffer.concat([COLUMNS, row(1), LONG_DONE]));
  using client = await say(load, ANNOUNCED, load, load);
  await until(() => client.messages().length === 6);
  expect(client.messages().map((message) => message.readUInt8(0))).toEqual([
    expect.any(Number),
    expect.any(Number),
    0xaa,
    0xfd,
    0xfd,
    0xaa,
  ]);
  expect(await ids()).toEqual([1]);
});

test('rows for a table that has been changed since are refused', async () => {
  await db.rows('DELETE dbo.t');
  using client = await say(ANNOUNCED);
  await db.rows('ALTER TABLE dbo.t ADD extra int NULL');
  client.socket.write(packet(PACKET.bulkLoad, Buffer.concat([COLUMNS, row(1), LONG_DONE])));
  await until(() => client.messages().length === 4);
  expect(client.messages().at(-1)?.readInt32LE(3)).toBe(4891);
  await db.rows('ALTER TABLE dbo.t DROP COLUMN extra');
  expect(await ids()).toEqual([]);
});

test.each([
  ['ends inside a row', Buffer.concat([COLUMNS, row(1), row(2).subarray(0, 3)])],
  ['has an unknown token', Buffer.concat([COLUMNS, row(1), Buffer.of(0x42)])],
  ['goes on after its end', Buffer.concat([COLUMNS, row(1), LONG_DONE, row(2)])],
  ['does not describe its columns', row(1)],
  ['is empty', Buffer.alloc(0)],
])('a stream that %s cuts the connection and leaves nothing', async (_, stream) => {
  await db.rows('DELETE dbo.t');
  using client = await say(ANNOUNCED);
  client.socket.write(packet(PACKET.bulkLoad, stream));
  await client.closed;
  expect(await ids()).toEqual([]);
});

test('a connection that goes, or an attention, in the middle of a load leaves nothing', async () => {
  await db.rows('DELETE dbo.t');
  const half = packet(PACKET.bulkLoad, Buffer.concat([COLUMNS, row(1)]), 0);
  const gone = await say(ANNOUNCED);
  gone.socket.write(half);
  gone.socket.destroy();
  await gone.closed;
  using stopped = await say(ANNOUNCED);
  stopped.socket.write(Buffer.concat([half, packet(PACKET.attention, Buffer.alloc(0))]));
  await until(() => stopped.messages().length === 4);
  stopped.socket.write(batch('SELECT 1'));
  await until(() => stopped.messages().length === 5);
  expect(stopped.messages().at(-1)?.readUInt8(0)).toBe(0x81);
  expect(await ids()).toEqual([]);
});

/** A load of a column of each kind that a stream writes in its own way: fixed, with a length of one or two bytes, in chunks, as text. */
const WHOLE = Buffer.concat([
  Buffer.from('810600', 'hex'),
  Buffer.from('000000000800' + '38' + '016100', 'hex'),
  Buffer.from('000000000900' + '6a110902' + '016200', 'hex'),
  Buffer.from('000000000900' + 'e71400' + '0904d00034' + '016300', 'hex'),
  Buffer.from('000000000900' + 'a5ffff' + '016400', 'hex'),
  Buffer.from('000000000900' + '23ffffff7f' + '0904d00034' + '01007400' + '016500', 'hex'),
  Buffer.from('000000000900' + '2a03' + '016600', 'hex'),
  Buffer.from('d1' + '07000000' + '05' + '01d2040000' + '0400' + '61006200' + 'feffffffffffffff' + '02000000' + '0102' + '00000000', 'hex'),
  Buffer.concat([Buffer.of(0x10), Buffer.alloc(24), Buffer.from('0300000061626307010203040b400b', 'hex')]),
  Buffer.from('d1' + '08000000' + '00' + 'ffff' + 'ffffffffffffffff' + '00' + '00', 'hex'),
  LONG_DONE,
]);

test('values of every kind are read, and NULLs', () => {
  expect([...readBulkRows(WHOLE, COLLATION).rows]).toMatchObject([
    [7, 1234n, 'ab', Buffer.of(1, 2), 'abc', { days: expect.any(Number) }],
    [8, null, null, null, null, null],
  ]);
});

test('a broken stream is refused, whatever is broken', () => {
  const edit = fc.record({ at: fc.nat(WHOLE.length - 1), byte: fc.nat(255), cut: fc.option(fc.nat(WHOLE.length)) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let data = Buffer.from(WHOLE);
      for (const { at, byte, cut } of edits) {
        data.writeUInt8(byte, Math.min(at, data.length - 1));
        data = cut === null || cut === 0 ? data : data.subarray(0, Math.min(cut, data.length));
      }
      try {
        expect([...readBulkRows(data, COLLATION).rows].length).toBeLessThan(WHOLE.length);
      } catch (error) {
        if (!(error instanceof ProtocolError || error instanceof SqlError)) {
          throw error;
        }
      }
    }),
    { numRuns: 2000 },
  );
});
