/** docker/users.acl: the rights that the daemon and a reader need in Redis, and not one more. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { subscribe } from '../../src/subscriber/index.ts';
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

async function open(url: string): Promise<readonly string[]> {
  await using manager = redisDataManager({
    url,
    partition: redis.partition(),
    leaseMs: 60_000,
    replay: { maxBytes: 1e6, maxAgeMs: 1e6 },
    commandTimeoutMs: 10_000,
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
    const message = new RegExp(command.replace('|', '.?'), 'iu');
    await expect(open(await urlFor('patchwire', command))).rejects.toMatchObject({
      code: 'PW-M303',
      message: expect.stringMatching(message),
    });
  });

  it('without +info it warns of what it cannot know', async () => {
    const warnings = await open(await urlFor('patchwire', 'info'));
    expect(warnings).toEqual([expect.stringContaining('version'), expect.stringContaining('eviction policy')]);
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
    for (const [command, ...args] of [
      ['SET', `{${partition}:orders}:1`, '{}'],
      ['DEL', `{${partition}:orders}/meta`],
      ['PUBLISH', `__dataChanged:{${partition}:orders}`, 'x'],
    ] as const) {
      expect(await redis.raw.call('ACL', 'DRYRUN', 'reader', command, ...args)).toContain('no permissions');
    }
  });

  // XRANGE is asked for only when a message was missed, the others of this list are not needed for following.
  const later = new Set(['info', 'unsubscribe', 'client|setname', 'xrange']);
  it.each(commandsOf('reader').filter((command) => !later.has(command)))('without +%s it names what is missing', async (command) => {
    const url = await urlFor('reader', command);
    const partition = redis.partition();
    await using writer = new SectionWriter(redis.url, partition);
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    await using replica = subscribe({ redis: url, partition, section: 'orders' });
    await expect.poll(() => replica.state().error?.code, { timeout: 20_000 }).toBe('PW-M303');
  });
});
