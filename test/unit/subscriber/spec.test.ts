/** SPEC.md and the code say the same: the table of the machine cell by cell, and every rule with tests that carry its name. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TABLE } from '../../../src/subscriber/state.ts';

const page = readFileSync(new URL('../../../src/subscriber/SPEC.md', import.meta.url), 'utf8');
const here = new URL('.', import.meta.url);
const contract = new URL('../../contract/', import.meta.url);
const tests = new Map(
  [
    ...readdirSync(here).map((file) => ['test/unit/subscriber/', new URL(file, here), file] as const),
    ...readdirSync(contract)
      .filter((file) => file.startsWith('subscriber'))
      .map((file) => ['test/contract/', new URL(file, contract), file] as const),
  ]
    .filter(([, , file]) => file.endsWith('.test.ts') && file !== 'spec.test.ts')
    .map(([folder, url, file]) => [folder + file, readFileSync(url, 'utf8')]),
);

/** The rows of the table behind a heading, as cells; the first row is its head. */
function table(heading: string): string[][] {
  const [, rest = ''] = page.split(`## ${heading}\n`);
  return (rest.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[-| ]+\|$/u.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

describe('src/subscriber/SPEC.md', () => {
  it('shows what each status does with each input, as the machine does it', () => {
    const [head = [], ...rows] = table('What each status does with each input');
    const statuses = head.slice(1);
    expect(statuses).toEqual(Object.keys(TABLE));
    const shown = Object.fromEntries(
      statuses.map((status, i) => [
        status,
        Object.fromEntries(rows.map(([input = '', ...cells]) => [input, cells[i] === '' ? 'ignore' : cells[i]])),
      ]),
    );
    expect(shown).toEqual(TABLE);
  });

  it('names for each rule S1 to S5 tests that are there, and every test that carries a rule stands in a file that it names', () => {
    const [, ...rows] = table('Tests of the rules');
    const named = new Map(rows.map(([rule = '', files = '']) => [rule, files.split(',').map((file) => file.trim())]));
    expect([...named.keys()]).toEqual(['S1', 'S2', 'S3', 'S4', 'S5']);
    const carriers: Record<string, readonly string[]> = {};
    for (const rule of named.keys()) {
      const title = new RegExp(String.raw`['"][^'"]*\b${rule}\b[^'"]*:`, 'u');
      const carrying = [...tests].filter(([, text]) => title.test(text)).map(([file]) => file);
      carriers[rule] = carrying.toSorted();
    }
    expect(Object.fromEntries([...named].map(([rule, files]) => [rule, files.toSorted()]))).toEqual(carriers);
  });
});
