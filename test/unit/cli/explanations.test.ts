import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CAUSES, explanationOf } from '../../../src/cli/explanations.ts';
import { CATALOGUE, type ErrorCode } from '../../../src/model/error-catalogue.ts';

const source = fileURLToPath(new URL('../../../src/', import.meta.url));
/** Where codes are only described. */
const DESCRIPTIONS = ['model/error-catalogue.ts', 'cli/explanations.ts', 'cli/exit-codes.ts'];

/** The codes that stand in string literals, outside of comments: what is thrown, compared or looked up. */
const used = new Set(
  readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !DESCRIPTIONS.includes(file))
    .flatMap((file) => {
      const code = readFileSync(join(source, file), 'utf8')
        .replaceAll(/\/\*[^]*?\*\//gu, '')
        .replaceAll(/(^|\s)\/\/.*$/gmu, '');
      return [...code.matchAll(/['"`](PW-[CSMWI][0-9]{3})\b/gu)].map(([, found]) => found ?? '');
    }),
);

describe('explain', () => {
  it('knows every code that the source uses, and the source uses every code that it knows', () => {
    expect([...used].toSorted()).toEqual(Object.keys(CATALOGUE).toSorted());
  });

  it('tells of every code its meaning, its cause, its class, what to do and where it is seen', () => {
    expect(Object.keys(CAUSES).toSorted()).toEqual(Object.keys(CATALOGUE).toSorted());
    for (const code of Object.keys(CATALOGUE) as ErrorCode[]) {
      for (const text of Object.values(explanationOf(code))) {
        expect(text).toMatch(/\S/u);
      }
      expect(CAUSES[code]).toMatch(/^[A-Z].*\.$|^[a-z].*\.$/u);
    }
  });
});
