/**
 * PRELOGIN: reads what the client wants, decides with it what is encrypted, answers what this server has (MS-TDS 2.2.6.5). It encrypts
 * nothing.
 */
import { ByteReader } from './byte-reader.ts';
import { ProtocolError } from './protocol.ts';
import type { ServerVersion } from './tokens.ts';

const OPTION = { version: 0, encryption: 1, instance: 2, threadId: 3, mars: 4, terminator: 0xff } as const;
const ENCRYPTION = { off: 0, on: 1, notSupported: 2, required: 3 } as const;

/**
 * What the server does of encryption. `optional`: what the client wants, as SQL Server does out of the box: nothing, the login alone (the
 * meaning of ENCRYPT_OFF), everything, or strict. `required`: everything or strict ("Force Encryption"). `strict`: strict only ("Force
 * Strict Encryption"). `unsupported`: nothing, as a server without a certificate.
 */
export type EncryptionMode = 'optional' | 'required' | 'strict' | 'unsupported';

/** What the client says of encryption. `demanded`: it will not talk without, so neither may the server. */
export interface PreloginRequest {
  readonly encryption: 'unsupported' | 'off' | 'demanded';
}

/** What was agreed: the byte of the answer, and what TLS covers from then on. */
export interface Negotiated {
  readonly answer: number;
  readonly encryption: 'none' | 'login' | 'all';
}

/** Source: the table in MS-TDS 2.2.6.5, ENCRYPTION. Under TLS already (strict) the option means nothing, and nothing follows from it. */
export function negotiate(mode: EncryptionMode, client: PreloginRequest['encryption'], strict: boolean): Negotiated {
  if (strict || mode === 'unsupported') {
    return { answer: ENCRYPTION.notSupported, encryption: 'none' };
  }
  if (mode === 'strict') {
    throw new ProtocolError('a PRELOGIN that is not encrypted, at a server that wants TDS 8');
  }
  if (client === 'demanded') {
    return { answer: ENCRYPTION.on, encryption: 'all' };
  }
  if (mode === 'required') {
    // A client that cannot must go now; anything but a handshake ends the connection.
    return { answer: ENCRYPTION.required, encryption: 'all' };
  }
  return client === 'off' ? { answer: ENCRYPTION.off, encryption: 'login' } : { answer: ENCRYPTION.notSupported, encryption: 'none' };
}

/** Reads the options of a PRELOGIN. @throws ProtocolError when they are broken. */
export function readPrelogin(data: Buffer): PreloginRequest {
  const options = new ByteReader(data);
  let encryption: number = ENCRYPTION.notSupported;
  for (let token = options.u8(); token !== OPTION.terminator; token = options.u8()) {
    const place = options.bytes(4);
    const at = place.readUInt16BE(0);
    const length = place.readUInt16BE(2);
    if (at + length > data.length) {
      throw new ProtocolError('a PRELOGIN option outside its message');
    }
    if (token === OPTION.encryption && length > 0) {
      encryption = data.readUInt8(at);
    }
  }
  if (encryption === ENCRYPTION.notSupported) {
    return { encryption: 'unsupported' };
  }
  return { encryption: encryption === ENCRYPTION.off ? 'off' : 'demanded' };
}

/** The answer: version, what was agreed of encryption, no MARS. */
export function preloginAnswer(version: ServerVersion, { answer }: Negotiated): Buffer {
  const build = Buffer.from([version.major, version.minor, version.build >>> 8, version.build & 0xff, 0, 0]);
  const options: readonly (readonly [number, Buffer])[] = [
    [OPTION.version, build],
    [OPTION.encryption, Buffer.of(answer)],
    [OPTION.instance, Buffer.of(0)],
    [OPTION.threadId, Buffer.alloc(0)],
    [OPTION.mars, Buffer.of(0)],
  ];
  const table = Buffer.alloc(options.length * 5 + 1, OPTION.terminator);
  let at = table.length;
  for (const [i, [token, value]] of options.entries()) {
    table.writeUInt8(token, i * 5);
    table.writeUInt16BE(at, i * 5 + 1);
    table.writeUInt16BE(value.length, i * 5 + 3);
    at += value.length;
  }
  return Buffer.concat([table, ...options.map(([, value]) => value)]);
}
