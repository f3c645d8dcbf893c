/**
 * The first load, the replacement and the resync of a section (L3): every row read page by page by primary key, then the sweep. A load writes all
 * of them without messages; a resync publishes those that differ as ordinary patches, and becomes a replacement when too many do. Each page's
 * cursor is stored by the script that stores its rows, so a kill resumes it. Windows between its pages are the lane's.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager, HeldSweep, LoadCursor, SectionMeta } from '../manager/distributed-data-manager.ts';
import type { TableSelection, TrackedTable } from '../model/table.ts';
import { maxVersion } from '../model/version.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import { type ChangeTracker, probedTable } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';
import { type LoadLimits, LoadPace, progressOf } from './load-pace.ts';
import { demandRoom } from './load-room.ts';
import { DocumentCheck } from './repair.ts';
import { Sweep } from './sweep.ts';
import { GuardedSweep } from './sweep-guard.ts';

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
  /** The greatest share of the documents that a sweep removes by itself. */
  readonly sweepShare?: number;
  readonly signal: AbortSignal;
}

/** How a section is read anew. */
export interface Beginning {
  /** load: all is written, subscribers wait and load. resync: what differs is published, under the epoch that there is. */
  readonly kind: 'load' | 'resync';
  /** Of a load. */
  readonly newEpoch: boolean;
  readonly reason: string;
  /** patchwire began it by itself: its sweep counts first. */
  readonly guarded: boolean;
}

/**
 * Stores that a load or a resync has begun: state, cursor, source identity, and a version that was current `confirmMs` before the first page as
 * checkpoint and `confirmed`. With `initial: none` no row will be loaded, and upTo is not claimed until one day they are.
 * @param decide which of the two, by the identity that the table has now (L3)
 * @returns the table as it is now, whose identity the section now has, and the meta
 * @throws PW-M318 before anything is stored, when Redis has no room for the table; what tracker and manager throw
 */
export async function beginLoad(
  options: LoadOptions,
  decide: (table: TrackedTable) => Beginning,
): Promise<{ readonly table: TrackedTable; readonly meta: SectionMeta; readonly beginning: Beginning }> {
  const table = await options.tracker.describe(options.selection, { signal: options.signal });
  try {
    const beginning = decide(table);
    return { table, meta: await store(options, table, beginning), beginning };
  } catch (error) {
    options.tracker.forget(table);
    throw error;
  }
}

async function store(options: LoadOptions, table: TrackedTable, beginning: Beginning): Promise<SectionMeta> {
  const { kind, newEpoch, reason, guarded } = beginning;
  const { tracker, delivery, clock, logger, confirmMs, initial = 'full', load = {}, signal } = options;
  const { version } = table;
  const probe = await tracker.probe({ catalog: true, signal });
  const rowsNow = probedTable(probe, table.fullName)?.rows ?? null;
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
    ...(kind === 'resync' ? { documents: delivery.count, changed: 0 } : {}),
    ...(guarded ? { guarded } : {}),
  };
  const { high } = delivery.position;
  const meta = await delivery.transition({
    ...(kind === 'load'
      ? { state: 'loading', newEpoch, reset: { phase: 'begin', reason } }
      : { state: 'resyncing', newEpoch: false, reset: null }),
    advance: { checkpoint: version, confirmed: version, high: kind === 'load' ? version : maxVersion(high, version), cursor },
    source: table.identity,
    incomplete: initial === 'full' ? null : { reason: 'initial', since: version },
  });
  const { estimate } = cursor;
  const fields = { table: table.fullName, fromVersion: version.toString(), estimate, epoch: meta.epoch, reason };
  if (initial === 'none') {
    logger.info(fields, 'followed from now on: nothing is loaded');
  } else {
    logger.info(fields, kind === 'resync' ? 'resync begins' : 'load begins');
  }
  return meta;
}

const LOG_INTERVAL_MS = 10_000;

/** A resync that has looked at this share of the documents, and at so many rows, judges the rest by them. */
const SAMPLE_SHARE = 0.25;
const SAMPLE_ROWS = 1000;

export interface LoadRun extends LoadOptions {
  /** store: nothing is published (loading); publish: what differs is (resyncing). */
  readonly mode: 'store' | 'publish';
  /** Stores a cursor by itself, and tells of it at once. */
  readonly keep: (cursor: LoadCursor) => Promise<void>;
  /** Told of the meta after a resync became a replacement. */
  readonly replaced: (meta: SectionMeta) => void;
}

/**
 * Phases: load (pages by key), then sweep; or clear (of a section that is only followed). Then window: all is read, the first window that is not
 * full makes the section live. They only go forward.
 */
export class Load {
  readonly #options: LoadRun;
  readonly #table: TrackedTable;
  readonly #pace: LoadPace;
  #mode: LoadRun['mode'];
  #cursor: LoadCursor;
  /** When the page before ended; null: none was, or the load was held. */
  #markedAt: number | null = null;
  #sweep: GuardedSweep | null = null;
  #removed = 0;
  #check: DocumentCheck | null = null;
  #loggedAtMs: number;

