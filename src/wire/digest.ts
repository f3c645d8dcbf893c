/**
 * The digest of a section: the exclusive or, over all living documents, of the first 64 bits of SHA-256("identity" NUL "version").
 * Independent of order and its own inverse, so publisher and replica keep it incrementally; written as 16 lower-case hex digits.
 */
import { hash } from 'node:crypto';

export const EMPTY_DIGEST = '0000000000000000';

/** A digest under construction: two halves of 32 bits. */
export class Digest {
  #high: number;
  #low: number;

  constructor(text: string = EMPTY_DIGEST) {
    this.#high = Number.parseInt(text.slice(0, 8), 16) | 0;
    this.#low = Number.parseInt(text.slice(8, 16), 16) | 0;
  }

  /** Adds an entry, or takes it out again. `version` is the decimal text. */
  toggle(identity: string, version: string): void {
    // One character a byte: the cheapest form in which the hash comes back, since this runs twice for every row that changes.
    const sum = hash('sha256', `${identity}\0${version}`, 'binary');
    this.#high ^= word(sum, 0);
    this.#low ^= word(sum, 4);
  }

  toString(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

/** Four bytes as 32 bits, the first one highest. */
function word(bytes: string, at: number): number {
  return (bytes.charCodeAt(at) << 24) | (bytes.charCodeAt(at + 1) << 16) | (bytes.charCodeAt(at + 2) << 8) | bytes.charCodeAt(at + 3);
}

function hex(half: number): string {
  return (half >>> 0).toString(16).padStart(8, '0');
}
