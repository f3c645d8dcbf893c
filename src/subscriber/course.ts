/**
 * The course of a subscriber: its status, what it waits for, what it holds (the ledger), and the verbs by which it goes from one status to
 * another. Which input leads to which verb stands in state.ts. No I/O, no clock, no timer.
 */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Random } from '../lib/random.ts';
import type { PatchwireError } from '../model/failure.ts';
import type { HeartbeatMessage } from '../wire/messages.ts';
import type { Counters, GapReason, ResetReason, Status, SubscriberEvent, Unequal } from './events.ts';
import { Ledger } from './ledger.ts';
import type { Effect, LinkedMessage } from './section-view.ts';

export interface MachineOptions {
  readonly random: Random;
  /** The interval of heartbeats until the first one names its own. */
  readonly heartbeatMs: number;
  /** Retries wait between these two. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
  /** What may be held back while a load or a replay runs; what goes beyond is fetched from the replay stream later. */
  readonly buffer: { readonly messages: number; readonly bytes: number };
}

/** What a heartbeat may say of its interval: beyond it lies nonsense, or what no timer can wait for. */
const INTERVAL_MS = { least: 100, most: 3_600_000 } as const;

/** The patience with a publisher that does not beat grows to 3 * 2^2 intervals. */
const MOST_DOUBLINGS = 2;

export class Course {
  readonly ledger = new Ledger();
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
  };
  readonly #options: MachineOptions;
  #effects: Effect[] = [];
  #nowMs = 0;
  #status: Status = 'disconnected';
  /** Set while waiting. */
  #wait: { readonly why: Unequal; readonly next: 'load' | 'replay'; readonly untilMs: number } | null = null;
  #request = 0;
  #buffer: LinkedMessage[] = [];
  #bufferedBytes = 0;
  #heardAtMs = 0;
  /** When the publisher beat last, by its own clock, as far as is known. */
  #beatAtMs: number | null = null;
  /** How often in a row silence was found to be the publisher's own. */
  #silences = 0;
  #intervalMs: number;
  #loadAttempts = 0;
  #replayAttempts = 0;
  /** The gap that is being closed, once the user has been told. */
  #gap: GapReason | null = null;
  #everLive = false;
  #error: PatchwireError | null = null;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.#intervalMs = options.heartbeatMs;
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
    return this.#status === 'live' ? this.#heardAtMs + 3 * this.#intervalMs * 2 ** Math.min(this.#silences, MOST_DOUBLINGS) : null;
  }

  /** A new input is at hand: its effects go into a new list. A clock that was set back takes along whatever is waited for. */
  open(nowMs: number): readonly Effect[] {
    const back = Math.max(0, this.#nowMs - nowMs);
    this.#heardAtMs -= back;
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

  /** What the replica holds no longer counts; the user is told that what was seen may have been rewound. */
  abandon(reason: ResetReason, text: string): void {
    if (this.#everLive && this.ledger.counts) {
      this.counters.reloads++;
      this.emit({ type: 'reset', reason, text });
    }
    this.ledger.abandon();
    this.#gap = null;
  }

  restart(reason: ResetReason, text: string): void {
    this.abandon(reason, text);
    this.load();
  }

  diverge(detail: string): void {
    this.counters.diverged++;
    this.emit({ type: 'diverged', detail });
    this.restart('diverged', detail);
  }

  /** Tells the user once that messages may be missing, until they are found or given up. */
  reportGap(reason: GapReason): void {
    if (this.#gap === null && this.#everLive && this.ledger.counts) {
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

  goLive(): void {
    this.#status = 'live';
    this.#wait = null;
    this.#everLive = true;
    this.#error = null;
    this.#heardAtMs = this.#nowMs;
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
    this.#heardAtMs = this.#nowMs;
    this.#silences = 0;
    this.#beatAtMs = Date.parse(message.time);
    this.#intervalMs = Math.min(INTERVAL_MS.most, Math.max(INTERVAL_MS.least, message.intervalMs));
  }

  /**
   * Meta was read. Whether it shows, after a silence, that the publisher beat and was not heard: the channel is deaf. If it did not, the next
   * silence is waited for longer, so that a publisher which is gone causes no churn.
   */
  deaf(beatAtMs: number | null, silent: boolean): boolean {
    const beaten = beatAtMs !== this.#beatAtMs;
    this.#beatAtMs = beatAtMs;
    this.#silences = silent && !beaten ? this.#silences + 1 : 0;
    return silent && beaten;
  }

  /** Proven right: the next load or replay need not wait. */
  trust(what: 'all' | 'replay'): void {
    this.#replayAttempts = 0;
    if (what === 'all') {
      this.#loadAttempts = 0;
    }
  }

  /** Keeps a message for later; beyond the bound it is dropped, which the chain will show. */
  keep(message: LinkedMessage, bytes: number): void {
    const { messages, bytes: limit } = this.#options.buffer;
    if (this.#buffer.length < messages && this.#bufferedBytes + bytes <= limit) {
      this.#buffer.push(message);
      this.#bufferedBytes += bytes;
    }
  }

  /** What was kept, taken out. */
  kept(): readonly LinkedMessage[] {
    const kept = this.#buffer;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    return kept;
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

  /** An error that ends nothing, unless this library is too old. */
  trouble(error: PatchwireError): void {
    if (error.code === 'PW-W402') {
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
    this.kept();
  }

  #pause(why: Unequal, next: 'load' | 'replay', attempt: number): void {
    this.#enter('waiting');
    const delay = backoffDelayMs(Math.max(1, attempt), { ...this.#options.backoff, random: this.#options.random });
    this.#wait = { why, next, untilMs: this.#nowMs + delay };
  }
}
