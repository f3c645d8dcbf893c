/** The mode `invalidate` against a real Redis and the real manager: which keys have changed, when that cannot be said, and what it costs. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Disposer } from '../../src/lib/disposer.ts';
import type { PatchwireError } from '../../src/model/failure.ts';
import { type Invalidations, type InvalidateOptions, type InvalidationEvent, subscribe } from '../../src/subscriber/index.ts';
import { scriptedPublisher } from '../../src/subscriber/testing/index.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { Relay } from './subscriber-relay.ts';
import { SectionWriter } from './subscriber-writer.ts';

const LIMIT = { timeout: 20_000, interval: 10 };
const WAIT = { timeoutMs: 20_000 };
const SECTION = 'orders';

let resources: Disposer;
let redis: PrivateTestRedis;
let partition: string;
let writer: SectionWriter;
/** Invalidations only, as texts: `all <reason>`, `<dataKey>/<identity> <op> <version>`. */
let told: string[];
let events: InvalidationEvent[];

beforeEach(async () => {
  resources = new Disposer();
  redis = resources.use(await privateTestRedis());
  partition = redis.partition();
  writer = resources.use(new SectionWriter(redis.url, partition));
  [told, events] = [[], []];
  await writer.lead();
});
afterEach(() => resources[Symbol.asyncDispose]());

function listen(over: Partial<InvalidateOptions> = {}): Invalidations {
  return resources.use(
    subscribe({
      ...{ redis: redis.url, partition, section: SECTION, mode: 'invalidate' },
      onInvalidate: (event) => {
        told.push(
          event.type === 'invalidate' ? `${event.dataKey}/${event.identity} ${event.op} ${event.versionId}` : `all ${event.reason}`,
        );
      },
      onEvent: (event) => events.push(event),
      ...over,
    }),
  );
}

async function relay(): Promise<{ readonly url: string; readonly relay: Relay }> {
  const one = resources.use(new Relay(Number(new URL(redis.url).port)));
  return { url: await one.listen(), relay: one };
}

describe('which keys have changed', () => {
  it('everything at the start, then key by key in the order of the messages, a respelled key under both spellings', async () => {
    await writer.load([['1', { n: 1 }]]);
    const orders = listen();
    await orders.waitUntilLive(WAIT);
    expect(told).toEqual(['all start']);
    await writer.write([
      ['1', { n: 2 }],
      ['ANN', { n: 1 }, 'ann'],
    ]);
    await writer.write([['Ann', { n: 1 }, 'ann']]);
    await orders.waitForVersion(await writer.write([['1', null]]), WAIT);
    const [second, third, fourth] = [2n, 3n, 4n].map((back) => writer.version - 4n + back);
    expect(told.slice(1)).toEqual([
      `1/1 upsert ${second}`,
      `ANN/ann upsert ${second}`,
      expect.stringMatching(/^ANN\/ann remove/u),
      `Ann/ann upsert ${third}`,
      `1/1 remove ${fourth}`,
    ]);
    expect(orders.state()).toMatchObject({ status: 'live', equal: false, reasons: ['not compared'], error: null });
    expect(orders.position()).toMatchObject({ seq: events.findLast(({ type }) => type === 'invalidate')?.['seq' as never] });
    expect(orders.horizon()).toBe(String(writer.version));
  });

  it('a key is asked for in any spelling that its collation calls equal', async () => {
    writer.key = [{ type: 'nvarchar', collation: 'SQL_Latin1_General_CP1_CI_AS' }];
    await writer.load([['ANN', { n: 1 }, 'ann']]);
    const orders = listen();
    await orders.waitUntilLive(WAIT);
    expect(['ann', 'Ann', 'ANN', ['aNN']].map((key) => orders.identityOf(key))).toEqual(['ann', 'ann', 'ann', 'ann']);
  });

  it('hears no bodies: of rows of 10 KB a few hundred bytes each', async () => {
    await writer.load([]);
    const [thin, thick] = [await relay(), await relay()];
    const orders = listen({ redis: thin.url });
    await using replica = subscribe({ redis: thick.url, partition, section: SECTION });
    await Promise.all([orders.waitUntilLive(WAIT), replica.waitUntilLive(WAIT)]);
    const before = [thin.relay.received, thick.relay.received] as const;
    for (let i = 0; i < 100; i++) {
      await writer.write([[String(i), { n: i, text: 'x'.repeat(10_000) }]]);
    }
    await Promise.all([orders, replica].map((one) => one.waitForVersion(writer.version, WAIT)));
    expect(told).toHaveLength(101);
    expect(thin.relay.received - before[0]).toBeLessThan(100 * 600);
    expect(thick.relay.received - before[1]).toBeGreaterThan(100 * 10_000);
  });
});

