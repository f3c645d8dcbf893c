/** Daemons and subscribers killed, stopped, and put to sleep. */
import type { Action, Drawn } from './action.ts';
import { lasting } from './action.ts';
import { sleep } from './waiting.ts';
import type { Daemon, Subscriber } from './programs.ts';
import { LEASE_MS, type World } from './world.ts';

const daemonOf = (world: World, { daemon }: Drawn): Daemon => world.daemons[daemon]!;
const subscriberOf = (world: World, { subscriber }: Drawn): Subscriber => world.subscribers[subscriber % world.subscribers.length]!;
const daemonLock = ({ daemon }: Drawn): string[] => [`daemon ${daemon}`];
const subscriberLock = ({ subscriber }: Drawn): string[] => [`subscriber ${subscriber}`];

export const PROCESS_ACTIONS: readonly Action[] = [
  {
    name: 'daemon: kill -9',
    locks: daemonLock,
    run: async (world, drawn) => {
      await daemonOf(world, drawn).kill();
      await sleep(lasting(drawn, 0, LEASE_MS * 1.5));
      daemonOf(world, drawn).start();
      return 'done';
    },
  },
  {
    name: 'daemon: SIGTERM, restart',
    locks: daemonLock,
    run: async (world, drawn) => {
      await daemonOf(world, drawn).stop();
      await sleep(lasting(drawn, 0, 1000));
      daemonOf(world, drawn).start();
      return 'done';
    },
  },
  {
    name: 'daemon: asleep beyond its lease',
    locks: daemonLock,
    run: async (world, drawn) => {
      daemonOf(world, drawn).pause();
      await sleep(lasting(drawn, LEASE_MS + 500, 2 * LEASE_MS));
      daemonOf(world, drawn).resume();
      return 'done';
    },
  },
  {
    name: 'daemons: both kill -9',
    locks: () => ['daemon 0', 'daemon 1'],
    run: async (world, drawn) => {
      await Promise.all(world.daemons.map((daemon) => daemon.kill()));
      await sleep(lasting(drawn, 0, 3000));
      world.daemons.forEach((daemon) => daemon.start());
      return 'done';
    },
  },
  {
    name: 'subscriber: asleep',
    locks: subscriberLock,
    run: async (world, drawn) => {
      subscriberOf(world, drawn).pause();
      await sleep(lasting(drawn, 500, 5000));
      subscriberOf(world, drawn).resume();
      return 'done';
    },
  },
  {
    name: 'subscriber: kill -9',
    locks: subscriberLock,
    run: async (world, drawn) => {
      await subscriberOf(world, drawn).kill();
      await sleep(lasting(drawn, 0, 1000));
      subscriberOf(world, drawn).start();
      return 'done';
    },
  },
];
