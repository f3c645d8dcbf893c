/** What src/wire/README.md says, so that tests can hold it to the code: the tables under its headings. */
import { readFileSync } from 'node:fs';

export const wireReadme = readFileSync(new URL('../../src/wire/README.md', import.meta.url), 'utf8');

/** The first cells of the tables under a heading, each the names between backticks. */
export function namesUnder(heading: string): string[][][] {
  const [, rest = ''] = wireReadme.split(`\n${heading}\n`);
  const [section = ''] = rest.split(/\n#{2,3} /u);
  const tables = section.split(/\n\n/u).filter((block) => block.trimStart().startsWith('|'));
  return tables.map((table) =>
    table
      .trim()
      .split('\n')
      .slice(2)
      .map((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/gu)].map(([, name]) => name ?? '')),
  );
}
