/**
 * A subscriber process that holds a few keys of every section: it is asked for random ones all the time, more than it may hold. It watches itself as
 * a replica does; and a writer's row that was read once it claims the writer's version must hold what was committed by then, and never goes back.
 */
import { seededRandom } from '../../src/lib/random.ts';
import type * as Library from '../../src/subscriber/index.ts';
import { type Answered, answerQuestions, contains, Marks, say, standingOf, Versions } from './answers.ts';
import { anyKey, askAllTheTime, spelled } from './asking.ts';
import { MARKS, PARTITION, SECTIONS } from './tables.ts';
import type { Mark } from './writers.ts';

const { subscribe } = (await import(new URL('../../dist/subscriber/index.js', import.meta.url).href)) as typeof Library;

/** Far fewer than are asked for, so that keys have to go all the time; of these sections more than there are, so that a missed change stays. */
const heldOf = (section: string): number => (section === 'pairs' || section === 'orders' ? 2000 : 40);
/** How many keys are read for a comparison, beside those that are held: a part of the tables, another one each time. */
const READ = 300;

const [url = '', seed = '0'] = process.argv.slice(2);
const random = seededRandom(Number(seed) + process.pid);
const marks = new Marks();
let gets = 0;

interface Section {
  readonly cache: Library.LazyCache;
  readonly versions: Versions;
  /** Keys that were asked for, also those that had to go since. */
  readonly asked: Map<string, readonly (string | number | bigint)[]>;
}

const sections = new Map<string, Section>(
  SECTIONS.map((name) => {
    const versions = new Versions(name);
    const cache = subscribe({
      ...{ redis: url, partition: PARTITION, section: name, mode: 'lazy', max: heldOf(name) },
      onEvent: (event) => {
        versions.take(event);
        if (name === MARKS && (event.type === 'live' || event.type === 'lag')) {
          check();
        }
      },
    });
    return [name, { cache, versions, asked: new Map() }];
  }),
);

/** Marks that are claimed must be read from now on, unless a reset says that history was lost meanwhile. */
function check(): void {
  const { cache } = sections.get(MARKS)!;
  const upTo = cache.position()?.upTo ?? null;
  if (upTo !== null && contains(cache)) {
    marks.claimed(upTo).forEach((mark) => void read(mark, upTo).catch(() => undefined));
  }
}

async function read(mark: Mark, upTo: string): Promise<void> {
  const { cache, versions } = sections.get(MARKS)!;
  const { generation } = marks;
  const { resets } = versions;
  const document = await cache.get(mark.writer);
  if (generation === marks.generation && resets === versions.resets) {
    marks.look(mark, document, upTo);
  }
}

/** Of a writer: the highest number that was read between two resets. */
const highest = new Map<number, { readonly n: number; readonly resets: number; readonly generation: number }>();

function neverBack(writer: number, document: Library.Document | undefined): void {
  const { resets } = sections.get(MARKS)!.versions;
  const { generation } = marks;
  const before = highest.get(writer);
  const n = document === undefined ? -1 : Number(document['N']);
  if (before !== undefined && before.resets === resets && before.generation === generation && n < before.n) {
    say({ violation: `the mark of writer ${writer} was read as ${before.n}, then as ${n}` });
  }
  highest.set(writer, { n, resets, generation });
}

const rest = askAllTheTime(50, async () => {
  const name = SECTIONS[Math.floor(random() * SECTIONS.length)]!;
  const { cache, asked } = sections.get(name)!;
  const keys = Array.from({ length: 1 + Math.floor(random() * 3) }, () => anyKey(name, random));
  keys.forEach((key) => asked.set(spelled(key), key));
  gets += keys.length;
  const documents = await cache.getMany(keys);
  if (name === MARKS) {
    keys.forEach(([writer], i) => neverBack(Number(writer), documents[i]));
  }
});

answerQuestions({
  marks: (told) => {
    marks.add(told);
    check();
  },
  forget: () => marks.forget(),
  rest,
  standing: () => {
    check();
    const all = [...sections].map(([name, { cache }]) => [name, standingOf(cache, contains(cache))] as const);
    const counters = [...sections.values()].map(({ cache }) => cache.state().counters);
    const [loads, evictions] = (['loads', 'evictions'] as const).map((what) => counters.reduce((sum, each) => sum + each[what], 0));
    return { sections: Object.fromEntries(all), checked: marks.checked, did: `${gets} gets, ${loads} loads, ${evictions} evictions` };
  },
  documents: async (name, keys) => {
    const { cache, asked } = sections.get(name)!;
    const mine = new Map<string, Library.Key>([...keys.map((key) => [key, key] as const), ...asked]);
    // First what is held, all in one moment; then what is read now, by which what is held has to go.
    const held: Answered = [...mine]
      .filter(([, key]) => cache.has(key) !== undefined)
      .map(([text, key]) => [text, cache.peek(key) ?? null]);
    const some = [...mine].toSorted(() => random() - 0.5).slice(0, READ);
    const read = await cache.getMany(some.map(([, key]) => key));
    const documents: Answered = [...held, ...some.map(([text], i) => [text, read[i] ?? null] as const)];
    return { equal: contains(cache), documents };
  },
});
