/**
 * The subscriber's state machine (S1 to S5): what was seen in Redis goes in, what to do next comes out. No I/O, no clock, no timer: time and
 * chance are handed in, so a test owns every interleaving. The table at the end names what each status does with each input.
 */
import type { ChangesMessage, HeartbeatMessage, Message, RemovedMessage, ResetMessage } from '../wire/messages.ts';
import type { Chain } from './chain.ts';
import { Course, type MachineOptions } from './course.ts';
import type { Position, ReplicaState, Status, SubscriberEvent } from './events.ts';
import type { Outcome } from './ledger.ts';
import type { AppliedChange, ReplicaDocuments } from './replica.ts';
import type { Effect, Input, InputOf, InputType, LinkedMessage, SectionView } from './section-view.ts';
import { unequalReasons } from './standing.ts';

export class SubscriberMachine {
  readonly #course: Course;

  constructor(options: MachineOptions) {
    this.#course = new Course(options);
  }

  /** Takes one input and says what to do next, in this order. */
  handle(input: Input, nowMs: number): readonly Effect[] {
    const effects = this.#course.open(nowMs);
    if (!('request' in input) || input.request === this.#course.request) {
      const handler = TABLE[this.#course.status][input.type] as (course: Course, input: Input) => void;
      handler(this.#course, input);
    }
    return effects;
  }

  get documents(): ReplicaDocuments {
    return this.#course.ledger.documents;
  }

  /** When the next `tick` is due, ms since 1970; null: none is. */
  get wakeAtMs(): number | null {
    return this.#course.wakeAtMs;
  }

  state(): ReplicaState {
    const { status, waitingFor, ledger, counters, error } = this.#course;
    const reasons = unequalReasons(status, waitingFor, ledger.standing);
    return { status, equal: reasons.length === 0, reasons, counters: { ...counters }, error };
  }

  /** null: nothing that is held counts. */
  position(nowMs: number): Position | null {
    return this.#course.ledger.position(nowMs);
  }
}

// Loading (S1).

function onMeta(course: Course, { view, request }: InputOf<'meta'>): void {
  if (view === null) {
    course.await('section missing');
  } else if (view.state === 'loading') {
    course.await('section loading');
  } else if (view.pending) {
    course.await('pending script');
  } else {
    course.ledger.begin(view);
    course.deaf(view.heartbeatAtMs, false);
    course.effect({ type: 'scan', request });
  }
}

function onPage(course: Course, { view, rows }: InputOf<'page'>): void {
  if (!course.ledger.addPage(view, rows)) {
    course.retryLoad();
  }
}

function onScanned(course: Course): void {
  if (follow(course, course.ledger.finishPages(), null) && drain(course) && course.ledger.staging) {
    course.replay();
  }
}

// Messages (S2, S3).

function onMessage(course: Course, message: Message): void {
  switch (message.type) {
    case 'heartbeat':
      onHeartbeat(course, message);
      return;
    case 'removed':
      onRemoved(course, message);
      return;
    case 'changes':
    case 'reset':
      course.counters.messages++;
      take(course, message);
  }
}

/** Applies a message that follows; false: it did not follow or did not fit, and the machine has turned to something else. */
function take(course: Course, message: LinkedMessage): boolean {
  return follow(course, course.ledger.take(message, course.nowMs), message);
}

function follow(course: Course, outcome: Outcome, message: LinkedMessage | null): boolean {
  switch (outcome.kind) {
    case 'applied':
      if (message?.type === 'changes' && !course.ledger.staging) {
        course.trust('replay');
        course.counters.changes += outcome.applied.length;
        outcome.applied.forEach((applied) => course.emit(changeEvent(message, applied)));
      }
      return true;
    case 'settled':
      course.goLive();
      emitLive(course);
      return true;
    case 'duplicate':
      course.counters.duplicates++;
      return true;
    case 'reset':
      onReset(course, message as ResetMessage);
      return false;
    case 'gap':
      course.reportGap(outcome.reason);
      course.replay();
      return false;
    case 'diverged':
      course.diverge(outcome.detail);
      return false;
    case 'inconsistent':
      course.retryLoad();
      return false;
  }
}

function emitLive(course: Course): void {
  const at = course.ledger.position(course.nowMs);
  if (at !== null) {
    course.emit({ type: 'live', epoch: at.epoch, seq: at.seq, size: course.ledger.documents.size });
  }
}

function onReset(course: Course, message: ResetMessage): void {
  course.abandon('announced', message.reason);
  course.trust('all');
  if (message.phase === 'begin') {
    course.await('section loading');
  } else {
    course.load();
  }
}

function onRemoved(course: Course, { epoch, reason }: RemovedMessage): void {
  if (course.ledger.chain?.epoch === epoch) {
    course.abandon('removed', reason);
    course.await('section missing');
  } else if (course.status === 'live') {
    course.reportGap('epoch');
    course.replay();
  }
}

function onHeartbeat(course: Course, message: HeartbeatMessage): void {
  const { ledger } = course;
  course.hear(message);
  const place = ledger.place(message);
  if (place === 'mine') {
    const detail = ledger.adopt({ ...message, pending: false, incomplete: (message.incomplete ?? null) !== null });
    if (detail !== null) {
      course.diverge(detail);
      return;
    }
    ledger.standing.read(message, course.nowMs);
    course.trust('all');
  } else if (place !== 'late') {
    course.reportGap(place);
    course.replay();
  }
  const at = ledger.position(course.nowMs);
  course.emit({ type: 'lag', messages: Math.max(0, message.seq - (at?.seq ?? 0)), ageMs: at?.ageMs ?? null });
}

/** While a load or a replay runs, messages are kept. */
function onMessageLater(course: Course, { message, bytes }: InputOf<'message'>): void {
  switch (message.type) {
    case 'heartbeat':
      course.hear(message);
      return;
    case 'removed':
      onRemoved(course, message);
      return;
    case 'changes':
    case 'reset':
      course.counters.messages++;
      course.keep(message, bytes);
  }
}

/** Applies what was kept while the load or the replay ran that has just ended. */
function drain(course: Course): boolean {
  return course.kept().every((message) => course.ledger.covers(message) || take(course, message));
}

/** While waiting for the section, any sign that it can be loaded ends the wait. */
function onMessageWaiting(course: Course, message: Message): void {
  if (message.type === 'heartbeat') {
    course.hear(message);
  }
  const forSection = course.waitingFor === 'section loading' || course.waitingFor === 'section missing';
  const ready = (message.type === 'heartbeat' && message.state !== 'loading') || (message.type === 'reset' && message.phase === 'end');
  if (forSection && ready) {
    course.startLoad();
  }
}

// Replay (S3).

function onReplayed(course: Course, { view, messages }: InputOf<'replayed'>): void {
  const { chain } = course.ledger;
  if (view === null || chain === null) {
    course.abandon('removed', 'the section is not there');
    course.await('section missing');
  } else if (view.epoch !== chain.epoch) {
    course.restart('epoch', 'the section has a new epoch');
  } else if (view.state === 'loading') {
    course.abandon('loading', 'the section is being loaded');
    course.await('section loading');
  } else if (view.seq < chain.seq || (view.seq === chain.seq && view.last !== chain.last)) {
    course.restart('rewound', 'the section went back to before the last message seen');
  } else {
    onHistory(course, chain, view, messages);
  }
}

/** My own id must stand at my seq, be what the next message follows, or be the last; from there on every message must follow the one before. */
function onHistory(course: Course, chain: Chain, view: SectionView, messages: readonly LinkedMessage[]): void {
  const seen = messages.filter((message) => message.seq <= chain.seq);
  const missed = messages.filter((message) => message.seq > chain.seq && message.seq <= view.seq);
  if (seen.some((message) => chain.idAt(message.seq) !== message.id)) {
    course.restart('rewound', 'another message stands at the place of the last one seen');
    return;
  }
  const reached = seen.some(({ seq }) => seq === chain.seq) || chain.last === view.last || missed[0]?.prevId === chain.last;
  if (!reached) {
    course.restart('trimmed', 'the replay stream does not reach back to the last message seen');
    return;
  }
  for (const message of missed) {
    if (chain.judge(message) !== 'next') {
      course.restart('trimmed', 'the messages of the replay stream do not follow one another');
      return;
    }
    if (!take(course, message)) {
      return;
    }
  }
  if (chain.last !== view.last || course.ledger.staging) {
    course.restart('trimmed', 'the replay stream does not reach the last message');
    return;
  }
  finishReplay(course, view, missed.length);
}

function finishReplay(course: Course, view: SectionView, missed: number): void {
  const detail = course.ledger.adopt(view);
  if (detail !== null) {
    course.diverge(detail);
    return;
  }
  course.goLive();
  const silent = course.closeGap(missed) === 'silent';
  if (course.deaf(view.heartbeatAtMs, silent) || (silent && missed > 0)) {
    course.effect({ type: 'resubscribe' });
  }
  drain(course);
}

// Connection, time, failure.

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
  if (course.wakeAtMs !== null && course.nowMs >= course.wakeAtMs) {
    course.reportGap('silent');
    course.startReplay();
  }
}

/**
 * A message that cannot be read is a message lost. Anybody may have put it on the channel: that the publisher is newer than this library is
 * believed only where meta or the stream says so.
 */
function onInvalid(course: Course, { error }: InputOf<'invalid'>): void {
  course.counters.invalid++;
  course.note(error);
  if (course.status === 'live') {
    course.reportGap('invalid');
    course.replay();
  }
}

function onLoadFailed(course: Course, { error }: InputOf<'failed'>): void {
  course.trouble(error);
  if (course.status !== 'closed') {
    course.retryLoad();
  }
}

function onReplayFailed(course: Course, { error }: InputOf<'failed'>): void {
  course.trouble(error);
  if (course.status === 'closed') {
    return;
  }
  if (error.code === 'PW-W401') {
    course.restart('trimmed', 'the replay stream holds a message that cannot be read');
  } else {
    course.retryReplay();
  }
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

type Row = { readonly [T in InputType]: (course: Course, input: InputOf<T>) => void };

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

/** In every status but the last. Answers to a request are awaited only where it was made: elsewhere they are late. */
const ALWAYS: Row = {
  ...NOTHING,
  connected: onConnected,
  disconnected: onDisconnected,
  invalid: onInvalid,
  close: (course) => course.close(null),
};

const TABLE: { readonly [S in Status]: Row } = {
  disconnected: ALWAYS,
  waiting: { ...ALWAYS, message: (course, { message }) => onMessageWaiting(course, message), tick: (course) => course.wake() },
  loading: { ...ALWAYS, message: onMessageLater, meta: onMeta, page: onPage, scanned: onScanned, failed: onLoadFailed },
  replaying: { ...ALWAYS, message: onMessageLater, replayed: onReplayed, failed: onReplayFailed },
  live: { ...ALWAYS, message: (course, { message }) => onMessage(course, message), tick: onSilence },
  closed: NOTHING,
};
