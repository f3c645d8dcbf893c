/** Cleanup of change tracking: what was changed at a version or before it is forgotten, and the minimum valid version rises to it. */
import type { Database, Table } from './catalog.ts';
import type { Instance } from './instance.ts';
import type { TrackedCommit } from './version-counter.ts';

/** Forgets a table's changes up to a version. @returns rows removed */
export function cleanUpTable(instance: Instance, table: Table, version: bigint): number {
  const { tracker } = table;
  if (tracker === null || version <= tracker.beginVersion) {
    return 0;
  }
  const removed = tracker.cleanUp(version, instance.manager.stampNow());
  tracker.purge(instance.manager.horizon());
  return removed;
}

/** What the background task does: every tracked table first, then the commits, by the retention of each database. */
export function cleanUpExpired(instance: Instance): void {
  for (const database of instance.databases.values()) {
    const { tracking } = database;
    if (!tracking.on || !tracking.autoCleanup) {
      continue;
    }
    const version = tracking.expiredVersion();
    for (const table of database.tables()) {
      const startedAt = instance.clock.now();
      const rows = cleanUpTable(instance, table, version);
      if (rows > 0) {
        tracking.history.push({
          objectId: table.objectId,
          table: `${table.schema.name}.${table.name}`,
          startedAt,
          endedAt: instance.clock.now(),
          rows,
          version,
        });
      }
    }
    tracking.forgetCommits(version);
  }
}

export interface FlushedCommits {
  /** Every tracked table is cleaned up to here. */
  readonly version: bigint;
  readonly removed: number;
  /** The newest commit that was removed. */
  readonly last: TrackedCommit | null;
}

/** Forgets commits that no tracked table needs any more, `limit` of them at most, oldest first. */
export function flushCommits(database: Database, limit: number): FlushedCommits {
  const { tracking } = database;
  const cleaned = database.tables().flatMap(({ tracker }) => (tracker === null ? [] : [tracker.state.minValidVersion]));
  const version = cleaned.reduce((least, each) => (each < least ? each : least), tracking.current);
  const gone = tracking.commits.filter((commit) => commit.version <= version && commit.seq !== Infinity).slice(0, limit);
  const last = gone.at(-1) ?? null;
  if (last !== null) {
    tracking.forgetCommits(last.version);
  }
  return { version, removed: gone.length, last };
}

export function cleanUpDatabase(instance: Instance, database: Database, version: bigint): number {
  const removed = database.tables().reduce((sum, table) => sum + cleanUpTable(instance, table, version), 0);
  database.tracking.forgetCommits(version);
  return removed;
}
