/**
 * A section from start to stop: take the lead or stand by, find out what the section needs, run its lane with heartbeats and requests beside
 * it, and go on after whatever went wrong by the error's retry class. Opening tracker and manager is the caller's, who shares them.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { DistributedDataManager, LeadResult, SectionMeta } from '../manager/distributed-data-manager.ts';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import { isFinal } from '../model/retry-delay.ts';
import type { TableSelection } from '../model/table.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { CheckpointStore } from '../source/checkpoint-store.ts';
import { Alarm } from './alarm.ts';
import { Damage } from './damage.ts';
import { Delivery } from './deliver.ts';
import type { BatchLimits } from './delivery-options.ts';
import { keepBeating } from './heartbeats.ts';
import { Marks } from './marks.ts';
import { LostHistory } from './lost-history.ts';
import type { BatchHooks } from './hooks.ts';
import { runLane } from './lane.ts';
import type { LaneEnd } from './lane-options.ts';
import type { LoadLimits } from './load-pace.ts';
import { withoutSource } from './pauses.ts';
import { Ladder, type LadderStep } from './polling.ts';
import type { QuarantineLimits } from './quarantine.ts';
import { QuarantineWatch } from './quarantine-watch.ts';
import { type Breakers, Recovery } from './recovery.ts';
import { RequestDesk } from './requests.ts';
import { RowCountWatch } from './row-counts.ts';
import { HANDED_OVER, type SectionShare, Turn } from './turn.ts';

export interface SectionOptions {
  readonly section: string;
  readonly selection: TableSelection;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  /** Rows in the source's own database, which prove a restore; absent: nothing is kept there. */
  readonly checkpoints?: CheckpointStore | undefined;
  readonly ladder: { readonly steps: readonly LadderStep[]; readonly maxMs?: number | undefined };
  /** R5: how long a version must have been current before it is trusted as the beginning of a load. */
  readonly confirmMs: number;
  /** none: rows are published as they change from now on, nothing is loaded. Default full. */
  readonly initial?: 'full' | 'none';
  /** How fast a load may go. */
  readonly load?: LoadLimits;
  /** What is done where history is lost, or the source was replaced. Default resync. */
  readonly onLostHistory?: 'resync' | 'stop';
  /** The greatest share of the documents that a sweep removes by itself. Default 0.2. */
  readonly sweepShare?: number;
  readonly batch: BatchLimits;
  /** A greater document is not published: its row goes into quarantine. Default 1 MiB. */
  readonly maxDocumentBytes?: number;
  readonly quarantine?: QuarantineLimits;
  /** What an embedding program does around each batch. */
  readonly hooks?: BatchHooks | undefined;
  readonly heartbeatMs: number;
  /** How long a lease lives without a heartbeat: the longest that a standby waits before it tries again. */
  readonly leaseMs: number;
  /** Of the servers behind `tracker` and `manager`, which many sections share: while one is open nothing is tried. Default: none. */
  readonly breakers?: Breakers;
  /** How often a stopped or faulted section is tried again, at most: somebody may have mended the cause. Default 60 s. */
  readonly faultedRetryMs?: number;
  /** Who shares the sections between daemons; without it, it leads whenever it can. */
  readonly share?: SectionShare;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: SectionObserver;
  /** Finish the batch in hand, send a heartbeat, give up the lead, resolve. */
  readonly stop: AbortSignal;
  /** Leave everything as it is and reject with the reason: a restart goes on from what is stored. */
  readonly kill: AbortSignal;
  /** Resolve when the section is live and a round found nothing more; reject where it would otherwise stop. */
  readonly once?: boolean;
}

export type SectionEnd = 'stopped' | 'caughtUp' | 'purged';

/**
 * Runs a section until it is stopped, purged, or (`once`) caught up.
 * @throws the kill signal's reason; with `once` also an error of class never or resync
 */
export async function runSection(options: SectionOptions): Promise<SectionEnd> {
  return new Section(options).run();
}

const ENDED = new Error('the lane has ended');

/** Phases as the observer is told them: starting, standby, loading, live, retrying, paused, stopped. */
class Section {
  readonly #options: SectionOptions;
  readonly #ladder: Ladder;
  readonly #desk: RequestDesk;
  readonly #rowCounts: RowCountWatch;
  readonly #lost: LostHistory;
  readonly #recovery: Recovery;
  readonly #damage: Damage;
  readonly #watch: QuarantineWatch;
  readonly #marks: Marks | undefined;
  readonly #turn: Turn;
  #known = false;
  #standingBy = false;

  constructor(options: SectionOptions) {
    this.#options = options;
    this.#ladder = new Ladder({ ...options.ladder, clock: options.clock, random: options.random });
    this.#desk = new RequestDesk(options);
    this.#rowCounts = new RowCountWatch(options.clock);
    this.#lost = new LostHistory(options);
    this.#recovery = new Recovery({ ...options, desk: this.#desk });
    this.#damage = new Damage(options);
    this.#watch = new QuarantineWatch(options);
    const { checkpoints } = options;
    this.#marks = checkpoints === undefined ? undefined : new Marks({ ...options, checkpoints });
    this.#turn = new Turn(options);
  }

