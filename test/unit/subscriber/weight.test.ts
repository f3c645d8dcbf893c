/** What a program takes on by subscribing: which modules are loaded, and how large they are. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { CATALOGUE, type ErrorCode } from '../../../src/model/error-catalogue.ts';
import { READER_CODES } from '../../../src/model/failure.ts';
import { IMPORT_TABLE } from '../../support/import-table.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const entry = `${root}src/subscriber/index.ts`;
const DEPENDENCIES = ['ioredis', 'fast-json-patch', 'lru-cache'];

/** Names every file that node loads: modules as the loader meets them, and what was required, at the end. */
const HOOK = `
  import { writeSync } from 'node:fs';
  export async function load(url, context, next) { writeSync(1, url + '\\n'); return next(url, context); }`;
const SCRIPT = `
  import { createRequire, register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(HOOK)}));
  await import(${JSON.stringify(entry)});
  for (const file of Object.keys(createRequire(import.meta.url).cache)) console.log('file://' + file);`;

function loaded(): string[] {
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', SCRIPT], { cwd: root, encoding: 'utf8' });
  const files = output.split('\n').filter((line) => line.startsWith('file://'));
  return [...new Set(files.map((url) => url.replace(/[?#].*$/u, '').replace(`file://${root}`, '')))];
}

/** The codes that files of a folder name as texts. The file of exported checkpoints is the daemon's. */
function codesIn(folder: string): ErrorCode[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !['exported-sections.ts', 'redis-replies.ts'].includes(file))
    .flatMap((file) => [...readFileSync(folder + file, 'utf8').matchAll(/'(PW-[A-Z]\d+)'/gu)].map(([, code]) => code as ErrorCode));
}

describe('importing patchwire/subscriber', () => {
  it('loads only what a subscriber needs: no daemon, no driver of SQL Server', () => {
    const files = loaded();
    const ours = files.filter((file) => file.startsWith('src/'));
    expect(ours).toContain('src/subscriber/index.ts');
    const allowed = ['subscriber', ...(IMPORT_TABLE['subscriber']?.folders ?? [])];
    expect(ours.filter((file) => !allowed.includes(file.split('/')[1] ?? ''))).toEqual([]);
    // The catalogue of all errors is the daemon's.
    expect(ours).not.toContain('src/model/error-catalogue.ts');
    expect(files.some((file) => file.includes('/zod/'))).toBe(false);

    const packages = new Set(files.flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//u.exec(file)?.[1] ?? []));
    expect(packages).toContain('fast-json-patch');
    // The Redis client comes with the first subscription.
    for (const name of ['ioredis', 'mssql', 'tedious', 'pino', 'fastify', 'commander', 'prom-client', 'yaml']) {
      expect(packages).not.toContain(name);
    }
  });

  it('knows the class of every error that a subscriber makes, without the catalogue', () => {
    const made = new Set(['subscriber', 'wire'].flatMap((folder) => codesIn(`${root}src/${folder}/`)));
    expect(made.size).toBeGreaterThan(10);
    for (const code of made) {
      expect([code, READER_CODES[code] ?? 'never']).toEqual([code, CATALOGUE[code].retry]);
    }
  });

  it('adds at most 40 KiB to what a program loads at its start, minified, without its dependencies, and 70 KiB in all', async () => {
    const { outputFiles, metafile } = await build({
      ...{ entryPoints: [entry], bundle: true, minify: true, format: 'esm', platform: 'node', write: false, metafile: true },
      ...{ packages: 'external', splitting: true, outdir: 'out' },
    });
    const outputs = Object.entries(metafile.outputs);
    const packages = outputs.flatMap(([, { imports }]) => imports.filter(({ external }) => external).map(({ path }) => path));
    expect([...new Set(packages)].filter((path) => !path.startsWith('node:')).toSorted()).toEqual(DEPENDENCIES.toSorted());

    // What speaks to Redis comes with the first subscription; handlers, stored replicas, a cluster when they are used.
    const sizes = new Map(outputFiles.map(({ path, contents }) => [relative(process.cwd(), path), contents.length]));
    const needed = new Set<string>();
    const need = (path: string): void => {
      if (!needed.has(path)) {
        needed.add(path);
        metafile.outputs[path]?.imports.filter(({ kind }) => kind === 'import-statement').forEach((item) => need(item.path));
      }
    };
    outputs.filter(([, { entryPoint }]) => entryPoint?.endsWith('src/subscriber/index.ts')).forEach(([path]) => need(path));
    const bytes = [...needed].reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0);
    expect(bytes).toBeGreaterThan(20 * 1024);
    expect(bytes).toBeLessThanOrEqual(40 * 1024);
    expect([...sizes.values()].reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(70 * 1024);
  });
});
