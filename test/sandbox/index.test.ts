/** INDEX.md beside the files: every numbered fact has its tests there, and every title that it names is in the file. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

/** How many numbered facts each section of the fact sheet has; 2.3, 3.2 and 3.3 have none. */
const SECTIONS: Record<string, number> = {
  '1.1': 6,
  '1.2': 5,
  '2.1': 10,
  '2.2': 25,
  '2.4': 6,
  '2.5': 2,
  '2.6': 6,
  '3.1': 4,
  '4.1': 5,
  '4.3': 10,
};
const FACTS = Object.entries(SECTIONS).flatMap(([section, count]) =>
  Array.from({ length: count }, (_, index) => `${section}-${String(index + 1).padStart(2, '0')}`),
);

const folder = new URL('./', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const ROWS = [...read('INDEX.md').matchAll(/^\| `(\d\.\d-\d\d)` +\| (\S.*?) +\| (\S.*?) +\|$/gmu)].map(
  ([, fact = '', file = '', title = '']) => ({
    fact,
    file,
    title,
  }),
);

/** The facts that a title names: single numbers, and ranges as `2.1-01 to 2.1-06`. */
function factsOf(title: string): string[] {
  const ranges = [...title.matchAll(/(\d\.\d-\d\d) to (\d\.\d-\d\d)/gu)].flatMap(([, from = '', to = '']) =>
    FACTS.filter((fact) => fact >= from && fact <= to),
  );
  return [...ranges, ...(title.match(/\d\.\d-\d\d/gu) ?? [])];
}

const FILES = readdirSync(folder).filter((name) => name.endsWith('.test.ts') && name !== 'index.test.ts');
/** Titles that begin with the number of a fact, as they stand in the files. */
const TITLES = FILES.flatMap((file) =>
  [...read(file).matchAll(/(['"`])(\d\.\d-\d\d[^\n]*?)\1/gu)].map(([, , title = '']) => ({ file, title })),
);

test('every fact is in the list, in order', () => {
  expect([...new Set(ROWS.map((row) => row.fact))]).toEqual(FACTS);
});

const shown = (rows: readonly { readonly file: string; readonly title: string }[]): string[] =>
  rows.map(({ file, title }) => `${file}: ${title}`).toSorted();

test.each(FACTS)('%s has each of its tests in the list, or a reason why there is none', (fact) => {
  const listed = ROWS.filter((row) => row.fact === fact);
  const [first] = listed;
  const reason = first?.file === 'not testable' && first.title.length > 10 ? listed : [];
  const named = TITLES.filter(({ title }) => factsOf(title).includes(fact));
  expect(shown(listed)).toEqual(shown(named.length > 0 ? named : reason));
  expect(listed).not.toEqual([]);
});