  async run(): Promise<SectionEnd> {
    const { observer, stop, kill } = this.#options;
    observer.phase('starting');
    const ending = new AbortController();
    const end = (signal: AbortSignal) => (): void => ending.abort(signal.reason);
    const [onStop, onKill] = [end(stop), end(kill)];
    // Any number of sections shares these two; Node would take that for a leak.
    setMaxListeners(0, stop, kill);
    stop.addEventListener('abort', onStop);
    kill.addEventListener('abort', onKill);
    try {
      for (;;) {
        kill.throwIfAborted();
        if (stop.aborted) {
          return 'stopped';
        }
        try {
          const result = await this.#reign(ending.signal);
          if (result !== null) {
            return result;
          }
        } catch (error) {
          kill.throwIfAborted();
          if (!stop.aborted) {
            // What is told of the trouble is over when it stands by again: that is told anew.
            this.#standingBy = false;
            const damaged = await this.#damage.takeOn(asPatchwireError(error), ending.signal).catch(() => true);
            const searching = await this.#watch.suspects.takeOn(ending.signal).catch(() => true);
            if (!damaged && !searching) {
              await this.#recovery.withoutLead(error, ending.signal);
            }
          }
        }
      }
    } finally {
      stop.removeEventListener('abort', onStop);
      kill.removeEventListener('abort', onKill);
      this.#turn[Symbol.dispose]();
    }
  }

