/** The package as a user gets it: packed, installed into an empty folder, its entries imported, its README's example run. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { startPrivateRedis } from '../../src/demo/private-redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder('package');

async function inFolder(command: string, ...args: readonly string[]): Promise<string> {
  // Strict: a dependency that this Node is too old for fails the install.
  const env = { ...process.env, npm_config_engine_strict: 'true' };
  const { stdout } = await run(command, [...args], { cwd: folder, timeout: 120_000, env });
  return stdout;
}

beforeAll(async () => {
  await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  await inFolder('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`);
});

describe('the package', () => {
  it('has what its README names', () => {
    const there = [
      'dist/main.js',
      'sql/enable.sql',
      'docker/Dockerfile',
      'docker/patchwire.service',
      'src/subscriber/examples/lru-cache.mjs',
      'src/subscriber/SPEC.md',
      'src/wire/README.md',
      'src/wire/messages.schema.json',
      'src/wire/python/patchwire_subscriber.py',
      'cdc.config.yaml',
      'README.md',
      'LICENSE',
    ];
    expect(there.filter((name) => !existsSync(join(folder, 'node_modules/patchwire', name)))).toEqual([]);
  });

  it('has a command', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string };
    expect((await inFolder('npx', '--no-install', 'patchwire', '--version')).trim()).toBe(version);
  });

  it('has five entries with their types', async () => {
    const names =
      'console.log([typeof a.createDaemon, typeof b.subscribe, typeof c.startSandbox, typeof d.scriptedPublisher, typeof e.freshCache].join())';
    const imports =
      "import * as a from 'patchwire'; import * as b from 'patchwire/subscriber'; import * as c from 'patchwire/sandbox'; import * as d from 'patchwire/subscriber/testing'; import * as e from 'patchwire/subscriber/adapters';";
    expect((await inFolder('node', '--input-type=module', '-e', `${imports} ${names}`)).trim()).toBe(
      'function,function,function,function,function',
    );
    writeFileSync(
      join(folder, 'use.ts'),
      `${imports}\nexport const all: readonly unknown[] = [a.createDaemon, b.subscribe, c.startSandbox, d.scriptedPublisher, e.freshCache];\n`,
    );
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable'];
    await inFolder(
      'node',
      join(root, 'node_modules/typescript/bin/tsc'),
      ...options,
      '--typeRoots',
      join(root, 'node_modules/@types'),
      '--types',
      'node',
      'use.ts',
    );
  });

  it("runs the README's test with the scripted publisher", async () => {
    const readme = readFileSync(join(folder, 'node_modules/patchwire/README.md'), 'utf8');
    const [, example] = /```js\n(\/\/ cache\.test\.mjs[^]*?)```/u.exec(readme) ?? [];
    mkdirSync(join(folder, 'cache'));
    writeFileSync(join(folder, 'cache/cache.test.mjs'), example ?? '');
    await using redis = await startPrivateRedis();
    const { stdout } = await run('node', ['--test', '--test-reporter=tap', 'cache/cache.test.mjs'], {
      cwd: folder,
      timeout: 120_000,
      env: { ...process.env, TEST_REDIS: redis.url },
    });
    expect(stdout).toMatch(/^# pass 1$/mu);
  });

  it("runs the README's test against the sandbox", async () => {
    const readme = readFileSync(join(folder, 'node_modules/patchwire/README.md'), 'utf8');
    const [, example] = /```js\n(\/\/ orders\.test\.mjs[^]*?)```/u.exec(readme) ?? [];
    mkdirSync(join(folder, 'example'));
    writeFileSync(join(folder, 'example/orders.test.mjs'), example ?? '');
    expect(await inFolder('node', '--test', '--test-reporter=tap', 'example/orders.test.mjs')).toMatch(/^# pass 1$/mu);
  });
});
