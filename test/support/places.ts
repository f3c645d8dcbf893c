/** The redis-server and the SQL Server of a test file: there before its first test, gone after its last. */
import { afterAll, beforeAll } from 'vitest';
import { testRedis, type TestRedis } from './redis.ts';
import type { TestServer } from './sandbox.ts';

export interface Places<S extends TestServer> {
  readonly redis: TestRedis;
  readonly server: S;
}

/** Both are to be asked for within tests and hooks only: they are not there before. */
export function testPlaces<S extends TestServer>(start: () => Promise<S>): Places<S> {
  let redis: TestRedis | undefined;
  let server: S | undefined;
  beforeAll(async () => {
    redis = await testRedis();
    server = await start();
  });
  afterAll(async () => {
    await server?.close();
    await redis?.flush();
    await redis?.[Symbol.asyncDispose]();
  });
  const there = <T>(place: T | undefined): T => {
    if (place === undefined) {
      throw new Error('asked for before the tests of the file have begun');
    }
    return place;
  };
  return {
    get redis(): TestRedis {
      return there(redis);
    },
    get server(): S {
      return there(server);
    },
  };
}
