/**
 * A subscriber process: a replica of every section by the built library, asked by lines of JSON on stdin, answering on stdout. It watches itself:
 * no document may go back to an older version between two resets, and whoever claims a version must hold what was committed by then.
 */
import type * as Library from '../../src/subscriber/index.ts';
import { answerQuestions, Marks, standingOf, Versions } from './answers.ts';
import { MARKS, PARTITION, SECTIONS } from './tables.ts';

// What is built is what is tested; the types are those of its source.
const { subscribe } = (await import(new URL('../../dist/subscriber/index.js', import.meta.url).href)) as typeof Library;

const [url = ''] = process.argv.slice(2);
const marks = new Marks();

/** Marks that are claimed must be there; each is looked at once it is. */
function check(): void {
  const replica = replicas.get(MARKS);
  const upTo = replica?.position()?.upTo ?? null;
  if (replica === undefined || upTo === null || !replica.state().equal) {
    return;
  }
  for (const mark of marks.claimed(upTo)) {
    marks.look(mark, replica.get(String(mark.writer)), upTo);
  }
}

const replicas = new Map<string, Library.Replica>(
  SECTIONS.map((section) => {
    const versions = new Versions(section);
    const replica = subscribe({
      redis: url,
      partition: PARTITION,
      section,
      onEvent: (event) => {
        versions.take(event);
        if (section === MARKS && (event.type === 'live' || event.type === 'lag')) {
          check();
        }
      },
    });
    return [section, replica];
  }),
);

answerQuestions({
  marks: (told) => {
    marks.add(told);
    check();
  },
  forget: () => marks.forget(),
  standing: () => {
    check();
    const sections = Object.fromEntries([...replicas].map(([section, replica]) => [section, standingOf(replica, replica.state().equal)]));
    return { sections, checked: marks.checked };
  },
  documents: (section) => {
    const replica = replicas.get(section);
    return Promise.resolve({ equal: replica?.state().equal ?? false, documents: replica === undefined ? [] : [...replica.entries()] });
  },
});
