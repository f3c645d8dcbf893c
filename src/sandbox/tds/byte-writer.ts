/**
 * A growing buffer for little-endian values. It knows no tokens and no packets.
 */

const INITIAL_BYTES = 8192;

/** Collects the bytes of an answer. The buffer is kept between answers, so a steady stream allocates little. */
export class ByteWriter {
  #data = Buffer.allocUnsafe(INITIAL_BYTES);
  #at = 0;

  /** Bytes written and not taken yet. */
  get length(): number {
    return this.#at;
  }

  #grow(bytes: number): number {
    const at = this.#at;
    const end = at + bytes;
    if (end > this.#data.length) {
      const wider = Buffer.allocUnsafe(Math.max(end, this.#data.length * 2));
      this.#data.copy(wider, 0, 0, at);
      this.#data = wider;
    }
    this.#at = end;
    return at;
  }

  u8(value: number): void {
    const at = this.#grow(1);
    this.#data[at] = value;
  }

  u16(value: number): void {
    const at = this.#grow(2);
    this.#data.writeUInt16LE(value, at);
  }

  i16(value: number): void {
    const at = this.#grow(2);
    this.#data.writeInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#grow(4);
    this.#data.writeUInt32LE(value, at);
  }

  i32(value: number): void {
    const at = this.#grow(4);
    this.#data.writeInt32LE(value, at);
  }

  u64(value: bigint): void {
    const at = this.#grow(8);
    this.#data.writeBigUInt64LE(value, at);
  }

  i64(value: bigint): void {
    const at = this.#grow(8);
    this.#data.writeBigInt64LE(value, at);
  }

  f32(value: number): void {
    const at = this.#grow(4);
    this.#data.writeFloatLE(value, at);
  }

  f64(value: number): void {
    const at = this.#grow(8);
    this.#data.writeDoubleLE(value, at);
  }

  /** An unsigned number in 1 to 6 bytes. */
  uint(value: number, bytes: number): void {
    const at = this.#grow(bytes);
    this.#data.writeUIntLE(value, at, bytes);
  }

  /** An unsigned number in any number of bytes; what does not fit is cut off, so the caller checks the range. */
  bigUint(value: bigint, bytes: number): void {
    const at = this.#grow(bytes);
    let rest = value;
    for (let i = 0; i < bytes; i++) {
      this.#data[at + i] = Number(rest & 0xffn);
      rest >>= 8n;
    }
  }

  bytes(value: Uint8Array): void {
    const at = this.#grow(value.length);
    this.#data.set(value, at);
  }

  /** UTF-16 text without a length. */
  ucs2(value: string): void {
    const at = this.#grow(value.length * 2);
    this.#data.write(value, at, 'utf16le');
  }

  /** Text with its length in characters in one byte (B_VARCHAR), cut at 255 characters. */
  shortText(value: string): void {
    const text = value.length > 255 ? value.slice(0, 255) : value;
    this.u8(text.length);
    this.ucs2(text);
  }

  /** Text with its length in characters in two bytes (US_VARCHAR), cut at `limit` characters. */
  longText(value: string, limit = 0xffff): void {
    const text = value.length > limit ? value.slice(0, limit) : value;
    this.u16(text.length);
    this.ucs2(text);
  }

  /** Reserves two bytes for a length that `endLength` fills in with the bytes written since. */
  beginLength(): number {
    return this.#grow(2);
  }

  endLength(mark: number): void {
    this.#data.writeUInt16LE(this.#at - mark - 2, mark);
  }

  /** Takes back everything after the first bytes. */
  truncate(length: number): void {
    this.#at = Math.min(this.#at, length);
  }

  /** A view of the first bytes, valid until the next call that writes or drops. */
  first(count: number): Buffer {
    return this.#data.subarray(0, Math.min(count, this.#at));
  }

  /** Removes the first bytes; the rest stays. */
  drop(count: number): void {
    this.#data.copy(this.#data, 0, count, this.#at);
    this.#at -= Math.min(count, this.#at);
  }
}
