/** docker/users.acl: the rights that the daemon and a reader need in Redis, and not one more. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { type Replica, subscribe } from '../../src/subscriber/index.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { distributedDataManagerContract } from './distributed-data-manager.ts';
import { redisBench } from './distributed-data-manager-benches.ts';
import { SectionWriter } from './subscriber-writer.ts';

/** The words of a user's line behind its name, for partitions that tests use. */
function rights(user: string): readonly string[] {
  const file = readFileSync(new URL('../../docker/users.acl', import.meta.url), 'utf8');
  const line = file.split('\n').find((text) => text.startsWith(`user ${user} `));
  if (line === undefined) {
    throw new Error(`docker/users.acl has no user ${user}`);
  }
  return line
    .replaceAll(/\{shop[:}]\*/gu, '{test-*')
    .split(' ')
    .slice(2);
}

const commandsOf = (user: string): readonly string[] => rights(user).flatMap((word) => (word.startsWith('+') ? [word.slice(1)] : []));

let redis: PrivateTestRedis;
beforeAll(async () => {
  redis = await privateTestRedis();
});
afterAll(async () => {
  await redis[Symbol.asyncDispose]();
});

async function urlFor(user: string, without?: string): Promise<string> {
  const words = rights(user).filter((word) => word !== `+${without}`);
  await redis.raw.call('ACL', 'SETUSER', user, 'reset', ...words);
  return redis.url.replace('redis://', `redis://${user}:Try-It-0nly!@`);
}

distributedDataManagerContract('redis, as the user patchwire of docker/users.acl', async () =>
  redisBench(redis, { url: await urlFor('patchwire') }),
);

async function open(url: string, invalidations: boolean = false): Promise<readonly string[]> {
  await using manager = redisDataManager({
    url,
    partition: redis.partition(),
    leaseMs: 60_000,
    replay: { maxBytes: 1e6, maxAgeMs: 1e6 },
    commandTimeoutMs: 10_000,
    invalidations,
    clock: systemClock,
  });
  return (await manager.open({ signal: AbortSignal.timeout(30_000) })).warnings;
}

/** What works without, and says so. */
const OPTIONAL = new Set(['info', 'client|setname']);

describe('C5: the self-test names what the daemon may not do', () => {
  it('has nothing to say when the line is whole', async () => {
    expect(await open(await urlFor('patchwire'))).toEqual([]);
  });

  it.each(commandsOf('patchwire').filter((command) => !OPTIONAL.has(command)))('without +%s it refuses to start', async (command) => {
    // Before 7.0 Redis names the command only, not its subcommand.
    const message = new RegExp(command.split('|')[0] ?? '', 'iu');
    await expect(open(await urlFor('patchwire', command))).rejects.toMatchObject({
      code: 'PW-M303',
      message: expect.stringMatching(message),
    });
  });

  it('without +info it warns of what it cannot know', async () => {
    const warnings = await open(await urlFor('patchwire', 'info'));
    expect(warnings).toEqual([expect.stringContaining('version'), expect.stringContaining('eviction policy')]);
  });

  it('without the channel of keys it refuses to start where it is to tell keys, and only there', async () => {
    await redis.raw.call(
      'ACL',
      'SETUSER',
      'patchwire',
      'reset',
      ...rights('patchwire').filter((right) => !right.startsWith('&__dataKeys:')),
    );
    const url = redis.url.replace('redis://', 'redis://patchwire:Try-It-0nly!@');
    expect(await open(url)).toEqual([]);
    await expect(open(url, true)).rejects.toMatchObject({ code: 'PW-M303', message: expect.stringMatching(/publish/iu) });
    expect(await open(await urlFor('patchwire'), true)).toEqual([]);
  });

  it('refuses another partition and another channel', async () => {
    const url = await urlFor('patchwire');
    await using manager = redisDataManager({
      url,
      partition: 'other',
      leaseMs: 60_000,
      replay: { maxBytes: 1e6, maxAgeMs: 1e6 },
      commandTimeoutMs: 10_000,
      clock: systemClock,
    });
    await expect(manager.open({ signal: AbortSignal.timeout(30_000) })).rejects.toMatchObject({ code: 'PW-M303' });
  });
});

