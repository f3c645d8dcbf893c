// Compiles src/ into dist/ (declaration files included), makes the bin executable and writes the JSON Schema of the configuration. It compiles in a folder beside and swaps at the end, so
// that a program that runs from dist/ meanwhile goes on finding its files, and a failed build leaves the old one.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dist = `${root}dist`;
// Inside node_modules, so that neither git nor a linter sees them.
const fresh = `${root}node_modules/.patchwire-build-${process.pid}`;
const old = `${fresh}-old`;

mkdirSync(fresh, { recursive: true });
const config = `${fresh}/tsconfig.json`;
writeFileSync(
  config,
  JSON.stringify({
    extends: '../../tsconfig.json',
    compilerOptions: { rootDir: '../../src', outDir: '.', typeRoots: ['../@types'] },
    include: ['../../src'],
    exclude: [],
  }),
);
const { status } = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', config], { stdio: 'inherit', cwd: root });
rmSync(config, { force: true });
if (status === 0) {
  chmodSync(`${fresh}/main.js`, 0o755);
  // For editors: the first line of a configuration names it.
  const { configJsonSchema } = await import(`${fresh}/config/json-schema.js`);
  writeFileSync(`${fresh}/patchwire.schema.json`, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  if (existsSync(dist)) {
    renameSync(dist, old);
  }
  renameSync(fresh, dist);
}
rmSync(fresh, { recursive: true, force: true });
rmSync(old, { recursive: true, force: true });
process.exitCode = status ?? 1;
