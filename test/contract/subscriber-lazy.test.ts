/** A lazy cache against a real Redis: what is read when, what is kept, and what it never answers. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Disposer } from '../../src/lib/disposer.ts';
import { connect, type LazyCache, type LazyOptions, subscribe, type SubscriberEvent } from '../../src/subscriber/index.ts';
import { scriptedPublisher, type ScriptedPublisher } from '../../src/subscriber/testing/index.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';

const LIMIT = { timeout: 20_000, interval: 10 };
const section = 'orders';

let resources: Disposer;
let redis: PrivateTestRedis;
let partition: string;
let publisher: ScriptedPublisher;
let events: SubscriberEvent[];

beforeEach(async () => {
  resources = new Disposer();
  redis = resources.use(await privateTestRedis());
  partition = redis.partition();
  publisher = resources.use(await scriptedPublisher({ redis: redis.url, partition, section, intervalMs: 60_000 }));
  events = [];
  await publisher.load({ '1': { n: 1 }, '2': { n: 2 }, '3': { n: 3 }, '4': { n: 4 } });
});
afterEach(() => resources[Symbol.asyncDispose]());

function follow(over: Partial<LazyOptions> = {}): LazyCache {
  return resources.use(
    subscribe({
      ...{ redis: redis.url, partition, section, timeoutMs: 20_000, ...over },
      ...{ mode: 'lazy', onEvent: (event: SubscriberEvent) => void events.push(event) },
    }),
  );
}

/** How often Redis ran a command, since the last call. */
async function commands(name: string): Promise<number> {
  const stats = await redis.raw.info('commandstats');
  await redis.raw.config('RESETSTAT');
  return Number(new RegExp(String.raw`cmdstat_${name}:calls=(\d+)`, 'u').exec(stats)?.[1] ?? 0);
}

async function inStep(cache: LazyCache): Promise<void> {
  await vi.waitFor(() => expect(cache.position()?.last).toBe(publisher.position.last), LIMIT);
}

