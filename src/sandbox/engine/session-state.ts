/** What a session has between its statements: who it is, its options, its transaction, its temp tables. */
import type { CaughtError } from '../sql/context.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { EnvironmentChange, IsolationLevel } from '../session.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { PendingBulk } from './bulk-insert.ts';
import type { HeldLock } from './application-locks.ts';
import type { Database, Table } from './catalog.ts';
import { enterDatabase, requireAccess } from './database-access.ts';
import type { Instance, Login } from './instance.ts';
import { UNLIMITED_TEXT } from './text-size.ts';
import type { Transaction } from './transaction.ts';

export interface SessionOptions {
  nocount: boolean;
  xactAbort: boolean;
  /** SET TEXTSIZE, in bytes. */
  textSize: number;
  /** SET FMTONLY: statements answer with their columns and do nothing. */
  formatOnly: boolean;
  /** SET NO_BROWSETABLE: queries tell where their columns come from. */
  browse: boolean;
  implicitTransactions: boolean;
  lockTimeoutMs: number;
  deadlockPriority: number;
  dateFirst: number;
  dateFormat: 'mdy' | 'dmy' | 'ymd' | 'ydm' | 'myd' | 'dym';
  /** SET ROWCOUNT; 0 is no limit. */
  rowCount: number;
  /** Options that are on or off and change nothing here, as written. */
  readonly flags: Map<string, string>;
}

function defaultOptions(): SessionOptions {
  return {
    nocount: false,
    xactAbort: false,
    textSize: UNLIMITED_TEXT,
    formatOnly: false,
    browse: false,
    implicitTransactions: false,
    lockTimeoutMs: -1,
    deadlockPriority: 0,
    dateFirst: 7,
    dateFormat: 'mdy',
    rowCount: 0,
    flags: new Map(),
  };
}

export class SessionState {
  readonly id: number;
  readonly instance: Instance;
  readonly login: Login;
  readonly appName: string;
  readonly hostName: string;
  readonly encrypted: boolean;
  readonly startedAt: number;
  options: SessionOptions = defaultOptions();
  isolation: IsolationLevel = 'read committed';
  database: Database;
  transaction: Transaction | null = null;
  transactionCount = 0;
  /** XACT_STATE() -1: nothing but a rollback is possible. */
  doomed = false;
  /** What sp_getapplock has got, by owner and name. */
  readonly applicationLocks = new Map<string, HeldLock>();
  /** The transaction of the statement that runs or waits now. */
  current: Transaction | null = null;
  /** Object ids of the triggers that run, the innermost last. */
  readonly triggers: number[] = [];
  /** Above 0 while code of the owner runs: rights on tables are not asked for. */
  ownersRights = 0;
  readonly tempTables = new Map<string, Table>();
  identityInsert: Table | null = null;
  lastIdentity: bigint | null = null;
  rowCount = 0n;
  errorNumber = 0;
  readonly caught: CaughtError[] = [];
  contextInfo: Buffer | null = null;
  /** The INSERT BULK that was executed last and whose rows come next. */
  bulk: PendingBulk | null = null;
  readonly context = new Map<string, { readonly type: SqlType; readonly value: SqlValue }>();
  /** A stack of EXECUTE AS: the principal on top is who the session is. */
  readonly impersonated: { readonly user: string; readonly administrator: boolean }[] = [];
  running = false;
  /** An error ended the connection: it closes after the answer. */
  ended = false;
  /** It has been ended: what still runs stops at its next step. */
  closed = false;

  constructor(options: {
    id: number;
    instance: Instance;
    login: Login;
    database: Database;
    appName: string;
    hostName: string;
    encrypted: boolean;
  }) {
    this.id = options.id;
    this.instance = options.instance;
    this.login = options.login;
    this.database = options.database;
    this.appName = options.appName;
    this.hostName = options.hostName;
    this.encrypted = options.encrypted;
    this.startedAt = options.instance.clock.now();
  }

  #transactionName: string | null = null;

  /** Whether a name is the outermost transaction's, unless a savepoint has it too. */
  isTransactionName(name: string): boolean {
    return name === this.#transactionName && this.transaction?.savepoints.some((each) => each.name === name) !== true;
  }

  get administrator(): boolean {
    return this.impersonated.at(-1)?.administrator ?? this.login.administrator;
  }

  /** Name of the database user that permissions are looked up for. */
  get userName(): string {
    return this.impersonated.at(-1)?.user ?? (this.login.administrator ? 'dbo' : this.login.name);
  }