describe('what patches do not show', () => {
  it('a row that is as it was and one that came and went are told; who holds documents hears of no change, and stays equal', async () => {
    await writer.load([['1', { n: 1 }]]);
    const orders = listen();
    const changes: unknown[] = [];
    await using replica = subscribe({
      ...{ redis: redis.url, partition, section: SECTION },
      onEvent: (event) => event.type === 'change' && changes.push(event),
    });
    await using lazy = subscribe({ redis: redis.url, partition, section: SECTION, mode: 'lazy' });
    await Promise.all([orders, replica, lazy].map((one) => one.waitUntilLive(WAIT)));
    expect(await lazy.getMany(['1', '2'])).toEqual([{ n: 1 }, undefined]);
    const version = await writer.write([
      ['1', { n: 1 }],
      ['2', null],
    ]);
    await Promise.all([orders, replica, lazy].map((one) => one.waitForVersion(version, WAIT)));
    expect(told.slice(1)).toEqual([`1/1 upsert ${version}`, `2/2 remove ${version}`]);
    const after = await writer.write([['1', { n: 2 }]]);
    await writer.heartbeat();
    await Promise.all([replica, lazy].map((one) => one.waitForVersion(after, WAIT)));
    expect(changes).toEqual([expect.objectContaining({ dataKey: '1', after: { n: 2 } })]);
    expect(await lazy.getMany(['1', '2'])).toEqual([{ n: 2 }, undefined]);
    await vi.waitFor(() => expect(replica.state()).toMatchObject({ equal: true, counters: { reloads: 0 } }), LIMIT);
    expect([replica, lazy].map((one) => one.state().counters.diverged)).toEqual([0, 0]);
  });

  it.each([
    ['heard', 'live'],
    ['missed', 'disconnected'],
  ] as const)('a resync is everything: what rows were in between nobody can tell (%s)', async (how, status) => {
    await writer.load([['1', { n: 1 }]]);
    const line = await relay();
    const orders = listen({ redis: line.url });
    await orders.waitUntilLive(WAIT);
    if (how === 'missed') {
      line.relay.block();
    }
    await vi.waitFor(() => expect(orders.state().status).toBe(status), LIMIT);
    await writer.resync('resyncing');
    await writer.resync('live');
    const version = await writer.write([['1', { n: 2 }]]);
    line.relay.unblock();
    await orders.waitForVersion(version, WAIT);
    expect(told.slice(1)).toEqual(['all announced', `1/1 upsert ${version}`]);
  });
});

