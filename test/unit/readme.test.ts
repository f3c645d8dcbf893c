import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { knownKeys, takesAnyName, takesIndex } from '../../src/config/known-keys.ts';
import { CATALOGUE } from '../../src/model/error-catalogue.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join(root, 'src', file), 'utf8'));

/** The first cells of the README's table rows that are written as code. */
const firstCells = [...readme.matchAll(/^\| `([^`]+)`/gm)].map(([, cell]) => cell ?? '');

describe('README', () => {
  it('lists every error code with its class, meaning and action', () => {
    for (const [code, { retry, meaning, action }] of Object.entries(CATALOGUE)) {
      const escape = (text: string): string => text.replaceAll('|', '\\|');
      expect(readme).toContain(`| \`${code}\` | ${retry} | ${escape(meaning)} | ${escape(action)} |`);
    }
    expect(firstCells.filter((cell) => cell.startsWith('PW-')).filter((cell) => !(cell in CATALOGUE))).toEqual([]);
  });

  it('lists every metric', () => {
    const metrics = readFileSync(join(root, 'src/observe/metrics.ts'), 'utf8');
    const names = [...metrics.matchAll(/(?:counter|gauge|histogram)\('([a-z_]+)'|name: 'patchwire_([a-z_]+)'/g)].map(
      ([, a, b]) => `patchwire_${a ?? b}`,
    );
    expect(names.length).toBeGreaterThan(20);
    expect(firstCells.filter((cell) => cell.startsWith('patchwire_')).toSorted()).toEqual(names.toSorted());
  });

  it('uses only error codes that the catalogue has', () => {
    const used = new Set(sources.flatMap((text) => [...text.matchAll(/PW-[CSMWI][0-9]{3}/g)].map(([code]) => code)));
    expect([...used].filter((code) => !(code in CATALOGUE))).toEqual([]);
  });

  it('lists every key of the configuration, and no other', () => {
    const walk = (path: readonly (string | number)[], name: string): string[] => {
      if (takesAnyName(path)) {
        return walk([...path, 'x'], `${name}.<name>`);
      }
      if (takesIndex(path) && name === 'tables') {
        return walk([...path, 0], `${name}[]`);
      }
      const keys = /^tables\[\]\.(?:columns$|shape\..*\.(?:hash|mask)$)/.test(name) ? [] : knownKeys(path);
      return keys.length === 0 ? [name] : keys.flatMap((key) => walk([...path, key], name === '' ? key : `${name}.${key}`));
    };
    const documented = firstCells.filter((cell) =>
      /^(sources|manager|checkpoint|batch|limits|tables|shaping|daemon|http|log)[.[]/.test(cell),
    );
    expect(documented.toSorted()).toEqual(walk([], '').toSorted());
  });
});
