/**
 * The lane (L1): one loop per led section that makes all its reads (windows, load pages, sweep pages) one after another and delivers them in the
 * order in which they were read. One page is read ahead, only while nothing else is due. Knows neither leases nor retries: what goes wrong
 * it throws, and section.ts begins again.
 */
import type { OperatorRequest, SectionMeta } from '../manager/distributed-data-manager.ts';
import type { ChangePage, TrackingPosition } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import { maxVersion, type Version } from '../model/version.ts';
import { checkSource, readAgainFrom, resetTarget } from './position.ts';
import { pauseVerbs } from './pauses.ts';
import { beginLoad, Load, type LoadOptions } from './load.ts';
import type { Ladder } from './polling.ts';
import type { RequestDesk, VerbHandler } from './requests.ts';
import { Patrol } from './repair.ts';
import { type RowCountWatch, sweepIsDue } from './row-counts.ts';
import { Sweep } from './sweep.ts';

export interface LaneOptions extends LoadOptions {
  readonly ladder: Ladder;
  readonly desk: RequestDesk;
  /** Of the section, not of this lane: a verdict outlives it. */
  readonly rowCounts: RowCountWatch;
  /** End when the section is live and a round found nothing more. */
  readonly once: boolean;
  /** Pause between the pages of the patrol (C8). */
  readonly heartbeatMs: number;
  /** A round was read and needed no delivery: back-off may begin anew (with delivery, its acknowledgement says so). */
  readonly onHealthy: () => void;
}

/** Why a lane ended without an error: caught up (`once`), or an operator wants the section purged, or paused as a whole. */
export type LaneEnd =
  | { readonly kind: 'caughtUp' }
  | { readonly kind: 'purge'; readonly request: OperatorRequest }
  | { readonly kind: 'paused' };

/**
 * Runs the lane of a section whose lead is held, from where `meta` says that it stands, until the signal fires. Forgets `table` in the end.
 * @throws the signal's reason; PW-S213, PW-S220 when the data is of another source or projection; PW-S211 when rows are missing (R6); whatever tracker and manager throw
 */
export async function runLane(options: LaneOptions, table: TrackedTable, meta: SectionMeta): Promise<LaneEnd> {
  const lane = new Lane(options, table, meta);
  try {
    return await lane.run();
  } finally {
    await lane.close();
  }
}

/** Modes: loading (a Load under way, everything stored without messages) and live (everything published, perhaps with a Sweep under way). */
class Lane {
  readonly #options: LaneOptions;
  readonly #verbs: ReadonlyMap<string, VerbHandler>;
  #table: TrackedTable;
  #meta: SectionMeta;
  #load: Load | null = null;
  #sweep: Sweep | null = null;
  #patrol: Patrol | null = null;
  #pages: AsyncIterator<ChangePage> | null = null;
  #ahead: Promise<IteratorResult<ChangePage>> | null = null;
  /** What an operator asked for that ends the lane. */
  #ends: LaneEnd | null = null;
  /** The greatest upTo that a page proved since reading began: while loading it is kept back, and the tracker says it only once. */
  #proved: Version | null = null;

