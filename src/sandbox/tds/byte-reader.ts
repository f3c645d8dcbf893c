/**
 * Reads little-endian values from one message, never beyond its end: what lies outside is a broken message, not undefined data.
 */
import { ProtocolError } from './protocol.ts';

/** A cursor over one message. Every method throws ProtocolError when the message ends too early. */
export class ByteReader {
  readonly #data: Buffer;
  #at: number;

  constructor(data: Buffer, at = 0) {
    this.#data = data;
    this.#at = at;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#data.length - this.#at;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes < 0 || bytes > this.#data.length - at) {
      throw new ProtocolError(`the message ends ${bytes - (this.#data.length - at)} bytes too early`);
    }
    this.#at = at + bytes;
    return at;
  }

  u8(): number {
    return this.#data.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#data.readUInt16LE(this.#take(2));
  }

  i16(): number {
    return this.#data.readInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#data.readUInt32LE(this.#take(4));
  }

  i32(): number {
    return this.#data.readInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#data.readBigUInt64LE(this.#take(8));
  }

  i64(): bigint {
    return this.#data.readBigInt64LE(this.#take(8));
  }

  f32(): number {
    return this.#data.readFloatLE(this.#take(4));
  }

  f64(): number {
    return this.#data.readDoubleLE(this.#take(8));
  }

  /** An unsigned number of 1 to 6 bytes. */
  uint(bytes: number): number {
    return this.#data.readUIntLE(this.#take(bytes), bytes);
  }

  /** An unsigned number of any length. */
  bigUint(bytes: number): bigint {
    const at = this.#take(bytes);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) {
      value = (value << 8n) | BigInt(this.#data.readUInt8(at + i));
    }
    return value;
  }

  /** The next bytes, a view into the message. */
  bytes(count: number): Buffer {
    const at = this.#take(count);
    return this.#data.subarray(at, at + count);
  }

  /** The next byte, which stays the next. */
  peek(): number {
    return this.left === 0 ? -1 : this.#data.readUInt8(this.#at);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** UTF-16 text of so many bytes. */
  ucs2(bytes: number): string {
    if (bytes % 2 !== 0) {
      throw new ProtocolError(`UTF-16 text of ${bytes} bytes`);
    }
    const at = this.#take(bytes);
    return this.#data.toString('utf16le', at, at + bytes);
  }

  /** Text with its length in characters in one byte before it (B_VARCHAR). */
  shortText(): string {
    return this.ucs2(this.u8() * 2);
  }
}
