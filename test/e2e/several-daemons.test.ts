/**
 * Two and three daemons as processes, six sections, writers all the time: shares become even when one joins or leaves and then stand still, a
 * clean stop and a kill -9 hand over, a daemon that was stopped beyond its lease cannot write. No subscriber ever loads anew. Prints how long
 * a failover took.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { leasesJson } from '../../src/cli/commands/leases.ts';
import type { DaemonEntry } from '../../src/manager/daemon-registry.ts';
import { type DaemonProcess, daemonWorld, type DaemonWorld, type FollowedReplica, until } from '../support/daemon-process.ts';
import type { TableShape } from '../support/equality.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';

/** Three times what a busy machine may keep a process from running: shorter ones are lost there. */
const LEASE_MS = 3000;
const SHAPES: readonly TableShape[] = Array.from({ length: 6 }, (_, i) => ({
  table: `dbo.T${i}`,
  section: `t${i}`,
  key: ['Id'],
  columns: { Id: 'plain', N: 'plain' },
}));

let redis: PrivateTestRedis;
let server: TestServer;
let world: DaemonWorld;
let listener: Redis;
let followed: readonly FollowedReplica[];
let writing: { stop(): Promise<void>; readonly written: number };

/** What came on a section's channel last, and who sent the first message after `from` fell silent. */
interface Heard {
  by: string;
  atMs: number;
}
const heard = new Map<string, Heard>();
/** Gaps between the last message of one daemon and the first of the next, in ms, since the test began to measure. */
let gaps: { readonly section: string; readonly ms: number }[] = [];

/** Section → id of its last message; and messages that do not follow the one before: somebody wrote who does not lead. */
const chain = new Map<string, string>();
const breaks: string[] = [];

beforeAll(async () => {
  redis = await privateTestRedis();
  server = await startServer();
  const database = await server.freshDatabase();
  world = daemonWorld({ database, redis, tables: SHAPES.map((shape) => ({ shape })), lease: `${LEASE_MS}ms` });
  for (const { table } of SHAPES) {
    await world.sql(
      `CREATE TABLE ${table} (Id int NOT NULL PRIMARY KEY, N int NOT NULL)`,
      `ALTER TABLE ${table} ENABLE CHANGE_TRACKING`,
      `INSERT INTO ${table} VALUES ${Array.from({ length: 20 }, (_, i) => `(${i}, 0)`).join(', ')}`,
    );
  }
  listener = new Redis(redis.url, { protocol: 2 });
  listener.on('pmessage', (_pattern: string, _channel: string, text: string) => {
    if (text === '') {
      // The self-test of a daemon that starts, on a channel of its own.
      return;
    }
    const { section, managerId, id, prevId } = JSON.parse(text) as Record<'section' | 'managerId' | 'id' | 'prevId', string>;
    if (id !== undefined) {
      if (chain.has(section) && chain.get(section) !== prevId) {
        breaks.push(text);
      }
      chain.set(section, id);
    }
    const before = heard.get(section);
    const atMs = performance.now();
    if (before !== undefined && before.by !== managerId) {
      gaps.push({ section, ms: atMs - before.atMs });
    }
    heard.set(section, { by: managerId, atMs });
  });
  await listener.psubscribe(`__dataChanged:{${world.partition}:*`);
});

afterAll(async () => {
  await writing?.stop();
  listener?.disconnect();
  await world?.close();
  await server?.close();
  await redis?.[Symbol.asyncDispose]();
});

/** One row of every table, again and again. */
function write(): typeof writing {
  let going = true;
  const counts = { written: 0 };
  const run = (async () => {
    for (let n = 1; going; n += 1) {
      await world.sql(SHAPES.map(({ table }) => `UPDATE ${table} SET N = ${n} WHERE Id = ${n % 20}`).join('; '));
      counts.written += 1;
    }
  })();
  return {
    get written() {
      return counts.written;
    },
    stop: async () => {
      going = false;
      await run;
    },
  };
}

const registry = async (): Promise<ReadonlyMap<string, DaemonEntry & { readonly seenAt: number }>> => {
  const { revision: _, ...entries } = await world.raw.hgetall(`{${world.partition}}/daemons`);
  return new Map(Object.entries(entries).map(([id, text]) => [id, JSON.parse(text) as DaemonEntry & { seenAt: number }]));
};

/** Who holds each lease; '' where nobody does. */
async function holders(): Promise<readonly string[]> {
  return (await world.raw.mget(SHAPES.map(({ section }) => `{${world.partition}:${section}}/lease`))).map((id) => id ?? '');
}

async function idOf(daemon: DaemonProcess): Promise<string> {
  return await until('the daemon is announced', async () => {
    const found = [...(await registry())].find(([, { pid }]) => pid === daemon.cli.process.pid);
    return found?.[0];
  });
}

/** Waits until the leases are held like this: how many by each of these daemons. */
async function shared(counts: ReadonlyMap<DaemonProcess, number>): Promise<void> {
  const wanted = new Map<string, number>();
  for (const [daemon, count] of counts) {
    wanted.set(await idOf(daemon), count);
  }
  let last: readonly string[] = [];
  await until(`leases ${JSON.stringify([...counts.values()])}`, async () => {
    last = await holders();
    return [...wanted].every(([id, count]) => last.filter((holder) => holder === id).length === count);
  }).catch(async (error: unknown) => {
    throw new Error(`${String(error)}; the leases: ${last.join(', ')}; the daemons: ${JSON.stringify([...(await registry())])}`);
  });
}

