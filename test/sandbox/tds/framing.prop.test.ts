/** TDS messages cut at any byte, and what is no TDS at all: answered alike, or cut off, but never a crash and never a hang. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { Connection, Request, TYPES } from 'tedious';
import { describe, expect, test } from 'vitest';
import { DEFAULT_COLLATION } from '../../../src/sandbox/sql-types.ts';
import { MessageAssembler, toPackets } from '../../../src/sandbox/tds/packets.ts';
import { PACKET } from '../../../src/sandbox/tds/protocol.ts';
import { batch, call, login, packet, rawClient, recordClient } from './raw-client.ts';
import type { Toy } from './support.ts';
import { PASSWORD, toyServer } from './support.ts';
import { answerRows, until } from './toy-backend.ts';

function teach(toy: Toy): void {
  toy.backend.on('echo', (ask) =>
    answerRows(
      ask,
      [{ name: 't', type: { name: 'nvarchar', length: 'max', collation: DEFAULT_COLLATION }, nullable: true }],
      ask.parameters.map(({ value }) => [
        typeof value === 'string' ? value : JSON.stringify(typeof value === 'bigint' ? String(value) : value),
      ]),
    ),
  );
}

/** A conversation with a bit of everything that a driver sends, and the number of its answers. */
async function conversation(proxyPort: number): Promise<void> {
  const client = new Connection({
    server: '127.0.0.1',
    authentication: { type: 'default', options: { userName: 'sa', password: PASSWORD } },
    options: { port: proxyPort, encrypt: false, packetSize: 512 },
  });
  const done = (start: (callback: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
  await done((callback) => client.connect(callback));
  await done((callback) => client.execSqlBatch(new Request('fine', callback)));
  await done((callback) => {
    const request = new Request('echo', callback);
    request.addParameter('a', TYPES.NVarChar, 'Ω'.repeat(900));
    request.addParameter('b', TYPES.BigInt, '9007199254740993');
    request.addParameter('c', TYPES.NVarChar, 'x'.repeat(9000));
    client.execSql(request);
  });
  await done((callback) => client.beginTransaction(callback));
  await done((callback) => client.execSqlBatch(new Request('echo', callback)));
  await done((callback) => client.commitTransaction(callback));
  client.close();
}

/** Sends bytes in the given pieces and returns all answers. */
async function answers(toy: Toy, bytes: Buffer, cuts: readonly number[], count: number): Promise<string[]> {
  using client = rawClient(toy.listener.port);
  client.socket.setNoDelay(true);
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    client.socket.write(bytes.subarray(from, to));
    from = to;
    await nextTurn();
  }
  await until(() => client.messages().length >= count || client.socket.destroyed);
  return client.messages().map((message) => message.toString('hex'));
}

test('a recorded conversation cut at any bytes is answered alike', { timeout: 120_000 }, async () => {
  await using recorder = await toyServer();
  teach(recorder);
  const bytes = await recordClient(recorder.listener.port, conversation);
  // Every run has a server of its own: session and transaction ids are part of the answers.
  const whole = await (async () => {
    await using toy = await toyServer();
    teach(toy);
    return await answers(toy, bytes, [], 8);
  })();
  expect(whole).toHaveLength(8);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 60 }), async (cuts) => {
      await using toy = await toyServer();
      teach(toy);
      expect(await answers(toy, bytes, cuts, whole.length)).toEqual(whole);
      expect(toy.internalErrors).toEqual([]);
    }),
    { numRuns: 60, examples: [[Array.from({ length: 300 }, (_, i) => i + 1)], [[1]], [[7, 8, 9]]] },
  );
});

test('packets put together from any cuts are the messages that were taken apart', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 512, max: 2000 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (payloads, packetSize, places) => {
        const bytes = Buffer.concat(
          payloads.map((payload) =>
            toPackets(Buffer.from(payload), { type: PACKET.rpc, packetSize, sessionId: 1, firstPacketId: 1, end: true }),
          ),
        );
        const cuts = places.map((place) => place % bytes.length).toSorted((a, b) => a - b);
        const assembler = new MessageAssembler(10_000);
        const messages = [...cuts, bytes.length].flatMap((to, i, all) => assembler.push(bytes.subarray(all[i - 1] ?? 0, to)));
        expect(messages.map((message) => message.data.toString('hex'))).toEqual(
          payloads.map((payload) => Buffer.from(payload).toString('hex')),
        );
      },
    ),
  );
});