describe('S3: a gap', () => {
  const missed = (version: bigint): string[] => [`1/1 upsert ${version - 1n}`, `2/2 upsert ${version}`];
  it.each([
    ['replay', missed, { least: 10_000, most: 30_000 }],
    ['all', () => ['all trimmed', 'all trimmed'], { least: 0, most: 5000 }],
  ] as const)('%s: what was missed while the connection was cut is told', async (onGap, expected, bytes) => {
    await writer.load([]);
    const cut = await relay();
    const orders = listen({ redis: cut.url, onGap });
    await orders.waitUntilLive(WAIT);
    cut.relay.block();
    await vi.waitFor(() => expect(orders.state().status).toBe('disconnected'), LIMIT);
    const before = cut.relay.received;
    await writer.write([['1', { text: 'x'.repeat(10_000) }]]);
    const version = await writer.write([['2', { n: 1 }]]);
    cut.relay.unblock();
    await orders.waitForVersion(version, WAIT);
    expect(told).toEqual(['all start', ...expected(version)]);
    // A replay reads the bodies, too.
    expect(cut.relay.received - before).toBeGreaterThan(bytes.least);
    expect(cut.relay.received - before).toBeLessThan(bytes.most);
  });

  it('all: where nothing was missed, nothing is invalidated', async () => {
    await writer.load([]);
    const cut = await relay();
    const orders = listen({ redis: cut.url, onGap: 'all' });
    await orders.waitUntilLive(WAIT);
    cut.relay.block();
    await vi.waitFor(() => expect(orders.state().status).toBe('disconnected'), LIMIT);
    cut.relay.unblock();
    await orders.waitUntilLive(WAIT);
    await orders.waitForVersion(await writer.write([['1', { n: 1 }]]), WAIT);
    expect(told).toEqual(['all start', expect.stringMatching(/^1\/1 upsert/u)]);
    expect(events.filter(({ type }) => type === 'gap' || type === 'recovered').map(({ type }) => type)).toEqual(['gap', 'recovered']);
  });

  it('what a replay cannot fill is everything, once when that is known and once more when the chain goes on', async () => {
    writer = resources.use(new SectionWriter(redis.url, redis.partition(), 2000));
    await writer.lead();
    await writer.load([]);
    const cut = await relay();
    const orders = listen({ redis: cut.url, partition: writer.manager.partition });
    await orders.waitUntilLive(WAIT);
    cut.relay.block();
    await vi.waitFor(() => expect(orders.state().status).toBe('disconnected'), LIMIT);
    for (let i = 0; i < 5; i++) {
      await writer.write([['1', { text: 'x'.repeat(1000), i }]]);
    }
    cut.relay.unblock();
    await orders.waitForVersion(writer.version, WAIT);
    expect(told).toEqual(['all start', 'all trimmed', 'all trimmed']);
    expect(orders.state().counters).toMatchObject({ reloads: 1 });
  });

  it('a new epoch, a replacement, a purge and the end are everything', async () => {
    await writer.load([['1', { n: 1 }]]);
    const orders = listen();
    await orders.waitUntilLive(WAIT);
    await writer.load([['1', { n: 2 }]]);
    await vi.waitFor(() => expect(told).toEqual(['all start', 'all announced', 'all announced']), LIMIT);
    await writer.manager.purge(SECTION, 'test');
    await vi.waitFor(() => expect(told.slice(3)).toEqual(['all removed']), LIMIT);
    expect(orders.position()).toBeNull();
    expect(orders.horizon()).toBeNull();
    await orders.close();
    expect(told.slice(4)).toEqual(['all closed']);
  });

  it('strict: lost history ends it', async () => {
    await writer.load([['1', { n: 1 }]]);
    const orders = listen({ recovery: 'strict' });
    await orders.waitUntilLive(WAIT);
    await writer.load([['1', { n: 2 }]]);
    await vi.waitFor(() => expect(orders.state()).toMatchObject({ status: 'closed', error: { code: 'PW-W406' } }), LIMIT);
    expect(told).toEqual(['all start', 'all closed']);
  });
});