  /** Goes on from a stored cursor. A sweep begins anew. */
  constructor(options: LoadRun, table: TrackedTable, cursor: LoadCursor) {
    this.#options = options;
    this.#mode = options.mode;
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
    return this.#cursor.phase === 'load' ? this.#pace.dueAt : (this.#sweep?.dueAt ?? Number.NEGATIVE_INFINITY);
  }

  /** How its pages, and the windows between them, are delivered. */
  get mode(): LoadRun['mode'] {
    return this.#mode;
  }

  /** What its sweep waits for; null: it does not wait. */
  get held(): HeldSweep | null {
    return this.#sweep?.held ?? null;
  }

  /** An operator confirms what its sweep will remove, whether that is known yet or not. */
  async confirm(): Promise<void> {
    if (this.#sweep !== null) {
      await this.#sweep.confirm();
      this.#cursor = { ...this.#cursor, guarded: false, held: null };
    } else if (this.#cursor.guarded === true) {
      this.#cursor = { ...this.#cursor, guarded: false };
      await this.#options.keep(this.#cursor);
    }
  }

  /** It is paused: the time until its next page does not count. */
  hold(): void {
    this.#markedAt = null;
  }

  /** Rows read by its pages, when it began, how many of them differed (of a resync), and how many documents its sweep removed. */
  get progress(): Pick<LoadCursor, 'phase' | 'rows' | 'estimate' | 'startedAtMs' | 'changed'> & { readonly removed: number } {
    return { ...this.#cursor, removed: this.#sweep?.removed ?? this.#removed };
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
    const publishing = this.#mode === 'publish';
    const cursor: LoadCursor = {
      ...this.#cursor,
      phase: page.end ? 'sweep' : 'load',
      after: page.last ?? this.#cursor.after,
      rows: this.#cursor.rows + page.rows.length,
      activeMs: Math.round((this.#cursor.activeMs ?? 0) + until - (this.#markedAt ?? beganAt)),
    };
    const { written } = await delivery.deliver({
      rows: page.rows,
      to: page.to,
      readAtMs: clock.now(),
      mode: this.#mode,
      retry: true,
      advance: { cursor },
      sameKey: (a, b) => tracker.sameKey(this.#table, a, b, { signal }),
      signal,
    });
    // What it counts is stored by the page after it: a kill makes it count a page less.
    this.#cursor = publishing ? { ...cursor, changed: (cursor.changed ?? 0) + written } : cursor;
    if (publishing && tooMuchDiffers(this.#cursor)) {
      await this.#replace(this.#cursor.changed ?? 0);
    }
    const endedAt = clock.monotonic();
    this.#markedAt = Math.max(until, endedAt);
    this.#pace.read(page.rows.length, beganAt, endedAt);
    observer.loadProgress({ phase: 'load', rows: cursor.rows, estimate: cursor.estimate, ...progressOf(cursor) });
  }

  /** Whole before any window is read: what a window brings must not be cleared. */
  async #clear(): Promise<void> {
    const { delivery, signal } = this.#options;
    const clearing = new Sweep({ ...this.#options, table: this.#table, mode: 'store', keeps: 'nothing' });
    while ((await clearing.step()) !== 'end') {
      signal.throwIfAborted();
    }
    const cursor: LoadCursor = { ...this.#cursor, phase: 'window' };
    await delivery.storeCursor(cursor);
    this.#cursor = cursor;
  }

  async #sweepPage(): Promise<void> {
    const cursor = this.#cursor;
    this.#sweep ??= new GuardedSweep({
      ...this.#options,
      table: this.#table,
      cursor,
      mode: () => this.#mode,
      keep: async (kept) => {
        this.#cursor = kept;
        await this.#options.keep(kept);
      },
      onCounted: async (missing) => {
        const { changed = 0, documents = 0 } = this.#cursor;
        if (this.#mode === 'publish' && 2 * (changed + missing) > documents) {
          await this.#replace(changed + missing);
        }
      },
    });
    if (await this.#sweep.step()) {
      this.#removed = this.#sweep.removed;
      this.#cursor = { ...this.#cursor, phase: 'window' };
    }
  }

  /** More than half of the documents differ: patches would be more than the documents. The cursor stays, what is left is written anew. */
  async #replace(differing: number): Promise<void> {
    const { delivery, logger, observer, replaced } = this.#options;
    const { documents = 0, rows } = this.#cursor;
    observer.error('PW-S232');
    const fields = { code: 'PW-S232', differing, looked: rows, documents };
    logger.warn(fields, 'too many documents differ: the resync goes on as a replacement under a new epoch');
    const { documents: _, changed: __, ...cursor } = this.#cursor;
    this.#cursor = cursor;
    const meta = await delivery.transition({
      state: 'loading',
      newEpoch: true,
      reset: { phase: 'begin', reason: `resync: ${differing} of ${documents} documents differ` },
      advance: { cursor },
    });
    this.#mode = 'store';
    replaced(meta);
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

/** Whether more than half of the documents differ, or will as far as a sample tells. */
function tooMuchDiffers({ changed = 0, documents = 0, rows }: LoadCursor): boolean {
  return 2 * changed > documents || (rows >= Math.max(SAMPLE_ROWS, SAMPLE_SHARE * documents) && 2 * changed > rows);
}
