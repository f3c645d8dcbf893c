/**
 * What the machine does with messages: applies what follows, keeps what comes during a load or a replay, and turns to a replay or a load where
 * the chain breaks (S2, S3). Heartbeats say where the publisher stands (S4, S5).
 */
import type { ChangesMessage, HeartbeatMessage, RemovedMessage, ResetMessage } from '../wire/messages.ts';
import type { Course } from './course.ts';
import type { SubscriberEvent } from './events.ts';
import type { AppliedChange } from './holding.ts';
import type { Outcome } from './ledger.ts';
import { countAside } from './on-keys.ts';
import type { InputOf, LinkedMessage } from './section-view.ts';

export function onMessage(course: Course, { message }: InputOf<'message'>): void {
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
      return;
    case 'keys':
    // Of the other channel: whoever put it here, the chain does not need it.
  }
}

/** Applies a message that follows; false: it did not follow or did not fit, and the machine has turned to something else. */
export function take(course: Course, message: LinkedMessage): boolean {
  return follow(course, course.ledger.take(message, course.nowMs), message);
}

export function follow(course: Course, outcome: Outcome, message: LinkedMessage | null): boolean {
  switch (outcome.kind) {
    case 'applied':
      if (message?.type === 'changes' && !course.ledger.staging) {
        course.trust('replay');
        course.counters.changes += outcome.applied.length;
        course.counters.skipped += outcome.passedOver;
        outcome.applied.forEach((applied) => course.emit(changeEvent(message, applied)));
      }
      return true;
    case 'settled':
      course.goLive();
      emitLive(course);
      return !course.fallBehindIfHeld();
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

export function emitLive(course: Course): void {
  const at = course.ledger.position(course.nowMs);
  if (at !== null) {
    course.emit({ type: 'live', epoch: at.epoch, seq: at.seq, size: course.ledger.documents.size });
  }
}

function onReset(course: Course, message: ResetMessage): void {
  if (!course.abandon('announced', message.reason)) {
    return;
  }
  course.trust('all');
  if (message.phase === 'begin') {
    course.await('section loading');
  } else {
    course.load();
  }
}

function onRemoved(course: Course, { epoch, reason }: RemovedMessage): void {
  if (course.ledger.chain?.epoch === epoch) {
    if (course.abandon('removed', reason)) {
      course.await('section missing');
    }
  } else if (course.status === 'live') {
    course.reportGap('epoch');
    course.replay();
  }
}

function onHeartbeat(course: Course, message: HeartbeatMessage): void {
  const { ledger } = course;
  const known = course.pulse.knows(message);
  course.hear(message);
  const place = ledger.place(message);
  if (place === 'mine') {
    const incomplete = (message.incomplete ?? null) !== null;
    const sourceReadAtMs = message.sourceReadAt === null ? null : Date.parse(message.sourceReadAt);
    const detail = ledger.adopt({ ...message, pending: false, incomplete, sourceReadAtMs });
    if (detail !== null) {
      course.diverge(detail);
      return;
    }
    ledger.standing.read(message, course.nowMs);
    course.trust('all');
    countAside(course, message);
  } else if (place !== 'rewound' || !known) {
    course.reportGap(place);
    course.replay();
  }
  course.lag(beyond(course, message));
}

/** How many messages are published that are not applied. */
function beyond({ ledger, nowMs }: Course, { seq }: HeartbeatMessage): number {
  return Math.max(0, seq - (ledger.position(nowMs)?.seq ?? 0));
}

/** The consumers of changes are full: only the pulse counts. What is not taken now, the replay will bring, or what it finds. */
export function onMessageBehind(course: Course, { message }: InputOf<'message'>): void {
  if (message.type === 'heartbeat') {
    course.hear(message);
    course.lag(beyond(course, message));
  }
}

/** While a load or a replay runs, messages are kept. */
export function onMessageLater(course: Course, { message, bytes }: InputOf<'message'>): void {
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
      course.backlog.keep(message, bytes);
      return;
    case 'keys':
  }
}

/** Applies what was kept while the load or the replay ran that has just ended. */
export function drain(course: Course): boolean {
  return course.backlog.take().every((message) => course.ledger.covers(message) || take(course, message));
}

/** While waiting for the section, any sign that it can be loaded ends the wait. */
export function onMessageWaiting(course: Course, { message }: InputOf<'message'>): void {
  if (message.type === 'heartbeat') {
    course.hear(message);
  }
  const forSection = course.waitingFor === 'section loading' || course.waitingFor === 'section missing';
  const ready = (message.type === 'heartbeat' && message.state !== 'loading') || (message.type === 'reset' && message.phase === 'end');
  if (forSection && ready) {
    course.startLoad();
  }
}

function changeEvent({ seq, changeTime }: ChangesMessage, { change, ...documents }: AppliedChange): SubscriberEvent {
  return { ...change, type: 'change', ...documents, seq, changeTime };
}
