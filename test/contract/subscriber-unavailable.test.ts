/** Absent, or there and not to be had: what a reader of a section with a quarantine is told of a key, however it came to stand where it stands. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Disposer } from '../../src/lib/disposer.ts';
import { type LazyCache, type Replica, subscribe, type SubscribeOptions, type SubscriberEvent } from '../../src/subscriber/index.ts';
import { type ScriptedPublisher, scriptedPublisher } from '../../src/subscriber/testing/index.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { type TestRedis, testRedis } from '../support/redis.ts';

const LIMIT = { timeout: 20_000, interval: 10 };
const WAIT = { timeoutMs: 20_000 };
const ROWS = { 1: { n: 1 }, 2: { n: 2 }, 3: { n: 3 } };

let resources: Disposer;
let redis: TestRedis;
let place: { readonly redis: string; readonly partition: string; readonly section: string };
let publisher: ScriptedPublisher;
let events: SubscriberEvent[];

beforeEach(async () => {
  resources = new Disposer();
  redis = resources.use(await testRedis());
  place = { redis: redis.url, partition: redis.partition(), section: 'orders' };
  publisher = resources.use(await scriptedPublisher(place));
  events = [];
  await publisher.load(ROWS);
});
afterEach(() => resources[Symbol.asyncDispose]());

function follow(over: Partial<SubscribeOptions> = {}): Replica {
  return resources.use(subscribe({ ...place, onEvent: (event) => events.push(event as SubscriberEvent), ...over }));
}

function lazy(): LazyCache {
  return resources.use(subscribe({ ...place, mode: 'lazy' }));
}

/** What is said of the keys 1 to 4. */
const unavailable = (replica: Replica): boolean[] => ['1', '2', '3', '4'].map((key) => replica.unavailable(key));

describe('a replica', () => {
  it('S1: knows after a load which rows are there and cannot be had', async () => {
    await publisher.quarantine('1');
    await publisher.quarantine('4');
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    expect(unavailable(replica)).toEqual([true, false, false, true]);
    expect([replica.get('1'), replica.has(4), replica.size]).toEqual([undefined, false, 2]);
    expect(replica.unavailable(['4'])).toBe(true);
  });

  it('S1: knows them all, though there are more than one reply names', async () => {
    const key = (i: number): string => `row-${i}`;
    // Of one script, as it would take a thousand messages.
    const aside = Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [key(i), JSON.stringify({ reason: 'tooLarge' })]));
    await redis.raw.hset(sectionKeys(place.partition, place.section).quarantine, aside);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    expect(Array.from({ length: 1201 }, (_, i) => replica.unavailable(key(i))).filter(Boolean)).toHaveLength(1200);
  });

  it('S2: is told of it by messages, and when the row is back', async () => {
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    expect(unavailable(replica)).toEqual([false, false, false, false]);
    const said: boolean[] = [];
    replica.on('change', ({ dataKey }) => said.push(replica.unavailable(dataKey)));
    await publisher.quarantine('2');
    await vi.waitFor(() => expect(unavailable(replica)).toEqual([false, true, false, false]), LIMIT);
    await replica.waitForVersion(await publisher.upsert('2', { n: 22 }), WAIT);
    expect(unavailable(replica)).toEqual([false, false, false, false]);
    expect(said).toEqual([true, false]);
  });

  it('S3: knows after a replay', async () => {
    await publisher.quarantine('3');
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await publisher.drop(async () => {
      await publisher.quarantine('1');
      await publisher.upsert('3', { n: 33 });
    });
    await publisher.heartbeat();
    await vi.waitFor(() => expect(unavailable(replica)).toEqual([true, false, false, false]), LIMIT);
    expect(replica.state().counters.reloads).toBe(0);
  });

  it('S4: is told by the number of a heartbeat that a row left which no message names', async () => {
    await publisher.quarantine('1');
    await publisher.quarantine('2');
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    // It was deleted: there was no document of which a message could tell.
    await publisher.remove('1');
    await publisher.heartbeat();
    await vi.waitFor(() => expect(unavailable(replica)).toEqual([false, true, false, false]), LIMIT);
    // And where messages are missed besides.
    await publisher.drop(() => publisher.remove('2'));
    await publisher.heartbeat();
    await vi.waitFor(() => expect(unavailable(replica)).toEqual([false, false, false, false]), LIMIT);
    expect(replica.state().counters.reloads).toBe(0);
    await vi.waitFor(() => expect(replica.state()).toMatchObject({ equal: true }), LIMIT);
  });

  it('S3: goes on after a restart with what it knew', async () => {
    let stored: Uint8Array | null = null;
    const store = { load: () => stored, save: (bytes: Uint8Array) => void (stored = bytes) };
    await publisher.quarantine('1');
    await publisher.quarantine('2');
    const first = follow({ store });
    await first.waitUntilLive(WAIT);
    await first.close();
    await publisher.upsert('2', { n: 22 });
    await publisher.quarantine('3');
    const restored: boolean[][] = [];
    const replica: Replica = follow({
      store,
      onEvent: ({ type }) => {
        if (type === 'restored') {
          restored.push(unavailable(replica));
        }
      },
    });
    await replica.waitUntilLive(WAIT);
    expect(restored).toEqual([[true, true, false, false]]);
    expect(unavailable(replica)).toEqual([true, false, true, false]);
    expect(replica.state().counters.reloads).toBe(0);
  });

  it('S3: knows it of the new epoch after a reset', async () => {
    await publisher.quarantine('1');
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await publisher.newEpoch();
    await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain('reset'), LIMIT);
    await replica.waitUntilLive(WAIT);
    expect(unavailable(replica)).toEqual([true, false, false, false]);
    await publisher.load(ROWS);
    await vi.waitFor(() => expect(replica.get('1')).toEqual({ n: 1 }), LIMIT);
    expect(unavailable(replica)).toEqual([false, false, false, false]);
  });
});

describe('a lazy cache', () => {
  it('is told of a key that it asks for: there is none, or it cannot be had', async () => {
    await publisher.quarantine('1');
    const orders = lazy();
    expect(await Promise.all(['1', '2', '4'].map((key) => orders.unavailable(key)))).toEqual([true, false, false]);
    expect(await orders.get('1')).toBeUndefined();
    // Nobody would tell when such a row goes, so it is not held: it is read again.
    expect([orders.has('1'), orders.has('2'), orders.has('4')]).toEqual([undefined, true, false]);
    await publisher.remove('1');
    expect(await orders.unavailable('1')).toBe(false);
  });

  it('S2: holds no row that goes into quarantine', async () => {
    const orders = lazy();
    expect(await orders.get('1')).toEqual({ n: 1 });
    await publisher.quarantine('1');
    await vi.waitFor(() => expect(orders.has('1')).toBeUndefined(), LIMIT);
    expect(await orders.unavailable('1')).toBe(true);
    await orders.waitForVersion(await publisher.upsert('1', { n: 11 }), WAIT);
    expect([await orders.get('1'), await orders.unavailable('1')]).toEqual([{ n: 11 }, false]);
    expect(orders.state().counters.diverged).toBe(0);
  });
});
