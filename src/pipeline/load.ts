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
import { type LoadLimits, LoadPace, progressOf } from './load-pace.ts';
import { demandRoom } from './load-room.ts';
import { DocumentCheck } from './repair.ts';
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
  /** none: what is there is cleared, and rows are published as they change from now on. Default full. */
  readonly initial?: 'full' | 'none';
  readonly load?: LoadLimits;
  readonly signal: AbortSignal;
}

/**
 * Stores that a load has begun: state, cursor, source identity, and a version that was current `confirmMs` before the first page as checkpoint
 * and `confirmed`. With `initial: none` no row will be loaded, and upTo is not claimed until one day they are.
 * @returns the table as it is now, whose identity the section now has, and the meta
 * @throws PW-M318 before anything is stored, when Redis has no room for the table; what tracker and manager throw
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
  options: LoadOptions,
  table: TrackedTable,
  { newEpoch, reason }: { readonly newEpoch: boolean; readonly reason: string },
): Promise<SectionMeta> {
  const { tracker, delivery, clock, logger, confirmMs, initial = 'full', load = {}, signal } = options;
  const { version } = table;
  const probe = await tracker.probe({ catalog: true, signal });
  const rowsNow = probe.tables?.get(table.fullName)?.rows ?? null;
  if (initial === 'full' && rowsNow !== null && load.ignoreMemory !== true) {
    await demandRoom({ ...options, documents: delivery.count }, table, rowsNow);
  }
  await clock.sleep(confirmMs, { signal });
  const cursor: LoadCursor = {
    phase: initial === 'full' ? 'load' : 'clear',
    after: null,
    rows: 0,
    estimate: initial === 'full' ? rowsNow : null,
    startedAtMs: clock.now(),
    activeMs: 0,
  };
  const meta = await delivery.transition({
    state: 'loading',
    newEpoch,
    reset: { phase: 'begin', reason },
    advance: { checkpoint: version, confirmed: version, high: version, cursor },
    source: table.identity,
    incomplete: initial === 'full' ? null : { reason: 'initial', since: version },
  });
  const { estimate } = cursor;
  const fields = { table: table.fullName, fromVersion: version.toString(), estimate, epoch: meta.epoch, reason };
  logger.info(fields, initial === 'full' ? 'load begins' : 'followed from now on: nothing is loaded');
  return meta;
}

const LOG_INTERVAL_MS = 10_000;

/**
 * Phases: load (pages by key), then sweep; or clear (of a section that is only followed). Then window: all is read, the first window that is not
 * full makes the section live. They only go forward.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #table: TrackedTable;
  readonly #pace: LoadPace;
  #cursor: LoadCursor;
  /** When the page before ended; null: none was, or the load was held. */
  #markedAt: number | null = null;
  #sweep: Sweep | null = null;
  #check: DocumentCheck | null = null;
  #loggedAtMs: number;

  /** Goes on from a stored cursor. A sweep begins anew. */
  constructor(options: LoadOptions, table: TrackedTable, cursor: LoadCursor) {
    this.#options = options;
    this.#table = table;
    this.#cursor = cursor;
    this.#pace = new LoadPace(options.load ?? {});
    this.#loggedAtMs = options.clock.now();
  }

  get phase(): LoadCursor['phase'] {
    return this.#cursor.phase;
  }

  /** When its next step is due, in monotonic ms. */
  get dueAt(): number {
    return this.#cursor.phase === 'load' ? this.#pace.dueAt : Number.NEGATIVE_INFINITY;
  }

  /** It is paused: the time until its next page does not count. */
  hold(): void {
    this.#markedAt = null;
  }

  /** Rows written by its pages, and when it began. */
  get progress(): { readonly rows: number; readonly startedAtMs: number } {
    return this.#cursor;
  }

  /** One page of the load or of the sweep, delivered, or all that is cleared; nothing while none is due, and once the phase is `window`. */
  async step(): Promise<void> {
    if (this.#options.clock.monotonic() < this.dueAt) {
      return;
    }
    if (this.#cursor.phase === 'load') {
      await this.#loadPage();
    } else if (this.#cursor.phase === 'clear') {
      await this.#clear();
    } else if (this.#cursor.phase === 'sweep') {
      await this.#sweepPage();
    } else if (this.#cursor.phase === 'check') {
      this.#check ??= new DocumentCheck({ ...this.#options, table: this.#table, mode: 'publish' });
      if (await this.#check.step()) {
        this.#cursor = { ...this.#cursor, phase: 'window' };
      }
    }
    this.#log();
  }

  async #loadPage(): Promise<void> {
    const { tracker, delivery, clock, observer, signal } = this.#options;
    const { pageRows } = this.#pace;
    const beganAt = clock.monotonic();
    const limit = pageRows === undefined ? {} : { rows: pageRows };
    const page = await tracker.readLoadPage(this.#table, { after: this.#cursor.after, ...limit, signal });
    const until = Math.max(clock.monotonic(), page.end ? beganAt : this.#pace.until(page.rows.length, beganAt));
    const cursor: LoadCursor = {
      ...this.#cursor,
      phase: page.end ? 'sweep' : 'load',
      after: page.last ?? this.#cursor.after,
      rows: this.#cursor.rows + page.rows.length,
      activeMs: Math.round((this.#cursor.activeMs ?? 0) + until - (this.#markedAt ?? beganAt)),
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
    const endedAt = clock.monotonic();
    this.#markedAt = Math.max(until, endedAt);
    this.#pace.read(page.rows.length, beganAt, endedAt);
    observer.loadProgress({ phase: 'load', rows: cursor.rows, estimate: cursor.estimate, ...progressOf(cursor) });
  }

  /** Whole before any window is read: what a window brings must not be cleared. */
  async #clear(): Promise<void> {
    const { delivery, clock, signal } = this.#options;
    const clearing = new Sweep({ ...this.#options, table: this.#table, mode: 'store', keeps: 'nothing' });
    while (!(await clearing.step())) {
      signal.throwIfAborted();
    }
    const cursor: LoadCursor = { ...this.#cursor, phase: 'window' };
    const { high } = delivery.position;
    const sameKey = (): Promise<boolean> => Promise.resolve(false);
    await delivery.deliver({ rows: [], to: high, readAtMs: clock.now(), mode: 'store', advance: { cursor }, sameKey, signal });
    this.#cursor = cursor;
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
      logger.info({ phase, rows, estimate, ...progressOf(this.#cursor), removed: this.#sweep?.removed ?? 0 }, 'load goes on');
    }
  }
}
