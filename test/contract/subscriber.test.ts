/** A subscriber against a real Redis, fed by the real manager. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Disposer } from '../../src/lib/disposer.ts';
import { type Replica, subscribe, type SubscribeOptions, type SubscriberEvent } from '../../src/subscriber/index.ts';
import { readPages } from '../../src/subscriber/section-reader.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { type PrivateTestRedis, privateTestRedis } from '../support/redis.ts';
import { Relay } from './subscriber-relay.ts';
import { SectionWriter } from './subscriber-writer.ts';

const LIMIT = { timeout: 20_000, interval: 10 };
const WAIT = { timeoutMs: 20_000 };

let resources: Disposer;
let redis: PrivateTestRedis;
let partition: string;
let writer: SectionWriter;
let events: SubscriberEvent[];

beforeEach(async () => {
  resources = new Disposer();
  redis = resources.use(await privateTestRedis());
  partition = redis.partition();
  writer = resources.use(new SectionWriter(redis.url, partition));
  events = [];
});
afterEach(() => resources[Symbol.asyncDispose]());

function follow(over: Partial<SubscribeOptions> = {}): Replica {
  return resources.use(subscribe({ redis: redis.url, partition, section: 'orders', onEvent: (event) => events.push(event), ...over }));
}

async function expectEqual(replica: Replica): Promise<void> {
  await vi.waitFor(() => {
    expect(replica.state()).toMatchObject({ status: 'live', equal: true });
    expect(Object.fromEntries(replica.entries())).toEqual(writer.documents);
  }, LIMIT);
}

const told = (): string[] => events.map(({ type }) => type).filter((type) => type !== 'lag');

describe('a replica on Redis', () => {
  it('S1: loads what is there, then is kept by patches alone', async () => {
    await writer.lead();
    await writer.load(Array.from({ length: 300 }, (_, i) => [`${i}`, { id: i, name: `n${i}` }] as const));
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await expectEqual(replica);
    expect(replica.size).toBe(300);
    expect(replica.get('7')).toEqual({ id: 7, name: 'n7' });
    expect(replica.has('nobody')).toBe(false);

    await writer.write([
      ['7', { id: 7, name: 'seven' }],
      ['8', null],
      ['new', { id: 900, name: 'new' }],
    ]);
    const version = await writer.write([['7', { id: 7, name: 'siete' }]]);
    await replica.waitForVersion(version, WAIT);
    await expectEqual(replica);
    await writer.heartbeat();
    await vi.waitFor(() => expect(replica.state().counters.heartbeats).toBe(1), LIMIT);
    await expectEqual(replica);
    expect(replica.state().counters).toMatchObject({ reloads: 0, replays: 0, changes: 4, diverged: 0 });
    expect(replica.position()).toMatchObject({ checkpoint: version.toString(), upTo: version.toString() });
    expect(events.find((event) => event.type === 'change')).toMatchObject({
      dataKey: '7',
      before: { name: 'n7' },
      after: { name: 'seven' },
      patch: [{ op: 'replace', path: '/name', value: 'seven' }],
    });
  });

  it('S1: loads page by page within the limit of bytes while rows change under it', async () => {
    await writer.lead();
    await writer.load(Array.from({ length: 2000 }, (_, i) => [`${i}`, { id: i, text: 'x'.repeat(50) }] as const));
    const replica = follow({ pageBytes: 4096 });
    for (let round = 0; round < 60; round += 1) {
      const key = `${(round * 37) % 2000}`;
      await writer.write([
        [key, round % 3 === 0 ? null : { id: round, text: 'changed' }],
        [`extra${round}`, { id: round, text: 'extra' }],
      ]);
    }
    await replica.waitForVersion(writer.version, WAIT);
    await expectEqual(replica);
    expect(replica.state().counters).toMatchObject({ reloads: 0, diverged: 0 });
  });

  it('S1: a page holds versions and documents of one moment, though its names were read before', async () => {
    await writer.lead();
    await writer.load([
      ['1', { n: 1 }],
      ['2', { n: 2 }],
      ['Ab', { n: 3 }, 'ab'],
    ]);
    const reader = new Redis(redis.url, { protocol: 2 });
    resources.defer(() => reader.disconnect());
    const keys = sectionKeys(partition, 'orders');
    const hscan = reader.hscan.bind(reader) as Redis['hscan'];
    const pages = readPages(
      {
        hscan: (async (...args: Parameters<Redis['hscan']>) => {
          const names = await hscan(...args);
          // Between the names and the documents everything moves.
          await writer.write([
            ['1', { n: 10 }],
            ['2', null],
            ['AB', { n: 30 }, 'ab'],
          ]);
          return names;
        }) as Redis['hscan'],
        multi: reader.multi.bind(reader) as Redis['multi'],
        pipeline: reader.pipeline.bind(reader) as Redis['pipeline'],
      },
      keys,
      { rows: 1000, bytes: 1_000_000 },
    );
    const rows = new Map<string, unknown>();
    const seqs: number[] = [];
    const sizes: number[] = [];
    for await (const page of pages) {
      seqs.push(page.view?.seq ?? -1);
      sizes.push(page.rows.length);
      page.rows.forEach(({ identity, entry }) => rows.set(identity, entry));
    }
    const version = writer.version.toString();
    expect(rows.get('1')).toEqual({ identity: '1', dataKey: '1', version, document: { n: 10 } });
    expect(rows.get('2')).toBeNull();
    expect(rows.get('ab')).toEqual({ identity: 'ab', dataKey: 'AB', version, document: { n: 30 } });
    expect(new Set(seqs).size).toBe(1);
    // Two keys, the respelled one under its new name, and the page that closes the load.
    expect(sizes).toEqual([2, 1, 0]);
  });

  it('S2: a respelled key is one document, found by its new spelling', async () => {
    await writer.lead();
    await writer.load([['Ab', { k: 'Ab' }, 'ab']]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await replica.waitForVersion(await writer.write([['AB', { k: 'AB' }, 'ab']]), WAIT);
    await expectEqual(replica);
    expect(replica.has('Ab')).toBe(false);
    expect(replica.get('AB')).toEqual({ k: 'AB' });
    expect(replica.get('ab')).toEqual({ k: 'AB' });
    expect(replica.size).toBe(1);
  });

  it('S3: what is published while the connections are cut is fetched from the stream', async () => {
    const relay = resources.use(new Relay(redis.server.port));
    await writer.lead();
    await writer.load([['1', { n: 0 }]]);
    const replica = follow({ redis: await relay.listen() });
    await replica.waitUntilLive(WAIT);
    for (let n = 1; n <= 5; n += 1) {
      relay.block();
      await vi.waitFor(() => expect(replica.state()).toMatchObject({ status: 'disconnected', equal: false }), LIMIT);
      await writer.write([['1', { n }]]);
      relay.unblock();
      await writer.write([[`k${n}`, { n }]]);
      await replica.waitForVersion(writer.version, WAIT);
    }
    await expectEqual(replica);
    expect(replica.state().counters).toMatchObject({ reloads: 0, diverged: 0, gaps: 5 });
    expect(events).toContainEqual({ type: 'gap', reason: 'disconnected' });
    expect(told()).toContain('recovered');
  });

  it('S3: a channel that falls silent is noticed, what was missed is fetched, and the channel is subscribed anew', async () => {
    const relay = resources.use(new Relay(redis.server.port));
    await writer.lead();
    await writer.load([['1', { n: 0 }]]);
    const replica = follow({ redis: await relay.listen() });
    await replica.waitUntilLive(WAIT);
    await writer.heartbeat(100);
    await vi.waitFor(() => expect(replica.state().counters.heartbeats).toBe(1), LIMIT);
    expect(relay.deafen()).toBe(1);
    await replica.waitForVersion(await writer.write([['1', { n: 1 }]]), WAIT);
    await expectEqual(replica);
    expect(events).toContainEqual({ type: 'gap', reason: 'silent' });
    await vi.waitFor(() => expect(events).toContainEqual({ type: 'gap', reason: 'disconnected' }), LIMIT);
    await expectEqual(replica);
    await writer.heartbeat(60_000);
    await vi.waitFor(() => expect(replica.state().counters.heartbeats).toBe(2), LIMIT);
    expect(replica.state().counters.reloads).toBe(0);
  });

  it('S3: a move of the position that nobody is told of leaves no hole: neither gap nor replay', async () => {
    await writer.lead();
    await writer.load([['1', { n: 0 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    const back = { checkpoint: 0n, confirmed: 0n };
    await writer.manager.transition('orders', { state: 'live', newEpoch: false, reset: null, advance: back });
    await writer.manager.heartbeat('orders', { believed: back, advance: {}, intervalMs: 60_000 });
    await replica.waitForVersion(await writer.write([['1', { n: 1 }]]), WAIT);
    await expectEqual(replica);
    expect(replica.state().counters).toMatchObject({ heartbeats: 1, gaps: 0, replays: 0, reloads: 0 });
  });

  it('S3: what a stranger puts on the channel costs replays, and never the replica', async () => {
    await writer.lead();
    await writer.load([['1', { n: 0 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    const { channel } = sectionKeys(partition, 'orders');
    const deep = `{"v":1,"type":"changes","changes":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    for (const text of ['', 'x', 'null', '{}', '{"v":2,"type":"changes"}', '{"v":1,"type":"heartbeat","intervalMs":1e308}', deep]) {
      await redis.raw.publish(channel, text);
    }
    await vi.waitFor(() => expect(replica.state().counters.invalid).toBe(7), LIMIT);
    await replica.waitForVersion(await writer.write([['1', { n: 1 }]]), WAIT);
    await expectEqual(replica);
    await writer.heartbeat();
    await expectEqual(replica);
    expect(replica.state().counters).toMatchObject({ reloads: 0, diverged: 0 });
    expect(events.filter((event) => event.type === 'trouble').map(({ error }) => error.code)).toContain('PW-W402');
  });

  it('S3: a stream that was trimmed beyond my place is a reset and a load', async () => {
    const relay = resources.use(new Relay(redis.server.port));
    writer = resources.use(new SectionWriter(redis.url, partition, 500));
    await writer.lead();
    await writer.load([['1', { n: 0 }]]);
    const replica = follow({ redis: await relay.listen() });
    await replica.waitUntilLive(WAIT);
    relay.block();
    await vi.waitFor(() => expect(replica.state().status).toBe('disconnected'), LIMIT);
    for (let n = 0; n < 5; n += 1) {
      await writer.write([[`k${n}`, { n }]]);
    }
    relay.unblock();
    await expectEqual(replica);
    expect(events.find((event) => event.type === 'reset')).toMatchObject({ reason: 'trimmed' });
    expect(replica.state().counters.reloads).toBe(1);
  });

  it('S3, C4: a Redis that went back in time is a reset and a load', async () => {
    await writer.lead();
    await writer.load([['1', { n: 0 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await redis.save('before.rdb');
    await replica.waitForVersion(await writer.write([['1', { n: 1 }]]), WAIT);
    await redis.restartFrom('before.rdb');
    await vi.waitFor(() => expect(events.some((event) => event.type === 'reset')).toBe(true), LIMIT);
    await vi.waitFor(() => {
      expect(replica.state()).toMatchObject({ status: 'live', equal: true });
      expect(replica.get('1')).toEqual({ n: 0 });
    }, LIMIT);
    expect(replica.state().counters.reloads).toBe(1);
  });

  it('S4: a section that is not there yet, and then loads, is waited for', async () => {
    const replica = follow();
    await vi.waitFor(() => expect(replica.state().reasons).toEqual(['section missing']), LIMIT);
    await writer.lead();
    await writer.begin(true);
    await writer.write([['1', { n: 1 }]], 'store');
    await vi.waitFor(() => expect(replica.state().reasons).toEqual(['section loading']), LIMIT);
    expect(replica.position()).toBeNull();
    await writer.end();
    await replica.waitUntilLive(WAIT);
    await expectEqual(replica);
    expect(replica.state().counters.reloads).toBe(0);
  });

  it('S4: a replacement under a new epoch is a reset, and the replica is loaded when it ends', async () => {
    await writer.lead();
    await writer.load([
      ['1', { n: 1 }],
      ['2', { n: 2 }],
    ]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await writer.begin(true);
    await vi.waitFor(() => expect(replica.state()).toMatchObject({ equal: false, reasons: ['section loading'] }), LIMIT);
    await writer.write(
      [
        ['1', { n: 100 }],
        ['2', null],
      ],
      'store',
    );
    await writer.end();
    await expectEqual(replica);
    expect(replica.state().counters.reloads).toBe(1);
    expect(told()).toEqual(['live', 'reset', 'live']);
  });

  it('S4: a published digest that is not the digest of the documents is a divergence', async () => {
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await redis.raw.hset(sectionKeys(partition, 'orders').meta, 'digest', '0123456789abcdef');
    await writer.heartbeat();
    await vi.waitFor(() => expect(told()).toContain('diverged'), LIMIT);
    await vi.waitFor(() => expect(replica.state().equal).toBe(false), LIMIT);
  });

  it('S4: a purged section is told', async () => {
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    await writer.manager.purge('orders', 'no longer wanted');
    await vi.waitFor(() => expect(replica.state().reasons).toEqual(['section missing']), LIMIT);
    expect(events).toContainEqual({ type: 'reset', reason: 'removed', text: 'no longer wanted' });
  });

  it('waits for a Redis that is not there, and closes in between', async () => {
    await redis.stop();
    const replica = follow();
    await vi.waitFor(() => expect(told()).toContain('trouble'), LIMIT);
    expect(replica.state()).toMatchObject({ status: 'disconnected', equal: false, error: { code: 'PW-W403' } });
    await redis.start();
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    await expectEqual(replica);
    await Promise.all([expect(replica.waitForVersion(10_000n)).rejects.toMatchObject({ code: 'PW-W410' }), replica.close()]);
    expect(replica.state().status).toBe('closed');
    expect(replica.get('1')).toEqual({ n: 1 });
    await replica.close();
    await vi.waitFor(async () => expect(String(await redis.raw.client('LIST'))).not.toContain(`:orders:`), LIMIT);
  });

  it('a signal closes it, and waiting ends by signal and by time', async () => {
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    const stop = new AbortController();
    const replica = follow({ signal: stop.signal });
    await replica.waitUntilLive(WAIT);
    await expect(replica.waitForVersion(10_000n, { timeoutMs: 5 })).rejects.toMatchObject({ name: 'TimeoutError' });
    const reason = new Error('enough');
    await expect(replica.waitForVersion(10_000n, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    stop.abort();
    expect(replica.state().status).toBe('closed');
    expect(events.at(-1)).toEqual({ type: 'closed', error: null });
  });

  it('takes ioredis options, and names what the user may not do', async () => {
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    await redis.raw.call('ACL', 'SETUSER', 'reader', 'on', '>secret', 'allkeys', 'allchannels', '+@all', '-subscribe');
    const server = { host: '127.0.0.1', port: redis.server.port, username: 'reader', password: 'secret' };
    const replica = follow({ redis: server });
    await vi.waitFor(() => expect(replica.state().error?.code).toBe('PW-M303'), LIMIT);
    await redis.raw.call('ACL', 'SETUSER', 'reader', '+subscribe');
    await expectEqual(replica);
  });
});
