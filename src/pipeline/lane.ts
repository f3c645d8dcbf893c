/**
 * The lane (L1): one loop per led section that makes all its reads (windows, load pages, sweep pages) one after another and delivers them in the
 * order in which they were read. One page is read ahead, only while nothing else is due. Knows neither leases nor retries: what goes wrong
 * it throws, and section.ts begins again.
 */
import type { LoadCursor, SectionMeta } from '../manager/distributed-data-manager.ts';
import type { ChangePage, TrackingPosition } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { Version } from '../model/version.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';
import { notBeyond, readAgainFrom } from './position.ts';
import { readingVerbs } from './resets.ts';
import { Resyncs } from './resyncs.ts';
import { beginningOf, endLoad, lossOf } from './beginnings.ts';
import { pauseVerbs } from './pauses.ts';
import { beginLoad, type Beginning, Load } from './load.ts';
import type { VerbHandler } from './requests.ts';
import { QuarantineRetry, type QuarantineRetryOptions, quarantineVerbs } from './quarantine-verbs.ts';
import { Patrol } from './repair.ts';
import type { LaneEnd, LaneOptions } from './lane-options.ts';
import { sweepIsDue } from './row-counts.ts';
import { GuardedSweep, sweepCursor } from './sweep-guard.ts';

/**
 * Runs the lane of a section whose lead is held, from where `meta` says that it stands, until the signal fires. Forgets `table` in the end.
 * @throws the signal's reason; PW-S211 to PW-S213 and PW-S220 when history is lost, or the data is of another source or projection: by `lost` the
 * next lane mends that, or stops for it; whatever tracker and manager throw
 */
export async function runLane(options: LaneOptions, table: TrackedTable, meta: SectionMeta): Promise<LaneEnd> {
  const lane = new Lane(options, table, meta);
  try {
    return await lane.run();
  } finally {
    await lane.close();
  }
}

/**
 * Modes: loading (a Load under way, everything stored without messages), resyncing (a Load under way, what differs is published) and live (everything
 * published, perhaps with a sweep under way).
 */