  /** From taking the lead to losing it. @returns null when another daemon leads */
  async #reign(ending: AbortSignal): Promise<SectionEnd | null> {
    const { observer, logger, clock, heartbeatMs } = this.#options;
    const { patienceMs } = this.#turn;
    if (patienceMs > 0) {
      observer.phase('standby');
      logger.debug({ patienceMs }, 'standing by: another daemon goes first');
      await this.#turn.rest(patienceMs, ending);
      return null;
    }
    await this.#mustExist(ending);
    this.#desk.forget();
    const scope = new AbortController();
    const led = await this.#lead(ending);
    this.#turn.answered(led, scope);
    if (led.kind === 'held') {
      this.#standBy(led.by);
      await this.#turn.restWhileHeld(led.expiresInMs, ending);
      return null;
    }
    this.#standingBy = false;
    this.#tellLead(led.meta, led.rewound);
    const onEnding = (): void => scope.abort(ending.reason);
    ending.addEventListener('abort', onEnding);
    if (ending.aborted) {
      onEnding();
    }
    const { signal } = scope;
    const fail = (error: unknown): void => scope.abort(error);
    const alarm = new Alarm(clock);
    const delivery = this.#delivery(led.meta, fail, () => alarm.ring());
    const wake = (): void => {
      this.#ladder.wake();
      this.#recovery.alarm.ring();
    };
    const beside = [
      keepBeating({ delivery, alarm, clock, intervalMs: heartbeatMs, signal }).catch(fail),
      this.#desk.watch(wake, signal).catch(fail),
    ];
    let end: LaneEnd | null = null;
    let failure: unknown = null;
    try {
      await this.#desk.look();
      end = await this.#follow(led.meta, delivery, signal);
    } catch (error) {
      failure = signal.aborted ? signal.reason : error;
    }
    scope.abort(ENDED);
    ending.removeEventListener('abort', onEnding);
    await this.#orKilled(Promise.all([...beside, delivery.drain()]));
    observer.leading(null);
    this.#turn.over({ released: false });
    return await this.#endReign(end, failure, delivery);
  }

  /** A torn section (C5) that was repaired too often is led only to do what was asked of it: reset and purge mend it. @throws PW-M307 when nothing was */
  async #lead(signal: AbortSignal): Promise<LeadResult> {
    const { manager, section } = this.#options;
    if (this.#damage.due !== null) {
      return await this.#damage.lead(signal);
    }
    try {
      return await manager.lead(section);
    } catch (error) {
      if (!(error instanceof PatchwireError && error.code === 'PW-M307')) {
        throw error;
      }
      if (await this.#damage.takeOn(error, signal)) {
        return await this.#damage.lead(signal);
      }
      // What the leader before had taken and did not live to end is shown to who leads after it, not before.
      const led = await manager.lead(section, { repair: true });
      if (led.kind === 'leading' && !(await this.#desk.look())) {
        await manager.resign(section);
        throw error;
      }
      return led;
    }
  }

  /** Nothing is outstanding any more and nobody else sends: last words, and the lead goes. */
  async #endReign(end: LaneEnd | null, failure: unknown, delivery: Delivery): Promise<SectionEnd | null> {
    const { manager, section, stop, logger } = this.#options;
    if (end?.kind === 'purge') {
      const { documents } = await manager.purge(section, `purged by ${end.request.who}`);
      logger.info({ documents, who: end.request.who }, 'section purged');
      this.#turn.over({ released: true });
      return 'purged';
    }
    const handedOver = end === null && failure === HANDED_OVER;
    if (end === null && !stop.aborted && !handedOver) {
      const error = asPatchwireError(failure);
      if ((isFinal(error) || this.#recovery.faulted) && !this.#watch.suspects.due) {
        await this.#orKilled(this.#desk.refuse(error).catch(() => {}));
        await this.#orKilled(manager.resign(section));
        this.#turn.over({ released: true });
      }
      throw failure;
    }
    try {
      await this.#orKilled(delivery.heartbeat());
    } catch (error) {
      this.#options.kill.throwIfAborted();
      logger.debug({ code: asPatchwireError(error).code }, 'no last heartbeat');
    }
    await this.#orKilled(manager.resign(section));
    this.#turn.over({ released: true });
    if (handedOver && !stop.aborted) {
      logger.info('handed over to another daemon');
      return null;
    }
    return end === null ? 'stopped' : 'caughtUp';
  }

  /** Describes the table and runs its lane; trouble with the source is waited out under the same lead, heartbeats going on. */
  async #follow(led: SectionMeta, delivery: Delivery, signal: AbortSignal): Promise<LaneEnd> {
    const { tracker, selection, logger, once = false } = this.#options;
    let loaded = false;
    for (;;) {
      try {
        const section = { ladder: this.#ladder, desk: this.#desk, rowCounts: this.#rowCounts, lost: this.#lost, marks: this.#marks };
        const own = { ...section, onHealthy: this.#recovery.healthy };
        const before = await withoutSource({ ...this.#options, ...own, delivery, alarm: this.#recovery.alarm, led, once, signal });
        if (before.kind !== 'read') {
          return before;
        }
        loaded = before.meta.source !== null;
        await this.#marks?.examine(before.meta, led.leader, signal);
        const table = await tracker.describe(selection, { signal });
        for (const warning of table.warnings) {
          logger.warn({ table: table.fullName, warning }, 'source warning');
        }
        const end = await runLane({ ...this.#options, ...own, delivery, signal, once }, table, before.meta);
        if (end.kind !== 'paused') {
          return end;
        }
        // Rests until it is resumed; everything that was read has been delivered.
        await delivery.settle();
      } catch (thrown) {
        signal.throwIfAborted();
        const error = asPatchwireError(thrown);
        const mends = this.#lost.note(error);
        if (!mends && (error.kind !== 'source' || isFinal(error))) {
          if (loaded && (error.code === 'PW-S204' || error.code === 'PW-S205')) {
            this.#lost.sawTrackingOff(error);
          }
          throw thrown;
        }
        await delivery.settle();
        delivery.dropUnsent();
        if (!mends) {
          await this.#recovery.underLead(error, signal);
        } else if (this.#lost.tries > 1) {
          // A remedy that cannot begin is no loop: it waits like any other trouble.
          await this.#recovery.underLead(new PatchwireError(error.code, error.message, { retry: 'backoff', cause: error }), signal);
        }
      }
    }
  }

  /** A table that cannot even be described gets no section in Redis. */
  async #mustExist(signal: AbortSignal): Promise<void> {
    const { manager, tracker, section, selection } = this.#options;
    if (!this.#known && (await manager.readMeta(section)) === null) {
      tracker.forget(await tracker.describe(selection, { signal }));
    }
    this.#known = true;
  }

  #standBy(by: string): void {
    const { observer, logger } = this.#options;
    if (!this.#standingBy) {
      this.#standingBy = true;
      observer.phase('standby');
      logger.info({ by }, 'standing by: another daemon leads');
    }
  }

  #tellLead(meta: SectionMeta, rewound: boolean): void {
    const { observer, logger } = this.#options;
    observer.leading(meta);
    const fields = { epoch: meta.epoch, state: meta.state, checkpoint: meta.checkpoint.toString(), confirmed: meta.confirmed.toString() };
    logger.info({ ...fields, documents: meta.count, rewound }, 'leading');
    if (rewound) {
      observer.reset('redis rewound');
    }
  }

  #delivery(meta: SectionMeta, onRefusal: (error: unknown) => void, onUrgent: () => void): Delivery {
    const limits = this.#options.batch;
    return new Delivery({
      ...this.#options,
      limits,
      meta,
      marks: this.#marks,
      watch: this.#watch,
      onRefusal,
      onUrgent,
      onAcknowledged: this.#recovery.healthy,
    });
  }

  /** Waits for a promise, but not beyond the kill signal. */
  async #orKilled<T>(promise: Promise<T>): Promise<T> {
    const { kill } = this.#options;
    let onKill: (() => void) | undefined;
    const killed = new Promise<never>((_, reject) => {
      onKill = () => reject(kill.reason as Error);
      kill.addEventListener('abort', onKill);
    });
    try {
      kill.throwIfAborted();
      return await Promise.race([promise, killed]);
    } finally {
      if (onKill !== undefined) {
        kill.removeEventListener('abort', onKill);
      }
      killed.catch(() => {});
      promise.catch(() => {});
    }
  }
}
