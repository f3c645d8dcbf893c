/**
 * What one statement runs in: its transaction, its frame of variables, its moment, and the rules by which it may read and write a table
 * (isolation level, hints, permissions, schema locks). A statement that has to wait is thrown away with its context and begins anew.
 */
import type { EvalContext, SystemFunctions } from '../sql/context.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { NamedRows } from './bind-source.ts';
import type { Database, Table } from './catalog.ts';
import type { ChangeTracker, TrackingState } from './change-tracking.ts';
import * as errors from './errors.ts';
import type { Instance } from './instance.ts';
import { requireSelect } from './column-permissions.ts';
import type { ReadMode } from './row-store.ts';
import type { SessionState } from './session-state.ts';
import { createSystemFunctions } from './system-functions.ts';
import type { Transaction } from './transaction.ts';
import { WaitSignal } from './transaction.ts';
import { TriggerEvents } from './trigger-events.ts';
import type { DatabaseTracking } from './version-counter.ts';

/** The variables of a batch or procedure call, and what ends with it. */
export interface Frame {
  readonly variables: Map<string, { readonly index: number; readonly type: SqlType }>;
  readonly values: SqlValue[];
  readonly tables: Map<string, Table>;
  scopeIdentity: bigint | null;
  /** How many batches, procedures and triggers run it: @@NESTLEVEL. */
  level: number;
  /** Inside a trigger: what it fires for. */
  trigger: FiredTrigger | null;
}

export interface FiredTrigger {
  /** schema.name, as errors tell it. Source: learn.microsoft.com, ERROR_PROCEDURE, of SQL Server 2017 and later. */
  readonly name: string;
  readonly table: Table;
  /** Ids of columns. */
  readonly updated: ReadonlySet<number>;
  /** `inserted` and `deleted`. */
  readonly rows: ReadonlyMap<string, NamedRows>;
}

export function createFrame(): Frame {
  return { variables: new Map(), values: [], tables: new Map(), scopeIdentity: null, level: 0, trigger: null };
}

/** Hints that change nothing here: they ask for a plan or a granularity of locks. */
/** Hints that change no result. */
const IGNORED_HINTS = new Set(['ROWLOCK', 'PAGLOCK', 'FORCESEEK', 'FORCESCAN', 'NOEXPAND']);
const READ_HINTS = new Set([
  'NOLOCK',
  'READUNCOMMITTED',
  'READCOMMITTED',
  'READCOMMITTEDLOCK',
  'REPEATABLEREAD',
  'SERIALIZABLE',
  'HOLDLOCK',
  'READPAST',
  'UPDLOCK',
  'XLOCK',
  'TABLOCK',
  'TABLOCKX',
]);

export class StatementContext {
  readonly session: SessionState;
  readonly instance: Instance;
  readonly transaction: Transaction;
  readonly frame: Frame;
  readonly eval: EvalContext;
  /** Milliseconds since the epoch: a statement has one time. */
  readonly now: number;
  /** What the statement does to tables with triggers. */
  readonly triggerEvents = new TriggerEvents();
  /** While a view is bound: its database. */
  owner: Database | null = null;
  /** CHANGE_TRACKING_CONTEXT of the statement. */
  trackingContext: Buffer | null = null;
  /** An aggregate left a NULL out, of which a client is told (8153). */
  nullsEliminated = false;
  /** The statement is only bound (bind-batch.ts): nothing is read, written, locked or asked for rights. */
  binding = false;
  #slots = 0;
  #statementSeq: number | null = null;

  constructor(session: SessionState, transaction: Transaction, frame: Frame) {
    this.session = session;
    this.instance = session.instance;
    this.transaction = transaction;
    this.frame = frame;
    this.now = session.instance.clock.now();
    let system: SystemFunctions | null = null;
    const makeSystem = (): SystemFunctions => createSystemFunctions(this);
    this.eval = {
      rows: [],
      variables: frame.values,
      // Dozens of closures, which most statements never ask for.
      get system() {
        system ??= makeSystem();
        return system;
      },
    };
  }

  get database(): Database {
    return this.session.database;
  }

  get slotCount(): number {
    return this.#slots;
  }

  /** A place for the current row of a table source. */
  newSlot(): number {
    this.#slots += 1;
    return this.#slots - 1;
  }

  get isSnapshot(): boolean {
    return this.session.isolation === 'snapshot';
  }

  /** The view of a SNAPSHOT statement, fixed now if it was not. @throws SqlError 3951, 3952 */
  view(database: Database): number {
    if (!this.transaction.startedAsSnapshot) {
      throw errors.startedWithoutSnapshot(database.name);
    }
    if (!database.snapshotAllowed && !database.system) {
      throw errors.snapshotNotAllowed(database.name);
    }
    return this.instance.manager.fixView(this.transaction).seq;
  }

  /**
   * Binds the query of a view: on tables of its database no more rights are asked for than on the view itself.
   * Source: learn.microsoft.com, "Ownership chains".
   */
  asOwner<T>(database: Database, bind: () => T): T {
    const before = this.owner;
    this.owner = database;
    try {
      return bind();
    } finally {
      this.owner = before;
    }
  }

