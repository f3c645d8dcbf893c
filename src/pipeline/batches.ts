/**
 * Groups a stream of items into batches by number and bytes, in order. Pulled: it reads one item more than the batch it yields and holds
 * nothing else. Knows nothing of patches or of what is done with a batch.
 */

export interface AutoBatcherOptions<T> {
  /** Most rows in a batch. */
  readonly maxRows: number;
  /** Most bytes in a batch; an item above it makes a batch of its own. */
  readonly maxBytes: number;
  /** What one item counts; an item of several rows is never split. */
  readonly measure: (item: T) => { readonly rows: number; readonly bytes: number };
  /** Keys that may occur only once in a batch: a second occurrence begins the next one. */
  readonly keys?: (item: T) => readonly string[];
  /** A batch holds items of one group only. */
  readonly group?: (item: T) => unknown;
}

export interface ItemBatch<T> {
  readonly items: readonly T[];
  readonly rows: number;
  readonly bytes: number;
}

const NO_KEYS: readonly string[] = [];

/** Batches by rows and bytes; one item above a limit is a batch alone; the order of items, and so of each key's, is kept. */
export class AutoBatcher<T> {
  readonly #options: AutoBatcherOptions<T>;
  #items: T[] = [];
  #keys = new Set<string>();
  #rows = 0;
  #bytes = 0;
  #group: unknown = null;

  /** @throws RangeError when a limit is below 1 */
  constructor(options: AutoBatcherOptions<T>) {
    if (!(options.maxRows >= 1 && options.maxBytes >= 1)) {
      throw new RangeError(`batch limits must be at least 1: ${options.maxRows} rows, ${options.maxBytes} bytes`);
    }
    this.#options = options;
  }

  /** Adds an item. @returns the batch that the item no longer fits into, or null */
  add(item: T): ItemBatch<T> | null {
    const { maxRows, maxBytes, measure, keys, group } = this.#options;
    const { rows, bytes } = measure(item);
    const itemKeys = keys?.(item) ?? NO_KEYS;
    const itemGroup = group?.(item) ?? null;
    const fits =
      this.#rows + rows <= maxRows &&
      this.#bytes + bytes <= maxBytes &&
      (itemGroup === this.#group || this.#items.length === 0) &&
      !this.#holdsOneOf(itemKeys);
    const finished = fits ? null : this.flush();
    this.#items.push(item);
    this.#group = itemGroup;
    for (const key of itemKeys) {
      this.#keys.add(key);
    }
    this.#rows += rows;
    this.#bytes += bytes;
    return finished;
  }

  #holdsOneOf(keys: readonly string[]): boolean {
    for (const key of keys) {
      if (this.#keys.has(key)) {
        return true;
      }
    }
    return false;
  }

  /** What has been added and not yet returned, or null when there is nothing. */
  flush(): ItemBatch<T> | null {
    if (this.#items.length === 0) {
      return null;
    }
    const batch: ItemBatch<T> = { items: this.#items, rows: this.#rows, bytes: this.#bytes };
    this.#items = [];
    this.#keys = new Set();
    this.#rows = 0;
    this.#bytes = 0;
    return batch;
  }

  /** The batches of a source, one at a time as they are asked for. Stopping early closes the source and drops what was not yielded. */
  async *batches(source: AsyncIterable<T> | Iterable<T>): AsyncGenerator<ItemBatch<T>, void, undefined> {
    try {
      for await (const item of source) {
        const finished = this.add(item);
        if (finished !== null) {
          yield finished;
        }
      }
      const rest = this.flush();
      if (rest !== null) {
        yield rest;
      }
    } finally {
      this.flush();
    }
  }
}
