/**
 * The control API of a running sandbox, for tests in the same process: gaps, cuts, slow answers, cleanup, and sessions held before a
 * statement. Most of it exists as T-SQL procedures too (schema `sandbox`).
 */
import { cleanUpDatabase, cleanUpExpired, cleanUpTable } from '../engine/cleanup.ts';
import type { SavedDatabase } from '../engine/backups.ts';
import { restoreDatabase, saveDatabase } from '../engine/backups.ts';
import type { Database } from '../engine/catalog.ts';
import { endSessions, sessionsIn } from '../engine/database-access.ts';
import type { Instance, SnapshotProfile } from '../engine/instance.ts';
import type { Pause, StatementMatch } from '../engine/statement-gate.ts';
import { wholeMilliseconds } from '../engine/milliseconds.ts';
import { WaitSignal } from '../engine/transaction.ts';

export type { SavedDatabase } from '../engine/backups.ts';
export type { Pause, StatementMatch } from '../engine/statement-gate.ts';

export interface SandboxControl {
  /** Milliseconds between a commit's version and the visibility of its rows. The committer is answered after it. */
  setVisibilityGap(ms: number): void;
  /** Ends every open visibility gap now. */
  closeGaps(): void;
  /** What CURRENT_VERSION() and MIN_VALID_VERSION() do inside SNAPSHOT transactions; see the README. */
  setProfile(profile: SnapshotProfile): void;
  /** Destroys the connections of an application, or all. @returns how many */
  cutConnections(appName?: string): number;
  /** Delays the answers of an application, or all; `count` of them. 0 ms ends it. */
  slowAnswers(ms: number, options?: { readonly appName?: string; readonly count?: number }): void;
  /** Holds the next session that is about to run a matching statement. */
  pauseBefore(match: StatementMatch): Pause;
  /** Cleanup up to a version (default: the current one) of one table (`schema.name`), or of the whole database. @returns rows removed */
  cleanUp(database: string, options?: { readonly table?: string; readonly version?: bigint }): number;
  /** What the background task would do now: cleanup by retention and clock. */
  cleanUpExpired(): void;
  /** Moves a database's version counter forward, for versions beyond 2^53. @throws RangeError when it would go back */
  advanceVersion(database: string, version: bigint): void;
  /** Keeps a database as it is committed now. @throws Error while a definition is uncommitted or a commit is not visible yet */
  saveState(database: string): SavedDatabase;
  /**
   * Takes a database back to a kept state, or makes one of it: rows, definitions, users and change tracking with its version counter, as
   * RESTORE … WITH REPLACE does. Sessions in it are cut.
   */
  restoreState(database: string, state: SavedDatabase): void;
  /**
   * Makes a database one of a readable secondary replica, and of the primary again: it takes no writes (3906), says Updateability READ_ONLY,
   * and CHANGETABLE is 22117. What the functions of change tracking answer there is not documented: here they go on answering.
   */
  setReplicaRole(database: string, role: 'primary' | 'secondary'): void;
  /** Sessions that are logged in. */
  sessions(): readonly { readonly id: number; readonly appName: string; readonly running: boolean }[];
}

export function createControl(instance: Instance, cut: (appName: string | undefined) => number): SandboxControl {
  const databaseOf = (name: string): Database => {
    const database = instance.database(name);
    if (database === undefined) {
      throw new RangeError(`the sandbox has no database ${name}`);
    }
    return database;
  };
  return {
    setVisibilityGap: (ms) => {
      instance.manager.visibilityGapMs = wholeMilliseconds('visibilityGap', ms);
    },
    closeGaps: () => {
      instance.manager.closeGaps();
    },
    setProfile: (profile) => {
      instance.profile = profile;
    },
    cutConnections: cut,
    slowAnswers: (ms, options) => {
      instance.gate.slowAnswers(ms, options);
    },
    pauseBefore: (match) => instance.gate.pauseBefore(match),
    cleanUp: (name, options = {}) => {
      const database = databaseOf(name);
      const version = options.version ?? database.tracking.current;
      if (options.table === undefined) {
        return cleanUpDatabase(instance, database, version);
      }
      const [table = '', schema = 'dbo'] = options.table.split('.').toReversed();
      const found = database.find(schema, table);
      if (found?.kind !== 'table') {
        throw new RangeError(`the database ${name} has no table ${options.table}`);
      }
      return cleanUpTable(instance, found, version);
    },
    cleanUpExpired: () => {
      cleanUpExpired(instance);
    },
    advanceVersion: (name, version) => {
      const { tracking } = databaseOf(name);
      if (version < tracking.current) {
        throw new RangeError(`version ${version} is behind ${tracking.current}`);
      }
      tracking.current = version;
    },
    saveState: (name) => {
      try {
        return saveDatabase(instance, databaseOf(name));
      } catch (error) {
        throw error instanceof WaitSignal ? new Error(`the database ${name} is being changed: no state to keep`, { cause: error }) : error;
      }
    },
    restoreState: (name, state) => {
      const existing = instance.database(name);
      if (existing !== undefined) {
        endSessions(instance, sessionsIn(instance, existing));
      }
      restoreDatabase(instance, name, state);
    },
    setReplicaRole: (name, role) => {
      const database = databaseOf(name);
      database.secondary = role === 'secondary';
      database.readOnly = database.secondary;
    },
    sessions: () => [...instance.sessions.values()].map(({ id, appName, running }) => ({ id, appName, running })),
  };
}
