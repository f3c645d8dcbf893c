/** What happens to Redis itself. All take the lock `redis`: one Redis has one trouble at a time, whatever happens around it. */
import type { Action } from './action.ts';
import { lasting } from './action.ts';
import { sleep } from './waiting.ts';

const locks = (): string[] => ['redis'];

export const REDIS_ACTIONS: readonly Action[] = [
  {
    name: 'redis: killed, restarted with its data',
    locks,
    run: async ({ redis }, drawn) => {
      await redis.kill();
      await sleep(lasting(drawn, 0, 3000));
      await redis.restart();
      return 'done';
    },
  },
  {
    name: 'redis: killed, restarted empty',
    locks,
    run: async ({ redis }, drawn) => {
      await redis.kill();
      await sleep(lasting(drawn, 0, 1000));
      await redis.restartEmpty();
      return 'done';
    },
  },
  {
    name: 'redis: killed, restarted with an old dump',
    locks,
    run: async (world, drawn, memory) => {
      const { redis } = world;
      const { dump } = memory;
      if (dump === null) {
        return 'skipped';
      }
      if (dump.history !== world.history) {
        // What subscribers claim from now on is of versions of the database before, until the daemon has found out.
        world.forgetMarks();
      }
      await redis.kill();
      await sleep(lasting(drawn, 0, 1000));
      await redis.restartFrom(dump.file);
      return 'done';
    },
  },
  {
    name: 'redis: a replica without the last writes takes over',
    locks,
    run: async ({ redis }, drawn) => {
      const replica = await redis.follow();
      replica.cutOff();
      // What is written from now on, the replica never gets.
      await sleep(lasting(drawn, 300, 3000));
      await replica.promote();
      return 'done';
    },
  },
  {
    name: 'redis: no memory left',
    locks,
    run: async ({ redis }, drawn) => {
      await redis.client.config('SET', 'maxmemory', '1mb');
      await sleep(lasting(drawn, 500, 3000));
      await redis.client.config('SET', 'maxmemory', '0');
      return 'done';
    },
  },
  {
    name: 'redis: clients killed',
    locks,
    run: async ({ redis }, drawn) => {
      for (let times = lasting(drawn, 1, 4); times > 0; times -= 1) {
        await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await sleep(200);
      }
      return 'done';
    },
  },
  {
    name: 'redis: asleep',
    locks,
    run: async ({ redis }, drawn) => {
      redis.process?.pause();
      await sleep(lasting(drawn, 500, 4000));
      redis.process?.resume();
      return 'done';
    },
  },
];
