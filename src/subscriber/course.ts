/**
 * The course of a subscriber: its status, what it waits for, what it holds (the ledger), and the verbs by which it goes from one status to
 * another. Which input leads to which verb stands in state.ts. No I/O, no clock, no timer.
 */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Random } from '../lib/random.ts';
import { PatchwireError } from '../model/failure.ts';
import type { HeartbeatMessage } from '../wire/messages.ts';
import { Backlog, type BacklogLimits } from './backlog.ts';
import type { Counters, GapReason, Recovery, ResetReason, Status, SubscriberEvent, Unequal } from './events.ts';
import type { Mode } from './holding.ts';
import { Ledger } from './ledger.ts';
import { Pulse } from './pulse.ts';
import { replicaMode } from './replica.ts';
import type { Effect, SectionView, StoredReplica } from './section-view.ts';

export interface MachineOptions {
  /** Default: all documents. */
  readonly mode?: Mode;
  /** Default: autoReset. */
  readonly recovery?: Recovery;
  /** Documents that are older are not called equal. Default: age does not count. */
  readonly maxAgeMs?: number | undefined;
  readonly random: Random;
  /** The interval of heartbeats until the first one names its own. */
  readonly heartbeatMs: number;
  /** Retries wait between these two. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
  /** What may be held back while a load or a replay runs; what goes beyond is fetched from the replay stream later. */
  readonly buffer: BacklogLimits;
}