class Lane {
  readonly #options: LaneOptions;
  readonly #verbs: ReadonlyMap<string, VerbHandler>;
  #table: TrackedTable;
  #meta: SectionMeta;
  #load: Load | null = null;
  #sweep: GuardedSweep | null = null;
  readonly #resyncs: Resyncs;
  #patrol: Patrol | null = null;
  readonly #retries: QuarantineRetry;
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
    this.#resyncs = new Resyncs({
      ...options,
      meta: () => this.#meta,
      table: () => this.#table,
      limits: options.load ?? {},
      running: () => this.#load,
      sweep: () => this.#sweep,
      prepare: () => this.#prepareResync(),
      begin: (reason, guarded) => this.#readAnew(reason, 'asked', guarded),
    });
    this.#retries = new QuarantineRetry(this.#retrying());
    this.#verbs = new Map<string, VerbHandler>([
      ['resync', (request) => this.#resyncs.take(request)],
      ...readingVerbs({
        ...options,
        table: () => this.#table,
        meta: () => this.#meta,
        changed: (changed) => this.#changed(changed),
        begin: () => this.#begin(),
        stopReading: () => this.#stopReading(),
        follow: (from) => this.#follow(from),
        // Whoever resets has confirmed what its sweep removes.
        loadAnew: (reason) => this.#beginLoad({ kind: 'load', newEpoch: true, reason, guarded: false }),
        ends: (request) => (this.#ends = { kind: 'purge', request }),
      }),
      ...quarantineVerbs({
        ...this.#retrying(),
        meta: () => this.#meta,
        changed: (changed) => this.#changed(changed),
        begin: () => this.#begin(),
      }),
      ...pauseVerbs({ ...options, meta: () => this.#meta, changed: (changed) => this.#changed(changed) }),
    ]);
  }

  async run(): Promise<LaneEnd> {
    const { signal, desk, delivery, once, onHealthy } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      this.#options.marks?.check();
      if (this.#ahead === null) {
        await desk.serve(this.#verbs, { refuseUnknown: true });
        if (this.#ends !== null) {
          return this.#ends;
        }
        await this.#begin();
        await this.#step();
      }
      const ending = this.#load?.phase === 'window' ? this.#load : null;
      const page = await this.#next();
      const written = await this.#deliver(page);
      if (ending !== null && !page.full) {
        await this.#goLive(page, ending);
      }
      if (desk.keeps) {
        await delivery.settle();
        await desk.answerLater(`Read up to version ${page.to}; ${written} rows changed.`);
      }
      // A full page that held nothing new may be the one before a page that fails each time: no progress.
      if (written === 0 && !page.full && delivery.quiet) {
        onHealthy();
      }
      await this.#compareRowCount(page);
      await this.#resyncs.tell();
      const waits = ((this.#load ?? this.#sweep)?.held ?? null) !== null;
      const idle = this.#load === null && (this.#sweep === null || waits) && !page.full && written === 0 && !desk.due && !this.#resyncs.due;
      const held = this.#load !== null && (this.#meta.paused !== null || waits) && !page.full;
      if (once && (idle || held)) {
        return { kind: 'caughtUp' };
      }
    }
  }

  /** Ends the reading and lets go of the table. */
  async close(): Promise<void> {
    await this.#stopReading();
    this.#resyncs.giveBack();
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
    const { observer, lost, delivery, logger, initial = 'full' } = this.#options;
    if (this.#meta.pending) {
      throw new PatchwireError('PW-M307', 'A script of this section stopped half-way.');
    }
    if (this.#meta.source === null) {
      await this.#beginLoad({ kind: 'load', newEpoch: false, reason: 'first load', guarded: false });
      return;
    }
    const loss = lossOf(this.#options, this.#meta, this.#table);
    if (loss !== null) {
      if (lost.remedy(loss) === null) {
        throw loss;
      }
      if (lost.error === null) {
        lost.note(loss);
      }
      await this.#readAnew(`lost history: ${loss.code}`, loss.code, true);
      return;
    }
    const followed = this.#meta.incomplete?.reason === 'initial';
    if (followed && initial === 'full') {
      await this.#beginLoad({ kind: 'load', newEpoch: true, reason: 'initial is full now', guarded: true });
      return;
    }
    if (!followed && initial === 'none') {
      logger.warn('initial: none changes nothing: the section has been loaded, and goes on as a whole');
    }
    if (this.#meta.state === 'live') {
      observer.phase('live');
      if (this.#meta.cursor?.phase === 'sweep') {
        this.#sweep ??= this.#guardedSweep(this.#meta.cursor);
      }
      this.#follow(readAgainFrom(delivery.position));
    } else if (this.#meta.cursor === null) {
      await this.#beginLoad({ kind: 'load', newEpoch: true, reason: 'load without a cursor', guarded: true });
    } else {
      observer.phase(this.#meta.state);
      // A load that is under way (a request that stopped the reading came to nothing) is further than `meta` says.
      this.#load ??= this.#loadFrom(this.#meta.cursor);
      this.#follow(readAgainFrom(delivery.position));
    }
  }

  /** Goes on with what the section needs before an operator's resync is taken; where only that mends it, with nothing. */
  async #prepareResync(): Promise<void> {
    const loss = lossOf(this.#options, this.#meta, this.#table);
    if (loss === null || this.#options.lost.remedy(loss) !== null) {
      await this.#begin();
    }
  }

  async #readAnew(reason: string, why: ErrorCode | 'asked', guarded: boolean): Promise<void> {
    const { lost, marks, delivery, observer, initial = 'full' } = this.#options;
    const decide = beginningOf(this.#meta, { lost, marks, high: () => delivery.position.high, reason, guarded });
    // A section that was loaded once goes on as a whole, whatever `initial` says now.
    const { kind } = await this.#beginLoad(decide, this.#meta.incomplete?.reason === 'initial' ? initial : 'full');
    observer.resync({ reason: why, how: kind === 'resync' ? 'resync' : 'replace' });
  }

  async #beginLoad(how: Beginning | ((table: TrackedTable) => Beginning), initial = this.#options.initial ?? 'full'): Promise<Beginning> {
    const { observer, lost, rowCounts, delivery } = this.#options;
    await this.#stopReading();
    const decide = typeof how === 'function' ? how : () => how;
    const { table, meta, beginning } = await beginLoad({ ...this.#options, initial }, decide);
    this.#options.tracker.forget(this.#table);
    this.#table = table;
    if (meta.cursor === null) {
      throw new PatchwireError('PW-I901', 'The transition to loading stored no cursor.');
    }
    lost.mended();
    rowCounts.mended();
    observer.sweepHeld(null);
    observer.phase(meta.state);
    this.#changed(meta);
    this.#sweep = null;
    this.#patrol = null;
    this.#load = this.#loadFrom(meta.cursor);
    this.#follow(readAgainFrom(meta));
    if (beginning.kind === 'resync') {
      await delivery.heartbeat();
    }
    return beginning;
  }

  #loadFrom(cursor: LoadCursor): Load {
    const replaced = (meta: SectionMeta): void => {
      this.#changed(meta);
      this.#options.observer.phase('loading');
    };
    const mode = this.#meta.state === 'loading' ? 'store' : 'publish';
    return new Load({ ...this.#options, mode, keep: (kept) => this.#keep(kept), replaced }, this.#table, cursor);
  }

  #guardedSweep(cursor: LoadCursor): GuardedSweep {
    const keep = (kept: LoadCursor): Promise<void> => this.#keep(kept);
    return new GuardedSweep({ ...this.#options, table: this.#table, cursor, mode: () => 'publish', keep });
  }

  /** A sweep waits, or does so no more. */
  async #keep(cursor: LoadCursor | null): Promise<void> {
    const { delivery } = this.#options;
    await delivery.storeCursor(cursor);
    this.#changed({ ...this.#meta, cursor });
    await delivery.heartbeat();
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
    const { tracker, ladder, marks, signal } = this.#options;
    this.#proved = null;
    const begin = notBeyond(marks?.confirmed ?? null, from);
    this.#pages = tracker.trackChanges({ table: this.#table, from: begin, backoff: ladder, signal })[Symbol.asyncIterator]();
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
      const { removed } = this.#sweep;
      this.#options.rowCounts.swept(removed);
      this.#options.logger.info({ removed }, 'sweep ended');
      this.#sweep = null;
      if (this.#meta.cursor !== null) {
        await this.#keep(null);
      }
      await this.#resyncs.ended(`Swept: ${removed} documents whose rows are gone were removed.`);
    }
    await this.#resyncs.step();
    const sweeps = this.#sweep !== null && this.#sweep.held === null;
    if (this.#load === null && !sweeps) {
      await this.#patrolling().step();
      await this.#retries.step();
    }
    // A sweep wants its next page at once, and so does a load that is neither held nor slowed down.
    const hurries = sweeps || this.#resyncs.due || (this.#load === null && this.#patrolling().hurried);
    ladder.want(hurries ? Number.NEGATIVE_INFINITY : held ? null : ((this.#load ?? this.#sweep)?.dueAt ?? null));
  }

  #retrying(): QuarantineRetryOptions {
    return { ...this.#options, table: () => this.#table, mode: () => this.#load?.mode ?? 'publish' };
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
    if (full && this.#load === null && this.#sweep === null && !this.#resyncs.due && !desk.due) {
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
      mode: this.#load?.mode ?? 'publish',
      changed: true,
      filtered: this.#table.selection.filter !== null,
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

  async #goLive(page: ChangePage, load: Load): Promise<void> {
    const { delivery, observer, logger, clock, ladder } = this.#options;
    const ending = { load, upTo: this.#proved ?? delivery.position.confirmed, sourceReadAtMs: page.readAtMs };
    const { meta, message } = await endLoad({ delivery, logger, now: () => clock.now() }, this.#meta, ending);
    this.#load = null;
    ladder.want(null);
    delivery.count = meta.count;
    const resynced = this.#meta.state === 'resyncing';
    this.#changed(meta);
    observer.phase('live');
    if (resynced) {
      await delivery.heartbeat();
    }
    await this.#resyncs.ended(message);
  }

  /** R6: TRUNCATE and the like move no counter; the number of rows tells. */
  async #compareRowCount(page: ChangePage): Promise<void> {
    const { delivery, observer, logger } = this.#options;
    const comparable = this.#load === null && this.#sweep === null && !page.full && page.rows.length === 0;
    const incomplete = this.#meta.incomplete !== null;
    if (comparable && (await sweepIsDue({ ...this.#options, incomplete }, this.#table, page))) {
      observer.error('PW-S223');
      logger.warn({ code: 'PW-S223', tableRows: page.tableRows, documents: delivery.count }, 'row count differs: sweep begins');
      this.#sweep = this.#guardedSweep(sweepCursor(this.#options.clock.now()));
    }
  }
}
