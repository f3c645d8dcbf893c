/**
 * Change tracking of one table: what was changed at which version, and what that comes to relative to a baseline. Versions come from the
 * database's counter at the commit. Sources of the rules: CHANGETABLE, "Work with change tracking" and "Manage change tracking" of Microsoft's documentation.
 */
import type { RowKey } from './ordered-rows.ts';
import type { Transaction } from './transaction.ts';
import type { VersionCounter, VersionedEntry } from './transaction-manager.ts';

export type TrackedOperation = 'I' | 'U' | 'D';

/** One write to one row, as its statement made it. */
export interface TrackedWrite {
  readonly operation: TrackedOperation;
  readonly key: RowKey;
  /** Ids of the columns in the SET list; null: no such information (an insert, a delete, every column, tracking of columns off). */
  readonly columns: readonly number[] | null;
  readonly context: Buffer | null;
}

/** A row of CHANGETABLE(CHANGES …). */
export interface NetChange {
  readonly version: bigint;
  readonly creationVersion: bigint | null;
  readonly operation: TrackedOperation;
  readonly columns: Buffer | null;
  readonly context: Buffer | null;
  readonly key: RowKey;
}

/** What sys.change_tracking_tables says. */
export interface TrackingState {
  readonly beginVersion: bigint;
  readonly cleanupVersion: bigint | null;
  readonly minValidVersion: bigint;
}

/** What is stored about one key. */
interface TrackedKey {
  /** The spelling under which its first event still stored came: a respelled key keeps it. */
  readonly key: RowKey;
  last: TrackedEvent;
  events: number;
}

export class ChangeTracker {
  readonly tracksColumns: boolean;
  readonly beginVersion: bigint;
  #cleanupVersion: bigint | null = null;
  readonly #identity: (key: RowKey) => string;
  readonly #horizon: () => number;
  /** In order of version; those that are `gone` go from time to time. */
  #events: TrackedEvent[] = [];
  #gone = 0;
  readonly #keys = new Map<string, TrackedKey>();
  /** Events whose predecessor says no more than they do, but may still be seen by an open view. In order of seq. */
  #waiting: TrackedEvent[] = [];
  readonly #pending = new Map<Transaction, number>();
  #removed = false;

  /**
   * @param identity equal texts for keys that are equal under their collations.
   * @param horizon the oldest view still open; Infinity: none.
   */
  constructor(options: { tracksColumns: boolean; beginVersion: bigint; identity: (key: RowKey) => string; horizon: () => number }) {
    this.tracksColumns = options.tracksColumns;
    this.beginVersion = options.beginVersion;
    this.#identity = options.identity;
    this.#horizon = options.horizon;
  }

  get state(): TrackingState {
    const cleanup = this.#cleanupVersion;
    return {
      beginVersion: this.beginVersion,
      cleanupVersion: cleanup,
      minValidVersion: cleanup !== null && cleanup > this.beginVersion ? cleanup : this.beginVersion,
    };
  }

  /** What is visible of it, for a copy of the database. */
  copy(): ChangeTracker {
    const copy = new ChangeTracker({
      tracksColumns: this.tracksColumns,
      beginVersion: this.beginVersion,
      identity: this.#identity,
      horizon: this.#horizon,
    });
    copy.#cleanupVersion = this.#cleanupVersion;
    for (const event of this.#events) {
      if (!event.gone && event.seq !== Infinity && event.removedSeq === Infinity) {
        copy.assigned(event.copyFor(copy));
      }
    }
    return copy;
  }

  /** How many changes are stored: one for each key, and more where an older one still says something of its own. */
  get stored(): number {
    return this.#events.length - this.#gone;
  }