export class Course {
  readonly ledger: Ledger;
  readonly pulse: Pulse;
  readonly backlog: Backlog;
  readonly counters: { -readonly [K in keyof Counters]: number } = {
    reloads: 0,
    replays: 0,
    gaps: 0,
    messages: 0,
    changes: 0,
    duplicates: 0,
    diverged: 0,
    invalid: 0,
    heartbeats: 0,
    skipped: 0,
  };
  readonly #options: MachineOptions;
  #effects: Effect[] = [];
  #nowMs = 0;
  #status: Status = 'disconnected';
  /** Set while waiting. */
  #wait: { readonly why: Unequal; readonly next: 'load' | 'replay'; readonly untilMs: number } | null = null;
  #request = 0;
  #loadAttempts = 0;
  #replayAttempts = 0;
  /** The gap that is being closed, once the user has been told. */
  #gap: GapReason | null = null;
  /** Something that was shown has counted. */
  #everCounted = false;
  /** It has been live since it was opened. */
  #wasLive = false;
  /** The consumers of changes are full. */
  #held = false;
  #toldTooOld = false;
  #error: PatchwireError | null = null;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.mode ?? replicaMode);
    this.pulse = new Pulse(options.heartbeatMs);
    this.backlog = new Backlog(options.buffer);
  }

  get status(): Status {
    return this.#status;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The number of the request that is being answered. */
  get request(): number {
    return this.#request;
  }

  get waitingFor(): Unequal | null {
    return this.#wait?.why ?? null;
  }

  get error(): PatchwireError | null {
    return this.#error;
  }

  /** When something is due if nothing is heard before, ms since 1970; null: never. */
  get wakeAtMs(): number | null {
    if (this.#status === 'waiting') {
      return this.#wait?.untilMs ?? null;
    }
    return this.#status === 'live' ? Math.min(this.pulse.silentAtMs, this.#tooOldAtMs ?? Infinity) : null;
  }

  /** Whether what is held is older than it may be. */
  tooOld(nowMs: number): boolean {
    const { maxAgeMs } = this.#options;
    return maxAgeMs !== undefined && (this.ledger.standing.ageMs(nowMs) ?? Infinity) > maxAgeMs;
  }

  /** When what is held will be older than it may be, unless that has been told; null: never, or it is not known. */
  get #tooOldAtMs(): number | null {
    const { maxAgeMs } = this.#options;
    return maxAgeMs === undefined || this.#toldTooOld ? null : this.ledger.standing.tooOldAtMs(maxAgeMs);
  }

  /** Tells how far behind it is: so many messages are published that are not applied. */
  lag(messages: number): void {
    const ageMs = this.ledger.position(this.#nowMs)?.ageMs ?? null;
    this.#toldTooOld = this.tooOld(this.#nowMs);
    this.emit({ type: 'lag', messages, ageMs, publisher: this.pulse.publisher });
  }

  /** A new input is at hand: its effects go into a new list. A clock that was set back takes along whatever is waited for. */
  open(nowMs: number): readonly Effect[] {
    const back = Math.max(0, this.#nowMs - nowMs);
    this.pulse.setBack(back);
    if (this.#wait !== null) {
      this.#wait = { ...this.#wait, untilMs: this.#wait.untilMs - back };
    }
    this.#nowMs = nowMs;
    this.#effects = [];
    return this.#effects;
  }

  effect(effect: Effect): void {
    this.#effects.push(effect);
  }

  emit(event: SubscriberEvent): void {
    this.#effects.push({ type: 'emit', event });
  }

  /** Loads now, or after a back-off if the load before was not yet proven right by a heartbeat. */
  load(): void {
    this.ledger.abandon();
    const attempt = this.#loadAttempts++;
    if (attempt > 0) {
      this.#pause('backing off', 'load', attempt);
    } else {
      this.startLoad();
    }
  }

  /** A load came to nothing: again, after a back-off. */
  retryLoad(): void {
    this.ledger.abandon();
    this.#pause('backing off', 'load', ++this.#loadAttempts);
  }

  startLoad(): void {
    this.ledger.abandon();
    this.#enter('loading');
    this.effect({ type: 'load', request: ++this.#request });
  }

  /** Waits until the section can be loaded: a heartbeat, the end of a reset or the timer ends it. */
  await(why: Unequal): void {
    this.ledger.abandon();
    this.#pause(why, 'load', this.#loadAttempts++);
  }

  /**
   * What the replica holds no longer counts; the user is told that what was seen may have been rewound.
   * @returns false when that is the end, because it is strict
   */
  abandon(reason: ResetReason, text: string): boolean {
    const counted = this.#everCounted && this.ledger.counts;
    if (counted && this.#options.recovery === 'strict' && reason !== 'asked') {
      this.close(new PatchwireError('PW-W406', `history is lost: ${text}`, { details: { reason } }));
      return false;
    }
    if (counted) {
      this.counters.reloads++;
      this.emit({ type: 'reset', reason, text });
    }
    this.ledger.abandon();
    this.#gap = null;
    return true;
  }

  restart(reason: ResetReason, text: string): void {
    if (this.abandon(reason, text)) {
      this.load();
    }
  }

  /** Messages are missing for good: loads anew, or, where gaps are to be skipped, goes on at what was published last. @returns whether it goes on */
  lose(view: SectionView, text: string): boolean {
    if (this.#options.recovery !== 'skipGap' || !this.ledger.counts || view.pending) {
      this.restart('trimmed', text);
      return false;
    }
    const from = this.ledger.chain?.seq ?? 0;
    this.ledger.skipTo(view);
    this.#gap = null;
    this.emit({ type: 'skipped', from, to: view.seq, text });
    return true;
  }

  /** The user asks for a load. */
  reload(): void {
    this.abandon('asked', 'a load was asked for');
    this.#loadAttempts = 0;
    if (this.#status !== 'disconnected') {
      this.load();
    }
  }

  /** Takes up what was stored. Nothing of it counts as seen before: a reset is told. */
  restore(stored: StoredReplica): void {
    this.ledger.restore(stored);
    this.#everCounted = true;
    this.emit({ type: 'restored', epoch: stored.epoch, seq: stored.seq, size: this.ledger.documents.size });
  }

  diverge(detail: string): void {
    this.counters.diverged++;
    this.emit({ type: 'diverged', detail });
    this.restart('diverged', detail);
  }

  /** Tells the user once that messages may be missing, until they are found or given up. */
  reportGap(reason: GapReason): void {
    if (this.#gap === null && this.#everCounted && this.ledger.counts) {
      this.#gap = reason;
      this.counters.gaps++;
      this.emit({ type: 'gap', reason });
    }
  }

  /** Replays now, or after a back-off if nothing has followed since the last time. */
  replay(): void {
    const attempt = this.#replayAttempts++;
    if (attempt > 0) {
      this.#pause('backing off', 'replay', attempt);
    } else {
      this.startReplay();
    }
  }

  /** A replay came to nothing: again, after a back-off. */
  retryReplay(): void {
    this.#pause('backing off', 'replay', ++this.#replayAttempts);
  }

  startReplay(): void {
    const chain = this.ledger.chain;
    if (chain === null) {
      this.startLoad();
      return;
    }
    if (this.#held) {
      this.fallBehind();
      return;
    }
    this.#enter('replaying');
    this.counters.replays++;
    this.effect({ type: 'replay', request: ++this.#request, seq: chain.seq });
  }

  /** The time to wait has passed, or not yet. */
  wake(): void {
    if (this.#wait !== null && this.#nowMs >= this.#wait.untilMs) {
      if (this.#wait.next === 'load') {
        this.startLoad();
      } else {
        this.startReplay();
      }
    }
  }

  /** @returns whether it is the first time */
  goLive(): boolean {
    const first = !this.#wasLive;
    this.#status = 'live';
    this.#wait = null;
    this.#everCounted = true;
    this.#wasLive = true;
    this.#error = null;
    this.pulse.listen(this.#nowMs);
    return first;
  }

  /** The consumers of changes are full. What comes meanwhile is left to the replay stream. */
  hold(): void {
    this.#held = true;
    if (this.#status === 'live') {
      this.reportGap('slow');
      this.fallBehind();
    }
  }

  /** @returns whether it was held, and so has fallen behind */
  fallBehindIfHeld(): boolean {
    if (this.#held) {
      this.hold();
    }
    return this.#held;
  }

  fallBehind(): void {
    this.#enter('behind');
    this.#request++;
  }

  release(): void {
    this.#held = false;
    if (this.#status === 'behind') {
      this.startReplay();
    }
  }

  /** The gap is closed. @returns what it was */
  closeGap(missed: number): GapReason | null {
    const gap = this.#gap;
    this.#gap = null;
    if (gap !== null) {
      this.emit({ type: 'recovered', messages: missed });
    }
    return gap;
  }

  hear(message: HeartbeatMessage): void {
    this.counters.heartbeats++;
    this.pulse.hear(message, this.#nowMs);
  }

  /** Proven right: the next load or replay need not wait. */
  trust(what: 'all' | 'replay'): void {
    this.#replayAttempts = 0;
    if (what === 'all') {
      this.#loadAttempts = 0;
    }
  }

  disconnect(): void {
    if (this.ledger.counts) {
      this.reportGap('disconnected');
    } else {
      this.ledger.abandon();
    }
    this.#enter('disconnected');
    this.#request++;
  }

  /** An error that ends nothing, unless this library is too old, or what it wants to hear is told to nobody. */
  trouble(error: PatchwireError): void {
    if (error.code === 'PW-W402' || error.code === 'PW-W411') {
      this.close(error);
    } else {
      this.note(error);
    }
  }

  /** An error of which the user is told, and nothing else. */
  note(error: PatchwireError): void {
    this.#error = error;
    this.emit({ type: 'trouble', error });
  }

  close(error: PatchwireError | null): void {
    this.#enter('closed');
    this.#request++;
    this.#error = error;
    this.effect({ type: 'stop' });
    this.emit({ type: 'closed', error });
  }

  #enter(status: Status): void {
    this.#status = status;
    this.#wait = null;
    this.backlog.take();
  }

  #pause(why: Unequal, next: 'load' | 'replay', attempt: number): void {
    this.#enter('waiting');
    const delay = backoffDelayMs(Math.max(1, attempt), { ...this.#options.backoff, random: this.#options.random });
    this.#wait = { why, next, untilMs: this.#nowMs + delay };
  }
}
