/** Who listens: told by subscribers that may, read by `patchwire subscribers`; a reader that may not follows all the same. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readAudience } from '../../src/subscriber/audience.ts';
import { subscribe } from '../../src/subscriber/index.ts';
import { scriptedPublisher, type ScriptedPublisher } from '../../src/subscriber/testing/index.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { pythonFollower, pythonMissing } from '../support/wire-followers.ts';

const LIMIT = { timeout: 20_000, interval: 20 };
const WAIT = { timeoutMs: 20_000 };
const section = 'orders';
const missing = pythonMissing();

let redis: PrivateTestRedis;
/** Redis has the selectors that the user `listed` needs: from 7.0 on. */
let selectors = false;
beforeAll(async () => {
  redis = await privateTestRedis();
  selectors = Number(/redis_version:(\d+)/u.exec(await redis.raw.info('server'))?.[1]) >= 7;
  const file = readFileSync(new URL('../../docker/users.acl', import.meta.url), 'utf8').replaceAll('{shop:*', '{test-*');
  for (const user of selectors ? ['reader', 'listed'] : ['reader']) {
    const line = file.split('\n').find((text) => text.startsWith(`user ${user} `)) ?? '';
    await redis.raw.call('ACL', 'SETUSER', user, 'reset', ...line.split(' ').slice(2));
  }
});
afterAll(() => redis[Symbol.asyncDispose]());

const urlOf = (user: string): string => redis.url.replace('redis://', `redis://${user}:Try-It-0nly!@`);

async function published(partition: string): Promise<ScriptedPublisher> {
  const publisher = await scriptedPublisher({ redis: redis.url, partition, section, intervalMs: 60_000 });
  await publisher.load({ '1': { n: 1 } });
  return publisher;
}

describe('who listens', () => {
  it('is told by a subscriber that may, by its name, and no more when it has closed', async (context) => {
    context.skip(!selectors, 'Redis has no selectors');
    const partition = redis.partition();
    await using publisher = await published(partition);
    const place = { redis: urlOf('listed'), partition, section };
    await using named = subscribe({ ...place, name: 'price page' });
    await using nameless = subscribe(place);
    await Promise.all([named.waitUntilLive(WAIT), nameless.waitUntilLive(WAIT)]);
    const read = (): ReturnType<typeof readAudience> => readAudience({ redis: redis.url, partition, sections: [section, 'nothing'] });
    await vi.waitFor(async () => expect((await read()).map(({ name }) => name ?? '').toSorted()).toEqual(['', 'price page']), LIMIT);
    expect((await read())[0]).toMatchObject({ section, mode: 'replica', everyMs: 10_000 });
    const { subscribers } = sectionKeys(partition, section);
    expect(await redis.raw.pttl(subscribers)).toBeGreaterThan(0);
    await named.close();
    await vi.waitFor(async () => expect((await read()).map(({ name }) => name)).toEqual([null]), LIMIT);
    await nameless.close();
    await vi.waitFor(async () => expect(await redis.raw.exists(subscribers)).toBe(0), LIMIT);
    expect(publisher.documents).toEqual({ '1': { n: 1 } });
  });

  it('forgets who was killed and has not written for an hour; what is no line is passed over', async () => {
    const partition = redis.partition();
    await using publisher = await published(partition);
    const { subscribers } = sectionKeys(partition, section);
    const line = {
      name: 'old',
      mode: 'lazy',
      status: 'live',
      equal: true,
      reasons: [],
      epoch: null,
      seq: null,
      upTo: null,
      sinceMs: 1,
      everyMs: 10_000,
    };
    await redis.raw.hset(subscribers, {
      old: JSON.stringify({ ...line, atMs: Date.now() - 3_700_000 }),
      recent: JSON.stringify({ ...line, name: 'recent', atMs: Date.now() - 60_000 }),
      nonsense: 'nonsense',
    });
    await using replica = subscribe({ redis: redis.url, partition, section, name: 'new' });
    await replica.waitUntilLive(WAIT);
    await vi.waitFor(async () => {
      expect(await redis.raw.hexists(subscribers, 'old')).toBe(0);
      const list = await readAudience({ redis: redis.url, partition, sections: [section] });
      expect(list.map(({ name, mode }) => `${name} ${mode}`)).toEqual(['recent lazy', 'new replica']);
    }, LIMIT);
    expect(await redis.raw.hexists(subscribers, 'nonsense')).toBe(0);
    expect(publisher.state).toBe('live');
  });

  it('is not told by a reader that may not: it follows without a word of trouble, and asks once', async () => {
    const partition = redis.partition();
    await using publisher = await published(partition);
    await redis.raw.call('ACL', 'LOG', 'RESET');
    const troubles: unknown[] = [];
    await using replica = subscribe({
      redis: urlOf('reader'),
      partition,
      section,
      onEvent: (event) => event.type === 'trouble' && troubles.push(event.error),
    });
    await replica.waitForVersion(await publisher.upsert('2', { n: 2 }), WAIT);
    const refused = (): Promise<unknown[]> => redis.raw.call('ACL', 'LOG') as Promise<unknown[]>;
    await vi.waitFor(async () => expect((await refused()).length).toBeGreaterThan(0), LIMIT);
    expect(replica.state()).toMatchObject({ status: 'live', equal: true, error: null });
    expect(troubles).toEqual([]);
    expect(await redis.raw.exists(sectionKeys(partition, section).subscribers)).toBe(0);
  });

  it.skipIf(missing !== null)(`is nobody's business of the Python subscriber, which needs no more rights than the reader has`, async () => {
    const partition = redis.partition();
    await using publisher = await published(partition);
    await using python = pythonFollower({ url: urlOf('reader'), partition, section });
    await vi.waitFor(() => expect(python.standing()).toMatchObject({ equal: true, documents: publisher.documents }), LIMIT);
    await publisher.drop(() => publisher.upsert('2', { n: 2 }));
    await vi.waitFor(async () => {
      await publisher.heartbeat();
      expect(python.standing()).toMatchObject({ equal: true, documents: { '1': { n: 1 }, '2': { n: 2 } } });
    }, LIMIT);
    expect(await redis.raw.exists(sectionKeys(partition, section).subscribers)).toBe(0);
  });

  it('is all that the user listed may write', async (context) => {
    context.skip(!selectors, 'Redis has no selectors');
    const keys = sectionKeys(redis.partition(), section);
    const may = async (...command: readonly string[]): Promise<string> =>
      String(await redis.raw.call('ACL', 'DRYRUN', 'listed', ...command).catch((error: Error) => error.message));
    expect(await may('HSET', keys.subscribers, 'a', '{}')).toBe('OK');
    for (const key of [keys.meta, keys.index, keys.quarantine, `${keys.document}1`]) {
      expect(await may('HSET', key, 'a', '{}')).not.toBe('OK');
      expect(await may('PEXPIRE', key, '1')).not.toBe('OK');
    }
    expect(await may('DEL', keys.subscribers)).not.toBe('OK');
    expect(await may('PUBLISH', keys.channel, 'x')).not.toBe('OK');
  });
});