/** Every daemon says ten times that it is alive, and nothing else: the shares stand still. */
async function standsStill(): Promise<void> {
  const before = await holders();
  const seen = new Map([...(await registry())].map(([id, { seenAt }]) => [id, { times: 0, seenAt }]));
  await until('ten announcements of each', async () => {
    for (const [id, { seenAt }] of await registry()) {
      const one = seen.get(id);
      if (one !== undefined && one.seenAt !== seenAt) {
        seen.set(id, { times: one.times + 1, seenAt });
      }
    }
    expect(await holders(), 'nobody gives or takes').toEqual(before);
    return [...seen.values()].every(({ times }) => times >= 10);
  });
}

/** The writers get on, and so does what is published. */
async function goesOn(): Promise<void> {
  const target = writing.written + 3;
  await until('more was written', () => writing.written >= target);
  await world.caughtUp();
}

const worst = (): number => Math.round(Math.max(...gaps.map(({ ms }) => ms)));

describe('several daemons', () => {
  let [first, second, third]: DaemonProcess[] = [];

  it('share the sections evenly when one joins, and then stand still', async () => {
    first = world.daemon();
    await world.caughtUp();
    followed = SHAPES.map(({ section }) => world.follow(section));
    writing = write();
    await shared(new Map([[first, 6]]));
    second = world.daemon();
    await shared(
      new Map([
        [first, 3],
        [second, 3],
      ]),
    );
    third = world.daemon();
    await shared(
      new Map([
        [first, 2],
        [second, 2],
        [third, 2],
      ]),
    );
    await standsStill();
    const { code, stdout } = await world.command('leases', '--json');
    expect(code).toBe(0);
    const { sections, daemons } = JSON.parse(stdout) as ReturnType<typeof leasesJson>;
    expect(daemons.map(({ led, standby, sections: known }) => ({ led, standby, known }))).toEqual(
      Array.from({ length: 3 }, () => ({ led: 2, standby: 4, known: 6 })),
    );
    const pids = [first, second, third].map(({ cli }) => cli.process.pid);
    for (const { leader, since, leaseLeftMs } of sections) {
      expect(pids).toContain(leader?.pid);
      expect(Date.parse(since ?? '')).toBeGreaterThan(0);
      expect(leaseLeftMs).toBeGreaterThan(0);
    }
    const metrics = (await third.get('/metrics')).body;
    expect(metrics).toContain('patchwire_daemons_alive 3\n');
    expect(metrics).toContain('patchwire_sections_led 2\n');
    expect(metrics).toContain('patchwire_sections_standby 4\n');
    await goesOn();
    process.stdout.write(`# moved while shares became even: ${gaps.length} times, at most ${worst()} ms between two messages\n`);
    // Five moves are needed; a process that the machine kept waiting may cost some more.
    expect(gaps.length).toBeLessThanOrEqual(2 * 5);
  });

  it('a clean stop hands over at once', async () => {
    const id = await idOf(third!);
    gaps = [];
    expect(await third!.stop()).toMatchObject({ code: 0 });
    await until('the others lead', async () => !(await holders()).some((holder) => holder === id || holder === ''));
    await until('and are heard', () => gaps.length >= 2);
    process.stdout.write(`# clean stop: ${worst()} ms between the last message of one daemon and the first of the next\n`);
    await shared(
      new Map([
        [first!, 3],
        [second!, 3],
      ]),
    );
    await goesOn();
  });

  it('after kill -9 another leads within the lease and a poll', async () => {
    const id = await idOf(second!);
    const led = (await holders()).filter((holder) => holder === id).length;
    gaps = [];
    await second!.kill();
    await until('the other leads', async () => (await holders()).every((holder) => holder !== id && holder !== ''));
    await until('and is heard', () => gaps.length >= led);
    process.stdout.write(`# kill -9, with a lease of ${LEASE_MS} ms: at most ${worst()} ms until the next daemon was heard\n`);
    await goesOn();
  });

  it('C3: a daemon that was stopped beyond its lease notices on waking, and cannot write', async () => {
    second = world.daemon();
    await shared(
      new Map([
        [first!, 3],
        [second, 3],
      ]),
    );
    const id = await idOf(first!);
    first!.cli.process.kill('SIGSTOP');
    await until('the other leads everything', async () => (await holders()).every((holder) => holder !== id && holder !== ''));
    await goesOn();
    const said = first!.cli.stdout.length;
    first!.cli.process.kill('SIGCONT');
    // Refused (PW-M305), or by its own time-outs first: either way it asks for the lead anew, and finds it held.
    await until('it stands by for all that it led', () => {
      const lines = first!.cli.stdout.slice(said).filter((line) => line.includes('standing by'));
      return SHAPES.filter(({ section }) => lines.some((line) => line.includes(`"section":"${section}"`))).length >= 3;
    });
    await shared(
      new Map([
        [first!, 3],
        [second, 3],
      ]),
    );
    await standsStill();
    await goesOn();
  });

  it('whoever followed has every change and never loaded anew', async () => {
    await writing.stop();
    expect(await world.differences()).toEqual([]);
    expect(breaks, 'what was published is one chain').toEqual([]);
    expect(chain.size).toBe(SHAPES.length);
    for (const { replica } of followed) {
      expect(replica.state().counters).toMatchObject({ reloads: 0, diverged: 0, invalid: 0 });
    }
    expect(await first!.stop()).toMatchObject({ code: 0 });
    expect(await second!.stop()).toMatchObject({ code: 0 });
    expect((await holders()).join(''), 'every lease was given back').toBe('');
    expect(await world.raw.exists(`{${world.partition}}/daemons`), 'nobody is left').toBe(0);
  });
});
