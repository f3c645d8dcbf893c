/** SPEC.md and the tests say the same: every rule and guarantee is restated there, names the files that test it, and those that test it are named. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('src/pipeline/SPEC.md', root), 'utf8');
const NAMES = [...range('G', 6), ...range('R', 9), ...range('L', 6), ...range('C', 8)];

function range(letter: string, last: number, first = 1): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => `${letter}${first + i}`);
}

/** The rules that a title begins with: `L3: …`, `G1, G2: …`, `C1 to C8, S1 to S5: …`, `R8: values`. */
function carried(text: string): Set<string> {
  const rules = new Set<string>();
  for (const [, prefix = ''] of text.matchAll(/['"`]((?:[GRLCS]\d(?: to [GRLCS]\d)?(?:, )?)+)(?: [a-z][^:'"`\n]*)?: /gu)) {
    for (const [, letter = '', first = '', last = first] of prefix.matchAll(/([GRLCS])(\d)(?: to \1(\d))?/gu)) {
      range(letter, Number(last), Number(first)).forEach((rule) => rules.add(rule));
    }
  }
  return rules;
}

/** By rule: the test files in whose titles it stands. */
function carriers(): Record<string, string[]> {
  const found: Record<string, string[]> = Object.fromEntries(NAMES.map((name) => [name, []]));
  for (const folder of ['test/unit', 'test/contract', 'test/e2e', 'test/simulation']) {
    for (const file of readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })) {
      const path = `${folder}/${file}`;
      if (path.endsWith('.ts') && !path.endsWith('spec.test.ts')) {
        for (const rule of carried(readFileSync(new URL(path, root), 'utf8'))) {
          found[rule]?.push(path);
        }
      }
    }
  }
  return Object.fromEntries(Object.entries(found).map(([rule, files]) => [rule, files.toSorted()]));
}

/** The first two cells of each row of the table behind a heading. */
function rows(heading: string): [string, string][] {
  const [, rest = ''] = page.split(`## ${heading}\n`);
  return (rest.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[-| ]+\|$/u.test(line))
    .slice(1)
    .map((line) => line.split('|').slice(1, 3))
    .map(([rule = '', cell = '']) => [rule.replaceAll('*', '').trim(), cell.trim()]);
}

describe('src/pipeline/SPEC.md', () => {
  it('restates every guarantee and every rule', () => {
    const restated = rows('Guarantees').concat(rows('Rules'));
    expect(restated.map(([rule]) => rule)).toEqual(NAMES);
    expect(restated.filter(([, says]) => says.length < 40)).toEqual([]);
  });

  it('names for each of them tests that are there, and every test that carries one stands in a file that it names', () => {
    const named = rows('Tests').map(([rule, files]) => [rule, [...files.matchAll(/`([^`]+)`/gu)].map(([, file = '']) => file).toSorted()]);
    expect(Object.fromEntries(named)).toEqual(carriers());
    expect(named.filter(([, files]) => files?.length === 0)).toEqual([]);
  });

  it('quotes only titles that are there', () => {
    const titles = ['test/unit', 'test/contract', 'test/e2e', 'test/simulation']
      .flatMap((folder) =>
        readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })
          .filter((file) => file.endsWith('.ts'))
          .map((file) => readFileSync(new URL(`${folder}/${file}`, root), 'utf8')),
      )
      .join('\n');
    const quoted = [...page.replaceAll(/\n\s*/gu, ' ').matchAll(/"((?:[GRLC]\d|[a-z])[^"]{15,})"/gu)].map(([, title = '']) => title);
    expect(quoted.length).toBeGreaterThan(20);
    const loose = (text: string): string => text.replaceAll(/\s+/gu, ' ');
    expect(quoted.filter((title) => !loose(titles).includes(loose(title.replace(/^…, /u, ''))))).toEqual([]);
  });
});