  /** Writers other than `reader` whose changes are not committed; a reader that locks waits for them. */
  pendingWriters(reader: Transaction | null): Transaction[] {
    return [...this.#pending.keys()].filter((writer) => writer !== reader);
  }

  record(transaction: Transaction, counter: VersionCounter, write: TrackedWrite): void {
    this.#pending.set(transaction, (this.#pending.get(transaction) ?? 0) + 1);
    transaction.log.push(new TrackedEvent(this, transaction, counter, write));
  }

  /**
   * One row for each key that changed after the baseline, in order of version, as a view at `seq` sees it. A baseline of null is everything
   * still stored; a negative one, or one above the newest version, yields nothing.
   */
  changes(baseline: bigint | null, seq: number): NetChange[] {
    if (baseline !== null && baseline < 0n) {
      return [];
    }
    const net = new Map<string, Accumulated>();
    for (let index = this.#firstAfter(baseline); index < this.#events.length; index += 1) {
      const event = this.#events[index];
      if (event === undefined || event.gone || event.seq > seq || event.removedSeq <= seq) {
        continue;
      }
      const known = net.get(event.identity);
      if (known === undefined) {
        net.set(event.identity, firstOf(event));
      } else {
        // Keys come in the order of their last change: the map keeps the order of insertion.
        net.delete(event.identity);
        net.set(event.identity, followedBy(known, event));
      }
    }
    return [...net].map(([identity, each]) => netChange(each, this.#keys.get(identity)?.key ?? each.last.write.key));
  }

  /** Whether an open transaction has changed a key. */
  changedBy(transaction: Transaction, key: RowKey): boolean {
    if (!this.#pending.has(transaction)) {
      return false;
    }
    const identity = this.#identity(key);
    return transaction.log.some(
      (entry) => entry instanceof TrackedEvent && entry.tracker === this && this.#identity(entry.write.key) === identity,
    );
  }

  /** What CHANGETABLE(VERSION …) says of a key: null when nothing is stored about it. */
  lastChange(key: RowKey, seq: number): { readonly version: bigint; readonly context: Buffer | null } | null {
    for (let event = this.#keys.get(this.#identity(key))?.last ?? null; event !== null; event = event.before) {
      if (event.seq <= seq && event.removedSeq > seq) {
        return { version: event.version, context: event.write.context };
      }
    }
    return null;
  }

  /** Removes what was changed at `version` or before; views older than `seq` still see it. @returns the number of rows removed. */
  cleanUp(version: bigint, seq: number): number {
    if (this.#cleanupVersion !== null && version <= this.#cleanupVersion) {
      return 0;
    }
    this.#cleanupVersion = version;
    let removed = 0;
    for (const event of this.#events) {
      if (event.version > version) {
        break;
      }
      if (!event.gone && event.removedSeq === Infinity && event.seq !== Infinity) {
        event.removedSeq = seq;
        removed += 1;
      }
    }
    this.#removed = removed > 0 || this.#removed;
    return removed;
  }

  /** Frees the memory of what a cleanup removed before `horizon`, the oldest view still open. */
  purge(horizon: number): void {
    if (!this.#removed) {
      return;
    }
    for (const event of this.#events) {
      if (!event.gone && event.removedSeq !== Infinity && event.removedSeq <= horizon) {
        this.#forget(event);
      }
    }
    this.#compact();
    this.#removed = this.#events.some((event) => event.removedSeq !== Infinity);
  }

  /** Called by an event at the commit: it has its version. */
  assigned(event: TrackedEvent): void {
    event.identity = this.#identity(event.write.key);
    const known = this.#keys.get(event.identity);
    if (known === undefined) {
      this.#keys.set(event.identity, { key: event.write.key, last: event, events: 1 });
    } else {
      event.before = known.last;
      known.last = event;
      known.events += 1;
    }
    this.#events.push(event);
  }

  /** Called by an event when its rows can be seen. */
  stamped(event: TrackedEvent): void {
    if (event.before !== null && subsumes(event, event.before)) {
      this.#waiting.push(event);
    }
    const horizon = this.#horizon();
    let done = 0;
    while (done < this.#waiting.length) {
      const next = this.#waiting[done];
      if (next === undefined || (next.seq > horizon && next.before?.seq !== next.seq)) {
        break;
      }
      if (!next.gone && next.before !== null && next.removedSeq === Infinity && next.before.removedSeq === Infinity) {
        this.#forget(next.before);
        next.before = next.before.before;
      }
      done += 1;
    }
    this.#waiting.splice(0, done);
    if (this.#gone > 1024 && this.#gone > this.#events.length / 2) {
      this.#compact();
    }
  }

  /** Called by an event when its transaction has ended or taken it back. */
  settled(transaction: Transaction): void {
    const left = (this.#pending.get(transaction) ?? 1) - 1;
    if (left > 0) {
      this.#pending.set(transaction, left);
    } else {
      this.#pending.delete(transaction);
    }
  }

  #forget(event: TrackedEvent): void {
    event.gone = true;
    this.#gone += 1;
    const known = this.#keys.get(event.identity);
    if (known !== undefined && (known.events -= 1) === 0) {
      this.#keys.delete(event.identity);
    }
  }

  #compact(): void {
    this.#events = this.#events.filter((event) => !event.gone);
    this.#gone = 0;
    for (const event of this.#events) {
      while (event.before?.gone === true) {
        event.before = event.before.before;
      }
    }
  }

  #firstAfter(baseline: bigint | null): number {
    if (baseline === null) {
      return 0;
    }
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.version ?? 0n) <= baseline) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}