  constructor(options: LaneOptions, table: TrackedTable, meta: SectionMeta) {
    this.#options = options;
    this.#table = table;
    this.#meta = meta;
    this.#verbs = new Map<string, VerbHandler>([
      ['poll', (request) => this.#poll(request)],
      ['reset', (request) => this.#reset(request)],
      ['set', ({ args }) => this.#resetTo(args['to'] ?? '', args['skipChanges'] === 'true')],
      ['purge', (request) => this.#purgeAsked(request)],
      ...pauseVerbs({ ...options, meta: () => this.#meta, changed: (changed) => this.#changed(changed) }),
    ]);
  }

  async run(): Promise<LaneEnd> {
    const { signal, desk, delivery, once, onHealthy } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      if (this.#ahead === null) {
        await desk.serve(this.#verbs, { refuseUnknown: true });
        if (this.#ends !== null) {
          return this.#ends;
        }
        await this.#begin();
        await this.#step();
      }
      const allElseRead = this.#load?.phase === 'window';
      const page = await this.#next();
      const written = await this.#deliver(page);
      if (allElseRead && !page.full) {
        await this.#goLive(page);
      }
      if (desk.keeps) {
        await delivery.settle();
        await desk.answerLater(`Read up to version ${page.to}; ${written} rows changed.`);
      }
      if (written === 0 && delivery.quiet) {
        onHealthy();
      }
      await this.#compareRowCount(page);
      const idle = this.#load === null && this.#sweep === null && !page.full && written === 0 && !desk.due;
      const held = this.#load !== null && this.#meta.paused !== null && !page.full;
      if (once && (idle || held)) {
        return { kind: 'caughtUp' };
      }
    }
  }

  /** Ends the reading and lets go of the table. */
  async close(): Promise<void> {
    await this.#stopReading();
    this.#options.tracker.forget(this.#table);
  }

  async #stopReading(): Promise<void> {
    this.#ahead?.catch(() => {});
    await this.#ahead?.catch(() => {});
    this.#ahead = null;
    await this.#pages?.return?.();
    this.#pages = null;
  }

  /** Decides once what the section needs: a first load, the rest of one, or just to be followed. */
  async #begin(): Promise<void> {
    if (this.#pages !== null) {
      return;
    }
    const { observer, rowCounts, delivery, logger, initial = 'full' } = this.#options;
    if (this.#meta.pending) {
      throw new PatchwireError('PW-M307', 'A script of this section stopped half-way.');
    }
    if (this.#meta.source === null) {
      await this.#beginLoad(false, 'first load');
      return;
    }
    checkSource(this.#meta.source, this.#table);
    rowCounts.check(this.#meta.epoch);
    const followed = this.#meta.incomplete?.reason === 'initial';
    if (followed && initial === 'full') {
      await this.#beginLoad(true, 'initial is full now');
      return;
    }
    if (!followed && initial === 'none') {
      logger.warn('initial: none changes nothing: the section has been loaded, and goes on as a whole');
    }
    if (this.#meta.state === 'live') {
      observer.phase('live');
      this.#follow(readAgainFrom(delivery.position));
    } else if (this.#meta.cursor === null) {
      await this.#beginLoad(true, 'load without a cursor');
    } else {
      observer.phase('loading');
      // A load that is under way (a request that stopped the reading came to nothing) is further than `meta` says.
      this.#load ??= new Load(this.#options, this.#table, this.#meta.cursor);
      this.#follow(readAgainFrom(delivery.position));
    }
  }

  async #beginLoad(newEpoch: boolean, reason: string): Promise<void> {
    await this.#stopReading();
    const { table, meta } = await beginLoad(this.#options, { newEpoch, reason });
    this.#options.tracker.forget(this.#table);
    this.#table = table;
    if (meta.cursor === null) {
      throw new PatchwireError('PW-I901', 'The transition to loading stored no cursor.');
    }
    this.#options.observer.phase('loading');
    this.#changed(meta);
    this.#sweep = null;
    this.#patrol = null;
    this.#load = new Load(this.#options, table, meta.cursor);
    this.#follow(readAgainFrom(meta));
  }

  /** The meta after a transition. */
  #changed(meta: SectionMeta): void {
    this.#meta = meta;
    this.#options.observer.leading(meta);
    if (meta.paused?.what === 'all') {
      this.#ends ??= { kind: 'paused' };
    }
  }

  #follow(from: TrackingPosition): void {
    const { tracker, ladder, signal } = this.#options;
    this.#proved = null;
    this.#pages = tracker.trackChanges({ table: this.#table, from, backoff: ladder, signal })[Symbol.asyncIterator]();
  }

  /** One page of whatever is under way beside the windows. */
  async #step(): Promise<void> {
    const { ladder } = this.#options;
    const held = this.#meta.paused !== null && (this.#load?.phase === 'load' || this.#load?.phase === 'sweep');
    if (held) {
      this.#load?.hold();
    } else {
      await this.#load?.step();
    }
    if (this.#sweep !== null && (await this.#sweep.step())) {
      this.#options.rowCounts.swept(this.#sweep.removed);
      this.#options.logger.info({ removed: this.#sweep.removed }, 'sweep ended');
      this.#sweep = null;
    }
    if (this.#load === null && this.#sweep === null) {
      await this.#patrolling().step();
    }
    // A sweep wants its next page at once, and so does a load that is neither held nor slowed down.
    const hurries = this.#sweep !== null || (this.#load === null && this.#patrolling().hurried);
    ladder.want(hurries ? Number.NEGATIVE_INFINITY : this.#load === null || held ? null : this.#load.dueAt);
  }

  #patrolling(): Patrol {
    this.#patrol ??= new Patrol({ ...this.#options, table: this.#table, mode: 'publish' }, this.#options.heartbeatMs);
    return this.#patrol;
  }

  async #next(): Promise<ChangePage> {
    const { desk, ladder, observer, clock } = this.#options;
    if (this.#pages === null) {
      throw new PatchwireError('PW-I901', 'The lane reads before it has begun.');
    }
    const result = await (this.#ahead ?? this.#pages.next());
    this.#ahead = null;
    if (result.done === true) {
      throw new PatchwireError('PW-I901', 'The change tracker ended by itself.');
    }
    const page = result.value;
    const { read, rows, full, to, readAtMs } = page;
    observer.polled({ read, rows: rows.length, full, durationMs: clock.now() - ladder.resumedAtMs, to, readAtMs });
    if (full && this.#load === null && this.#sweep === null && !desk.due) {
      this.#ahead = this.#pages.next();
      this.#ahead.catch(() => {});
    }
    return page;
  }

  /** @returns rows written */
  async #deliver(page: ChangePage): Promise<number> {
    const { tracker, delivery, signal } = this.#options;
    const loading = this.#load !== null;
    const { written, mended } = await delivery.deliver({
      rows: page.rows,
      to: page.to,
      readAtMs: page.readAtMs,
      mode: loading && this.#meta.state === 'loading' ? 'store' : 'publish',
      // While loading nothing is claimed: upTo comes with `live` (L3).
      advance: {
        ...page.position,
        sourceReadAtMs: page.readAtMs,
        ...(loading || page.upTo === null ? {} : { upTo: page.upTo }),
      },
      sameKey: (a, b) => tracker.sameKey(this.#table, a, b, { signal }),
      signal,
    });
    this.#proved = page.upTo ?? this.#proved;
    if (mended > 0) {
      this.#patrol?.hurry();
    }
    return written;
  }

  async #goLive(page: ChangePage): Promise<void> {
    const { delivery, observer, logger, clock, ladder } = this.#options;
    const { rows, startedAtMs } = this.#load?.progress ?? { rows: 0, startedAtMs: clock.now() };
    const upTo = this.#proved ?? delivery.position.confirmed;
    const whole = this.#meta.incomplete === null;
    const meta = await delivery.transition({
      state: 'live',
      newEpoch: false,
      reset: this.#meta.state === 'resyncing' ? null : { phase: 'end', reason: whole ? 'load ended' : 'followed from now on' },
      advance: { ...delivery.position, ...(whole ? { upTo } : {}), cursor: null, sourceReadAtMs: page.readAtMs },
    });
    this.#load = null;
    ladder.want(null);
    delivery.count = meta.count;
    this.#changed(meta);
    observer.phase('live');
    if (!whole) {
      logger.info({ fromVersion: this.#meta.incomplete?.since.toString() }, 'live: rows are published as they change, upTo is not claimed');
      return;
    }
    logger.info({ rows, documents: this.#meta.count, upTo: upTo.toString(), durationMs: clock.now() - startedAtMs }, 'load ended: live');
  }

  /** R6: TRUNCATE and the like move no counter; the number of rows tells. */
  async #compareRowCount(page: ChangePage): Promise<void> {
    const { delivery, observer, logger } = this.#options;
    const comparable = this.#load === null && this.#sweep === null && !page.full && page.rows.length === 0;
    const incomplete = this.#meta.incomplete !== null;
    if (comparable && (await sweepIsDue({ ...this.#options, incomplete }, this.#table, page))) {
      observer.error('PW-S223');
      logger.warn({ code: 'PW-S223', tableRows: page.tableRows, documents: delivery.count }, 'row count differs: sweep begins');
      this.#sweep = new Sweep({ ...this.#options, table: this.#table, mode: 'publish' });
    }
  }

  #poll(request: OperatorRequest): Promise<null> {
    this.#options.ladder.wake();
    this.#options.desk.keep(request);
    return Promise.resolve(null);
  }

  #purgeAsked(request: OperatorRequest): Promise<null> {
    this.#ends = { kind: 'purge', request };
    return Promise.resolve(null);
  }

  async #reset(request: OperatorRequest): Promise<string> {
    const text = request.args['to'];
    if (text === undefined) {
      await this.#beginLoad(true, `checkpoint reset by ${request.who}`);
      const what = this.#meta.incomplete === null ? 'Loading anew' : 'Nothing is loaded (initial: none); following';
      return `${what} from version ${this.#meta.checkpoint}, under the new epoch ${this.#meta.epoch}.`;
    }
    return this.#resetTo(text, false);
  }

  async #resetTo(text: string, skipChanges: boolean): Promise<string> {
    const { tracker, delivery, logger, signal } = this.#options;
    await this.#begin();
    const before = delivery.position.checkpoint;
    const probe = await tracker.probe({ catalog: true, signal });
    await this.#stopReading();
    let target: ReturnType<typeof resetTarget>;
    try {
      target = resetTarget(text, delivery.position, this.#table, probe, skipChanges);
      if (target.skips && this.#meta.state !== 'live') {
        throw new PatchwireError('PW-C109', 'The section is loading, and the load needs the changes since it began.');
      }
    } finally {
      // Where reading is by now, not where it was when the lead was taken.
      this.#follow(readAgainFrom(delivery.position));
    }
    const { checkpoint, confirmed, skips } = target;
    const { incomplete } = this.#meta;
    const meta = await delivery.transition({
      state: this.#meta.state,
      newEpoch: false,
      reset: null,
      advance: { checkpoint, confirmed, high: maxVersion(delivery.position.high, checkpoint) },
      ...(skips ? { incomplete: { reason: incomplete?.reason ?? 'skipped', since: checkpoint } } : {}),
    });
    this.#changed(meta);
    // A load goes on from its own cursor: only the windows begin again.
    this.#follow(readAgainFrom(meta));
    if (!skips) {
      return `Reading again from version ${checkpoint}.`;
    }
    logger.warn({ checkpoint: checkpoint.toString(), before: before.toString() }, 'changes were skipped: upTo is not claimed any more');
    await delivery.heartbeat();
    return `Reading from version ${checkpoint}; the changes since ${before} were skipped. upTo is not claimed until the table is loaded anew.`;
  }
}