  /** How rows of a table are read by this statement. @param asOwner the database whose view reads it @throws WaitSignal, SqlError 229, 3951, 3952, 3961 */
  readMode(table: Table, hints: readonly string[], asOwner: Database | null = null): ReadMode {
    if (!this.binding && asOwner !== table.database) {
      requireSelect(this.session, table);
    }
    const has = (...names: string[]): boolean => names.some((name) => hints.includes(name));
    for (const hint of hints) {
      if (!READ_HINTS.has(hint) && !IGNORED_HINTS.has(hint) && !hint.startsWith('INDEX') && !hint.startsWith('FORCESEEK')) {
        throw new UnsupportedError(`the table hint ${hint}`);
      }
    }
    if (table.temporary) {
      return { kind: 'locking' };
    }
    table.locks.pass(this.transaction, 'schema stability');
    if (this.binding) {
      return { kind: 'locking' };
    }
    const isolation = this.session.isolation;
    if (has('TABLOCKX', 'XLOCK')) {
      table.locks.hold(this.transaction, 'exclusive');
    } else if (has('UPDLOCK')) {
      table.locks.hold(this.transaction, 'update');
    } else if (has('HOLDLOCK', 'SERIALIZABLE', 'REPEATABLEREAD')) {
      table.locks.hold(this.transaction, 'shared');
    }
    if (this.isSnapshot && !has('NOLOCK', 'READUNCOMMITTED', 'READCOMMITTEDLOCK', 'READCOMMITTED')) {
      const seq = this.view(table.database);
      if (table.definedSeq > seq) {
        throw errors.definitionChanged(table.database.name);
      }
      return { kind: 'view', seq };
    }
    if (
      has('NOLOCK', 'READUNCOMMITTED') ||
      (isolation === 'read uncommitted' && !has('READCOMMITTED', 'READCOMMITTEDLOCK', 'UPDLOCK', 'XLOCK'))
    ) {
      return { kind: 'dirty' };
    }
    if (isolation === 'repeatable read' || isolation === 'serializable') {
      table.locks.hold(this.transaction, 'shared');
      return { kind: 'locking' };
    }
    if (has('READPAST')) {
      return { kind: 'past locks' };
    }
    if (
      table.database.readCommittedSnapshot &&
      !has('READCOMMITTEDLOCK', 'TABLOCK', 'UPDLOCK', 'XLOCK', 'HOLDLOCK', 'SERIALIZABLE', 'REPEATABLEREAD')
    ) {
      return { kind: 'view', seq: this.statementSeq() };
    }
    table.locks.pass(this.transaction, has('TABLOCK') ? 'shared' : 'intent shared');
    return { kind: 'locking' };
  }

  /** The stamp up to which CHANGETABLE of a tracked table shows changes. @throws WaitSignal, SqlError 3952, 3961 */
  trackingSeq(table: Table, tracker: ChangeTracker): number {
    table.locks.pass(this.transaction, 'schema stability');
    if (this.isSnapshot) {
      const seq = this.view(table.database);
      if (table.definedSeq > seq) {
        throw errors.definitionChanged(table.database.name);
      }
      return seq;
    }
    if (this.session.isolation !== 'read uncommitted' && !table.database.readCommittedSnapshot) {
      const writers = tracker.pendingWriters(this.transaction);
      if (writers.length > 0) {
        throw new WaitSignal(...writers);
      }
      table.locks.pass(this.transaction, 'intent shared');
    }
    return this.statementSeq();
  }

  /** The rows that a write looks at are never read from the past: it locks them. @throws like readMode, SqlError 3906 */
  claimTable(table: Table): void {
    if (!table.temporary && !this.binding) {
      if (table.database.readOnly) {
        throw errors.readOnlyDatabase(table.database.name);
      }
      table.locks.hold(this.transaction, 'intent exclusive');
    }
  }

  /** Called before catalog views and metadata functions answer about an object that another transaction is changing. @throws WaitSignal */
  readDefinition(table: Table): void {
    if (this.session.isolation === 'read uncommitted') {
      return;
    }
    const writer = table.locks.modifiedBy(this.transaction);
    if (writer !== null) {
      throw new WaitSignal(writer);
    }
  }

  /** CHANGE_TRACKING_CURRENT_VERSION(), by the profile. */
  currentVersion(database: Database): bigint | null {
    if (!database.tracking.on) {
      return null;
    }
    if (this.isSnapshot && this.instance.profile === 'implied' && database.snapshotAllowed && this.transaction.startedAsSnapshot) {
      this.instance.manager.fixView(this.transaction);
      const remembered = this.#remembered(database.tracking);
      return typeof remembered === 'bigint' ? remembered : database.tracking.current;
    }
    return database.tracking.current;
  }

  /** begin, cleanup and minimum version of a table, by the profile. */
  trackingState(database: Database, tracker: ChangeTracker): TrackingState {
    if (this.isSnapshot && this.instance.profile !== 'live' && database.snapshotAllowed && this.transaction.startedAsSnapshot) {
      if (this.instance.profile === 'implied') {
        this.instance.manager.fixView(this.transaction);
      }
      const remembered = this.#remembered(tracker);
      if (remembered !== undefined) {
        return remembered as TrackingState;
      }
    }
    return tracker.state;
  }

  #remembered(of: DatabaseTracking | ChangeTracker): unknown {
    return this.transaction.snapshot?.remembered.get(of);
  }

  statementSeq(): number {
    this.#statementSeq ??= this.instance.manager.seq;
    return this.#statementSeq;
  }
}
