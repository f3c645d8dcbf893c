/** TLS in each of its three places: strict, around everything, around the login; who is turned away, and whom clients trust. */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import mssql from 'mssql';
import { describe, expect, test } from 'vitest';
import { selfSignedIdentity } from '../../../src/sandbox/tds/certificate.ts';
import type { Encryption, EncryptionMode } from '../../../src/sandbox/tds/listener.ts';
import { startSandbox } from '../../../src/sandbox/server.ts';
import { PACKET } from '../../../src/sandbox/tds/protocol.ts';
import { batch, login, packet, rawClient, recordServer } from './raw-client.ts';
import { PASSWORD, toyServer } from './support.ts';
import type { Toy } from './support.ts';
import { answerRows, until } from './toy-backend.ts';

const run = promisify(execFile);

type Encrypt = boolean | 'strict';

/** Options of the driver, whose types know no `strict`. Under `strict` trust cannot be waived, so it is given the certificate. */
function options(toy: Toy, encrypt: Encrypt, rest: object = {}): Partial<mssql.config> {
  const trust = encrypt === 'strict' ? trusting(toy) : {};
  // By name: the driver would put an address into the handshake, which Node warns of.
  return { server: 'localhost', options: { encrypt, ...trust, ...rest } as NonNullable<mssql.config['options']> };
}

function trusting(toy: Toy): object {
  return { trustServerCertificate: false, cryptoCredentialsDetails: { ca: toy.listener.certificate } };
}

async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'it did not fail',
    (error: unknown) => String(error),
  );
}

function teach(toy: Toy): void {
  toy.backend.on('echo', (ask) =>
    answerRows(
      ask,
      [{ name: 't', type: { name: 'nvarchar', length: 'max', collation: ask.session.collation }, nullable: true }],
      [[ask.parameters[0]?.value ?? null]],
    ),
  );
}

