/** What the machine does with keys that are asked for one by one, where not everything is held (S1). */
import type { Course } from './course.ts';
import type { InputOf, KeyName } from './section-view.ts';

export function onWant(course: Course, { names }: { readonly names: readonly KeyName[] }): void {
  course.effect({ type: 'fetch', request: course.request, seq: course.ledger.read(names), names });
}

/** What cannot be taken is read again: at once where only a message was faster, else after a replay has found out where the section stands. */
export function onFound(course: Course, input: InputOf<'found'>): void {
  const again = course.ledger.fill(input);
  if (typeof again === 'string') {
    course.reportGap(again);
    course.replay();
    return;
  }
  course.effect({ type: 'filled', rows: input.rows.filter((row) => !again.includes(row)) });
  if (again.length > 0) {
    onWant(course, { names: again });
  }
}

/** Rows leave the quarantine without a message, too, when they are deleted: the number tells of it. */
export function countAside(course: Course, { quarantined }: { readonly quarantined: number }): void {
  const { ledger, request } = course;
  const { aside } = ledger.documents;
  if (aside !== null && aside.size !== quarantined) {
    course.effect({ type: 'survey', request, seq: ledger.chain?.seq ?? 0 });
  }
}

/** The keys are asked for again when it is live again. */
export function onFetchFailed(course: Course, { error }: InputOf<'failed'>): void {
  course.trouble(error);
  if (course.status !== 'closed') {
    course.replay();
  }
}
