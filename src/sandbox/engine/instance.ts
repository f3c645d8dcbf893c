/**
 * One running server: its databases, logins, sessions, its commits and the settings that the control API moves. It owns no sockets and runs
 * no statements.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { DEFAULT_COLLATION } from '../sql-types.ts';
import type { SavedDatabase } from './backups.ts';
import { Database } from './catalog.ts';
import type { SandboxClock } from './clock.ts';
import type { StatementGate } from './statement-gate.ts';
import { createStatementGate } from './statement-gate.ts';
import { TableLocks } from './table-locks.ts';
import { TransactionManager } from './transaction-manager.ts';
import { DatabaseTracking } from './version-counter.ts';

/**
 * What CURRENT_VERSION() and MIN_VALID_VERSION() answer inside a SNAPSHOT transaction, which is not documented.
 * - implied: they fix the view and are read through it, as "Work with change tracking" implies.
 * - live: they touch no view.
 * - worst: the current version is live and fixes nothing, the minimum is the view's.
 */
export type SnapshotProfile = 'implied' | 'live' | 'worst';

export interface Login {
  readonly id: number;
  readonly name: string;
  password: string;
  defaultDatabase: string;
  enabled: boolean;
  /** A member of sysadmin. */
  administrator: boolean;
  /** Fixed server roles but sysadmin, in lower case. */
  readonly roles: Set<string>;
  /** Rights on the server; false: denied. */
  readonly rights: Map<string, boolean>;
}

/** What the instance knows of a connected session. */
export interface ConnectedSession {
  readonly id: number;
  readonly loginName: string;
  readonly appName: string;
  readonly hostName: string;
  readonly startedAt: number;
  readonly encrypted: boolean;
  readonly database: string;
  readonly running: boolean;
  readonly isolation: string;
  readonly openTransactions: number;
  /** Rolls back and leaves. The connection is the business of whoever cuts it. */
  close(): void;
}

export class Instance {
  readonly name: string;
  readonly clock: SandboxClock;
  readonly manager: TransactionManager;
  readonly gate: StatementGate;
  readonly databases = new Map<string, Database>();
  readonly logins = new Map<string, Login>();
  readonly sessions = new Map<number, ConnectedSession>();
  /** What BACKUP has written, by device in lower case. */
  readonly backups = new Map<string, readonly SavedDatabase[]>();
  readonly startedAt: number;
  profile: SnapshotProfile;
  #lastDatabaseId = 0;
  #lastSessionId = 50;
  #lastLoginId = 256;

  constructor(options: { name: string; clock: SandboxClock; profile: SnapshotProfile; saPassword: string }) {
    this.name = options.name;
    this.clock = options.clock;
    this.profile = options.profile;
    this.startedAt = options.clock.now();
    this.gate = createStatementGate(options.clock);
    this.manager = new TransactionManager(options.clock, () => this.#remember());
    for (const name of ['master', 'tempdb', 'model', 'msdb']) {
      this.createDatabase(name, { system: true });
    }
    this.logins.set('sa', {
      id: 1,
      name: 'sa',
      password: options.saPassword,
      defaultDatabase: 'master',
      enabled: true,
      administrator: true,
      roles: new Set(),
      rights: new Map(),
    });
  }

  database(name: string): Database | undefined {
    return this.databases.get(name.toLowerCase());
  }

  /** Makes a database and shows it at once. */
  createDatabase(name: string, options: { collation?: string; system?: boolean } = {}): Database {
    const database = new Database({
      id: this.nextDatabaseId(),
      name,
      collation: options.collation ?? DEFAULT_COLLATION,
      createdAt: this.clock.now(),
      brokerGuid: randomUUID().toUpperCase(),
      tracking: new DatabaseTracking(this.clock),
      locks: new TableLocks(),
      system: options.system ?? false,
    });
    this.databases.set(name.toLowerCase(), database);
    return database;
  }

  nextDatabaseId(): number {
    this.#lastDatabaseId += 1;
    return this.#lastDatabaseId;
  }

  nextLoginId(): number {
    this.#lastLoginId += 1;
    return this.#lastLoginId;
  }

  nextSessionId(): number {
    this.#lastSessionId += 1;
    return this.#lastSessionId;
  }

  /** Ends a session's connection from the server's side; set by whoever owns the sockets. */
  cut: (sessionId: number) => void = () => undefined;

  randomBytes(count: number): Buffer {
    return randomBytes(count);
  }

  /** What a view remembers of change tracking: the counters and states at the moment when it is fixed. */
  #remember(): ReadonlyMap<object, unknown> {
    const remembered = new Map<object, unknown>();
    for (const database of this.databases.values()) {
      if (!database.tracking.on) {
        continue;
      }
      remembered.set(database.tracking, database.tracking.current);
      for (const table of database.tables()) {
        if (table.tracker !== null) {
          remembered.set(table.tracker, table.tracker.state);
        }
      }
    }
    return remembered;
  }
}
