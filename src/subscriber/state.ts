/**
 * The subscriber's state machine (S1 to S5): what was seen in Redis goes in, what to do next comes out. No I/O, no clock, no timer: time and
 * chance are handed in, so a test owns every interleaving. The table at the end of the class names what each status does with each input.
 */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Random } from '../lib/random.ts';
import type { PatchwireError } from '../model/errors.ts';
import type { ChangesMessage, HeartbeatMessage, Message, RemovedMessage, ResetMessage } from '../wire/messages.ts';
import type { Chain } from './chain.ts';
import type { Counters, GapReason, Position, ReplicaState, ResetReason, Status, SubscriberEvent, Unequal } from './events.ts';
import { Ledger, type Outcome } from './ledger.ts';
import type { AppliedChange, ReplicaDocuments } from './replica.ts';
import type { Effect, Input, InputOf, InputType, LinkedMessage, SectionView } from './section-view.ts';
import { unequalReasons } from './standing.ts';

export interface MachineOptions {
  readonly random: Random;
  /** The interval of heartbeats until the first one names its own. */
  readonly heartbeatMs: number;
  /** Retries wait between these two. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
  /** What may be held back while a load or a replay runs; what goes beyond is fetched from the replay stream later. */
  readonly buffer: { readonly messages: number; readonly bytes: number };
}

type Handler<T extends InputType> = (machine: SubscriberMachine, input: InputOf<T>) => void;
type Row = { readonly [T in InputType]: Handler<T> };

const NOTHING: Row = {
  connected: () => {},
  disconnected: () => {},
  message: () => {},
  invalid: () => {},
  tick: () => {},
  meta: () => {},
  page: () => {},
  scanned: () => {},
  replayed: () => {},
  failed: () => {},
  close: () => {},
};

export class SubscriberMachine {
  readonly #options: MachineOptions;
  readonly #ledger = new Ledger();
  readonly #counters: { -readonly [K in keyof Counters]: number } = {
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
  #effects: Effect[] = [];
  #now = 0;
  #status: Status = 'disconnected';
  /** Set while waiting. */
  #wait: { readonly why: Unequal; readonly next: 'load' | 'replay'; readonly untilMs: number } | null = null;
  #request = 0;
  #buffer: LinkedMessage[] = [];
  #bufferedBytes = 0;
  #heardAtMs = 0;
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

  /** Takes one input and says what to do next, in this order. */
  handle(input: Input, nowMs: number): readonly Effect[] {
    this.#now = nowMs;
    this.#effects = [];
    if (!('request' in input) || input.request === this.#request) {
      const row = SubscriberMachine.#TABLE[this.#status];
      (row[input.type] as (machine: SubscriberMachine, input: Input) => void)(this, input);
    }
    return this.#effects;
  }

  get documents(): ReplicaDocuments {
    return this.#ledger.documents;
  }

  /** When the next `tick` is due, ms since 1970; null: none is. */
  get wakeAtMs(): number | null {
    if (this.#status === 'waiting') {
      return this.#wait?.untilMs ?? null;
    }
    return this.#status === 'live' ? this.#heardAtMs + 3 * this.#intervalMs : null;
  }

  state(): ReplicaState {
    const reasons = unequalReasons(this.#status, this.#wait?.why ?? null, this.#ledger.standing);
    return { status: this.#status, equal: reasons.length === 0, reasons, counters: { ...this.#counters }, error: this.#error };
  }

  /** null: nothing that is held counts. */
  position(nowMs: number): Position | null {
    return this.#ledger.position(nowMs);
  }

  #emit(event: SubscriberEvent): void {
    this.#effects.push({ type: 'emit', event });
  }

  #enter(status: Status): void {
    this.#status = status;
    this.#wait = null;
    this.#buffer = [];
    this.#bufferedBytes = 0;
  }

  #pause(why: Unequal, next: 'load' | 'replay', attempt: number): void {
    this.#enter('waiting');
    const delay = backoffDelayMs(Math.max(1, attempt), { ...this.#options.backoff, random: this.#options.random });
    this.#wait = { why, next, untilMs: this.#now + delay };
  }

  // Loading (S1).

  /** Loads now, or after a back-off if the load before was not yet proven right by a heartbeat. */
  #load(): void {
    this.#ledger.abandon();
    const attempt = this.#loadAttempts++;
    if (attempt > 0) {
      this.#pause('backing off', 'load', attempt);
    } else {
      this.#startLoad();
    }
  }

