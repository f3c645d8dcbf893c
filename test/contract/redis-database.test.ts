import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { createLogger } from '../../src/observe/create-logger.ts';
import { testRedis } from '../support/redis.ts';

it('a database that Redis does not have is refused, and nothing is written to another one', async () => {
  const redis = await testRedis();
  onTestFinished(() => redis[Symbol.asyncDispose]());
  const manager = redisDataManager({
    url: `${redis.url}/9999`,
    partition: 'p',
    leaseMs: 1000,
    replay: { maxBytes: 1000, maxAgeMs: 1000 },
    commandTimeoutMs: 5000,
    clock: systemClock,
    logger: createLogger({ level: 'silent', pretty: false }),
  });
  onTestFinished(() => manager[Symbol.asyncDispose]());
  await expect(manager.open({ signal: new AbortController().signal })).rejects.toMatchObject({
    code: 'PW-M316',
    message: expect.stringContaining('database 9999') as string,
    hint: expect.stringContaining('url') as string,
  });
});
