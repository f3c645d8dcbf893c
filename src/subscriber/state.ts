/**
 * The subscriber's state machine (S1 to S5): what was seen in Redis goes in, what to do next comes out. No I/O, no clock, no timer: time and
 * chance are handed in, so a test owns every interleaving. TABLE names what each status does with each input; no cell is missing, which the
 * compiler checks, and SPEC.md shows the same table, which a test checks.
 */
import type { PatchwireError } from '../model/failure.ts';
import { Course, type MachineOptions } from './course.ts';
import type { Position, ReplicaState, Status } from './events.ts';
import type { Holding } from './holding.ts';
import type { Reactions } from './reactions.ts';
import type { Effect, Input, InputOf, InputType, SectionView, StoredReplica } from './section-view.ts';
import { unequalReasons } from './standing.ts';

export class SubscriberMachine {
  readonly #course: Course;
  #verbs: Readonly<Partial<Record<Verb, unknown>>> = VERBS;

  constructor(options: MachineOptions) {
    this.#course = new Course(options);
  }

  /** What it does with what Redis says: nothing of that comes before. */
  learn(reactions: Reactions): this {
    this.#verbs = { ...VERBS, ...reactions };
    return this;
  }

  /** Takes one input and says what to do next, in this order. */
  handle(input: Input, nowMs: number): readonly Effect[] {
    const effects = this.#course.open(nowMs);
    if (!('request' in input) || input.request === this.#course.request) {
      const verb = this.#verbs[TABLE[this.#course.status][input.type]] as (course: Course, input: Input) => void;
      verb(this.#course, input);
    }
    return effects;
  }

  /** What is held; another object after each load. */
  get documents(): Holding {
    return this.#course.ledger.documents;
  }

  /** The columns of the key, as far as they are known. */
  get key(): SectionView['key'] {
    return this.#course.ledger.key;
  }

  /** The number under which keys are read now; another one means that what was read before may not come. Null: none are read. */
  get reading(): number | null {
    return this.#course.status === 'live' ? this.#course.request : null;
  }

  /** When the next `tick` is due, ms since 1970; null: none is. */
  get wakeAtMs(): number | null {
    return this.#course.wakeAtMs;
  }

  /** @param nowMs default: when the last input came */
  state(nowMs: number = this.#course.nowMs): ReplicaState {
    const { status, waitingFor, ledger, counters, error, pulse } = this.#course;
    const standing = unequalReasons(status, waitingFor, ledger.standing);
    const reasons = [...standing];
    if (status === 'live' && this.#course.tooOld(nowMs)) {
      reasons.push('too old');
    }
    if (status === 'live' && !ledger.whole) {
      reasons.push('not compared');
    }
    return { status, equal: reasons.length === 0, reasons, publisher: pulse.publisher, counters: { ...counters }, error };
  }

  /** null: nothing that is held counts. */
  position(nowMs: number): Position | null {
    return this.#course.ledger.position(nowMs);
  }

  /** What is held now, to be stored; null: it does not count, or is not whole. */
  store(): StoredReplica | null {
    return this.#course.ledger.store();
  }
}

function onConnected(course: Course): void {
  if (course.ledger.counts) {
    course.startReplay();
  } else {
    course.startLoad();
  }
}

function onDisconnected(course: Course, { error }: InputOf<'disconnected'>): void {
  if (course.status !== 'disconnected') {
    course.disconnect();
  }
  if (error !== null) {
    course.trouble(error);
  }
}

function onSilence(course: Course): void {
  if (course.nowMs >= course.pulse.silentAtMs) {
    course.reportGap('silent');
    course.startReplay();
  } else if (course.tooOld(course.nowMs)) {
    course.lag(0);
  }
}

/**
 * A message that cannot be read is a message lost. Anybody may have put it on the channel: that the publisher is newer than this library is
 * believed only where meta or the stream says so.
 */
function onInvalid(course: Course, { error }: InputOf<'invalid'>): void {
  noteInvalid(course, error);
  course.reportGap('invalid');
  course.replay();
}

function noteInvalid(course: Course, error: PatchwireError): void {
  course.counters.invalid++;
  course.note(error);
}

/** What is done without Redis, or before anything of it was read; the rest are reactions (reactions.ts). */
const VERBS = {
  ignore: () => {},
  connect: onConnected,
  disconnect: onDisconnected,
  restore: (course: Course, { stored }: InputOf<'restore'>) => course.restore(stored),
  note: (course: Course, { error }: InputOf<'invalid'>) => noteInvalid(course, error),
  mistrust: onInvalid,
  wake: (course: Course) => course.wake(),
  watch: onSilence,
  reload: (course: Course) => course.reload(),
  hold: (course: Course) => course.hold(),
  release: (course: Course) => course.release(),
  close: (course: Course, { error }: InputOf<'close'>) => course.close(error),
};

/** What can be done with an input. An answer to a request is awaited only where the request was made: elsewhere it is late, and ignored. */
export type Verb = keyof typeof VERBS | keyof Reactions;

type Row = Readonly<Record<InputType, Verb>>;

const OPEN = {
  ...{ connected: 'connect', disconnected: 'disconnect', restore: 'ignore', invalid: 'note', tick: 'ignore', message: 'ignore' },
  ...{ meta: 'ignore', page: 'ignore', scanned: 'ignore', replayed: 'ignore', want: 'ignore', found: 'ignore', failed: 'ignore' },
  ...{ hold: 'hold', release: 'release', reload: 'reload', close: 'close' },
} as const satisfies Row;

/** What each status does with each input. */
export const TABLE = {
  disconnected: { ...OPEN, restore: 'restore' },
  waiting: { ...OPEN, message: 'look', tick: 'wake' },
  loading: { ...OPEN, message: 'keep', meta: 'begin', page: 'add', scanned: 'settle', failed: 'retryLoad' },
  replaying: { ...OPEN, message: 'keep', replayed: 'catchUp', failed: 'retryReplay' },
  behind: { ...OPEN, message: 'skim' },
  live: { ...OPEN, message: 'apply', invalid: 'mistrust', tick: 'watch', want: 'fetch', found: 'fill', failed: 'retryFetch' },
  closed: Object.fromEntries(Object.keys(OPEN).map((type) => [type, 'ignore'])) as Readonly<Record<InputType, 'ignore'>>,
} as const satisfies Readonly<Record<Status, Row>>;
