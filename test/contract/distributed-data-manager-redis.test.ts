/** The contract over a Redis. */
import { afterAll, beforeAll } from 'vitest';
import { type TestRedis, testRedis } from '../support/redis.ts';
import { distributedDataManagerContract } from './distributed-data-manager.ts';
import { redisBench } from './distributed-data-manager-benches.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await testRedis();
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
});

distributedDataManagerContract('redis', () => redisBench(redis));
