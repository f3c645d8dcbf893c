/**
 * The first load and the replacement of a section (L3): every row written without messages, page by page by primary key, then the sweep. Each
 * page's cursor is stored by the script that stores its rows, so a kill resumes it. Windows between its pages are the lane's.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager, LoadCursor, SectionMeta } from '../manager/distributed-data-manager.ts';
import type { TableSelection, TrackedTable } from '../model/table.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';
import { Sweep } from './sweep.ts';

export interface LoadOptions {
  readonly section: string;
  readonly selection: TableSelection;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  readonly delivery: Delivery;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: SectionObserver;
  /** How long after the version was current the first page may be read (R5). */
  readonly confirmMs: number;
  readonly signal: AbortSignal;
}

/**
 * Stores that a load has begun: state, cursor, source identity, and a version that was current `confirmMs` before the first page as checkpoint
 * and `confirmed`. @returns the table as it is now, whose identity the section now has, and the meta
 */
export async function beginLoad(
  options: LoadOptions,
  { newEpoch, reason }: { readonly newEpoch: boolean; readonly reason: string },
): Promise<{ readonly table: TrackedTable; readonly meta: SectionMeta }> {
  const table = await options.tracker.describe(options.selection, { signal: options.signal });
  try {
    return { table, meta: await store(options, table, { newEpoch, reason }) };
  } catch (error) {
    options.tracker.forget(table);
    throw error;
  }
}

async function store(
  { tracker, delivery, clock, logger, confirmMs, signal }: LoadOptions,
  table: TrackedTable,
  { newEpoch, reason }: { readonly newEpoch: boolean; readonly reason: string },
): Promise<SectionMeta> {
  const { version } = table;
  const probe = await tracker.probe({ catalog: true, signal });
  await clock.sleep(confirmMs, { signal });
  const cursor: LoadCursor = {
    phase: 'load',
    after: null,
    rows: 0,
    estimate: probe.tables?.get(table.fullName)?.rows ?? null,
    startedAtMs: clock.now(),
  };
  const meta = await delivery.transition({
    state: 'loading',
    newEpoch,
    reset: { phase: 'begin', reason },
    advance: { checkpoint: version, confirmed: version, high: version, cursor },
    source: table.identity,
  });
  const { estimate } = cursor;
  logger.info({ table: table.fullName, fromVersion: version.toString(), estimate, epoch: meta.epoch, reason }, 'load begins');
  return meta;
}

const LOG_INTERVAL_MS = 1000;

/** Phases: load (pages by key), sweep, window (all read: the first window that is not full makes the section live). They only go forward. */
export class Load {
  readonly #options: LoadOptions;
  readonly #table: TrackedTable;
  #cursor: LoadCursor;
  #sweep: Sweep | null = null;
  #loggedAtMs: number;

  /** Goes on from a stored cursor. A sweep begins anew. */
  constructor(options: LoadOptions, table: TrackedTable, cursor: LoadCursor) {
    this.#options = options;
    this.#table = table;
    this.#cursor = cursor;
    this.#loggedAtMs = options.clock.now();
  }

  get phase(): LoadCursor['phase'] {
    return this.#cursor.phase;
  }

  /** Rows written by its pages, and when it began. */
  get progress(): { readonly rows: number; readonly startedAtMs: number } {
    return this.#cursor;
  }

  /** One page of the load or of the sweep, delivered; nothing once the phase is `window`. */
  async step(): Promise<void> {
    if (this.#cursor.phase === 'load') {
      await this.#loadPage();
    } else if (this.#cursor.phase === 'sweep') {
      await this.#sweepPage();
    }
    this.#log();
  }

  async #loadPage(): Promise<void> {
    const { tracker, delivery, clock, observer, signal } = this.#options;
    const page = await tracker.readLoadPage(this.#table, { after: this.#cursor.after, signal });
    const cursor: LoadCursor = {
      ...this.#cursor,
      phase: page.end ? 'sweep' : 'load',
      after: page.last ?? this.#cursor.after,
      rows: this.#cursor.rows + page.rows.length,
    };
    await delivery.deliver({
      rows: page.rows,
      to: page.to,
      readAtMs: clock.now(),
      mode: 'store',
      advance: { cursor },
      sameKey: (a, b) => tracker.sameKey(this.#table, a, b, { signal }),
      signal,
    });
    this.#cursor = cursor;
    observer.loadProgress({ phase: 'load', rows: cursor.rows, estimate: cursor.estimate });
  }

  async #sweepPage(): Promise<void> {
    this.#sweep ??= new Sweep({ ...this.#options, table: this.#table, mode: 'store' });
    if (await this.#sweep.step()) {
      this.#cursor = { ...this.#cursor, phase: 'window' };
    }
  }

  #log(): void {
    const { clock, logger } = this.#options;
    const now = clock.now();
    if (now - this.#loggedAtMs >= LOG_INTERVAL_MS) {
      this.#loggedAtMs = now;
      const { phase, rows, estimate } = this.#cursor;
      logger.info({ phase, rows, estimate, removed: this.#sweep?.removed ?? 0 }, 'load goes on');
    }
  }
}
