/**
 * INDEX.md beside this file: every numbered fact and every error has its tests there or a reason why it has none, every test that it names is
 * in its file, and every test of change-tracking/ that begins with a number is in it.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const words = (text: string): string[] => text.trim().split(/\s+/u);

/** In the order of the index. */
const FACTS = words(`
  1.1-01 1.1-02 1.1-03 1.1-04 1.1-05 1.1-06
  1.2-01 1.2-02 1.2-03 1.2-04 1.2-05
  1.3-01 1.3-02 1.3-03 1.3-04 1.3-05 1.3-06 1.3-07
  1.4-01 1.4-02 1.4-03
  1.5-01 1.5-02 1.5-03 1.5-04 1.5-05
  2.1-01 2.1-02 2.1-03 2.1-04 2.1-05 2.1-06 2.1-07 2.1-08 2.1-09 2.1-10
  2.2-01 2.2-02 2.2-03 2.2-04 2.2-05 2.2-06 2.2-07 2.2-08 2.2-09 2.2-10 2.2-11 2.2-12 2.2-13 2.2-14 2.2-15 2.2-16 2.2-17 2.2-18 2.2-19
  2.2-20 2.2-21 2.2-22 2.2-23 2.2-24 2.2-25
  2.3
  2.4-01 2.4-02 2.4-03 2.4-04 2.4-05 2.4-06
  2.5-01 2.5-02
  2.6-01 2.6-02 2.6-03 2.6-04 2.6-05 2.6-06
  3.1-01 3.1-02 3.1-03 3.1-04
  3.2
  3.3
  3.4-01 3.4-02 3.4-03 3.4-04 3.4-05 3.4-06 3.4-07 3.4-08 3.4-09 3.4-10 3.4-11
  3.5-01 3.5-02 3.5-03 3.5-04
  3.6
  4.1-01 4.1-02 4.1-03 4.1-04 4.1-05
  4.2-01 4.2-02 4.2-03 4.2-04 4.2-05 4.2-06 4.2-07
  4.3-01 4.3-02 4.3-03 4.3-04 4.3-05 4.3-06 4.3-07 4.3-08 4.3-09 4.3-10
  4.4-01 4.4-02 4.4-03 4.4-04 4.4-05
`);

/** The errors that a reader of change tracking, or a script that sets it up, can meet. */
const ERRORS = words(`
  102 155 156 207 208 229 230 257 911 1205 1222 1718 1785 2812 3701 3727 3735 3951 3952 3960 3961 3964 3987 4060 4900 4902
  4922 4996 4997 4998 4999 5011 5069 5088 5089 5090 5091 5092 8114 8116 13563 18456
  22101 22103 22104 22105 22106 22107 22108 22109 22110 22111 22112 22113 22114 22115 22116 22117 22118 22119
`);

const NUMBERS = [...FACTS, ...ERRORS];
const NUMBER = String.raw`(?:\d\.\d(?:-\d\d)?|\d{3,5})`;
/** What a title begins with: `2.1-01 to 2.1-06`, `1.1-03, 5088 and 5069`. */
const HEAD = String.raw`${NUMBER}(?:(?:, | and | to )${NUMBER})*(?= )`;

const here = new URL('./', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, here), 'utf8');

interface Row {
  readonly number: string;
  readonly what: string;
  /** `file: title`, or `not testable: why`. */
  readonly tests: readonly string[];
}

const ROWS: readonly Row[] = [...read('INDEX.md').matchAll(/^\| `([\d.-]+)` +\| (\S.*?) +\| (\S.*?) +\|$/gmu)].map(
  ([, number = '', what = '', tests = '']) => ({ number, what, tests: tests.split('<br>') }),
);

/** The numbers that a title begins with, ranges in full. */
function numbersOf(title: string): string[] {
  const head = new RegExp(`^${HEAD}`, 'u').exec(title)?.[0] ?? '';
  const ranges = [...head.matchAll(new RegExp(`(${NUMBER}) to (${NUMBER})`, 'gu'))].flatMap(([, from = '', to = '']) =>
    NUMBERS.slice(NUMBERS.indexOf(from), NUMBERS.indexOf(to) + 1),
  );
  return [...new Set([...(head.match(new RegExp(NUMBER, 'gu')) ?? []), ...ranges])];
}

/** Titles as they stand in the files: a string that begins with a number, as `test` and the rows of `test.each` have it. */
const TITLES = readdirSync(new URL('change-tracking/', here))
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) =>
    [...read(`change-tracking/${file}`).matchAll(new RegExp(String.raw`(?<!describe\()(['"\x60])(${HEAD} [^\n]*?)\1,?`, 'gu'))].map(
      ([, , title = '']) => ({
        test: `${file}: ${title}`,
        numbers: numbersOf(title),
      }),
    ),
  );

test('every number is in the index, in order, with what it is about', () => {
  expect(ROWS.map(({ number }) => number)).toEqual(NUMBERS);
  expect(ROWS.filter(({ what }) => what.length < 10)).toEqual([]);
});

test('no title begins with a number that the index does not have', () => {
  expect(TITLES.filter(({ numbers }) => numbers.some((each) => !NUMBERS.includes(each)))).toEqual([]);
});

test.each(NUMBERS)('%s has each of its tests in the index, or a reason why it has none', (number) => {
  const listed = ROWS.find((row) => row.number === number)?.tests ?? [];
  const reasons = listed.filter((each) => each.startsWith('not testable: '));
  const named = TITLES.filter(({ numbers }) => numbers.includes(number)).map((each) => each.test);
  expect(listed.filter((each) => !reasons.includes(each)).toSorted()).toEqual(named.toSorted());
  expect(reasons.every((reason) => reason.length > 'not testable: '.length + 15)).toBe(true);
  expect(listed).not.toEqual([]);
});
