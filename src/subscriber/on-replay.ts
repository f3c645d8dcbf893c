/** What the machine does with the stream and the meta that a replay brings (S3): goes on, or finds that history is lost. */
import type { Chain } from './chain.ts';
import type { Course } from './course.ts';
import { countAside } from './on-keys.ts';
import { drain, emitLive, take } from './on-messages.ts';
import type { InputOf, LinkedMessage, SectionView } from './section-view.ts';

export function onReplayed(course: Course, { view, messages }: InputOf<'replayed'>): void {
  const { chain } = course.ledger;
  if (view === null || chain === null) {
    if (course.abandon('removed', 'the section is not there')) {
      course.await('section missing');
    }
  } else if (view.epoch !== chain.epoch) {
    course.restart('epoch', 'the section has a new epoch');
  } else if (view.state === 'loading') {
    if (course.abandon('loading', 'the section is being loaded')) {
      course.await('section loading');
    }
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
    lose(course, view, 'the replay stream does not reach back to the last message seen');
    return;
  }
  for (const message of missed) {
    if (chain.judge(message) !== 'next') {
      lose(course, view, 'the messages of the replay stream do not follow one another');
      return;
    }
    if (!take(course, message)) {
      return;
    }
  }
  if (chain.last !== view.last || course.ledger.staging) {
    lose(course, view, 'the replay stream does not reach the last message');
    return;
  }
  finishReplay(course, view, missed.length);
}

/** Messages are missing for good. */
function lose(course: Course, view: SectionView, text: string): void {
  if (course.lose(view, text)) {
    goOn(course, view, 0);
  }
}

function finishReplay(course: Course, view: SectionView, missed: number): void {
  const detail = course.ledger.adopt(view);
  if (detail !== null) {
    course.diverge(detail);
    return;
  }
  goOn(course, view, missed);
}

/** What is held is what meta says: live again. */
function goOn(course: Course, view: SectionView, missed: number): void {
  const first = course.goLive();
  const silent = course.closeGap(missed) === 'silent';
  if (first) {
    emitLive(course);
  }
  if (course.pulse.deaf(view.heartbeatAtMs, silent) || (silent && missed > 0)) {
    course.effect({ type: 'resubscribe' });
  } else if (silent) {
    course.effect({ type: 'look' });
    course.lag(0);
  }
  if (!course.fallBehindIfHeld()) {
    countAside(course, view);
    drain(course);
  }
}

export function onReplayFailed(course: Course, { error }: InputOf<'failed'>): void {
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
