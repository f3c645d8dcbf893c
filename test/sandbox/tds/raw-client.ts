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

export interface LoginFields {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly language?: string;
  readonly attach?: string;
  readonly version?: number;
  readonly packetSize?: number;
  readonly integrated?: boolean;
  /** The first and the third byte of flags. */
  readonly flags1?: number;
  readonly flags3?: number;
  /** Features of the extension: id and data. */
  readonly features?: readonly (readonly [number, Buffer])[];
}

/** A LOGIN7 as the sandbox's tests log in, or with other fields. */
export function login(fields: LoginFields = {}): Buffer {
  const data = Buffer.alloc(94);
  const parts: Buffer[] = [];
  let at = data.length;
  const append = (bytes: Buffer): number => {
    const place = at;
    parts.push(bytes);
    at += bytes.length;
    return place;
  };
  const put = (field: number, text: string, scramble = false): void => {
    const bytes = Buffer.from(text, 'utf16le').map((byte) => (scramble ? (((byte << 4) | (byte >>> 4)) & 0xff) ^ 0xa5 : byte));
    data.writeUInt16LE(append(Buffer.from(bytes)), field);
    data.writeUInt16LE(text.length, field + 2);
  };
  data.writeUInt32LE(fields.version ?? 0x7400_0004, 4);
  data.writeUInt32LE(fields.packetSize ?? 4096, 8);
  data.writeUInt8(fields.flags1 ?? 0, 24);
  data.writeUInt8(fields.integrated === true ? 0x80 : 0, 25);
  data.writeUInt8((fields.flags3 ?? 0) | (fields.features === undefined ? 0 : 0x10), 27);
  put(40, fields.user ?? 'sa');
  put(44, fields.password ?? 'Tøp sécret €', true);
  put(64, fields.language ?? '');
  put(68, fields.database ?? '');
  put(82, fields.attach ?? '');
  if (fields.features !== undefined) {
    const block = fields.features.flatMap(([id, value]) => [Buffer.of(id, value.length, 0, 0, 0), value]);
    const place = Buffer.alloc(4);
    place.writeUInt32LE(append(Buffer.concat([...block, Buffer.of(0xff)])), 0);
    data.writeUInt16LE(append(place), 56);
    data.writeUInt16LE(4, 58);
  }
  data.writeUInt32LE(at, 0);
  return packet(PACKET.login7, Buffer.concat([data, ...parts]));
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
  await throughProxy(port, talk, { client: (chunk) => said.push(Buffer.from(chunk)), server: () => undefined });
  return Buffer.concat(said);
}

/** Runs an encrypted conversation through a proxy and tells the length of every TLS record of the server, header included. */
export async function recordServer(
  port: number,
  talk: (proxyPort: number) => Promise<void>,
  record: (bytes: number) => void,
): Promise<void> {
  const pending = new Map<Socket, Buffer>();
  await throughProxy(port, talk, {
    client: () => undefined,
    server: (chunk, socket) => {
      let data = Buffer.concat([pending.get(socket) ?? Buffer.alloc(0), chunk]);
      // PRELOGIN and the handshake inside it are packets of TDS.
      for (;;) {
        const wrapped = data.length > 0 && (data.readUInt8(0) === PACKET.prelogin || data.readUInt8(0) === PACKET.response);
        const header = wrapped ? 8 : 5;
        const length = data.length < header ? Infinity : wrapped ? data.readUInt16BE(2) : data.readUInt16BE(3) + header;
        if (data.length < length) {
          break;
        }
        if (!wrapped) {
          record(length);
        }
        data = data.subarray(length);
      }
      pending.set(socket, data);
    },
  });
}

async function throughProxy(
  port: number,
  talk: (proxyPort: number) => Promise<void>,
  hear: { readonly client: (chunk: Buffer) => void; readonly server: (chunk: Buffer, socket: Socket) => void },
): Promise<void> {
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    client.on('data', (chunk: Buffer) => {
      hear.client(chunk);
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      hear.server(chunk, server);
      client.write(chunk);
    });
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
}
