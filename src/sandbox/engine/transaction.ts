/**
 * What one transaction is: its log (everything that can be undone or stamped), its view under SNAPSHOT, what it waits for. The order in
 * which commits become visible is the manager's (transaction-manager.ts), locks on tables are in table-locks.ts.
 */

/** Something that a transaction did. The log is undone from its end and stamped from its beginning. */
export interface LogEntry {
  /** Takes it back: at a rollback, to a savepoint, or because the statement failed or has to wait. */
  undo(): void;
  /** Makes it visible to views with `view >= seq`. */
  stamp(seq: number): void;
  /** It changed the catalog. */
  readonly definition?: boolean;
  /** It changed a table variable, which no rollback but that of its statement takes back. */
  readonly lasting?: boolean;
}

/** A view of the past: everything stamped up to `seq`. Whoever opened it closes it with `TransactionManager.release`. */
export interface Snapshot {
  readonly seq: number;
  /** What a database's change tracking said when the view was fixed, by database id and by table object (see change-tracking.ts). */
  readonly remembered: ReadonlyMap<object, unknown>;
}

/** Thrown by a read or a write that met locks of others. The statement is undone and runs again when one of them may have gone. */
export class WaitSignal extends Error {
  readonly blockers: readonly Transaction[];
  constructor(...blockers: readonly Transaction[]) {
    super('the statement has to wait for another transaction');
    this.name = 'WaitSignal';
    this.blockers = blockers;
  }
}

export interface Savepoint {
  readonly name: string;
  readonly length: number;
}

export class Transaction {
  readonly id: bigint;
  /** SET DEADLOCK_PRIORITY of its session at the moment of a deadlock. */
  readonly priority: () => number;
  readonly startedAt: number;
  readonly log: LogEntry[] = [];
  readonly savepoints: Savepoint[] = [];
  /** Began as a SNAPSHOT transaction, so that the level may be changed to and from SNAPSHOT inside it. */
  readonly startedAsSnapshot: boolean;
  snapshot: Snapshot | null = null;
  state: 'active' | 'committing' | 'ended' = 'active';
  /** Empty while it does not wait. */
  waitingFor: readonly Transaction[] = [];
  /** Of a lock that belongs to a session or to another transaction: the one that has to go on before it is given back. */
  heldFor: (() => Transaction | null) | null = null;
  /** Ends the wait of this transaction with an error; set while it waits. */
  interruptWait: ((reason: Error) => void) | null = null;
  readonly #releases: (() => void)[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(id: bigint, options: { priority: () => number; startedAt: number; snapshot: boolean }) {
    this.id = id;
    this.priority = options.priority;
    this.startedAt = options.startedAt;
    this.startedAsSnapshot = options.snapshot;
  }

  /** Registers what is to be freed at its end (table locks). */
  onEnd(release: () => void): void {
    this.#releases.push(release);
  }

  /** Undoes everything logged after `length` entries. */
  undoTo(length: number): void {
    while (this.log.length > length) {
      this.log.pop()?.undo();
    }
    while ((this.savepoints.at(-1)?.length ?? 0) > length) {
      this.savepoints.pop();
    }
  }

  /** The statement that wrote everything after `length` entries has succeeded: what is no part of the transaction stands now. */
  settle(length: number, seq: number): void {
    if (!this.log.slice(length).some((entry) => entry.lasting === true)) {
      return;
    }
    const entries = this.log.splice(length);
    for (const entry of entries) {
      if (entry.lasting === true) {
        entry.stamp(seq);
      } else {
        this.log.push(entry);
      }
    }
  }

  /** Frees its locks and wakes whoever waits for it. */
  finish(): void {
    this.state = 'ended';
    for (const release of this.#releases.splice(0)) {
      release();
    }
    this.log.length = 0;
    this.wake();
  }

  /** Registers who waits for a lock of it. @returns what takes it back */
  onWake(woken: () => void): () => void {
    this.#waiting.add(woken);
    return () => {
      this.#waiting.delete(woken);
    };
  }

  /** Lets those who wait look again: locks may be gone. */
  wake(): void {
    for (const woken of [...this.#waiting]) {
      woken();
    }
  }
}