describe('a reader', () => {
  it('follows a section, and may write nothing', async () => {
    const url = await urlFor('reader');
    const partition = redis.partition();
    await using writer = new SectionWriter(redis.url, partition);
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    await using replica = subscribe({ redis: url, partition, section: 'orders' });
    await replica.waitUntilLive({ timeoutMs: 30_000 });
    expect(replica.state()).toMatchObject({ equal: true, error: null });
    const client = new Redis(url, { protocol: 2 });
    onTestFinished(() => client.disconnect());
    for (const [command, ...args] of [
      ['SET', `{${partition}:orders}:1`, '{}'],
      ['DEL', `{${partition}:orders}/meta`],
      ['PUBLISH', `__dataChanged:{${partition}:orders}`, 'x'],
    ] as const) {
      await expect(client.call(command, ...args)).rejects.toThrow('NOPERM');
    }
  });

  async function followed(url: string): Promise<{ readonly writer: SectionWriter; readonly replica: Replica } & AsyncDisposable> {
    const partition = redis.partition();
    const writer = new SectionWriter(redis.url, partition);
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    const replica = subscribe({ redis: url, partition, section: 'orders' });
    return {
      ...{ writer, replica },
      [Symbol.asyncDispose]: async () => {
        await replica.close();
        await writer[Symbol.asyncDispose]();
      },
    };
  }

  /** Ends every connection of the reader, as a cut does. */
  const cut = (): Promise<unknown> => redis.raw.call('CLIENT', 'KILL', 'USER', 'reader');

  // The first is asked for only when a message was missed, the others make no difference to what is held.
  const later = new Set(['xrange', 'unsubscribe', 'client|setname']);
  it.each(commandsOf('reader').filter((command) => !later.has(command)))('without +%s it names what is missing', async (command) => {
    await using world = await followed(await urlFor('reader', command));
    await expect.poll(() => world.replica.state().error?.code, { timeout: 20_000 }).toBe('PW-M303');
  });

  it('without +xrange it loads, and names what is missing when a message was missed; given it, it catches up', async () => {
    await using world = await followed(await urlFor('reader', 'xrange'));
    const { replica, writer } = world;
    await replica.waitUntilLive({ timeoutMs: 20_000 });
    await cut();
    await expect.poll(() => replica.state().error?.code, { timeout: 20_000 }).toBe('PW-M303');
    expect(replica.state().equal).toBe(false);
    await redis.raw.call('ACL', 'SETUSER', 'reader', '+xrange');
    await replica.waitForVersion(await writer.write([['1', { n: 2 }]]), { timeoutMs: 20_000 });
    expect(replica.state()).toMatchObject({ equal: true, counters: { reloads: 0 } });
  });

  it.each(['unsubscribe', 'client|setname'])('without +%s it follows all the same, also after a cut', async (command) => {
    await using world = await followed(await urlFor('reader', command));
    const { replica, writer } = world;
    await replica.waitUntilLive({ timeoutMs: 20_000 });
    await cut();
    await replica.waitForVersion(await writer.write([['1', { n: 2 }]]), { timeoutMs: 20_000 });
    await expect.poll(() => replica.state().equal, { timeout: 20_000 }).toBe(true);
  });

  it.each([
    ['its channels', '&__dataChanged:{test-*', 'PW-M303'],
    ['its keys', '~{test-*', 'PW-M303'],
    ['its password', '>Try-It-0nly!', 'PW-M302'],
  ])('without %s it names what is missing', async (_what, word, code) => {
    await redis.raw.call('ACL', 'SETUSER', 'reader', 'reset', ...rights('reader').filter((right) => right !== word));
    await using world = await followed(redis.url.replace('redis://', 'redis://reader:Try-It-0nly!@'));
    await expect.poll(() => world.replica.state().error?.code, { timeout: 20_000 }).toBe(code);
  });

  it('hears keys, by a right of its own', async () => {
    const partition = redis.partition();
    await using writer = new SectionWriter(redis.url, partition);
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    const options = { partition, section: 'orders', mode: 'invalidate' } as const;
    await using orders = subscribe({ redis: await urlFor('reader'), ...options });
    await orders.waitUntilLive({ timeoutMs: 30_000 });
    await orders.waitForVersion(await writer.write([['1', { n: 2 }]]), { timeoutMs: 30_000 });
    await redis.raw.call('ACL', 'SETUSER', 'reader', 'reset', ...rights('reader').filter((right) => !right.startsWith('&__dataKeys:')));
    await using deaf = subscribe({ redis: redis.url.replace('redis://', 'redis://reader:Try-It-0nly!@'), ...options });
    await expect.poll(() => deaf.state().error?.code, { timeout: 20_000 }).toBe('PW-M303');
  });

  it('has every right that it has for a reason: each command of its line is one that a subscriber sends', () => {
    const sent = new Set([
      'client|setname',
      'exec',
      'hlen',
      'hmget',
      'hscan',
      'mget',
      'multi',
      'strlen',
      'subscribe',
      'unsubscribe',
      'xrange',
    ]);
    expect(new Set(commandsOf('reader'))).toEqual(sent);
  });
});
