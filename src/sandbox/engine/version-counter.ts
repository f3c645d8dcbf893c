/** A database's change tracking: whether it is on, its retention, its version counter and the commits that moved it. */
import type { SandboxClock } from './clock.ts';
import type { Transaction } from './transaction.ts';
import type { VersionCounter } from './transaction-manager.ts';

/** A row of sys.dm_tran_commit_table. */
export interface TrackedCommit {
  readonly version: bigint;
  readonly transactionId: bigint;
  /** Milliseconds since the epoch. */
  readonly at: number;
  seq: number;
}

/** A row of dbo.MSchange_tracking_history. Times in milliseconds since the epoch. */
export interface CleanupRecord {
  readonly objectId: number;
  readonly table: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly rows: number;
  readonly version: bigint;
}

export interface Retention {
  readonly count: number;
  readonly unit: 'minutes' | 'hours' | 'days';
}

const UNIT_MS = { minutes: 60_000, hours: 3_600_000, days: 86_400_000 } as const;

export class DatabaseTracking implements VersionCounter {
  on = false;
  retention: Retention = { count: 2, unit: 'days' };
  autoCleanup = true;
  /** The version of the last commit that changed tracked rows. It survives switching tracking off and on. */
  current = 0n;
  commits: TrackedCommit[] = [];
  /** What automatic cleanups did, for dbo.MSchange_tracking_history. */
  readonly history: CleanupRecord[] = [];
  readonly #clock: SandboxClock;

  constructor(clock: SandboxClock) {
    this.#clock = clock;
  }

  next(transaction: Transaction): bigint {
    this.current += 1n;
    this.commits.push({ version: this.current, transactionId: transaction.id, at: this.#clock.now(), seq: Infinity });
    return this.current;
  }

  /** The counter, the settings and the commits that are visible, for a copy of the database. */
  copy(): DatabaseTracking {
    const copy = new DatabaseTracking(this.#clock);
    copy.on = this.on;
    copy.retention = this.retention;
    copy.autoCleanup = this.autoCleanup;
    copy.current = this.current;
    copy.commits = this.commits.filter((commit) => commit.seq !== Infinity).map((commit) => ({ ...commit }));
    copy.history.push(...this.history);
    return copy;
  }

  stamp(version: bigint, seq: number): void {
    const commit = this.commits.findLast((each) => each.version === version);
    if (commit !== undefined) {
      commit.seq = seq;
    }
  }

  /** The newest version that is older than the retention, 0n without one. */
  expiredVersion(): bigint {
    const limit = this.#clock.now() - this.retention.count * UNIT_MS[this.retention.unit];
    return this.commits.findLast((commit) => commit.at < limit && commit.seq !== Infinity)?.version ?? 0n;
  }

  forgetCommits(version: bigint): void {
    this.commits = this.commits.filter((commit) => commit.version > version);
  }
}
