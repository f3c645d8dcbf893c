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
    const sum = hash('sha256', `${identity}\0${version}`, 'hex');
    this.#high ^= Number.parseInt(sum.slice(0, 8), 16);
    this.#low ^= Number.parseInt(sum.slice(8, 16), 16);
  }

  toString(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

function hex(half: number): string {
  return (half >>> 0).toString(16).padStart(8, '0');
}