describe('a publisher that tells no keys', () => {
  it('is refused by name', async () => {
    const mute = resources.use(new SectionWriter(redis.url, redis.partition(), 1_000_000, false));
    await mute.lead();
    await mute.load([['1', { n: 1 }]]);
    const orders = listen({ partition: mute.manager.partition });
    const error = await orders.waitUntilLive(WAIT).then(
      () => null,
      (reason: unknown) => reason as PatchwireError,
    );
    expect(error?.code).toBe('PW-W411');
    expect(told).toEqual(['all closed']);
  });

  it('is noticed when it takes over: by its silence', async () => {
    await writer.load([['1', { n: 1 }]]);
    const orders = listen();
    await orders.waitUntilLive(WAIT);
    const believed = { checkpoint: writer.version, confirmed: writer.version };
    await writer.manager.heartbeat(SECTION, { believed, advance: {}, intervalMs: 100 });
    await vi.waitFor(() => expect(events.some(({ type }) => type === 'lag')).toBe(true), LIMIT);
    await writer.manager.resign(SECTION);
    const mute = resources.use(new SectionWriter(redis.url, partition, 1_000_000, false));
    await mute.lead();
    await vi.waitFor(() => expect(orders.state()).toMatchObject({ status: 'closed', error: { code: 'PW-W411' } }), LIMIT);
    expect(told).toEqual(['all start', 'all closed']);
  });
});

type Step = 'upsert' | 'remove' | 'two' | 'drop' | 'reorder' | 'duplicate' | 'cut' | 'trim' | 'epoch' | 'load' | 'rewind' | 'mark' | 'junk';
const STEPS: readonly Step[] = [
  'upsert',
  'remove',
  'two',
  'drop',
  'reorder',
  'duplicate',
  'cut',
  'trim',
  'epoch',
  'load',
  'rewind',
  'mark',
  'junk',
];
const KEYS = ['1', '2', '3'];

describe('S2, S3: whatever happens to the messages', () => {
  it.each(['replay', 'all'] as const)(
    'nothing stays cached that is not what is published (%s)',
    async (onGap) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.constantFrom(...KEYS)), { maxLength: 12 }), async (steps) => {
          await using publisher = await scriptedPublisher({
            redis: redis.url,
            partition: redis.partition(),
            section: SECTION,
            intervalMs: 50,
          });
          await publisher.load(Object.fromEntries(KEYS.map((key) => [key, { n: 0 }])));
          const cached = new Map<string, unknown>();
          await using orders = subscribe({
            ...{ redis: redis.url, partition: publisher.partition, section: SECTION, mode: 'invalidate', onGap },
            onInvalidate: (event) => {
              if (event.type === 'invalidate') {
                cached.delete(event.dataKey);
              } else {
                cached.clear();
              }
            },
          });
          await orders.waitUntilLive(WAIT);
          let n = 0;
          let mark = publisher.mark();
          for (const [step, key] of steps) {
            for (const each of KEYS) {
              cached.set(each, cached.get(each) ?? publisher.documents[each] ?? null);
            }
            n += 1;
            const write = (): Promise<string> => publisher.upsert(key, { n });
            await {
              upsert: write,
              remove: () => publisher.remove(key),
              two: () => publisher.publish(['1', { n }], ['2', { n }]),
              drop: () => publisher.drop(write),
              reorder: () => publisher.reorder(async () => [await write(), await publisher.upsert('3', { n: -n })]),
              duplicate: () => publisher.duplicate(),
              cut: () => publisher.cutSubscribers(),
              trim: async () => [await publisher.drop(write), await publisher.trim()],
              epoch: () => publisher.newEpoch(),
              load: () => publisher.load({ [key]: { n } }),
              rewind: () => publisher.rewind(mark),
              mark: async () => {
                mark = publisher.mark();
              },
              junk: () => publisher.send('junk'),
            }[step]();
          }
          // At rest: the publisher beats, and all that it has published is told.
          await vi.waitFor(async () => {
            await publisher.heartbeat();
            expect(orders.state().status).toBe('live');
            expect(orders.position()).toMatchObject({ epoch: publisher.epoch, ...publisher.position });
          }, LIMIT);
          for (const [key, document] of cached) {
            expect({ key, document }).toEqual({ key, document: publisher.documents[key] ?? null });
          }
        }),
        { numRuns: 25, endOnFailure: true },
      );
    },
    120_000,
  );
});
