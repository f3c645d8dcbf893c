// Compiles src/ into dist/ (declaration files included) and makes the bin executable.
// tsc is told to see src/ only, so that dist/main.js stands where package.json's "bin" points.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
mkdirSync(`${root}dist`, { recursive: true });
const config = `${root}dist/tsconfig.build.json`;
writeFileSync(
  config,
  JSON.stringify({ extends: '../tsconfig.json', compilerOptions: { rootDir: '../src', outDir: '.' }, include: ['../src'], exclude: [] }),
);
const result = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', config], { stdio: 'inherit', cwd: root });
rmSync(config, { force: true });
if (result.status === 0) {
  chmodSync(`${root}dist/main.js`, 0o755);
}
process.exitCode = result.status ?? 1;
