import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../../src/', import.meta.url));

interface Call {
  readonly place: string;
  /** The last argument as it stands in the source. */
  readonly text: string;
}

/** The last character of the string or bracket that begins at `at`; strings inside a bracket are skipped. */
function endOf(source: string, at: number): number {
  const opened = source[at] ?? '';
  const isBracket = '([{'.includes(opened);
  for (let i = at + 1; i < source.length; i += 1) {
    const char = source[i] ?? '';
    if (isBracket ? ')]}'.includes(char) : char === opened) {
      return i;
    }
    if (isBracket && '([{\'"`'.includes(char)) {
      i = endOf(source, i);
    } else if (char === '\\') {
      i += 1;
    }
  }
  return source.length;
}

/** The arguments between two brackets, split at the commas of their own level. */
function splitArguments(source: string): string[] {
  const found: string[] = [];
  let from = 0;
  for (let i = 0; i < source.length; i += 1) {
    const char = source[i] ?? '';
    if ('([{\'"`'.includes(char)) {
      i = endOf(source, i);
    } else if (char === ',') {
      found.push(source.slice(from, i));
      from = i + 1;
    }
  }
  return [...found, source.slice(from)].map((each) => each.trim()).filter((each) => each !== '');
}

function calls(): Call[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('sandbox'))
    .flatMap((file) => {
      const source = readFileSync(join(src, file), 'utf8');
      return [...source.matchAll(/\b(?:log|logger)(?:\.(?:trace|debug|info|warn|error|fatal)|\[level\])\(/gu)].map(({ 0: head, index }) => {
        const open = index + head.length - 1;
        const text = splitArguments(source.slice(open + 1, endOf(source, open))).at(-1) ?? '';
        return { place: `${file}:${source.slice(0, index).split('\n').length}`, text };
      });
    });
}

describe('texts of the log', () => {
  it('are constant: what differs stands in fields, so that a text can be searched for and counted', () => {
    const found = calls();
    expect(found.length).toBeGreaterThan(25);
    const constant = /^(?:[^?`]+ \? '[^']*' : )?'[^']*'$/u;
    expect(found.filter(({ text }) => !constant.test(text))).toEqual([]);
  });
});
