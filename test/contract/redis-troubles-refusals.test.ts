/** Redis that takes no writes, is slow, or is gone and comes back: nothing is written meanwhile, nothing is read of SQL Server, and all is equal by itself afterwards. */
import { randomBytes } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/daemon-process.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { type TroubledWorld, troubled } from './redis-troubles-world.ts';

let server: TestServer;
let redis: PrivateTestRedis;
let here: TroubledWorld;

beforeAll(async () => {
  // A restart takes 20 ms for every key, until that is set to 0, and answers meanwhile: LOADING.
  const loading = ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024'];
  [server, redis] = await Promise.all([startServer(), privateTestRedis({ args: ['--lua-time-limit', '5', ...loading] })]);
  here = await troubled(server, redis);
});

afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
  await server?.close();
});

/** Everything of the section but its lease, as it is stored; null while Redis does not say. */
async function stored(): Promise<string | null> {
  try {
    const meta = await redis.raw.hgetall(here.keys.meta);
    const index = await redis.raw.hgetall(here.keys.index);
    return JSON.stringify([meta['tip'], meta['seq'], meta['checkpoint'], Object.entries(index).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  } catch {
    return null;
  }
}

async function moments(n: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, n));
}

interface Refusal {
  readonly name: string;
  readonly codes: readonly string[];
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
}

const set = (name: string, value: string) => () => redis.raw.config('SET', name, value);
const dump = (): string => join(redis.server.folder, 'dump.rdb');

const REFUSALS: readonly Refusal[] = [
  { name: 'OOM', codes: ['PW-M310'], begin: set('maxmemory', '1'), end: set('maxmemory', '0') },
  {
    name: 'NOREPLICAS',
    codes: ['PW-M310'],
    begin: set('min-replicas-to-write', '1'),
    end: set('min-replicas-to-write', '0'),
  },
  {
    name: 'READONLY',
    codes: ['PW-M310'],
    begin: () => redis.raw.replicaof('127.0.0.1', 1),
    end: () => redis.raw.replicaof('NO', 'ONE'),
  },
  {
    name: 'MASTERDOWN',
    codes: ['PW-M310'],
    begin: async () => {
      await redis.raw.config('SET', 'replica-serve-stale-data', 'no');
      await redis.raw.replicaof('127.0.0.1', 1);
    },
    end: async () => {
      await redis.raw.replicaof('NO', 'ONE');
      await redis.raw.config('SET', 'replica-serve-stale-data', 'yes');
    },
  },
  {
    name: 'MISCONF',
    codes: ['PW-M310'],
    begin: async () => {
      // A folder of the dump's name: no dump can be written.
      await mkdir(dump());
      await redis.raw.config('SET', 'save', '3600 1000000');
      await redis.raw.bgsave();
      await until('a dump that failed', async () => /rdb_last_bgsave_status:err/.test(await redis.raw.info('persistence')));
    },
    end: async () => {
      await rmdir(dump());
      await redis.raw.config('SET', 'save', '');
      await redis.raw.bgsave();
      await until('a dump', async () => /rdb_last_bgsave_status:ok/.test(await redis.raw.info('persistence')));
    },
  },
  {
    name: 'BUSY',
    codes: ['PW-M310', 'PW-M311', 'PW-M301'],
    begin: async () => {
      const foreign = redis.raw.duplicate({ enableReadyCheck: false });
      foreign.on('error', () => undefined);
      void foreign.eval('while true do end', 0).then(
        () => foreign.disconnect(),
        () => foreign.disconnect(),
      );
      await until(
        'a Redis that is busy',
        async () =>
          await redis.raw.ping().then(
            () => false,
            () => true,
          ),
      );
    },
    end: () => redis.raw.script('KILL'),
  },
];

describe('Redis that takes no writes', () => {
  it.each(REFUSALS.map((refusal) => [refusal.name, refusal] as const))(
    'C8: %s: nothing is written or read, it is told, and all is equal by itself afterwards',
    async (name, { codes, begin, end }) => {
      const { length } = here.items.events.filter(({ type }) => type === 'reset');
      const [epoch, lines] = [await here.epoch(), here.lines.length];
      await begin();
      try {
        const before = await stored();
        await here.change();
        const { phase, trouble, totals } = await here.inTrouble(...codes);
        expect(phase).toBe('retrying');
        expect(trouble?.message).not.toBe('');
        await moments(400);
        const { status } = here;
        expect(status.phase).toBe('retrying');
        // Polling waits, and nobody asks Redis over and over.
        expect(status.totals.windows - totals.windows).toBeLessThanOrEqual(1);
        expect(status.totals.errors - totals.errors).toBeLessThan(8);
        expect(await stored()).toBe(before);
      } finally {
        await end();
      }
      await here.endsEqual();
      expect(await here.epoch()).toBe(epoch);
      expect(here.items.events.filter(({ type }) => type === 'reset')).toHaveLength(length);
      const told = here.lines.slice(lines).filter(({ level }) => level === 'warn' || level === 'error');
      expect(told.length).toBeLessThanOrEqual(6);
      expect(JSON.stringify(told)).toContain(name === 'BUSY' ? 'PW-M3' : name);
      expect(here.status).toMatchObject({ phase: 'live', trouble: null });
    },
  );
});

describe('Redis that is slow or gone', () => {
  it('C2: that answers nothing for longer than a command may take: fate unknown, then equal', async () => {
    const epoch = await here.epoch();
    await here.change();
    await redis.raw.client('PAUSE', 1500, 'ALL');
    await here.inTrouble('PW-M311', 'PW-M301');
    await here.endsEqual();
    expect(await here.epoch()).toBe(epoch);
  });

  it('C8: that answers late, but in time: everything comes, later', async () => {
    const epoch = await here.epoch();
    const pauses = (async () => {
      for (let n = 0; n < 10; n += 1) {
        await redis.raw.client('PAUSE', 60, 'ALL');
        await redis.raw.ping();
      }
    })();
    for (let n = 0; n < 5; n += 1) {
      await here.change();
    }
    await here.endsEqual();
    await pauses;
    expect(await here.epoch()).toBe(epoch);
  });

  it('C8: that is gone, and loads its dump for long when it is back (LOADING): waited for, and equal', async () => {
    for (let n = 0; n < 400; n += 1) {
      // Nothing that a dump could compress.
      await redis.raw.set(`filler:${n}`, randomBytes(200).toString('hex'));
    }
    await redis.raw.save();
    await redis.kill();
    await here.inTrouble('PW-M301', 'PW-M311');
    await here.change();
    const { totals } = here.status;
    await moments(500);
    const lines = here.lines.length;
    const started = redis.start();
    await until('that it is loading is told', () => JSON.stringify(here.lines.slice(lines)).includes('LOADING'));
    expect(here.status.phase).toBe('retrying');
    expect(here.status.totals.windows).toBe(totals.windows);
    expect(here.status.totals.errors - totals.errors).toBeLessThan(12);
    const impatient = redis.raw.duplicate({ enableReadyCheck: false });
    impatient.on('error', () => undefined);
    await impatient.config('SET', 'key-load-delay', '0');
    impatient.disconnect();
    await started;
    await here.endsEqual();
  });
});
