/** What a program has of a replica, against a real Redis: keys, indexes, parsers, changes, shared connections, and a restart. */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { Disposer } from '../../src/lib/disposer.ts';
import {
  connect,
  type Document,
  type FlowItem,
  type Replica,
  type ReplicaStore,
  subscribe,
  type SubscribeOptions,
  type SubscriberEvent,
} from '../../src/subscriber/index.ts';
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
  await writer.lead();
});
afterEach(() => resources[Symbol.asyncDispose]());

const SECTION = 'orders';

function follow(over: Partial<SubscribeOptions> = {}): Replica {
  return resources.use(
    subscribe({ redis: redis.url, partition, section: SECTION, onEvent: (event) => events.push(event as SubscriberEvent), ...over }),
  );
}

/** Another writer leads, whose replay stream holds so many bytes. */
async function remember(bytes: number): Promise<void> {
  await writer.manager.resign(SECTION);
  writer = resources.use(new SectionWriter(redis.url, partition, bytes));
  await writer.lead();
}

async function expectEqual(replica: Replica): Promise<void> {
  await vi.waitFor(() => {
    expect(replica.state()).toMatchObject({ status: 'live', equal: true });
    expect(Object.fromEntries(replica.entries())).toEqual(writer.documents);
  }, LIMIT);
}