  /**
   * What SET says from now on is for an inner scope: sp_executesql, EXECUTE of a text, a trigger. @returns goes back to what was before
   * Source: learn.microsoft.com, "SET statements", considerations; SET TRANSACTION ISOLATION LEVEL, remarks.
   */
  scopeOptions(): () => void {
    const { options, isolation, identityInsert } = this;
    this.options = { ...options, flags: new Map(options.flags) };
    return () => {
      Object.assign(this, { options, isolation, identityInsert });
    };
  }

  resetOptions(): void {
    this.options = defaultOptions();
    this.context.clear();
    this.contextInfo = null;
    this.identityInsert = null;
    this.bulk = null;
  }

  beginTransaction(): Transaction {
    return this.instance.manager.begin({ priority: () => this.options.deadlockPriority, snapshot: this.isolation === 'snapshot' });
  }

  /** BEGIN TRANSACTION: opens one, or counts deeper. */
  begin(name: string | null = null): EnvironmentChange | null {
    this.transactionCount += 1;
    if (this.transaction !== null) {
      return null;
    }
    this.transaction = this.beginTransaction();
    this.#transactionName = name;
    this.doomed = false;
    return { kind: 'begin', transactionId: this.transaction.id };
  }

  /** What is told when dynamic SQL ends with another count of transactions than it began with; null when it does not. */
  mismatchedCount(before: number): SqlError | null {
    return this.transactionCount === before || this.doomed || this.options.xactAbort
      ? null
      : new SqlError(
          266,
          `Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. Previous count = ${before}, current count = ${this.transactionCount}.`,
          { state: 2, line: 1 },
        );
  }

  /** Makes a statement's own transaction the session's, while its triggers run. */
  adopt(transaction: Transaction): void {
    this.transaction = transaction;
    this.transactionCount = 1;
    this.doomed = false;
  }

  /** Gives it back, neither committed nor rolled back. */
  release(): void {
    this.transaction = null;
    this.transactionCount = 0;
    this.doomed = false;
  }

  /** @throws SqlError 3902 without a transaction, 3930 when it is doomed. */
  async commit(): Promise<EnvironmentChange | null> {
    const transaction = this.transaction;
    if (transaction === null) {
      throw new SqlError(3902, 'The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.');
    }
    if (this.doomed) {
      throw new SqlError(
        3930,
        'The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.',
      );
    }
    this.transactionCount -= 1;
    if (this.transactionCount > 0) {
      return null;
    }
    this.transaction = null;
    await this.instance.manager.commit(transaction);
    return { kind: 'commit', transactionId: transaction.id };
  }

  /** Rolls everything back, or to a savepoint. @throws SqlError 3903 without a transaction, 3931 to a savepoint when it is doomed, 6401 for an unknown savepoint. */
  rollback(savepoint: string | null): EnvironmentChange | null {
    const transaction = this.transaction;
    if (transaction === null) {
      throw new SqlError(3903, 'The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.');
    }
    if (savepoint !== null && this.doomed) {
      throw new SqlError(
        3931,
        'The current transaction cannot be committed and cannot be rolled back to a savepoint. Roll back the entire transaction.',
      );
    }
    if (savepoint !== null) {
      const found = transaction.savepoints.findLast((each) => each.name === savepoint);
      if (found === undefined) {
        throw new SqlError(6401, `Cannot roll back ${savepoint}. No transaction or savepoint of that name was found.`);
      }
      transaction.undoTo(found.length);
      // Locks on rows that it wrote since are gone.
      transaction.wake();
      return null;
    }
    this.transaction = null;
    this.transactionCount = 0;
    this.doomed = false;
    this.instance.manager.rollback(transaction);
    return { kind: 'rollback', transactionId: transaction.id };
  }

  /** @throws SqlError 628 without a transaction. */
  save(name: string): void {
    if (this.transaction === null) {
      throw new SqlError(628, 'Cannot issue SAVE TRANSACTION when there is no active transaction.');
    }
    this.transaction.savepoints.push({ name, length: this.transaction.log.length });
  }

  /** @throws SqlError 911 for an unknown database, 916 for one that the login may not open. */
  use(name: string): EnvironmentChange {
    const database = this.instance.database(name);
    if (database === undefined) {
      throw new SqlError(911, `Database '${name}' does not exist. Make sure that the name is entered correctly.`);
    }
    if (this.impersonated.length > 0) {
      throw new UnsupportedError('USE inside EXECUTE AS');
    }
    requireAccess(database, this);
    enterDatabase(this.instance, database, this);
    const from = this.database.name;
    this.database = database;
    return { kind: 'database', from, to: database.name };
  }
}