/** Whether the update `before` changes no answer while `event`, the next change of its key, stands: whatever the baseline, both are U. */
function subsumes(event: TrackedEvent, before: TrackedEvent): boolean {
  const { columns } = event.write;
  return (
    event.write.operation === 'U' &&
    before.write.operation === 'U' &&
    (columns === null || (before.write.columns?.every((id) => columns.includes(id)) ?? false))
  );
}

interface Accumulated {
  readonly firstOperation: TrackedOperation;
  readonly creationVersion: bigint | null;
  readonly last: TrackedEvent;
  /** null: unknown. */
  readonly columns: ReadonlySet<number> | null;
}

function firstOf(event: TrackedEvent): Accumulated {
  const { operation, columns } = event.write;
  return {
    firstOperation: operation,
    creationVersion: operation === 'I' ? event.version : null,
    last: event,
    columns: operation === 'U' && columns !== null ? new Set(columns) : null,
  };
}

function followedBy(before: Accumulated, event: TrackedEvent): Accumulated {
  const next = firstOf(event);
  return {
    firstOperation: before.firstOperation,
    creationVersion: next.creationVersion ?? before.creationVersion,
    last: event,
    columns: before.columns === null || next.columns === null ? null : new Set([...before.columns, ...next.columns]),
  };
}

/** The last action in the window is a delete: D; else the first is an insert: I; else U. */
function netChange(net: Accumulated, key: RowKey): NetChange {
  const operation = net.last.write.operation === 'D' ? 'D' : net.firstOperation === 'I' ? 'I' : 'U';
  return {
    version: net.last.version,
    creationVersion: net.creationVersion,
    operation,
    columns: operation === 'U' && net.columns !== null ? columnMask(net.columns) : null,
    context: net.last.write.context,
    key,
  };
}

/** Four zero bytes, then the column ids in ascending order as little-endian 32-bit integers. */
function columnMask(columns: ReadonlySet<number>): Buffer {
  const ids = [...columns].toSorted((a, b) => a - b);
  const mask = Buffer.alloc(4 + ids.length * 4);
  ids.forEach((id, index) => mask.writeInt32LE(id, 4 + index * 4));
  return mask;
}

class TrackedEvent implements VersionedEntry {
  readonly tracker: ChangeTracker;
  readonly counter: VersionCounter;
  readonly write: TrackedWrite;
  version = 0n;
  identity = '';
  /** Visible to views from here … */
  seq = Infinity;
  /** … to here. */
  removedSeq = Infinity;
  /** The change of the same key before it, while that is stored. */
  before: TrackedEvent | null = null;
  /** Not stored any more. */
  gone = false;
  /** null when it has ended. */
  #transaction: Transaction | null;

  constructor(tracker: ChangeTracker, transaction: Transaction | null, counter: VersionCounter, write: TrackedWrite) {
    this.tracker = tracker;
    this.#transaction = transaction;
    this.counter = counter;
    this.write = write;
  }

  /** The same change, committed, in another tracker. */
  copyFor(tracker: ChangeTracker): TrackedEvent {
    const copy = new TrackedEvent(tracker, null, this.counter, this.write);
    copy.version = this.version;
    copy.seq = this.seq;
    return copy;
  }

  assign(version: bigint): void {
    this.version = version;
    this.tracker.assigned(this);
  }

  undo(): void {
    this.#settle();
  }

  stamp(seq: number): void {
    this.seq = seq;
    this.#settle();
    this.tracker.stamped(this);
  }

  #settle(): void {
    if (this.#transaction !== null) {
      this.tracker.settled(this.#transaction);
      this.#transaction = null;
    }
  }
}
