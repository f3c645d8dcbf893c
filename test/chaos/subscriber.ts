/**
 * A subscriber process: a replica of every section by the built library, asked by lines of JSON on stdin, answering on stdout. It watches itself:
 * no document may go back to an older version between two resets, and whoever claims a version must hold what was committed by then.
 */
import { createInterface } from 'node:readline';
import type * as Library from '../../src/subscriber/index.ts';
import type { Mark } from './writers.ts';
import { MARKS, PARTITION, SECTIONS } from './tables.ts';

// What is built is what is tested; the types are those of its source.
const { subscribe } = (await import(new URL('../../dist/subscriber/index.js', import.meta.url).href)) as typeof Library;

/** What a run asks of a subscriber. */
export type Question =
  | { readonly do: 'marks'; readonly marks: readonly Mark[] }
  | { readonly do: 'forget' }
  | { readonly do: 'standing'; readonly id: number }
  | { readonly do: 'documents'; readonly id: number; readonly section: string };

export interface SectionStanding {
  readonly equal: boolean;
  readonly status: string;
  readonly reasons: readonly string[];
  readonly upTo: string | null;
  readonly last: string | null;
  readonly epoch: string | null;
}

export type Answer =
  | { readonly id: number; readonly sections: Readonly<Record<string, SectionStanding>>; readonly checked: number; readonly resets: number }
  | { readonly id: number; readonly equal: boolean; readonly documents: readonly (readonly [string, unknown])[] }
  | { readonly violation: string };

const [url = ''] = process.argv.slice(2);
const say = (answer: Answer): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};

let marks: Mark[] = [];
let checked = 0;
let resets = 0;

/** Marks that are claimed must be there; each is looked at once it is. */
function check(): void {
  const replica = replicas.get(MARKS);
  const upTo = replica?.position()?.upTo ?? null;
  if (replica === undefined || upTo === null || !replica.state().equal) {
    return;
  }
  const claimed = BigInt(upTo);
  const later: Mark[] = [];
  for (const mark of marks) {
    if (BigInt(mark.version) > claimed) {
      later.push(mark);
      continue;
    }
    checked += 1;
    const held = (replica.get(String(mark.writer)) as { readonly N?: number } | undefined)?.N;
    if (held === undefined || held < mark.n) {
      say({
        violation: `it calls itself equal with upTo ${upTo}, but ${MARKS} ${mark.writer} is ${held ?? 'missing'}: at version ${mark.version} it was ${mark.n}`,
      });
    }
  }
  marks = later;
}

const replicas = new Map<string, Library.Replica>(
  SECTIONS.map((section) => {
    /** Identity → version, also of those that were removed since the last reset. */
    const versions = new Map<string, bigint>();
    let epoch: string | null = null;
    const replica = subscribe({
      redis: url,
      partition: PARTITION,
      section,
      onEvent: (event) => {
        if (event.type === 'reset') {
          versions.clear();
          resets += 1;
        } else if (event.type === 'live') {
          if (event.epoch !== epoch) {
            versions.clear();
          }
          ({ epoch } = event);
          process.stderr.write(`${new Date().toISOString()} ${section} live ${event.epoch} ${event.seq}\n`);
        } else if (event.type === 'change') {
          const version = BigInt(event.versionId);
          const before = versions.get(event.identity);
          if (before !== undefined && version < before) {
            say({ violation: `${section} ${event.dataKey} went back from ${before} to ${version} in epoch ${epoch ?? '?'}` });
          }
          versions.set(event.identity, version);
        }
        if (event.type !== 'change' && event.type !== 'lag') {
          process.stderr.write(
            `${new Date().toISOString()} ${section} ${JSON.stringify(event, (_, v: unknown) => (v instanceof Error ? v.message : v))}\n`,
          );
        }
        if (section === MARKS && (event.type === 'live' || event.type === 'lag')) {
          check();
        }
      },
    });
    return [section, replica];
  }),
);

function standing(replica: Library.Replica): SectionStanding {
  const { equal, status, reasons } = replica.state();
  const position = replica.position();
  return { equal, status, reasons, upTo: position?.upTo ?? null, last: position?.last ?? null, epoch: position?.epoch ?? null };
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const question = JSON.parse(line) as Question;
    if (question.do === 'marks') {
      marks.push(...question.marks);
      check();
    } else if (question.do === 'forget') {
      marks = [];
    } else if (question.do === 'standing') {
      check();
      const sections = Object.fromEntries([...replicas].map(([section, replica]) => [section, standing(replica)]));
      say({ id: question.id, sections, checked, resets });
    } else {
      const replica = replicas.get(question.section);
      say({ id: question.id, equal: replica?.state().equal ?? false, documents: replica === undefined ? [] : [...replica.entries()] });
    }
  })
  .on('close', () => process.exit(0));