describe('a lazy cache', () => {
  it('S1: reads what is asked for, once for all who ask, together within a turn; absent keys are remembered', async () => {
    const cache = follow();
    await cache.waitUntilLive();
    expect(cache.size).toBe(0);
    await commands('exec');
    const [one, again, many, none] = await Promise.all([cache.get(1), cache.get('1'), cache.getMany(['2', '3']), cache.get('9')]);
    expect([one, again, many, none]).toEqual([{ n: 1 }, { n: 1 }, [{ n: 2 }, { n: 3 }], undefined]);
    expect(await commands('exec')).toBe(1);
    expect([cache.has('1'), cache.has('9'), cache.has('4')]).toEqual([true, false, undefined]);
    expect([await cache.get('1'), await cache.get('9'), cache.peek('2'), cache.peek('4')]).toEqual([
      { n: 1 },
      undefined,
      { n: 2 },
      undefined,
    ]);
    expect(await commands('exec')).toBe(0);
    expect(cache.size).toBe(4);
    expect(cache.state()).toMatchObject({
      ...{ status: 'live', equal: false, reasons: ['not compared'] },
      counters: { loads: 4, hits: 2, evictions: 0 },
    });
  });

  it('S2: keeps what it holds in step by patches, also keys that were absent, and tells of no others', async () => {
    const cache = follow();
    expect(await cache.getMany(['1', '2', '9'])).toEqual([{ n: 1 }, { n: 2 }, undefined]);
    await publisher.publish(['1', { n: 10 }], ['2', null], ['9', { n: 9 }], ['4', { n: 40 }]);
    await inStep(cache);
    expect([cache.peek('1'), cache.peek('2'), cache.peek('9'), cache.has('4')]).toEqual([{ n: 10 }, undefined, { n: 9 }, undefined]);
    expect(events.flatMap((event) => (event.type === 'change' ? [event.dataKey] : []))).toEqual(['1', '2', '9']);
    expect(await cache.get('4')).toEqual({ n: 40 });
    expect(cache.state().counters).toMatchObject({ loads: 4, reloads: 0 });
  });

  it('S1: holds so many keys, or so many bytes, and reads again what had to go', async () => {
    const cache = follow({ max: 2 });
    expect(await cache.getMany(['1', '2', '3'])).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(cache.size).toBe(2);
    expect(cache.state().counters.evictions).toBe(1);
    await publisher.publish(['1', { n: 10 }]);
    expect(await cache.get('1')).toEqual({ n: 10 });

    const small = follow({ maxBytes: 1000 });
    const text = 'x'.repeat(150);
    await publisher.publish(...['1', '2', '3'].map((key): [string, { text: string }] => [key, { text }]));
    await inStep(small);
    expect(await small.getMany(['1', '2', '3'])).toEqual([{ text }, { text }, { text }]);
    expect(small.size).toBe(1);
    await publisher.publish(['3', { text: 'x'.repeat(2000) }]);
    await inStep(small);
    expect(small.size).toBe(0);
    expect(await small.get('3')).toEqual({ text: 'x'.repeat(2000) });
  });

  it('S3: answers from the new epoch after a reset, for which nothing that was held counts', async () => {
    const cache = follow();
    expect(await cache.get('1')).toEqual({ n: 1 });
    const answers = Array.from({ length: 20 }, () => cache.getMany(['1', '2', '7']));
    await publisher.load({ '1': { n: 'new' }, '7': { n: 7 } });
    await Promise.all(answers);
    await vi.waitFor(() => expect(cache.position()?.epoch).toBe(publisher.epoch), LIMIT);
    expect(await cache.getMany(['1', '2', '7'])).toEqual([{ n: 'new' }, undefined, { n: 7 }]);
    expect(events.some(({ type }) => type === 'reset')).toBe(true);
  });

  it('S3: waits while the connection is lost, and answers with what was published meanwhile', async () => {
    const cache = follow();
    expect(await cache.get('1')).toEqual({ n: 1 });
    await publisher.cutSubscribers();
    await vi.waitFor(() => expect(events.some(({ type }) => type === 'gap')).toBe(true), LIMIT);
    const answer = cache.getMany(['1', '2']);
    await publisher.publish(['1', { n: 10 }], ['2', { n: 20 }]);
    await inStep(cache);
    expect(await answer).toEqual([expect.anything(), expect.anything()]);
    expect(await cache.getMany(['1', '2'])).toEqual([{ n: 10 }, { n: 20 }]);
    expect(cache.state().counters.reloads).toBe(0);
  });

  it('S5: after waitForVersion a get is at least that new', async () => {
    const cache = follow();
    await cache.get('1');
    for (let n = 2; n < 30; n += 1) {
      const version = await publisher.publish([String(1 + (n % 4)), { n }]);
      await cache.waitForVersion(version, { timeoutMs: 20_000 });
      expect(await cache.get(String(1 + (n % 4)))).toEqual({ n });
    }
  });

  it('finds keys in any spelling, and says by name what it cannot answer', async () => {
    await publisher.publish(['Ab', { n: 1 }, 'ab']);
    const cache = follow();
    expect(await cache.get('ab')).toEqual({ n: 1 });
    await expect(cache.get('Ab')).rejects.toMatchObject({ code: 'PW-W415' });
    await publisher.damage('2');
    await expect(cache.get('2')).rejects.toMatchObject({ code: 'PW-M309' });
    expect(await cache.get('3')).toEqual({ n: 3 });
    await publisher.mend('2');
    expect(await cache.get('2')).toEqual({ n: 2 });
    await expect(cache.get('4', { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    const lost = subscribe({ redis: 'redis://127.0.0.1:1', partition, section, mode: 'lazy', timeoutMs: 50 });
    await expect(lost.get('1')).rejects.toMatchObject({ name: 'TimeoutError' });
    const waiting = lost.get('1', { timeoutMs: 60_000 });
    await lost.close();
    await expect(waiting).rejects.toMatchObject({ code: 'PW-W410' });
    await expect(lost.get('1')).rejects.toMatchObject({ code: 'PW-W410' });
  });

  it('gives out what a parser makes of documents', async () => {
    const cache = resources.use(
      subscribe({ redis: redis.url, partition, section, mode: 'lazy', parse: (document) => ({ twice: 2 * Number(document['n']) }) }),
    );
    expect(await cache.get('2')).toEqual({ twice: 4 });
    const changes = cache.changes();
    await publisher.upsert('2', { n: 5 });
    let item = await changes.next();
    while (item.value?.type !== 'change') {
      item = await changes.next();
    }
    expect(item.value).toMatchObject({ before: { twice: 4 }, after: { twice: 10 } });
    expect(cache.peek('2')).toEqual({ twice: 10 });
  });

  it('is told of by its mode among those who listen', async () => {
    const cache = follow({ name: 'cache' });
    await cache.waitUntilLive();
    await vi.waitFor(async () => {
      const entries = Object.values(await redis.raw.hgetall(sectionKeys(partition, section).subscribers));
      expect(entries.map((text) => JSON.parse(text) as unknown)).toEqual([
        expect.objectContaining({ name: 'cache', mode: 'lazy', status: 'live', equal: false, reasons: ['not compared'] }),
      ]);
    }, LIMIT);
  });

  it('ends when the connections that it shares are closed, also before they were made', async () => {
    const connection = connect(redis.url);
    const early = subscribe({ redis: connection, partition, section, mode: 'lazy' });
    await connection[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(early.state().status).toBe('closed'), LIMIT);
    const late = subscribe({ redis: connection, partition, section, mode: 'lazy' });
    await expect(late.get('1')).rejects.toMatchObject({ code: 'PW-W410' });
  });
});
