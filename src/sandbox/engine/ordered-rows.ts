/**
 * An ordered collection of row chains: sorted chunks, found by binary search. It knows an order and nothing else: no versions, no locks.
 * Appending at the end (identity keys, heaps) and seeks by a key or by the beginning of a key are what it is made for.
 */
import type { SqlValue } from '../sql-types.ts';

/** The values of a key, in key order. A shorter one compares as the beginning of longer ones. */
export type RowKey = readonly SqlValue[];

export type CompareKeys = (a: RowKey, b: RowKey) => number;

export interface Keyed {
  readonly key: RowKey;
}

const CHUNK = 512;

/** A bound of a walk: keys that begin with `prefix` are inside when `inclusive`. */
export interface Bound {
  readonly prefix: RowKey;
  readonly inclusive: boolean;
}

export class OrderedRows<T extends Keyed> {
  readonly #compare: CompareKeys;
  #chunks: T[][] = [];
  #size = 0;

  /** @param compare compares as many columns as the shorter of both keys has. */
  constructor(compare: CompareKeys) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get(key: RowKey): T | undefined {
    const at = this.#lowerBound(key, true);
    const found = this.#chunks[at.chunk]?.[at.index];
    return found !== undefined && found.key.length === key.length && this.#compare(found.key, key) === 0 ? found : undefined;
  }

  /** Adds an item whose key is not there yet. */
  add(item: T): void {
    this.#size += 1;
    const last = this.#chunks.at(-1);
    const highest = last?.at(-1);
    if (last === undefined || highest === undefined) {
      this.#chunks.push([item]);
      return;
    }
    if (this.#compare(highest.key, item.key) < 0) {
      if (last.length < CHUNK) {
        last.push(item);
      } else {
        this.#chunks.push([item]);
      }
      return;
    }
    const at = this.#lowerBound(item.key, true);
    const chunk = this.#chunks[at.chunk] ?? last;
    chunk.splice(at.index, 0, item);
    if (chunk.length > CHUNK) {
      this.#chunks.splice(at.chunk + 1, 0, chunk.splice(chunk.length >> 1));
    }
  }

  remove(key: RowKey): void {
    const at = this.#lowerBound(key, true);
    const chunk = this.#chunks[at.chunk];
    const found = chunk?.[at.index];
    if (chunk === undefined || found === undefined || this.#compare(found.key, key) !== 0) {
      return;
    }
    chunk.splice(at.index, 1);
    this.#size -= 1;
    if (chunk.length === 0) {
      this.#chunks.splice(at.chunk, 1);
    }
  }

  /** Items in key order between two bounds. The collection must not change while it is walked. */
  *walk(from?: Bound, to?: Bound): Generator<T, void, undefined> {
    let { chunk, index } = from === undefined ? { chunk: 0, index: 0 } : this.#lowerBound(from.prefix, from.inclusive);
    for (; chunk < this.#chunks.length; chunk += 1, index = 0) {
      const items = this.#chunks[chunk] ?? [];
      for (; index < items.length; index += 1) {
        const item = items[index];
        if (item === undefined) {
          continue;
        }
        if (to !== undefined) {
          const order = this.#compare(item.key, to.prefix);
          if (order > 0 || (order === 0 && !to.inclusive)) {
            return;
          }
        }
        yield item;
      }
    }
  }

  /** The first place whose key is >= `key` (`orEqual`), or > every key that begins with it. */
  #lowerBound(key: RowKey, orEqual: boolean): { chunk: number; index: number } {
    const before = (item: T | undefined): boolean => {
      if (item === undefined) {
        return false;
      }
      const order = this.#compare(item.key, key);
      return orEqual ? order < 0 : order <= 0;
    };
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.#chunks[middle]?.at(-1))) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const chunk = this.#chunks[low];
    if (chunk === undefined) {
      return { chunk: low, index: 0 };
    }
    let first = 0;
    let end = chunk.length;
    while (first < end) {
      const middle = (first + end) >> 1;
      if (before(chunk[middle])) {
        first = middle + 1;
      } else {
        end = middle;
      }
    }
    return { chunk: low, index: first };
  }
}
