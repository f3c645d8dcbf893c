/** What the machine does while it loads: meta, then pages (S1). */
import type { Course } from './course.ts';
import { drain, follow } from './on-messages.ts';
import type { InputOf } from './section-view.ts';

export function onMeta(course: Course, { view, request }: InputOf<'meta'>): void {
  if (view === null) {
    course.await('section missing');
  } else if (view.state === 'loading') {
    course.await('section loading');
  } else if (view.pending) {
    course.await('pending script');
  } else {
    course.ledger.begin(view);
    course.pulse.deaf(view.heartbeatAtMs, false);
    if (course.ledger.whole) {
      course.effect({ type: 'scan', request });
    } else {
      onScanned(course);
    }
  }
}

export function onPage(course: Course, page: InputOf<'page'>): void {
  if (!course.ledger.addPage(page)) {
    course.retryLoad();
  }
}

export function onScanned(course: Course): void {
  if (follow(course, course.ledger.finishPages(), null) && drain(course) && course.ledger.staging) {
    course.replay();
  }
}

export function onLoadFailed(course: Course, { error }: InputOf<'failed'>): void {
  course.trouble(error);
  if (course.status !== 'closed') {
    course.retryLoad();
  }
}
