/**
 * LOGIN7: reads who wants in (MS-TDS 2.2.6.4). Whether they may is the backend's to say.
 */
import type { LoginRequest } from '../session.ts';
import { PACKET_SIZE, ProtocolError } from './protocol.ts';

/** Bytes before the variable part. */
const FIXED_BYTES = 94;

/** A login as the protocol needs it. */
export interface Login7 {
  readonly request: LoginRequest;
  readonly tdsVersion: number;
  /** What the client asked for, brought into the range that is allowed. */
  readonly packetSize: number;
  /** Windows authentication, which nobody here can check. */
  readonly integrated: boolean;
}

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
      readOnlyIntent: (data.readUInt8(26) & 0x20) !== 0,
    },
    tdsVersion: data.readUInt32LE(4),
    packetSize: wanted === 0 ? PACKET_SIZE.default : Math.min(Math.max(wanted, PACKET_SIZE.min), PACKET_SIZE.max),
    integrated: (data.readUInt8(25) & 0x80) !== 0,
  };
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