  #startLoad(): void {
    this.#ledger.abandon();
    this.#enter('loading');
    this.#effects.push({ type: 'load', request: ++this.#request });
  }

  /** Waits until the section can be loaded: a heartbeat, the end of a reset or the timer ends it. */
  #await(why: Unequal): void {
    this.#ledger.abandon();
    this.#pause(why, 'load', this.#loadAttempts++);
  }

  /** What the replica holds no longer counts; the user is told that what was seen may have been rewound. */
  #abandon(reason: ResetReason, text: string): void {
    if (this.#everLive && this.#ledger.counts) {
      this.#counters.reloads++;
      this.#emit({ type: 'reset', reason, text });
    }
    this.#ledger.abandon();
    this.#gap = null;
  }

  #restart(reason: ResetReason, text: string): void {
    this.#abandon(reason, text);
    this.#load();
  }

  #onMeta({ view }: InputOf<'meta'>): void {
    if (view === null) {
      this.#await('section missing');
    } else if (view.state === 'loading') {
      this.#await('section loading');
    } else if (view.pending) {
      this.#await('pending script');
    } else {
      this.#ledger.begin(view);
      this.#effects.push({ type: 'scan', request: this.#request });
    }
  }

  #onPage({ view, rows }: InputOf<'page'>): void {
    if (!this.#ledger.addPage(view, rows)) {
      this.#load();
    }
  }

  #onScanned(): void {
    if (this.#follow(this.#ledger.finishPages(), null) && this.#drain() && this.#ledger.staging) {
      this.#replay();
    }
  }

  #live(): void {
    this.#status = 'live';
    this.#wait = null;
    this.#everLive = true;
    this.#error = null;
    this.#heardAtMs = this.#now;
  }

  #diverge(detail: string): void {
    this.#counters.diverged++;
    this.#emit({ type: 'diverged', detail });
    this.#restart('diverged', detail);
  }

  // Messages (S2, S3).

  #onMessage(message: Message): void {
    switch (message.type) {
      case 'heartbeat':
        this.#onHeartbeat(message);
        return;
      case 'removed':
        this.#onRemoved(message);
        return;
      case 'changes':
      case 'reset':
        this.#counters.messages++;
        this.#take(message);
    }
  }

  /** Applies a message that follows; false: it did not follow or did not fit, and the machine has turned to something else. */
  #take(message: LinkedMessage): boolean {
    return this.#follow(this.#ledger.take(message, this.#now), message);
  }

  #follow(outcome: Outcome, message: LinkedMessage | null): boolean {
    switch (outcome.kind) {
      case 'applied':
        if (message?.type === 'changes' && !this.#ledger.staging) {
          this.#replayAttempts = 0;
          this.#counters.changes += outcome.applied.length;
          outcome.applied.forEach((applied) => this.#emit(changeEvent(message, applied)));
        }
        return true;
      case 'settled':
        this.#live();
        this.#emitLive();
        return true;
      case 'duplicate':
        this.#counters.duplicates++;
        return true;
      case 'reset':
        this.#onReset(message as ResetMessage);
        return false;
      case 'gap':
        this.#reportGap(outcome.reason);
        this.#replay();
        return false;
      case 'diverged':
        this.#diverge(outcome.detail);
        return false;
      case 'inconsistent':
        this.#load();
        return false;
    }
  }

  #emitLive(): void {
    const at = this.#ledger.position(this.#now);
    if (at !== null) {
      this.#emit({ type: 'live', epoch: at.epoch, seq: at.seq, size: this.#ledger.documents.size });
    }
  }

  #onReset(message: ResetMessage): void {
    this.#abandon('announced', message.reason);
    this.#loadAttempts = 0;
    if (message.phase === 'begin') {
      this.#await('section loading');
    } else {
      this.#load();
    }
  }

  #onRemoved({ epoch, reason }: RemovedMessage): void {
    if (this.#ledger.chain?.epoch === epoch) {
      this.#abandon('removed', reason);
      this.#await('section missing');
    } else if (this.#status === 'live') {
      this.#reportGap('epoch');
      this.#replay();
    }
  }

  #onHeartbeat(message: HeartbeatMessage): void {
    this.#hear(message);
    const place = this.#ledger.place(message);
    if (place === 'mine') {
      const detail = this.#ledger.adopt({ ...message, pending: false });
      if (detail !== null) {
        this.#diverge(detail);
        return;
      }
      this.#ledger.standing.read(message, this.#now);
      this.#loadAttempts = 0;
      this.#replayAttempts = 0;
    } else if (place !== 'late') {
      this.#reportGap(place);
      this.#replay();
    }
    const at = this.#ledger.position(this.#now);
    this.#emit({ type: 'lag', messages: Math.max(0, message.seq - (at?.seq ?? 0)), ageMs: at?.ageMs ?? null });
  }

  #hear(message: HeartbeatMessage): void {
    this.#counters.heartbeats++;
    this.#heardAtMs = this.#now;
    this.#intervalMs = Math.max(100, message.intervalMs);
  }

  /** Keeps a message for later; beyond the bound it is dropped, which the chain will show. */
  #keep({ message, bytes }: InputOf<'message'>): void {
    if (message.type === 'heartbeat') {
      this.#hear(message);
    } else if (message.type === 'removed') {
      this.#onRemoved(message);
    } else {
      this.#counters.messages++;
      const { messages, bytes: limit } = this.#options.buffer;
      if (this.#buffer.length < messages && this.#bufferedBytes + bytes <= limit) {
        this.#buffer.push(message);
        this.#bufferedBytes += bytes;
      }
    }
  }

  /** Applies what was kept while the load or the replay ran that has just ended. */
  #drain(): boolean {
    const kept = this.#buffer;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    return kept.every((message) => this.#ledger.covers(message) || this.#take(message));
  }

  /** While waiting for the section, any sign that it can be loaded ends the wait. */
  #nudge(message: Message): void {
    if (message.type === 'heartbeat') {
      this.#hear(message);
    }
    const forSection = this.#wait?.why === 'section loading' || this.#wait?.why === 'section missing';
    const ready = (message.type === 'heartbeat' && message.state !== 'loading') || (message.type === 'reset' && message.phase === 'end');
    if (forSection && ready) {
      this.#startLoad();
    }
  }

  // Replay (S3).

  #reportGap(reason: GapReason): void {
    if (this.#gap === null && this.#everLive && this.#ledger.counts) {
      this.#gap = reason;
      this.#counters.gaps++;
      this.#emit({ type: 'gap', reason });
    }
  }

  /** Replays now, or after a back-off if nothing has followed since the last time. */
  #replay(): void {
    const attempt = this.#replayAttempts++;
    if (attempt > 0) {
      this.#pause('backing off', 'replay', attempt);
    } else {
      this.#startReplay();
    }
  }

  #startReplay(): void {
    const chain = this.#ledger.chain;
    if (chain === null) {
      this.#startLoad();
      return;
    }
    this.#enter('replaying');
    this.#counters.replays++;
    this.#effects.push({ type: 'replay', request: ++this.#request, seq: chain.seq });
  }

  #onReplayed({ view, messages }: InputOf<'replayed'>): void {
    const chain = this.#ledger.chain;
    if (view === null || chain === null) {
      this.#abandon('removed', 'the section is not there');
      this.#await('section missing');
    } else if (view.epoch !== chain.epoch) {
      this.#restart('epoch', 'the section has a new epoch');
    } else if (view.state === 'loading') {
      this.#abandon('loading', 'the section is being loaded');
      this.#await('section loading');
    } else if (view.seq < chain.seq || (view.seq === chain.seq && view.last !== chain.last)) {
      this.#restart('rewound', 'the section went back to before the last message seen');
    } else {
      this.#onHistory(chain, view, messages);
    }
  }

  /** My own id must stand at my seq, be what the next message follows, or be the last. */
  #onHistory(chain: Chain, view: SectionView, messages: readonly LinkedMessage[]): void {
    const mine = messages.find((message) => message.seq === chain.seq);
    if (mine !== undefined && mine.id !== chain.last) {
      this.#restart('rewound', 'another message stands at the place of the last one seen');
      return;
    }
    const missed = messages.filter((message) => message.seq > chain.seq && message.seq <= view.seq);
    for (const message of missed) {
      if (chain.judge(message) !== 'next') {
        this.#restart('trimmed', 'the replay stream does not follow the last message seen');
        return;
      }
      if (!this.#take(message)) {
        return;
      }
    }
    if (chain.last !== view.last || this.#ledger.staging) {
      this.#restart('trimmed', 'the replay stream does not reach the last message');
      return;
    }
    this.#finishReplay(view, missed.length);
  }

  #finishReplay(view: SectionView, missed: number): void {
    const gap = this.#gap;
    const detail = this.#ledger.adopt(view);
    if (detail !== null) {
      this.#diverge(detail);
      return;
    }
    this.#gap = null;
    this.#live();
    if (gap !== null) {
      this.#emit({ type: 'recovered', messages: missed });
    }
    if (gap === 'silent' && missed > 0) {
      this.#effects.push({ type: 'resubscribe' });
    }
    this.#drain();
  }

  // Connection, time, failure.

  #recover(): void {
    this.#heardAtMs = this.#now;
    if (this.#ledger.counts) {
      this.#startReplay();
    } else {
      this.#loadAttempts = 0;
      this.#load();
    }
  }

  #onDisconnected(): void {
    if (this.#ledger.counts) {
      this.#reportGap('disconnected');
    } else {
      this.#ledger.abandon();
    }
    this.#enter('disconnected');
    this.#request++;
  }

  #onTick(): void {
    if (this.#status === 'live' && this.#now >= this.#heardAtMs + 3 * this.#intervalMs) {
      this.#reportGap('silent');
      this.#startReplay();
    } else if (this.#wait !== null && this.#now >= this.#wait.untilMs) {
      if (this.#wait.next === 'load') {
        this.#startLoad();
      } else {
        this.#startReplay();
      }
    }
  }

  #onTrouble(error: PatchwireError): boolean {
    if (error.code === 'PW-W402') {
      this.#close(error);
      return false;
    }
    this.#error = error;
    this.#emit({ type: 'trouble', error });
    return true;
  }

  /** A message that cannot be read is a message lost. */
  #onInvalid({ error }: InputOf<'invalid'>): void {
    this.#counters.invalid++;
    if (this.#onTrouble(error) && this.#status === 'live') {
      this.#reportGap('invalid');
      this.#replay();
    }
  }

  #onFailed({ error }: InputOf<'failed'>): void {
    if (!this.#onTrouble(error)) {
      return;
    }
    if (this.#status === 'loading') {
      this.#load();
    } else if (error.code === 'PW-W401') {
      this.#restart('trimmed', 'the replay stream holds a message that cannot be read');
    } else {
      this.#replay();
    }
  }

  #close(error: PatchwireError | null): void {
    this.#enter('closed');
    this.#request++;
    this.#error = error;
    this.#effects.push({ type: 'stop' });
    this.#emit({ type: 'closed', error });
  }

  /** In every status but the last. */
  static readonly #ALWAYS: Row = {
    ...NOTHING,
    connected: (m) => m.#recover(),
    disconnected: (m) => m.#onDisconnected(),
    invalid: (m, input) => m.#onInvalid(input),
    close: (m) => m.#close(null),
  };

  static readonly #TABLE: { readonly [S in Status]: Row } = {
    disconnected: { ...SubscriberMachine.#ALWAYS, disconnected: NOTHING.disconnected },
    waiting: { ...SubscriberMachine.#ALWAYS, message: (m, { message }) => m.#nudge(message), tick: (m) => m.#onTick() },
    loading: {
      ...SubscriberMachine.#ALWAYS,
      message: (m, input) => m.#keep(input),
      meta: (m, input) => m.#onMeta(input),
      page: (m, input) => m.#onPage(input),
      scanned: (m) => m.#onScanned(),
      failed: (m, input) => m.#onFailed(input),
    },
    replaying: {
      ...SubscriberMachine.#ALWAYS,
      message: (m, input) => m.#keep(input),
      replayed: (m, input) => m.#onReplayed(input),
      failed: (m, input) => m.#onFailed(input),
    },
    live: { ...SubscriberMachine.#ALWAYS, message: (m, { message }) => m.#onMessage(message), tick: (m) => m.#onTick() },
    closed: NOTHING,
  };
}

function changeEvent(message: ChangesMessage, { change, identity, before, after }: AppliedChange): SubscriberEvent {
  return {
    type: 'change',
    dataKey: change.dataKey,
    identity,
    op: change.op,
    before,
    after,
    patch: change.patch,
    versionId: change.versionId,
    prevVersionId: change.prevVersionId,
    changeVersion: change.changeVersion,
    seq: message.seq,
    changeTime: message.changeTime,
  };
}