describe('a client that breaks the protocol is cut off', () => {
  const headerOf = (length: number): Buffer => {
    const header = Buffer.from([PACKET.batch, 1, 0, 0, 0, 0, 1, 0]);
    header.writeUInt16BE(length, 2);
    return header;
  };
  const nothing = Buffer.alloc(0);
  test.each<readonly [string, boolean, Buffer]>([
    ['HTTP', false, Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a TLS hello that is none', false, Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5])],
    ['a batch before the login', false, batch('x')],
    ['an attention before the login', false, packet(PACKET.attention, nothing)],
    ['a PRELOGIN without an end', false, packet(PACKET.prelogin, Buffer.from([0, 0]))],
    ['a PRELOGIN option outside', false, packet(PACKET.prelogin, Buffer.from([1, 0, 200, 0, 1, 255]))],
    ['a short LOGIN7', false, packet(PACKET.login7, Buffer.alloc(50))],
    ['a LOGIN7 whose fields lie outside', false, packet(PACKET.login7, Buffer.alloc(94, 0xff).fill(0, 0, 4))],
    ['a login that is too long', false, packet(PACKET.prelogin, Buffer.alloc(30_000), 0)],
    ['a second login', true, login()],
    ['a packet shorter than its header', true, headerOf(7)],
    ['a packet longer than any', true, headerOf(40_000)],
    ['a batch without headers', true, packet(PACKET.batch, nothing)],
    ['headers beyond the message', true, packet(PACKET.batch, Buffer.from([200, 0, 0, 0]))],
    ['headers of impossible length', true, packet(PACKET.batch, Buffer.from([0, 0, 0, 0]))],
    ['half a character', true, packet(PACKET.batch, Buffer.from([4, 0, 0, 0, 65]))],
    [
      'another type inside a message',
      true,
      Buffer.concat([packet(PACKET.rpc, Buffer.from([4, 0, 0, 0]), 0), packet(PACKET.batch, Buffer.from('x', 'utf16le'))]),
    ],
    ['a call without a procedure', true, packet(PACKET.rpc, Buffer.from([4, 0, 0, 0]))],
    ['a procedure number that does not exist', true, packet(PACKET.rpc, Buffer.from([4, 0, 0, 0, 255, 255, 99, 0, 0, 0]))],
    ['a parameter of an unknown type', true, call('p', Buffer.from([0, 0, 0x99]))],
    ['a parameter that is cut short', true, call('p', Buffer.from([0, 0, 0x26, 4, 4, 1]))],
    ['an integer of three bytes', true, call('p', Buffer.from([0, 0, 0x26, 3, 3, 1, 2, 3]))],
    ['a value of the wrong length', true, call('p', Buffer.from([0, 0, 0x26, 4, 2, 1, 2]))],
    ['a decimal of 39 digits', true, call('p', Buffer.from([0, 0, 0x6a, 17, 39, 0, 0]))],
    ['a decimal beyond its precision', true, call('p', Buffer.from([0, 0, 0x6a, 5, 2, 0, 5, 1, 100, 0, 0, 0]))],
    ['a time beyond the day', true, call('p', Buffer.from([0, 0, 0x29, 0, 3, 255, 255, 255]))],
    ['a date beyond 9999', true, call('p', Buffer.from([0, 0, 0x28, 3, 255, 255, 255]))],
    ['chunks that do not add up', true, call('p', Buffer.from([0, 0, 0xa5, 255, 255, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0]))],
    ['a transaction request of an unknown kind', true, packet(PACKET.transaction, Buffer.from([4, 0, 0, 0, 77, 0]))],
    ['an isolation level that does not exist', true, packet(PACKET.transaction, Buffer.from([4, 0, 0, 0, 5, 0, 9, 0]))],
  ])('%s', async (_, afterLogin, bytes) => {
    await using toy = await toyServer();
    using client = rawClient(toy.listener.port);
    if (afterLogin) {
      client.socket.write(login());
      await until(() => client.messages().length === 1);
    }
    client.socket.write(bytes);
    // A message that never ends is only cut once it is too long.
    for (let i = 0; i < 5 && bytes.readUInt8(1) === 0; i++) {
      client.socket.write(bytes);
    }
    await client.closed;
    expect(toy.internalErrors).toEqual([]);
    await until(() => toy.backend.sessions.every((session) => session.closed));
    await using pool = { pool: await toy.connect(), [Symbol.asyncDispose]: async () => undefined };
    await pool.pool.request().batch('fine');
  });

  test('a request longer than the limit', async () => {
    await using toy = await toyServer({ maxMessageBytes: 20_000 });
    using client = rawClient(toy.listener.port);
    client.socket.write(login());
    await until(() => client.messages().length === 1);
    client.socket.write(batch('x'.repeat(9000)));
    await until(() => client.messages().length === 2);
    client.socket.write(batch('x'.repeat(11_000)));
    await client.closed;
    expect(client.messages()).toHaveLength(2);
  });

  test('more requests than anyone waits for', async () => {
    await using toy = await toyServer();
    toy.backend.on(
      'wait',
      ({ signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
    );
    using client = rawClient(toy.listener.port);
    client.socket.write(Buffer.concat([login(), batch('wait'), ...Array.from({ length: 100 }, () => batch('x'))]));
    await client.closed;
    await until(() => toy.backend.sessions.every((session) => session.closed));
  });
});

test('any bytes after a login are answered or cut off, and the next client is served', { timeout: 120_000 }, async () => {
  await using toy = await toyServer();
  const types = fc.constantFrom(PACKET.batch, PACKET.rpc, PACKET.transaction, PACKET.bulkLoad, PACKET.attention);
  const body = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  const typeIds = fc.constantFrom(
    0x1f,
    0x26,
    0x6a,
    0x6c,
    0x28,
    0x29,
    0x2a,
    0x2b,
    0x24,
    0x62,
    0xa5,
    0xe7,
    0xf0,
    0xf1,
    0xf3,
    0x22,
    0x23,
    0x63,
    0x6f,
    0x3d,
  );
  const parameter = fc.tuple(typeIds, body).map(([id, bytes]) => call('sp_executesql', Buffer.concat([Buffer.from([0, 0, id]), bytes])));
  const garbage = fc.oneof(
    fc.tuple(types, body).map(([type, bytes]) => packet(type, bytes)),
    fc.tuple(types, body).map(([type, bytes]) => packet(type, Buffer.concat([Buffer.from([4, 0, 0, 0]), bytes]))),
    parameter,
  );
  await fc.assert(
    fc.asyncProperty(garbage, async (bytes) => {
      using client = rawClient(toy.listener.port);
      client.socket.write(Buffer.concat([login(), bytes, batch('fine')]));
      await until(() => client.messages().length >= 3 || client.socket.destroyed);
      expect(toy.internalErrors).toEqual([]);
    }),
    { numRuns: 300 },
  );
  await (await toy.connect()).request().batch('fine');
});

test('an attention that follows the login at once is acknowledged on its own', async () => {
  await using toy = await toyServer();
  using client = rawClient(toy.listener.port);
  client.socket.write(Buffer.concat([login(), packet(PACKET.attention, Buffer.alloc(0)), batch('fine')]));
  await until(() => client.messages().length === 3);
  const status = (message: Buffer | undefined): number | undefined => message?.readUInt16LE(message.length - 12);
  expect(client.messages().map((message) => status(message))).toEqual([0, 0x20, 0]);
});

describe('refusals that are answers', () => {
  async function answerTo(bytes: Buffer, before = login()): Promise<string> {
    await using toy = await toyServer();
    using client = rawClient(toy.listener.port);
    client.socket.write(before);
    await until(() => client.messages().length === 1);
    client.socket.write(bytes);
    await until(() => client.messages().length === 2);
    return client.messages()[1]?.toString('utf16le', 0) ?? '';
  }

  const textOf = (bytes: Buffer): string => bytes.toString('latin1').replaceAll('\0', '');

  test.each<readonly [string, Buffer, string]>([
    ['an old version of TDS', login({ version: 0x7209_0002 }), 'does not support TDS version 0x72090002'],
    ['Windows authentication', login({ integrated: true }), 'Integrated authentication'],
    ['an unknown user', login({ user: 'nobody' }), "Login failed for user 'nobody'"],
  ])('%s, and then the connection ends', async (_, bytes, text) => {
    await using toy = await toyServer();
    using client = rawClient(toy.listener.port);
    client.socket.write(bytes);
    await client.closed;
    expect(textOf(client.messages()[0] ?? Buffer.alloc(0))).toContain(text);
  });

  test.each<readonly [string, Buffer, string]>([
    ['a sql_variant parameter', call('p', Buffer.from([0, 0, 0x62, 0, 0, 0, 0])), 'sql_variant parameters are not supported'],
    ['a distributed transaction', packet(PACKET.transaction, Buffer.from([4, 0, 0, 0, 1, 0])), 'TM_PROPAGATE_XACT'],
    [
      'a handle that was never prepared',
      call('sp_execute', Buffer.from([0, 0, 0x26, 4, 4, 9, 0, 0, 0])),
      'prepared statement with handle 9',
    ],
    ['a statement that is no text', call('sp_executesql', Buffer.from([0, 0, 0x26, 4, 4, 9, 0, 0, 0])), "expects parameter '@statement'"],
  ])('%s, and the connection goes on', async (_, bytes, text) => {
    expect(textOf(Buffer.from(await answerTo(bytes), 'utf16le'))).toContain(text);
  });
});