describe('documents', () => {
  it('are found by their key in any spelling that its collation calls equal, which the section tells', async () => {
    writer.key = [{ type: 'nvarchar', collation: 'Latin1_General_CI_AS' }];
    await writer.load([['Ann%40example.org', { n: 1 }, 'ann%40example.org']]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    for (const key of ['Ann%40example.org', 'ann@example.org', 'ANN@EXAMPLE.ORG ', ['ann@EXAMPLE.org']]) {
      expect(replica.get(key)).toEqual({ n: 1 });
    }
    expect(replica.versionOf(['ANN@example.org'])).toBe('1');
    expect(replica.has('bob@example.org')).toBe(false);
    await replica.waitForVersion(await writer.write([['ANN%40example.org', { n: 2 }, 'ann%40example.org']]), WAIT);
    expect(replica.get('Ann@example.org')).toEqual({ n: 2 });
  });

  it('are iterated, searched and indexed, through changes and through a reload', async () => {
    await writer.load([
      ['1', { customer: 'ann', total: 5 }],
      ['2', { customer: 'bob', total: 50 }],
      ['3', { customer: 'ann', total: 500 }],
    ]);
    interface Order {
      readonly customer: string;
      readonly total: number;
    }
    const orders = resources.use(subscribe<Order>({ redis: redis.url, partition, section: SECTION }));
    const byCustomer = orders.index(({ customer }) => customer);
    const byTotal = orders.index(({ total }) => total, { unique: true });
    await orders.waitUntilLive(WAIT);
    expect([...orders.keys()].toSorted()).toEqual(['1', '2', '3']);
    expect([...orders.values()].reduce((sum, { total }) => sum + total, 0)).toBe(555);
    expect(orders.find(({ total }) => total === 50)?.customer).toBe('bob');
    expect(orders.filter(({ customer }) => customer === 'ann')).toHaveLength(2);
    expect(byCustomer.get('ann').map(({ total }) => total)).toEqual([5, 500]);
    expect(byTotal.get(50)?.customer).toBe('bob');

    // A handler sees indexes that are in step with the documents.
    const seen: number[] = [];
    orders.on('change', () => seen.push(byCustomer.get('carl').length));
    await orders.waitForVersion(
      await writer.write([
        ['1', { customer: 'carl', total: 5 }],
        ['2', null],
        ['4', { customer: 'carl', total: 7 }],
      ]),
      WAIT,
    );
    expect(seen).toEqual([2, 2, 2]);
    expect(byCustomer.get('ann').map(({ total }) => total)).toEqual([500]);
    expect(byTotal.get(50)).toBeUndefined();

    await writer.load([['9', { customer: 'dan', total: 9 }]]);
    await vi.waitFor(() => expect(byCustomer.get('dan')).toEqual([{ customer: 'dan', total: 9 }]), LIMIT);
    const late = orders.index(({ total }) => (total > 8 ? 'large' : 'small'));
    expect(late.get('large').length).toBe(orders.filter(({ total }) => total > 8).length);
    late.drop();
    await orders.waitForVersion(await writer.write([['10', { customer: 'eve', total: 100 }]]), WAIT);
    expect(late.get('large').some(({ total }) => total === 100)).toBe(false);
  });

  it('are what a schema makes of them, in events, too; what it refuses ends the replica where nothing else is said', async () => {
    await writer.load([['1', { id: '9007199254740993', total: '1.50' }]]);
    const Order = z.object({ id: z.string().transform(BigInt), total: z.coerce.number() });
    const orders = resources.use(subscribe({ redis: redis.url, partition, section: SECTION, parse: Order }));
    await orders.waitUntilLive(WAIT);
    expect(orders.get(1)).toEqual({ id: 9007199254740993n, total: 1.5 });
    const changed = new Promise((resolve) => orders.on('change', resolve));
    await writer.write([['1', { id: '9007199254740993', total: '2.50' }]]);
    expect(await changed).toMatchObject({ before: { total: 1.5 }, after: { total: 2.5, id: 9007199254740993n } });

    const waiting = orders.waitForVersion(1000n, WAIT);
    await Promise.all([
      expect(waiting).rejects.toMatchObject({ code: 'PW-W407', details: { dataKey: '2' } }),
      writer.write([['2', { id: 'none', total: 'x' }]]),
    ]);
    expect(orders.state()).toMatchObject({ status: 'closed', error: { code: 'PW-W407' } });
  });

  it('that a schema refuses are left out or kept, where that is chosen, and each is told', async () => {
    await writer.load([
      ['1', { n: 1 }],
      ['2', { n: 'two' }],
    ]);
    const schema = z.object({ n: z.number() });
    const troubles: string[] = [];
    const options = { redis: redis.url, partition, section: SECTION, parse: schema };
    const left = resources.use(subscribe({ ...options, onInvalid: 'skip' }));
    left.on('trouble', ({ error }) => troubles.push(error.code));
    const kept = resources.use(subscribe({ ...options, onInvalid: 'keep' }));
    await Promise.all([left.waitUntilLive(WAIT), kept.waitUntilLive(WAIT)]);
    expect([left.size, kept.size]).toEqual([1, 2]);
    expect([left.has('2'), kept.get('2')]).toEqual([false, { n: 'two' }]);
    expect([...left.keys()]).toEqual(['1']);
    expect(troubles).toEqual(['PW-W407']);
    expect(left.state()).toMatchObject({ equal: true });
    await left.waitForVersion(await writer.write([['2', { n: 2 }]]), WAIT);
    expect(left.get('2')).toEqual({ n: 2 });
    expect(left.size).toBe(2);
  });
});

describe('changes', () => {
  it('come by an iterator in order, from the call on, and end with the replica', async () => {
    await writer.load([['1', { n: 0 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    const changes = replica.changes();
    for (let n = 1; n <= 5; n += 1) {
      await writer.write([['1', { n }]]);
    }
    const seen: unknown[] = [];
    for await (const item of changes) {
      seen.push(item.type === 'change' ? item.after?.['n'] : item.type);
      if (seen.length === 5) {
        await replica.close();
      }
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(await replica.changes().next()).toEqual({ done: true, value: undefined });
  });

  it('that nobody fetches are dropped beyond the bound, and the place says how many', async () => {
    await writer.load([['1', { n: 0 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    const stop = new AbortController();
    const changes = replica.changes({ limits: { items: 3 }, signal: stop.signal });
    for (let n = 1; n <= 10; n += 1) {
      await writer.write([['1', { n }]]);
    }
    await replica.waitForVersion(writer.version, WAIT);
    const items: FlowItem<Document>[] = [];
    for (let i = 0; i < 4; i += 1) {
      items.push((await changes.next()).value as FlowItem<Document>);
    }
    expect(items[0]).toEqual({ type: 'dropped', changes: 7 });
    expect(items.slice(1).map((item) => (item.type === 'change' ? item.after : null))).toEqual([{ n: 8 }, { n: 9 }, { n: 10 }]);
    expect(replica.state().counters.replays).toBe(0);
    const waiting = changes.next();
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('S3: a handler that is slower than they come holds the replica, which fetches them from the stream: none is lost, memory is bounded', async () => {
    await writer.load([['1', { n: 0 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const handled: unknown[] = [];
    const handling = replica.handle(
      async ({ after }) => {
        await gate;
        handled.push(after?.['n']);
      },
      { limits: { items: 5 } },
    );
    for (let n = 1; n <= 50; n += 1) {
      await writer.write([['1', { n }]]);
    }
    await vi.waitFor(() => expect(replica.state()).toMatchObject({ status: 'behind', equal: false, reasons: ['behind'] }), LIMIT);
    expect(Number(replica.get('1')?.['n'])).toBeLessThan(10);
    open();
    await vi.waitFor(() => expect(handled).toHaveLength(50), LIMIT);
    expect(handled).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    await expectEqual(replica);
    expect(replica.state().counters).toMatchObject({ reloads: 0 });
    expect(events).toContainEqual({ type: 'gap', reason: 'slow' });
    await handling.stop();
    await handling.done;
  });

  it('are handled by the rule that is named: a handler that fails ends its handling, not the replica', async () => {
    await writer.load([['1', { n: 0 }]]);
    const replica = follow();
    await replica.waitUntilLive(WAIT);
    const handling = replica.handle(() => {
      throw new Error('no');
    });
    await Promise.all([
      expect(handling.done).rejects.toMatchObject({ code: 'PW-W409' }),
      replica.waitForVersion(await writer.write([['1', { n: 1 }]]), WAIT),
    ]);
    await replica.waitForVersion(await writer.write([['1', { n: 2 }]]), WAIT);
    await expectEqual(replica);
  });
});

describe('connections', () => {
  it('are two, however many sections share them, and stay open when one of these closes', async () => {
    const others = await Promise.all(
      ['customers', 'products'].map(async (section) => {
        const other = resources.use(new SectionWriter(redis.url, partition));
        Object.assign(other, { section });
        await other.lead();
        await other.load([['1', { section }]]);
        return other;
      }),
    );
    await writer.load([['1', { n: 1 }]]);
    const clients = async (): Promise<number> => String(await redis.raw.client('LIST')).split('name=together:').length - 1;
    const connection = resources.use(connect({ redis: redis.url, name: 'together' }));
    const replicas = ['customers', 'products', SECTION].map((section) => follow({ redis: connection, section }));
    await Promise.all(replicas.map((replica) => replica.waitUntilLive(WAIT)));
    expect(await clients()).toBe(2);
    await replicas[0]?.close();
    await replicas[1]?.waitForVersion(await others[1]!.write([['2', { n: 2 }]]), WAIT);
    await replicas[2]?.waitForVersion(await writer.write([['2', { n: 2 }]]), WAIT);
    const again = follow({ redis: connection, section: 'customers' });
    await again.waitForVersion(await others[0]!.write([['3', { n: 3 }]]), WAIT);
    expect(await clients()).toBe(2);
    await connection[Symbol.asyncDispose]();
    expect(replicas.map((replica) => replica.state().status)).toEqual(['closed', 'closed', 'closed']);
    await vi.waitFor(async () => expect(await clients()).toBe(0), LIMIT);
  });

  it('serve the sections that their user may see, while another is refused', async () => {
    await writer.load([['1', { n: 1 }]]);
    const { channel, document } = sectionKeys(partition, SECTION);
    const acl = ['reader', 'on', '>secret', `~${document.slice(0, -1)}*`, 'resetchannels', `&${channel}`, '+@all'];
    await redis.raw.call('ACL', 'SETUSER', ...acl);
    const server = { host: '127.0.0.1', port: redis.server.port, username: 'reader', password: 'secret' };
    const connection = resources.use(connect({ redis: server }));
    const seen = follow({ redis: connection });
    const hidden = follow({ redis: connection, section: 'secret' });
    await vi.waitFor(() => expect(hidden.state().error?.code).toBe('PW-M303'), LIMIT);
    await seen.waitForVersion(await writer.write([['2', { n: 2 }]]), WAIT);
    expect(seen.state().counters).toMatchObject({ gaps: 0, replays: 0 });
    expect(hidden.state().status).toBe('disconnected');
  });

  it('S3: a subscriber that takes nothing is cut off by Redis at its output buffer limit, comes back, and ends equal', async () => {
    await redis.raw.config('SET', 'client-output-buffer-limit', 'pubsub 1mb 0 0');
    await remember(200_000_000);
    await writer.load([['1', { n: 0 }]]);
    const relay = resources.use(new Relay(redis.server.port));
    const replica = follow({ redis: await relay.listen() });
    await replica.waitUntilLive(WAIT);
    const listening = async (): Promise<boolean> => /name=patchwire:[^ ]*:subscriber .*sub=1/u.test(String(await redis.raw.client('LIST')));
    await vi.waitFor(async () => expect(await listening()).toBe(true), LIMIT);
    expect(relay.stall()).toBe(1);
    // What the sockets between them take comes before what counts against the limit.
    for (let n = 1; n <= 200 && (await listening()); n += 1) {
      await writer.write([[`k${n % 4}`, { n, filler: `${n}`.padEnd(400_000, 'x') }]]);
    }
    expect(await listening()).toBe(false);
    relay.resume();
    await writer.write([['1', { n: 1 }]]);
    await expectEqual(replica);
    expect(events).toContainEqual({ type: 'gap', reason: 'disconnected' });
    expect(replica.state().counters).toMatchObject({ diverged: 0, reloads: 0 });
  });
});

describe('a replica that is stored', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchwire-replica-'));
    resources.defer(() => rm(folder, { recursive: true }));
  });

  function fileStore(): ReplicaStore {
    const file = join(folder, 'orders');
    return {
      load: () => readFile(file).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : Promise.reject(error))),
      save: async (bytes) => {
        await writeFile(`${file}.new`, bytes);
        await rename(`${file}.new`, file);
      },
    };
  }

  it('S3: goes on after a restart by what changed meanwhile, without a load', async () => {
    writer.key = [{ type: 'nvarchar', collation: 'Latin1_General_CI_AS' }];
    await writer.load([
      ['1', { n: 1 }],
      ['2', { n: 2 }],
      ['Ab', { n: 3 }, 'ab'],
    ]);
    const first = follow({ store: fileStore() });
    await first.waitUntilLive(WAIT);
    await first.close();
    await writer.write([
      ['1', { n: 10 }],
      ['2', null],
    ]);
    events.length = 0;
    const second = follow({ store: fileStore() });
    await second.waitUntilLive(WAIT);
    await expectEqual(second);
    expect(events.map(({ type }) => type)).toEqual(['restored', 'change', 'change', 'live']);
    expect(second.get('AB')).toEqual({ n: 3 });
    expect(second.state().counters).toMatchObject({ reloads: 0, replays: 1 });
    await second.waitForVersion(await writer.write([['5', { n: 5 }]]), WAIT);
  });

  it('S3: is loaded anew, and says so, where the stream does not reach back', async () => {
    await remember(500);
    await writer.load([['1', { n: 0 }]]);
    const first = follow({ store: fileStore() });
    await first.waitUntilLive(WAIT);
    await first.close();
    for (let n = 0; n < 8; n += 1) {
      await writer.write([[`k${n}`, { n }]]);
    }
    events.length = 0;
    const second = follow({ store: fileStore() });
    await expectEqual(second);
    expect(events.map(({ type }) => type)).toEqual(['restored', 'reset', 'live']);
  });

  it.each([
    ['damaged', (bytes: Uint8Array) => bytes.slice(0, -3)],
    ['foreign', (bytes: Uint8Array) => bytes],
    ['format', (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString().replace('replica 1 ', 'replica 9 '))],
  ])('that is refused as %s is named, and the section is loaded', async (reason, spoil) => {
    await writer.load([['1', { n: 1 }]]);
    let bytes: Uint8Array | null = null;
    const store: ReplicaStore = { load: () => bytes, save: (saved) => void (bytes = spoil(saved)) };
    const first = follow({ store });
    await first.waitUntilLive(WAIT);
    expect(await first.save()).toBe(true);
    await first.close();
    let target = writer;
    if (reason === 'foreign') {
      target = resources.use(new SectionWriter(redis.url, partition));
      Object.assign(target, { section: 'others' });
      await target.lead();
      await target.load([['1', { n: 1 }]]);
    }
    events.length = 0;
    const second = follow({ store, section: target.section });
    await second.waitUntilLive(WAIT);
    expect(events.map((event) => (event.type === 'trouble' ? [event.error.code, event.error.details['reason']] : event.type))).toEqual([
      ['PW-W408', reason],
      'live',
    ]);
  });

  it('that nobody has stored yet is loaded without a word, whether the store says null or nothing at all', async () => {
    await writer.load([['1', { n: 1 }]]);
    for (const nothing of [null, undefined]) {
      const replica = follow({ store: { load: async () => nothing, save: () => {} } });
      await expectEqual(replica);
      await replica.close();
    }
    expect(events.map(({ type }) => type).filter((type) => type === 'trouble')).toEqual([]);
  });

  it('whose store fails is told, and goes on without', async () => {
    await writer.load([['1', { n: 1 }]]);
    const failing: ReplicaStore = {
      load: () => Promise.reject(new Error('no disk')),
      save: () => Promise.reject(new Error('disk full')),
      everyMs: 5,
    };
    const replica = follow({ store: failing });
    await replica.waitUntilLive(WAIT);
    await vi.waitFor(() => expect(events.filter(({ type }) => type === 'trouble').length).toBeGreaterThan(1), LIMIT);
    await expect(replica.save()).rejects.toThrow('disk full');
    await replica.close();
    expect(replica.state().status).toBe('closed');
  });

  it('is saved again and again while it changes, and not while it does not', async () => {
    await writer.load([['1', { n: 1 }]]);
    let saves = 0;
    const replica = follow({ store: { load: () => null, save: () => void (saves += 1), everyMs: 5 } });
    await replica.waitUntilLive(WAIT);
    await vi.waitFor(() => expect(saves).toBe(1), LIMIT);
    await replica.waitForVersion(await writer.write([['1', { n: 2 }]]), WAIT);
    await vi.waitFor(() => expect(saves).toBe(2), LIMIT);
    await replica.close();
    expect(saves).toBe(2);
  });
});
