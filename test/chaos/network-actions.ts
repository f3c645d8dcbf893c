/** What happens on the lines: cut, half-open, slow; to Redis (of a daemon or a subscriber) and to SQL Server (of a daemon). */
import type { Action, Drawn } from './action.ts';
import { lasting } from './action.ts';
import type { Proxy } from './proxy.ts';
import { sleep } from './waiting.ts';
import type { World } from './world.ts';

function redisLine(world: World, { toDaemon, daemon, subscriber }: Drawn): Proxy {
  return (toDaemon ? world.daemons[daemon] : world.subscribers[subscriber % world.subscribers.length])!.redis;
}

const redisLock = ({ toDaemon, daemon, subscriber }: Drawn): string[] => [
  toDaemon ? `redis of daemon ${daemon}` : `redis of subscriber ${subscriber}`,
];
const sqlLine = (world: World, { daemon }: Drawn): Proxy => world.daemons[daemon]!.sql;
const sqlLock = ({ daemon }: Drawn): string[] => [`sql of daemon ${daemon}`];

function troubles(what: string, locks: Action['locks'], line: (world: World, drawn: Drawn) => Proxy): readonly Action[] {
  return [
    {
      name: `${what}: cut`,
      locks,
      run: async (world, drawn) => {
        const proxy = line(world, drawn);
        proxy.refuse();
        await sleep(lasting(drawn, 0, 2000));
        proxy.pass();
        return 'done';
      },
    },
    {
      name: `${what}: half-open`,
      locks,
      run: async (world, drawn) => {
        const proxy = line(world, drawn);
        proxy.halfOpen(drawn.direction);
        await sleep(lasting(drawn, 1000, 7000));
        proxy.pass();
        return 'done';
      },
    },
    {
      name: `${what}: delayed`,
      locks,
      run: async (world, drawn) => {
        const proxy = line(world, drawn);
        proxy.delay(lasting(drawn, 20, 400));
        await sleep(lasting(drawn, 1000, 4000));
        proxy.pass();
        return 'done';
      },
    },
  ];
}

export const NETWORK_ACTIONS: readonly Action[] = [
  ...troubles('line to Redis', redisLock, redisLine),
  ...troubles('line to SQL Server', sqlLock, sqlLine),
];
