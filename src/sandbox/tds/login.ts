/**
 * LOGIN7: reads who wants in (MS-TDS 2.2.6.4). Whether they may is the backend's to say.
 */
import type { LoginRequest } from '../session.ts';
import { ByteReader } from './byte-reader.ts';
import { PACKET_SIZE, ProtocolError } from './protocol.ts';

/** Bytes before the variable part. */
const FIXED_BYTES = 94;

/** A login as the protocol needs it. */
export interface Login7 {
  readonly request: Omit<LoginRequest, 'encrypted'>;
  readonly tdsVersion: number;
  /** What the client asked for, brought into the range that is allowed. */
  readonly packetSize: number;
  /** Windows authentication, which nobody here can check. */
  readonly integrated: boolean;
  /** The language that the session shall speak; empty: the server's own. */
  readonly language: string;
  /** What the login asks for and this server does not have, as one names it. */
  readonly unsupported: readonly string[];
}

/** Flags of a LOGIN7. Source: MS-TDS 2.2.6.4, OptionFlags1 to 3 and TypeFlags. */
const FLAG = { notIntel: 0x0f, integrated: 0x80, readOnlyIntent: 0x20, changePassword: 0x01, userInstance: 0x02, extension: 0x10 } as const;

/** Features of the extension. Those that are not listed are optional: a server that does not know them leaves them out of its answer. */
const FEATURE = { federatedAuthentication: 0x02, end: 0xff } as const;

/** Reads a LOGIN7 message. @throws ProtocolError when it is broken. */
export function readLogin7(data: Buffer): Login7 {
  if (data.length < FIXED_BYTES || data.readUInt32LE(0) > data.length) {
    throw new ProtocolError('a LOGIN7 that is cut short');
  }
  const wanted = data.readUInt32LE(8);
  return {
    request: {
      hostName: textAt(data, 36),
      user: textAt(data, 40),
      password: unscramble(bytesAt(data, 44)),
      appName: textAt(data, 48),
      database: textAt(data, 68),
      readOnlyIntent: (data.readUInt8(26) & FLAG.readOnlyIntent) !== 0,
    },
    tdsVersion: data.readUInt32LE(4),
    packetSize: wanted === 0 ? PACKET_SIZE.default : Math.min(Math.max(wanted, PACKET_SIZE.min), PACKET_SIZE.max),
    integrated: (data.readUInt8(25) & FLAG.integrated) !== 0,
    language: textAt(data, 64),
    unsupported: unsupportedOf(data),
  };
}

function unsupportedOf(data: Buffer): string[] {
  const options = data.readUInt8(27);
  const found: (readonly [boolean, string])[] = [
    // Byte order, character set and floating point of another machine than Intel's.
    [(data.readUInt8(24) & FLAG.notIntel) !== 0, 'clients that are not little-endian with ASCII and IEEE 754'],
    [(options & FLAG.changePassword) !== 0, 'changing the password at login'],
    [(options & FLAG.userInstance) !== 0, 'user instances'],
    [data.readUInt16LE(84) > 0, 'attaching a database file at login'],
    [(options & FLAG.extension) !== 0 && asksFederated(data), 'federated authentication'],
  ];
  return found.filter(([asked]) => asked).map(([, name]) => name);
}

/** Walks through the feature extension: id, length, data, until the terminator. */
function asksFederated(data: Buffer): boolean {
  const place = data.readUInt16LE(56);
  const reader = new ByteReader(data, Math.min(place, data.length));
  const features = new ByteReader(data, Math.min(reader.u32(), data.length));
  for (let id = features.u8(); id !== FEATURE.end; id = features.u8()) {
    if (id === FEATURE.federatedAuthentication) {
      return true;
    }
    features.skip(features.u32());
  }
  return false;
}

function bytesAt(data: Buffer, field: number): Buffer {
  const from = data.readUInt16LE(field);
  const bytes = data.readUInt16LE(field + 2) * 2;
  if (bytes === 0) {
    return Buffer.alloc(0);
  }
  if (from < FIXED_BYTES - 8 || from + bytes > data.length) {
    throw new ProtocolError('a LOGIN7 field outside its message');
  }
  return data.subarray(from, from + bytes);
}

function textAt(data: Buffer, field: number): string {
  return bytesAt(data, field).toString('utf16le');
}

/** Every byte was turned by four bits and then XORed with 0xA5. */
function unscramble(bytes: Buffer): string {
  const plain = Buffer.alloc(bytes.length);
  for (const [i, byte] of bytes.entries()) {
    const turned = byte ^ 0xa5;
    plain[i] = ((turned << 4) | (turned >>> 4)) & 0xff;
  }
  return plain.toString('utf16le');
}