describe('mssql', () => {
  test.each<readonly [Encrypt, Encryption]>([
    [false, 'none'],
    [true, 'all'],
    ['strict', 'strict'],
  ])('encrypt: %s gets what it asks for, and long requests and answers pass', async (encrypt, encryption) => {
    await using toy = await toyServer();
    teach(toy);
    const pool = await toy.connect(options(toy, encrypt));
    expect(toy.listener.connections().map((client) => client.encryption)).toEqual([encryption]);
    const text = 'Ωabc'.repeat(100_000);
    const { recordset } = await pool.request().input('t', mssql.NVarChar(mssql.MAX), text).query<{ t: string }>('echo');
    expect(recordset[0]?.t === text).toBe(true);
    expect(toy.internalErrors).toEqual([]);
  });

  test.each<readonly [EncryptionMode, Encrypt, RegExp]>([
    ['unsupported', true, /does not support encryption/u],
    ['unsupported', 'strict', /Failed to connect|closed|hang up|ECONNRESET|disconnected/u],
    ['required', false, /Server requires encryption/u],
    ['strict', false, /Failed to connect|closed|hang up|lost|ECONNRESET/u],
    ['strict', true, /Failed to connect|closed|hang up|lost|ECONNRESET/u],
  ])('a server with encryption %s turns away encrypt: %s', async (encryption, encrypt, message) => {
    await using toy = await toyServer({ encryption });
    expect(await failure(toy.connect(options(toy, encrypt)))).toMatch(message);
    expect(toy.backend.sessions).toHaveLength(0);
    await until(() => toy.listener.connections().length === 0);
    expect(toy.internalErrors).toEqual([]);
  });

  test.each<readonly [EncryptionMode, Encrypt]>([
    ['unsupported', false],
    ['required', true],
    ['required', 'strict'],
    ['strict', 'strict'],
  ])('a server with encryption %s takes encrypt: %s', async (encryption, encrypt) => {
    await using toy = await toyServer({ encryption });
    await (await toy.connect(options(toy, encrypt))).request().batch('fine');
  });

  test.each<Encrypt>([true, 'strict'])('encrypt: %s without trust in the certificate does not connect', async (encrypt) => {
    await using toy = await toyServer();
    expect(await failure(toy.connect(options(toy, encrypt, { trustServerCertificate: false, cryptoCredentialsDetails: {} })))).toMatch(
      /self-signed certificate/u,
    );
    expect(toy.backend.sessions).toHaveLength(0);
    // The listener is none the worse for it.
    await (await toy.connect(options(toy, encrypt))).request().batch('fine');
  });

  test.each<Encrypt>([true, 'strict'])(
    'encrypt: %s with the certificate trusted connects, and under another name it does not',
    async (encrypt) => {
      await using toy = await toyServer();
      await (await toy.connect(options(toy, encrypt, trusting(toy)))).request().batch('fine');
      const sessions = toy.backend.sessions.length;
      expect(await failure(toy.connect(options(toy, encrypt, { ...trusting(toy), serverName: 'db.example' })))).toMatch(
        /does not match certificate's altnames/u,
      );
      expect(toy.backend.sessions).toHaveLength(sessions);
    },
  );

  test('a certificate of the user is shown instead of its own', async () => {
    const tls = selfSignedIdentity();
    await using toy = await toyServer({ tls });
    expect(toy.listener.certificate).toBe(tls.cert);
    await (await toy.connect(options(toy, true, trusting(toy)))).request().batch('fine');
  });

  test.each<Encrypt>([true, 'strict'])(
    'encrypt: %s: a client that is cut has no session left, and a client that leaves neither',
    async (encrypt) => {
      await using toy = await toyServer();
      const pool = await toy.connect(options(toy, encrypt));
      await pool.request().batch('fine');
      expect(toy.listener.cutConnections()).toBe(1);
      await until(() => toy.backend.sessions.every((session) => session.closed));
      const other = await toy.connect(options(toy, encrypt));
      await other.request().batch('fine');
      await other.close();
      await until(() => toy.backend.sessions.every((session) => session.closed) && toy.listener.connections().length === 0);
      expect(toy.internalErrors).toEqual([]);
    },
  );

  test('under TLS a request can be cancelled and rows wait for a client that does not read', async () => {
    await using toy = await toyServer();
    let sent = 0;
    toy.backend.on('endless', (ask) => {
      const rows = function* rows(): Generator<[number]> {
        for (;;) {
          sent++;
          yield [1];
        }
      };
      return answerRows(ask, [{ name: 'n', type: { name: 'int' }, nullable: false }], rows());
    });
    const pool = await toy.connect(options(toy, true));
    const request = pool.request();
    request.stream = true;
    const ended = new Promise((resolve) => request.once('error', resolve));
    request.once('row', () => request.pause());
    void request.batch('endless');
    let before = -1;
    await until(() => {
      const still = sent > 0 && sent === before;
      before = sent;
      return still;
    });
    request.cancel();
    expect(await ended).toMatchObject({ code: 'ECANCEL' });
    await pool.request().batch('fine');
  });
});

test.each<readonly [Encrypt, number, number]>([
  [true, 512, 512],
  [true, 4096, 4096],
  ['strict', 8000, 8000],
  ['strict', 32_767, 16_383],
])('encrypt: %s with packets of %i bytes: they have %i, and each is a TLS record of its own', async (encrypt, asked, packetSize) => {
  await using toy = await toyServer();
  teach(toy);
  const records: number[] = [];
  await recordServer(
    toy.listener.port,
    async (port) => {
      const pool = await toy.connect({ port, ...options(toy, encrypt, { packetSize: asked }) });
      records.length = 0;
      await pool.request().input('t', mssql.NVarChar(mssql.MAX), 'x'.repeat(100_000)).query('echo');
      await pool.close();
    },
    (bytes) => records.push(bytes),
  );
  // What a record adds of its own: header and authentication, and a nonce or a content type.
  const added = encrypt === 'strict' ? 5 + 16 + 1 : 5 + 16 + 8;
  const full = records.filter((bytes) => bytes === packetSize + added).length;
  expect(full).toBe(Math.floor(200_000 / (packetSize - 8)));
  expect(Math.max(...records)).toBe(packetSize + added);
});

