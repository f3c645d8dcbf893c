import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { IMPORT_TABLE } from '../support/import-table.ts';
import { lintOverrides } from '../support/lint-overrides.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const src = join(root, 'src');

interface Import {
  readonly file: string;
  readonly target: string;
  readonly lazy: boolean;
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

/** The import lines of a file; targets of ours as paths below src/, packages by name. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  const found: Import[] = [];
  for (const [, specifier] of text.matchAll(/^\s*(?:import|export)\b[^'"();]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'/gm)) {
    found.push({ file, target: resolve(file, specifier ?? ''), lazy: false });
  }
  for (const [, specifier] of text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) {
    found.push({ file, target: resolve(file, specifier ?? ''), lazy: true });
  }
  return found.filter(({ target }) => target !== '');
}

function resolve(file: string, specifier: string): string {
  return specifier.startsWith('.') ? relative(src, join(src, dirname(file), specifier)) : specifier;
}

function isAllowed({ file, target, lazy }: Import): boolean {
  const [folder = ''] = file.split('/');
  const rule = IMPORT_TABLE[folder];
  if (rule === undefined || target.startsWith('node:') || target.startsWith(`${folder}/`)) {
    return true;
  }
  const allowed = [...rule.folders, ...(lazy ? (rule.lazily ?? []) : [])];
  if (target.includes('.ts')) {
    return allowed.some((entry) => target === entry || target.startsWith(`${entry}/`));
  }
  return Object.entries(rule.packages).some(([below, names]) => file.startsWith(join(folder, below)) && names.includes(target));
}

describe('the house', () => {
  it('has no import that the table does not allow', () => {
    const offences = files
      .filter((file) => file.includes('/'))
      .flatMap(importsOf)
      .filter((item) => !isAllowed(item))
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(offences).toEqual([]);
  });

  it('reads import lines well enough to find the ones that are there', () => {
    expect(importsOf('model/errors.ts').map(({ target }) => target)).toContain('model/error-catalogue.ts');
    expect(isAllowed({ file: 'model/x.ts', target: 'pipeline/lane.ts', lazy: false })).toBe(false);
    expect(isAllowed({ file: 'pipeline/lane.ts', target: 'source/sqlserver/reader.ts', lazy: false })).toBe(false);
    expect(isAllowed({ file: 'manager/memory/x.ts', target: 'ioredis', lazy: false })).toBe(false);
    expect(isAllowed({ file: 'cli/commands/demo.ts', target: 'demo/run.ts', lazy: false })).toBe(false);
    expect(isAllowed({ file: 'cli/commands/demo.ts', target: 'demo/run.ts', lazy: true })).toBe(true);
  });

  it('knows every folder', () => {
    const folders = readdirSync(src, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(Object.keys(IMPORT_TABLE).toSorted()).toEqual(folders.toSorted());
  });

  it('says the same to the linter', () => {
    const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as {
      overrides: { files: string[]; rules: Record<string, unknown> }[];
    };
    const restricted = config.overrides.filter(({ rules }) => 'no-restricted-imports' in rules);
    expect(restricted).toEqual(lintOverrides());
  });

  it('keeps process.exit to main.ts and console to cli/output.ts', () => {
    const offences = files.filter((file) => {
      const text = readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      return (file !== 'main.ts' && /\bprocess\.exit\(/.test(text)) || (file !== 'cli/output.ts' && /\bconsole\.\w+\(/.test(text));
    });
    expect(offences).toEqual([]);
  });
});
