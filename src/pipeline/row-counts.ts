/**
 * The number of rows (R6): what change tracking shows nowhere is told by it. sys.partitions only raises the suspicion, since it counts rows
 * that are not committed; a sweep removes what is gone; what is missing only an exact count can tell, and that is lost history. Reads nothing
 * but counts, removes nothing: the sweep is the lane's.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import type { ChangePage } from '../model/change.ts';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { Logger } from '../observe/logger.ts';
import type { ChangeTracker, RowCount } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';

/** A sweep that removed nothing, or a count that stopped nothing, is not repeated for this long; each further count doubles it. */
const MIN_PAUSE_MS = 60_000;
const MAX_PAUSE_MS = 3_600_000;

/** What is suspected of one section, from probe to probe. Outlives its lanes: a verdict holds until the epoch changes. */
export class RowCountWatch {
  readonly #clock: Clock;
  #differed = false;
  /** A sweep has removed nothing and the numbers have differed ever since: only a count tells more. */
  #swept = false;
  /** Nothing was counted since that sweep. */
  #fresh = false;
  #sweepAt = Number.NEGATIVE_INFINITY;
  #countAt = Number.NEGATIVE_INFINITY;
  #pauseMs = MIN_PAUSE_MS;
  #verdict: { readonly epoch: string; readonly error: PatchwireError } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the last sweep is the last that was done: what it would have removed is removed. */
  get fresh(): boolean {
    return this.#fresh;
  }

  /** What is due when a probe shows that the numbers differ or do not: nothing before they have differed in two probes running. */
  due(differ: boolean, countable: boolean): 'sweep' | 'count' | null {
    const now = this.#clock.monotonic();
    const before = this.#differed;
    this.#differed = differ;
    if (!differ) {
      this.#swept = false;
      this.#pauseMs = MIN_PAUSE_MS;
      this.#sweepAt = Math.min(this.#sweepAt, now + MIN_PAUSE_MS);
      this.#countAt = Math.min(this.#countAt, now + MIN_PAUSE_MS);
      return null;
    }
    const count = this.#swept && countable;
    return before && now >= (count ? this.#countAt : this.#sweepAt) ? (count ? 'count' : 'sweep') : null;
  }

  /** A sweep has ended. */
  swept(removed: number): void {
    this.#differed = false;
    this.#swept = removed === 0;
    this.#fresh = this.#swept;
    this.#sweepAt = removed > 0 ? Number.NEGATIVE_INFINITY : this.#clock.monotonic() + MIN_PAUSE_MS;
  }

  /** A count has found the numbers equal, or could not tell: the next one comes later each time. */
  counted(): void {
    this.#fresh = false;
    this.#countAt = this.#clock.monotonic() + this.#pauseMs;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, 2 * this.#pauseMs);
  }

  /** The section is lost under this epoch: later numbers may agree by chance and prove nothing. @returns the error to throw */
  lost(epoch: string, error: PatchwireError): PatchwireError {
    this.#verdict = { epoch, error };
    return error;
  }

  /** The section is read anew: what was suspected is over. */
  mended(): void {
    this.#verdict = null;
    this.#differed = false;
    this.#swept = false;
    this.#fresh = false;
  }

  /** @throws PW-S211 when the section was found lost under this epoch */
  check(epoch: string): void {
    if (this.#verdict?.epoch === epoch) {
      throw this.#verdict.error;
    }
    this.#verdict = null;
  }
}

export interface RowCountOptions {
  readonly section: string;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  readonly delivery: Delivery;
  readonly rowCounts: RowCountWatch;
  /** The section lacks rows, as it does behind a filter: fewer documents than rows tell nothing. */
  readonly incomplete: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Compares the table with the index after a round that found nothing to read, of a section that is live and caught up.
 * @returns whether a sweep is due
 * @throws PW-S211 when rows are missing that change tracking does not show; the signal's reason; what tracker and manager throw, but for a
 * count that failed for the moment: that one is tried again later
 */
export async function sweepIsDue(options: RowCountOptions, table: TrackedTable, page: ChangePage): Promise<boolean> {
  const { section, manager, delivery, rowCounts, logger } = options;
  const { tableRows, position, to } = page;
  if (tableRows === null) {
    return false;
  }
  // A row in quarantine is a row of the table. A filter, or no load, leaves fewer documents than rows, never more; how many fewer no count tells.
  const whole = table.selection.filter === null && !options.incomplete;
  const known = (): number => delivery.count + delivery.quarantine.count;
  const differ = (): boolean => (whole ? tableRows !== known() : tableRows < known());
  const due = rowCounts.due(differ(), whole);
  if (due === null) {
    return false;
  }
  await delivery.settle();
  delivery.count = (await manager.readMeta(section))?.count ?? delivery.count;
  if (due === 'sweep' || !differ()) {
    return differ();
  }
  // A commit that becomes visible late may be counted before it is published, or the other way round.
  if (position.confirmed < to) {
    return false;
  }
  const counted = await countNow(options, table);
  const meta = await manager.readMeta(section);
  const judged = counted !== null && counted.version === to && meta?.state === 'live';
  if (!judged || counted.rows === meta.count + meta.quarantined) {
    rowCounts.counted();
    logger.debug({ rows: counted?.rows ?? null, tableRows, judged }, 'rows counted: nothing is missing, or it cannot be told now');
    return false;
  }
  if (!rowCounts.fresh) {
    // Counted long after the last sweep: rows may have vanished since, and those a sweep heals.
    return true;
  }
  const message = `${table.fullName} has ${counted.rows} rows at version ${to}, ${meta.count} are published, ${meta.quarantined} in quarantine: rows were written while it was not tracked.`;
  const error = new PatchwireError('PW-S211', message, {
    hint: `Reset the checkpoint: \`patchwire checkpoint reset ${section}\` loads the table anew.`,
    details: { table: table.fullName, rows: counted.rows, documents: meta.count, version: to.toString() },
  });
  throw rowCounts.lost(meta.epoch, error);
}

/** null: versions moved meanwhile, or a lock or the watchdog was in the way. */
async function countNow({ tracker, logger, signal }: RowCountOptions, table: TrackedTable): Promise<RowCount | null> {
  try {
    return await tracker.countRows(table, { signal });
  } catch (thrown) {
    signal.throwIfAborted();
    const error = asPatchwireError(thrown);
    if (error.retry !== 'backoff' && error.retry !== 'reconnect') {
      throw error;
    }
    logger.debug({ code: error.code, err: error }, 'rows not counted: tried again later');
    return null;
  }
}