test('the certificate is for localhost and loopback, is signed by itself, and is made once', async () => {
  await using toy = await toyServer();
  const certificate = new X509Certificate(toy.listener.certificate);
  expect(toy.listener.certificate).toBe(toy.listener.certificate);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkHost('localhost')).toBe('localhost');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.checkIP('::1')).toBe('::1');
  expect(certificate.checkHost('db.example')).toBeUndefined();
  expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now() + 3600 * 86_400_000);
});

test.each<readonly [Encrypt, string]>([
  [false, 'FALSE'],
  [true, 'TRUE'],
  ['strict', 'TRUE'],
])('encrypt: %s is %s in sys.dm_exec_connections', async (encrypt, shown) => {
  await using sandbox = await startSandbox({ password: PASSWORD });
  const pool = new mssql.ConnectionPool({
    server: 'localhost',
    port: sandbox.port,
    user: 'sa',
    password: PASSWORD,
    options: { encrypt: encrypt as boolean, trustServerCertificate: false, cryptoCredentialsDetails: { ca: sandbox.certificate } },
  });
  const { recordset } = await (
    await pool.connect()
  )
    .request()
    .batch<{ encrypt_option: string }>('SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID');
  expect(recordset).toEqual([{ encrypt_option: shown }]);
  expect(sandbox.connections().every(({ encryption }) => (encryption === 'none') === (encrypt === false))).toBe(true);
  await pool.close();
});

describe('FreeTDS', () => {
  async function tsql(toy: Toy, encryption: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'patchwire-freetds-'));
    try {
      const file = join(folder, 'freetds.conf');
      await writeFile(file, `[toy]\nhost = 127.0.0.1\nport = ${toy.listener.port}\ntds version = 7.4\nencryption = ${encryption}\n`);
      const client = run('tsql', ['-S', 'toy', '-U', 'sa', '-P', PASSWORD], {
        env: { ...process.env, FREETDSCONF: file, LC_ALL: 'C.UTF-8' },
        encoding: 'utf8',
      });
      client.child.stdin?.end('who\ngo\nexit\n');
      const { stdout, stderr } = await client.catch((error: { stdout: string; stderr: string }) => error);
      return `${stdout}\n${stderr}`;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  function answerWho(toy: Toy): void {
    toy.backend.on('who', (ask) =>
      answerRows(
        ask,
        [{ name: 'e', type: { name: 'varchar', length: 20, collation: ask.session.collation }, nullable: false }],
        [[`it is ${toy.listener.connections()[0]?.encryption ?? 'nobody'}`]],
      ),
    );
  }

  test.each([
    ['off', 'none'],
    ['request', 'login'],
    ['require', 'all'],
  ])('encryption = %s', async (encryption, wanted) => {
    await using toy = await toyServer();
    answerWho(toy);
    expect(await tsql(toy, encryption)).toContain(`it is ${wanted}`);
    expect(toy.internalErrors).toEqual([]);
  });

  test.each<readonly [EncryptionMode, string, string]>([
    ['required', 'request', 'it is all'],
    ['required', 'off', 'it is all'],
    ['unsupported', 'request', 'it is none'],
    ['unsupported', 'require', 'There was a problem connecting'],
    ['strict', 'require', 'There was a problem connecting'],
  ])('a server with encryption %s, encryption = %s', async (mode, encryption, wanted) => {
    await using toy = await toyServer({ encryption: mode });
    answerWho(toy);
    expect(await tsql(toy, encryption)).toContain(wanted);
  });
});

