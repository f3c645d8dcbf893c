/** Secondary indexes over a replica's documents, by a function of the document. Kept in step by whoever owns them; a lookup is one look into a map. */

/** The key or keys under which a document is found; undefined: none. A list means several keys. */
export type KeyOf<T, K> = (document: T, dataKey: string) => K | readonly K[] | undefined;

/** Documents by a key that several may share. */
export interface Index<K, T> {
  /** The documents under a key, in the order in which they came there. */
  get(key: K): readonly T[];
  has(key: K): boolean;
  keys(): IterableIterator<K>;
  /** How many keys there are. */
  readonly size: number;
  /** Not kept in step any more. */
  drop(): void;
}

/** Documents by a key that one has. Two may have it for a while (a key that moves between two rows comes in two changes). */
export interface UniqueIndex<K, T> extends Omit<Index<K, T>, 'get'> {
  /** The document that came under the key last. */
  get(key: K): T | undefined;
  /** Keys that more than one document has. */
  readonly conflicts: number;
}

export class DocumentIndex<K, T> {
  readonly #keyOf: KeyOf<T, K>;
  readonly #buckets = new Map<K, Map<string, T>>();
  readonly #keysOf = new Map<string, readonly K[]>();
  #conflicts = 0;

  constructor(keyOf: KeyOf<T, K>) {
    this.#keyOf = keyOf;
  }

  get conflicts(): number {
    return this.#conflicts;
  }

  get size(): number {
    return this.#buckets.size;
  }

  bucket(key: K): ReadonlyMap<string, T> | undefined {
    return this.#buckets.get(key);
  }

  keys(): IterableIterator<K> {
    return this.#buckets.keys();
  }

  clear(): void {
    this.#buckets.clear();
    this.#keysOf.clear();
    this.#conflicts = 0;
  }

  /** What is under an identity now; undefined: nothing. @throws what the key function throws; the document is in no bucket then */
  put(identity: string, dataKey: string, document: T | undefined): void {
    for (const key of this.#keysOf.get(identity) ?? []) {
      this.#remove(key, identity);
    }
    this.#keysOf.delete(identity);
    const found = document === undefined ? undefined : this.#keyOf(document, dataKey);
    if (document === undefined || found === undefined) {
      return;
    }
    const keys: readonly K[] = Array.isArray(found) ? [...new Set(found as readonly K[])] : [found as K];
    keys.forEach((key) => this.#add(key, identity, document));
    this.#keysOf.set(identity, keys);
  }

  #add(key: K, identity: string, document: T): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#buckets.set(key, new Map([[identity, document]]));
      return;
    }
    bucket.set(identity, document);
    this.#conflicts += bucket.size === 2 ? 1 : 0;
  }

  #remove(key: K, identity: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined || !bucket.delete(identity)) {
      return;
    }
    if (bucket.size === 0) {
      this.#buckets.delete(key);
    }
    this.#conflicts -= bucket.size === 1 ? 1 : 0;
  }
}

/** The face of an index whose keys may be shared. */
export function sharedIndex<K, T>(index: DocumentIndex<K, T>, drop: () => void): Index<K, T> {
  return {
    get: (key) => [...(index.bucket(key)?.values() ?? [])],
    has: (key) => index.bucket(key) !== undefined,
    keys: () => index.keys(),
    get size() {
      return index.size;
    },
    drop,
  };
}

/** The face of an index whose keys are one document's. */
export function uniqueIndex<K, T>(index: DocumentIndex<K, T>, drop: () => void): UniqueIndex<K, T> {
  return {
    ...sharedIndex(index, drop),
    get: (key) => {
      const bucket = index.bucket(key);
      return bucket === undefined ? undefined : [...bucket.values()].at(-1);
    },
    get size() {
      return index.size;
    },
    get conflicts() {
      return index.conflicts;
    },
  };
}
