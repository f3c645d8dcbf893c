/**
 * The order of commits. One counter for the whole server: a commit is stamped with the next number, a view sees what is stamped up to its
 * own. Change tracking gets its versions here too, at the commit and before the stamp: between the two lies the visibility gap.
 */
import type { SandboxClock } from './clock.ts';
import type { RowChain, RowStore, Vacuumer } from './row-store.ts';
import type { LogEntry, Snapshot } from './transaction.ts';
import { Transaction } from './transaction.ts';

/** A log entry that belongs to change tracking: it gets a version at the commit, before it becomes visible. */
export interface VersionedEntry extends LogEntry {
  /** The database whose counter it moves. */
  readonly counter: VersionCounter;
  assign(version: bigint): void;
}

/** A database's counter of change tracking versions. */
export interface VersionCounter {
  /** A new version for a commit. `visible` is called when its rows can be seen. */
  next(transaction: Transaction): bigint;
  stamp(version: bigint, seq: number): void;
}

/** Writes down what a view has to remember about the moment when it was fixed. */
export type Remember = () => ReadonlyMap<object, unknown>;

export class TransactionManager implements Vacuumer {
  /** Milliseconds between the version of a commit and the visibility of its rows. */
  visibilityGapMs = 0;
  readonly #clock: SandboxClock;
  readonly #remember: Remember;
  readonly #snapshots = new Set<Snapshot>();
  readonly #gaps = new Set<() => void>();
  readonly #open = new Set<Transaction>();
  #seq = 1;
  #lastId = 1000n;
  #left: { readonly store: RowStore; readonly chain: RowChain }[] = [];

  constructor(clock: SandboxClock, remember: Remember) {
    this.#clock = clock;
    this.#remember = remember;
  }

  /** The newest stamp. */
  get seq(): number {
    return this.#seq;
  }

  begin(options: { priority: () => number; snapshot: boolean }): Transaction {
    this.#lastId += 1n;
    const transaction = new Transaction(this.#lastId, { ...options, startedAt: this.#clock.now() });
    this.#open.add(transaction);
    transaction.onEnd(() => {
      this.#open.delete(transaction);
    });
    return transaction;
  }

  /** A transaction whose definitions are not committed, or whose commit has its version but cannot be seen yet: no moment for a copy. */
  unsettled(): Transaction | null {
    for (const transaction of this.#open) {
      if (transaction.state === 'committing' || transaction.log.some((entry) => entry.definition === true)) {
        return transaction;
      }
    }
    return null;
  }

  /** Fixes a transaction's view, if that has not happened. */
  fixView(transaction: Transaction): Snapshot {
    if (transaction.snapshot === null) {
      const snapshot = { seq: this.#seq, remembered: this.#remember() };
      this.#snapshots.add(snapshot);
      transaction.snapshot = snapshot;
    }
    return transaction.snapshot;
  }

  /** A stamp of its own for something that is visible at once (a cleanup of change tracking). */
  stampNow(): number {
    return (this.#seq += 1);
  }

  /** Commits. With a visibility gap it takes that long, and the transaction's locks stay until then; else it is done on return. */
  commit(transaction: Transaction): Promise<void> | undefined {
    transaction.state = 'committing';
    this.#release(transaction);
    const versions = new Map<VersionCounter, bigint>();
    for (const entry of transaction.log) {
      if (isVersioned(entry)) {
        let version = versions.get(entry.counter);
        if (version === undefined) {
          version = entry.counter.next(transaction);
          versions.set(entry.counter, version);
        }
        entry.assign(version);
      }
    }
    const show = (): void => {
      const seq = transaction.log.length === 0 ? this.#seq : (this.#seq += 1);
      for (const entry of transaction.log) {
        entry.stamp(seq);
      }
      for (const [counter, version] of versions) {
        counter.stamp(version, seq);
      }
      transaction.finish();
    };
    if (this.visibilityGapMs <= 0 || versions.size === 0) {
      show();
      return undefined;
    }
    return new Promise((resolve) => {
      const close = (): void => {
        this.#gaps.delete(close);
        cancel();
        show();
        resolve();
      };
      const cancel = this.#clock.after(this.visibilityGapMs, close);
      this.#gaps.add(close);
    });
  }

  rollback(transaction: Transaction): void {
    if (transaction.state !== 'active') {
      return;
    }
    transaction.undoTo(0);
    this.#release(transaction);
    transaction.finish();
  }

  /** Ends every open visibility gap now. */
  closeGaps(): void {
    for (const close of [...this.#gaps]) {
      close();
    }
  }

  horizon(): number {
    let oldest = Infinity;
    for (const snapshot of this.#snapshots) {
      oldest = Math.min(oldest, snapshot.seq);
    }
    return oldest;
  }

  later(store: RowStore, chain: RowChain): void {
    this.#left.push({ store, chain });
  }

  #release(transaction: Transaction): void {
    if (transaction.snapshot === null) {
      return;
    }
    this.#snapshots.delete(transaction.snapshot);
    transaction.snapshot = null;
    if (this.#left.length > 0) {
      const horizon = this.horizon();
      this.#left = this.#left.filter(({ store, chain }) => store.vacuum(chain, horizon));
    }
  }
}

function isVersioned(entry: LogEntry): entry is VersionedEntry {
  return 'counter' in entry;
}
