/**
 * The rows of one table as chains of versions, newest first, in key order (or in order of insertion without a key). An uncommitted version is
 * the row's lock. It knows neither columns nor SQL: keys, hashes and error texts are handed in.
 */
import type { SqlValue } from '../sql-types.ts';
import type { Bound, CompareKeys, Keyed, RowKey } from './ordered-rows.ts';
import { OrderedRows } from './ordered-rows.ts';
import type { LogEntry, Transaction } from './transaction.ts';
import { WaitSignal } from './transaction.ts';

export type Row = readonly SqlValue[];

export interface RowVersion {
  /** null: the row is deleted in this version. */
  readonly row: Row | null;
  /** The transaction that has not ended yet, else null. */
  writer: Transaction | null;
  seq: number;
  prev: RowVersion | null;
}

export interface RowChain extends Keyed {
  readonly key: RowKey;
  head: RowVersion | null;
}

/** How a statement reads: its locks (READ COMMITTED and above), no locks, past locked rows, or as of a view. */
export type ReadMode =
  | { readonly kind: 'locking' }
  | { readonly kind: 'dirty' }
  | { readonly kind: 'past locks' }
  | { readonly kind: 'view'; readonly seq: number };

/** A unique key beside the order of the rows. NULLs are equal to each other in it, as in SQL Server. */
export interface UniqueKey {
  readonly name: string;
  /** The canonical form of the row's values under this key; equal texts are equal keys. */
  hash(row: Row): string;
}

/** What the store needs to know about keys. */
export interface StoreShape {
  readonly compare: CompareKeys;
  /** The key of a row, or null when rows stand in order of insertion. */
  readonly keyOf: ((row: Row) => RowKey) | null;
  readonly uniques: readonly UniqueKey[];
  /** The error of a second row with the same key; `unique` null is the key of the order itself. */
  duplicate(unique: UniqueKey | null, row: Row): Error;
}

/** Who knows which old versions are still needed. */
export interface Vacuumer {
  /** The oldest view still open; Infinity: none. */
  horizon(): number;
  /** Asks `store.vacuum(chain, …)` again when the horizon has moved. */
  later(store: RowStore, chain: RowChain): void;
}

/** The version of a row that a statement sees. @throws WaitSignal when it has to wait for the row's writer. */
export function visibleRow(chain: RowChain, reader: Transaction | null, mode: ReadMode): Row | null {
  let version = chain.head;
  if (version === null) {
    return null;
  }
  if (version.writer === reader && reader !== null) {
    return version.row;
  }
  switch (mode.kind) {
    case 'locking':
      if (version.writer !== null) {
        throw new WaitSignal(version.writer);
      }
      return version.row;
    case 'dirty':
      return version.row;
    case 'past locks':
      return version.writer === null ? version.row : null;
    case 'view':
      while (version !== null && (version.writer !== null || version.seq > mode.seq)) {
        version = version.prev;
      }
      return version?.row ?? null;
  }
}

export class RowStore {
  readonly shape: StoreShape;
  /** Rows, with those that open transactions have added and without those that they have deleted: what sys.partitions counts. */
  count = 0;
  readonly #rows: OrderedRows<RowChain>;
  readonly #buckets: readonly Map<string, Set<RowChain>>[];
  readonly #vacuumer: Vacuumer;
  #lastRowId = 0;
  /** The rows of a table variable: a rollback leaves them. Source: learn.microsoft.com "table (Transact-SQL)". */
  lasting = false;

  constructor(shape: StoreShape, vacuumer: Vacuumer) {
    this.shape = shape;
    this.#rows = new OrderedRows(shape.compare);
    this.#buckets = shape.uniques.map(() => new Map());
    this.#vacuumer = vacuumer;
  }

  get(key: RowKey): RowChain | undefined {
    return this.#rows.get(key);
  }

  walk(from?: Bound, to?: Bound): Generator<RowChain, void, undefined> {
    return this.#rows.walk(from, to);
  }