describe('raw bytes', () => {
  /** A PRELOGIN with nothing but what it says of encryption. */
  function prelogin(encryption: number): Buffer {
    return packet(PACKET.prelogin, Buffer.from([1, 0, 6, 0, 1, 0xff, encryption]));
  }

  /** The byte of the answer that speaks of encryption: the options stand in the order of their numbers. */
  function answered(message: Buffer | undefined): number | undefined {
    return message?.readUInt8(message.readUInt16BE(6));
  }

  const [OFF, ON, NOT_SUPPORTED, REQUIRED] = [0, 1, 2, 3];

  test.each<readonly [EncryptionMode, number, number]>([
    ['optional', OFF, OFF],
    ['optional', ON, ON],
    ['optional', NOT_SUPPORTED, NOT_SUPPORTED],
    ['required', OFF, REQUIRED],
    ['required', ON, ON],
    ['required', NOT_SUPPORTED, REQUIRED],
    ['unsupported', OFF, NOT_SUPPORTED],
    ['unsupported', ON, NOT_SUPPORTED],
    ['unsupported', NOT_SUPPORTED, NOT_SUPPORTED],
  ])('%s: PRELOGIN with encryption %i is answered %i', async (encryption, asked, wanted) => {
    await using toy = await toyServer({ encryption });
    using client = rawClient(toy.listener.port);
    client.socket.write(prelogin(asked));
    await until(() => client.messages().length === 1);
    expect(answered(client.messages()[0])).toBe(wanted);
  });

  test.each<readonly [string, EncryptionMode, Buffer]>([
    ['a login in the clear where encryption is required', 'required', login()],
    ['a PRELOGIN in the clear where strict is required', 'strict', prelogin(NOT_SUPPORTED)],
    ['a login in the clear where strict is required', 'strict', login()],
    ['requests smuggled in before the handshake', 'optional', Buffer.concat([prelogin(ON), login(), batch('x')])],
    ['half a packet before the handshake', 'optional', Buffer.concat([prelogin(ON), login().subarray(0, 20)])],
  ])('%s ends the connection', async (_, encryption, bytes) => {
    await using toy = await toyServer({ encryption });
    using client = rawClient(toy.listener.port);
    client.socket.write(bytes);
    await client.closed;
    expect(toy.backend.sessions).toHaveLength(0);
  });

  test.each<readonly [string, Buffer]>([
    ['a login in the clear', login()],
    ['no TLS', packet(PACKET.prelogin, Buffer.from('no handshake at all'))],
    ['an alert', packet(PACKET.prelogin, Buffer.from([0x15, 3, 3, 0, 2, 2, 40]))],
    ['a packet shorter than its header', Buffer.from([PACKET.prelogin, 1, 0, 3, 0, 0, 1, 0])],
    [
      'an empty handshake, a thousand times, then garbage',
      Buffer.concat([...Array.from({ length: 1000 }, () => packet(PACKET.prelogin, Buffer.alloc(0))), Buffer.of(0x99)]),
    ],
  ])('%s where the handshake should be ends the connection', async (_, bytes) => {
    await using toy = await toyServer();
    for (const encryption of [OFF, ON]) {
      using client = rawClient(toy.listener.port);
      client.socket.write(prelogin(encryption));
      await until(() => client.messages().length === 1);
      client.socket.write(bytes);
      await client.closed;
    }
    expect(toy.backend.sessions).toHaveLength(0);
    expect(toy.internalErrors).toEqual([]);
  });

  test.each<readonly [string, Buffer | null, Buffer]>([
    ['inside PRELOGIN', prelogin(ON), packet(PACKET.prelogin, Buffer.from([0x16, 3, 1, 0x10, 0, 1, 0]))],
    ['from the first byte', null, Buffer.from([0x16, 3, 1, 0x10, 0, 1, 0])],
  ])('a handshake %s that stops half way is cut after the login time', async (_, first, bytes) => {
    await using toy = await toyServer({ loginTimeoutMs: 200 });
    using client = rawClient(toy.listener.port);
    if (first !== null) {
      client.socket.write(first);
      await client.until(() => client.messages().length === 1);
    }
    client.socket.write(bytes);
    await client.closed;
  });

  test('a strict client must speak tds/8.0, where it names a protocol', async () => {
    await using toy = await toyServer();
    const open = async (ALPNProtocols: string[]): Promise<string> =>
      new Promise((resolve) => {
        const socket = connectTls({ port: toy.listener.port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols }, () => {
          resolve(String(socket.alpnProtocol));
          socket.destroy();
        });
        socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
      });
    expect(await open(['tds/8.0'])).toBe('tds/8.0');
    expect(await open(['http/1.1'])).toMatch(/NO_APPLICATION_PROTOCOL|ECONNRESET/u);
  });
});
