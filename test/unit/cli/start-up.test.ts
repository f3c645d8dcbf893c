/** What the command line loads before it knows which command it runs: `--help`, completion and mistakes must not wait for drivers. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../../src/cli/program.ts', import.meta.url));

/** The packages that importing `file` loads, by the static imports of all that it imports. */
function packagesOf(file: string): readonly string[] {
  const seen = new Set([file]);
  const packages = new Set<string>();
  for (const path of seen) {
    const text = readFileSync(path, 'utf8');
    for (const [, name = ''] of text.matchAll(/^(?:import|export)\s(?!type\b)(?:[^'";]*?\sfrom\s)?'([^']+)';/gmu)) {
      const target = resolve(dirname(path), name);
      if (name.startsWith('.')) {
        seen.add(target);
      } else if (!name.startsWith('node:')) {
        packages.add(name);
      }
    }
  }
  return [...packages].toSorted();
}

it('starts without a driver, a server or the sandbox', () => {
  expect(packagesOf(PROGRAM)).toEqual(['commander', 'yaml', 'zod']);
});

it('listens to signals before anything is loaded: the bin imports nothing statically', () => {
  expect(readFileSync(MAIN, 'utf8')).not.toMatch(/^import\s/mu);
});