  /** Adds a row. @throws WaitSignal, and the shape's error when the key is taken. */
  insert(transaction: Transaction, row: Row): RowChain {
    const keyOf = this.shape.keyOf;
    const key = keyOf === null ? [(this.#lastRowId += 1)] : keyOf(row);
    let chain = keyOf === null ? undefined : this.#rows.get(key);
    if (chain === undefined) {
      chain = { key, head: null };
      this.#rows.add(chain);
    } else {
      const head = chain.head;
      if (head !== null && head.writer !== null && head.writer !== transaction) {
        throw new WaitSignal(head.writer);
      }
      if (head !== null && head.row !== null) {
        throw this.shape.duplicate(null, row);
      }
    }
    this.#push(transaction, chain, row);
    return chain;
  }

  /** Replaces a row by one with the same key. The caller has looked at `claim` before. */
  replace(transaction: Transaction, chain: RowChain, row: Row): void {
    this.#push(transaction, chain, row);
  }

  remove(transaction: Transaction, chain: RowChain): void {
    this.#push(transaction, chain, null);
  }

  /** Whether no other row has the same unique values; called when the statement has written all its rows. @throws like insert */
  checkUniques(transaction: Transaction, chain: RowChain): void {
    const row = chain.head?.row ?? null;
    if (row === null) {
      return;
    }
    this.shape.uniques.forEach((unique, index) => {
      const hash = unique.hash(row);
      for (const other of this.#buckets[index]?.get(hash) ?? []) {
        const head = other.head;
        if (other === chain || head === null) {
          continue;
        }
        if (head.writer !== null && head.writer !== transaction) {
          throw new WaitSignal(head.writer);
        }
        if (head.row !== null && unique.hash(head.row) === hash) {
          throw this.shape.duplicate(unique, row);
        }
      }
    });
  }

  /** Puts a committed row in without a transaction: rows of a rewritten table. */
  load(chain: RowChain): void {
    this.#rows.add(chain);
    for (let version = chain.head; version !== null; version = version.prev) {
      this.#index(chain, version.row);
    }
    this.count += counted(chain.head?.row ?? null);
  }

  nextRowId(): number {
    return (this.#lastRowId += 1);
  }

  /** Registers the stamping of versions that a rewritten table took over from an open transaction. */
  adopt(transaction: Transaction, chain: RowChain, version: RowVersion): void {
    transaction.log.push(new VersionEntry(this, chain, version));
  }

  /** Forgets versions that no view can see. True when something is left for later. */
  vacuum(chain: RowChain, horizon: number): boolean {
    let version = chain.head;
    while (version !== null && (version.writer !== null || version.seq > horizon)) {
      version = version.prev;
    }
    if (version === null) {
      return chain.head !== null;
    }
    for (let old = version.prev; old !== null; old = old.prev) {
      version.prev = old.prev;
      this.#unindex(chain, old.row);
    }
    version.prev = null;
    if (version === chain.head) {
      if (version.row === null) {
        this.#drop(chain);
      }
      return false;
    }
    return true;
  }

  #push(transaction: Transaction, chain: RowChain, row: Row | null): void {
    const version: RowVersion = { row, writer: transaction, seq: Infinity, prev: chain.head };
    this.count += counted(row) - counted(chain.head?.row ?? null);
    chain.head = version;
    this.#index(chain, row);
    transaction.log.push(new VersionEntry(this, chain, version));
  }

  /** Called by a version's log entry: the version is gone. */
  undone(chain: RowChain, version: RowVersion): void {
    chain.head = version.prev;
    this.count += counted(version.prev?.row ?? null) - counted(version.row);
    this.#unindex(chain, version.row);
    if (chain.head === null) {
      this.#drop(chain);
    }
  }

  /** Called by a version's log entry: the version is committed. */
  stamped(chain: RowChain, version: RowVersion, seq: number): void {
    version.writer = null;
    version.seq = seq;
    const before = version.prev;
    if (before === null && version.row !== null) {
      return;
    }
    if (before !== null && before.seq === seq) {
      version.prev = before.prev;
      this.#unindex(chain, before.row);
    }
    if (version === chain.head && this.vacuum(chain, this.#vacuumer.horizon())) {
      this.#vacuumer.later(this, chain);
    }
  }

  #drop(chain: RowChain): void {
    chain.head = null;
    if (this.#rows.get(chain.key) === chain) {
      this.#rows.remove(chain.key);
    }
  }

  #index(chain: RowChain, row: Row | null): void {
    if (row === null || this.#buckets.length === 0) {
      return;
    }
    this.#buckets.forEach((buckets, index) => {
      const hash = this.shape.uniques[index]?.hash(row) ?? '';
      const bucket = buckets.get(hash);
      if (bucket === undefined) {
        buckets.set(hash, new Set([chain]));
      } else {
        bucket.add(chain);
      }
    });
  }

  #unindex(chain: RowChain, row: Row | null): void {
    if (row === null || this.#buckets.length === 0) {
      return;
    }
    this.#buckets.forEach((buckets, index) => {
      const unique = this.shape.uniques[index];
      const hash = unique?.hash(row) ?? '';
      for (let version = chain.head; version !== null; version = version.prev) {
        if (version.row !== null && unique?.hash(version.row) === hash) {
          return;
        }
      }
      const bucket = buckets.get(hash);
      bucket?.delete(chain);
      if (bucket?.size === 0) {
        buckets.delete(hash);
      }
    });
  }
}

function counted(row: Row | null): 0 | 1 {
  return row === null ? 0 : 1;
}

class VersionEntry implements LogEntry {
  readonly #store: RowStore;
  readonly #chain: RowChain;
  readonly #version: RowVersion;

  constructor(store: RowStore, chain: RowChain, version: RowVersion) {
    this.#store = store;
    this.#chain = chain;
    this.#version = version;
  }

  get lasting(): boolean {
    return this.#store.lasting;
  }

  undo(): void {
    this.#store.undone(this.#chain, this.#version);
  }

  stamp(seq: number): void {
    this.#store.stamped(this.#chain, this.#version, seq);
  }
}
