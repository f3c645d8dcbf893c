/** The private redis-server of tests and demo. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
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
