/** A client that sends bytes, for what no driver would send; and what a driver sent, recorded. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { PACKET } from '../../../src/sandbox/tds/protocol.ts';

/** One packet that is a whole message. */
export function packet(type: number, payload: Buffer, status = 1): Buffer {
  const header = Buffer.from([type, status, 0, 0, 0, 0, 1, 0]);
  header.writeUInt16BE(payload.length + 8, 2);
  return Buffer.concat([header, payload]);
}

const NO_HEADERS = Buffer.from([4, 0, 0, 0]);

/** A SQL batch. */
export function batch(sql: string): Buffer {
  return packet(PACKET.batch, Buffer.concat([NO_HEADERS, Buffer.from(sql, 'utf16le')]));
}

/** An RPC message: the procedure's name, option flags, and the bytes of its parameters. */
export function call(procedure: string, parameters: Buffer): Buffer {
  const name = Buffer.from(procedure, 'utf16le');
  const head = Buffer.alloc(2);
  head.writeUInt16LE(procedure.length, 0);
  return packet(PACKET.rpc, Buffer.concat([NO_HEADERS, head, name, Buffer.alloc(2), parameters]));
}

/** A LOGIN7 as the sandbox's tests log in, or with other fields. */
export function login(fields: { user?: string; password?: string; version?: number; integrated?: boolean } = {}): Buffer {
  const data = Buffer.alloc(94);
  const texts: Buffer[] = [];
  let at = data.length;
  const put = (field: number, text: string, scramble = false): void => {
    const bytes = Buffer.from(text, 'utf16le').map((byte) => (scramble ? (((byte << 4) | (byte >>> 4)) & 0xff) ^ 0xa5 : byte));
    data.writeUInt16LE(at, field);
    data.writeUInt16LE(text.length, field + 2);
    texts.push(Buffer.from(bytes));
    at += bytes.length;
  };
  data.writeUInt32LE(fields.version ?? 0x7400_0004, 4);
  data.writeUInt32LE(4096, 8);
  data.writeUInt8(fields.integrated === true ? 0x80 : 0, 25);
  put(40, fields.user ?? 'sa');
  put(44, fields.password ?? 'Tøp sécret €', true);
  data.writeUInt32LE(at, 0);
  return packet(PACKET.login7, Buffer.concat([data, ...texts]));
}

/** Everything that the server says, until it has said nothing new for the given messages or has closed. */
export interface RawClient extends Disposable {
  readonly socket: Socket;
  /** Whole messages so far, without packet headers. */
  messages(): readonly Buffer[];
  readonly closed: Promise<void>;
  /** Resolves when something holds, looked at with each message, or when the server has closed. */
  until(condition: () => boolean): Promise<void>;
}

export function rawClient(port: number): RawClient {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let data = Buffer.alloc(0);
  const messages: Buffer[] = [];
  let parts: Buffer[] = [];
  let isClosed = false;
  const waiting = new Set<{ readonly condition: () => boolean; readonly resolve: () => void }>();
  const look = (): void => {
    for (const each of waiting) {
      if (isClosed || each.condition()) {
        waiting.delete(each);
        each.resolve();
      }
    }
  };
  socket.on('error', () => undefined);
  socket.on('close', () => {
    isClosed = true;
    look();
  });
  socket.on('data', (chunk: Buffer) => {
    data = Buffer.concat([data, chunk]);
    while (data.length >= 8 && data.length >= data.readUInt16BE(2)) {
      const length = data.readUInt16BE(2);
      parts.push(data.subarray(8, length));
      if ((data.readUInt8(1) & 1) !== 0) {
        messages.push(Buffer.concat(parts));
        parts = [];
      }
      data = data.subarray(length);
    }
    look();
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return {
    socket,
    messages: () => messages,
    closed,
    until: (condition) =>
      new Promise((resolve) => {
        waiting.add({ condition, resolve });
        look();
      }),
    [Symbol.dispose]: () => socket.destroy(),
  };
}

/** Runs a conversation through a proxy and returns what the client said, message by message in the order of the answers. */
export async function recordClient(port: number, talk: (proxyPort: number) => Promise<void>): Promise<Buffer> {
  const said: Buffer[] = [];
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    client.on('data', (chunk: Buffer) => {
      said.push(Buffer.from(chunk));
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => client.write(chunk));
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    client.on('error', () => undefined);
    server.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', () => resolve()));
  try {
    await talk((proxy.address() as AddressInfo).port);
  } finally {
    await new Promise<void>((resolve) => proxy.close(() => resolve()));
  }
  return Buffer.concat(said);
}
