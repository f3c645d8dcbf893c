/** The private redis-server of tests and demo. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, vi } from 'vitest';
import { findRedisServer, startPrivateRedis } from '../../src/demo/private-redis.ts';
import { privateTestRedis } from '../support/redis.ts';

it('answers on a port of its own and leaves nothing behind', async () => {
  const redis = await startPrivateRedis();
  const client = new Redis(redis.url, { protocol: 2 });
  expect(await client.ping()).toBe('PONG');
  client.disconnect();
  expect(existsSync(redis.folder)).toBe(true);
  await redis[Symbol.asyncDispose]();
  expect(redis.running).toBe(false);
  expect(existsSync(redis.folder)).toBe(false);
  await redis[Symbol.asyncDispose]();
});

it('two run beside each other', async () => {
  await using first = await startPrivateRedis();
  await using second = await startPrivateRedis();
  expect(first.port).not.toBe(second.port);
  expect(first.folder).not.toBe(second.folder);
});

it('stops, starts again on its port, and goes back to an older dump', async () => {
  await using redis = await privateTestRedis();
  await redis.raw.set('a', '1');
  await redis.save('old.rdb');
  await redis.raw.set('a', '2');
  await redis.stop();
  expect(redis.server.running).toBe(false);
  await redis.restartFrom('old.rdb');
  expect(await redis.raw.get('a')).toBe('1');
  await redis.kill();
  await redis.start();
  expect(await redis.raw.ping()).toBe('PONG');
});

it('server and folder are gone when their process is killed', async () => {
  const module = new URL('../../src/demo/private-redis.ts', import.meta.url).href;
  const code = `import { startPrivateRedis } from '${module}';
    const redis = await startPrivateRedis();
    console.log(JSON.stringify({ port: redis.port, folder: redis.folder }));`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (data: Buffer) => resolve(data.toString('utf8'))));
  const { port, folder } = JSON.parse(line) as { port: number; folder: string };
  const client = new Redis({ port, protocol: 2, retryStrategy: () => null });
  client.on('error', () => undefined);
  expect(await client.ping()).toBe('PONG');
  const closed = new Promise((resolve) => client.once('end', resolve));
  child.kill('SIGKILL');
  await closed;
  await vi.waitFor(() => expect(existsSync(folder)).toBe(false), 20_000);
});

it('says what the server said when it does not start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'patchwire-test-'));
  const binary = join(folder, 'redis-server');
  await writeFile(binary, '#!/bin/sh\necho no such luck\nexit 3\n');
  await chmod(binary, 0o755);
  await expect(startPrivateRedis({ binary })).rejects.toMatchObject({ code: 'PW-M301', details: { said: 'no such luck\n' } });
  await expect(startPrivateRedis({ binary: join(folder, 'absent') })).rejects.toMatchObject({ code: 'PW-M301' });
  await rm(folder, { recursive: true });
});

it('looks for the server by name first, then on the PATH', () => {
  expect(findRedisServer({ PATCHWIRE_REDIS_SERVER: '/x/y', PATH: '/usr/bin' })).toBe('/x/y');
  expect(findRedisServer({ PATH: '/nowhere' })).toBeNull();
});
