import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT_CODE_TABLE } from '../../src/cli/exit-codes.ts';
import { buildProgram } from '../../src/cli/program.ts';
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

  it('lists every command with its options, and no other', () => {
    const commands = new Map<string, readonly string[]>();
    const walk = (command: Command, path: string): void => {
      if (command.commands.length === 0) {
        commands.set(
          path,
          command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => long ?? []),
        );
      }
      command.commands.forEach((inner) => walk(inner, `${path} ${inner.name()}`));
    };
    walk(
      buildProgram(() => undefined),
      'patchwire',
    );
    // Several rows may be about one command.
    const rows = [...readme.matchAll(/^\| `(patchwire [^`]+)` +\|(.*)\|$/gm)].map(([, head = '', rest = '']) => ({
      name: [...commands.keys()].filter((name) => head === name || head.startsWith(`${name} `)).toSorted((a, b) => b.length - a.length)[0],
      head,
      options: [...`${head} ${rest}`.matchAll(/--[a-z-]+/gu)].map(([option]) => option),
    }));
    expect(rows.filter(({ name }) => name === undefined).map(({ head }) => head)).toEqual([]);
    // What many commands have stands below the table; the last is for the completion script alone.
    const shared = new Set([...(/^Every command has .*$/mu.exec(readme)?.[0] ?? '').matchAll(/--[a-z-]+/gu)].map(([option]) => option));
    const told = new Set([...shared, '--complete']);
    const missing = [...commands].flatMap(([name, options]) => {
      const own = rows.filter((row) => row.name === name);
      const text = own.flatMap((row) => row.options);
      return own.length === 0
        ? [name]
        : options.filter((option) => !text.includes(option) && !told.has(option)).map((option) => `${name} ${option}`);
    });
    expect(missing).toEqual([]);
    const every = new Set([...commands.values()].flat());
    expect(rows.flatMap(({ options }) => options).filter((option) => !every.has(option))).toEqual([]);
  });

  it('lists every endpoint and every exit code, and no other', () => {
    const served = sources.flatMap((text) => [...text.matchAll(/\bserver\.(get|post|put|delete)\('([^']+)'/gu)]);
    expect(served.length).toBeGreaterThan(2);
    expect(firstCells.filter((cell) => /^(?:GET|POST|PUT|DELETE) /u.test(cell)).toSorted()).toEqual(
      served.map(([, method = '', path = '']) => `${method.toUpperCase()} ${path}`).toSorted(),
    );
    const [, table = ''] = readme.split('| exit code |');
    const codes = [...(table.split('\n\n')[0] ?? '').matchAll(/^\| ([0-9, ]+?) +\|/gmu)].flatMap(([, cell = '']) =>
      cell.split(', ').map(Number),
    );
    // 143 is told beside 130.
    expect(codes).toEqual([...EXIT_CODE_TABLE.map(({ code }) => code), 143]);
  });

  it('links only to files that are there', () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/gu)].map(([, file = '']) => file);
    expect(links.filter((file) => !existsSync(join(root, file)))).toEqual([]);
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
      /^(sources|manager|checkpoint|batch|limits|quarantine|tables|shaping|daemon|http|log)[.[]/.test(cell),
    );
    expect(documented.toSorted()).toEqual(walk([], '').toSorted());
  });
});
