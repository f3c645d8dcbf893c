/** patchwire/subscriber/testing: what its publisher writes and says is what the real manager writes and says. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseMessage } from '../../src/wire/codec.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { scriptedPublisher } from '../../src/subscriber/testing/index.ts';
import { type TestRedis, testRedis } from '../support/redis.ts';
import { namesUnder } from '../support/wire-readme.ts';
import { SectionWriter, type Write } from './subscriber-writer.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await testRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

const section = 'orders';

const FIRST: readonly Write[] = [
  ['1', { n: 1, list: [1, 2] }],
  ['2', { n: 2 }],
  ['Ab', { name: 'Ab' }],
];
const STEPS: readonly (readonly Write[])[] = [
  [
    ['1', { n: 10, list: [1, 2, 3] }],
    ['3', { n: 3 }],
  ],
  [['2', null]],
  [['ab', { name: 'ab' }, 'Ab']],
  [['ab', null, 'Ab']],
];

/** A section as Redis has it, and what was heard of it, with names in place of what is random. */
async function observed(partition: string, work: () => Promise<unknown>): Promise<unknown> {
  const keys = sectionKeys(partition, section);
  const listener = new Redis(redis.url, { protocol: 2 });
  const heard: string[] = [];
  listener.on('message', (_channel: string, text: string) => heard.push(text));
  await listener.subscribe(keys.channel);
  try {
    await work();
    const names = (await redis.raw.keys(`{${partition}:${section}}*`)).map((key) => key.replace(`{${partition}:`, '{p:'));
    const entries = await redis.raw.xrange(keys.changes, '-', '+');
    await vi.waitFor(() => expect(heard.length).toBe(entries.length + 1));
    const ids = new Map<string, string>();
    const named = (id: unknown): string => {
      const text = String(id);
      ids.set(text, ids.get(text) ?? `id${ids.size}`);
      return ids.get(text) ?? '';
    };
    const TIMES = ['changeTime', 'time', 'sourceReadAt', 'heartbeatAt', 'oldestAt', 'bytes', 'leader', 'managerId', 'partitionKey'];
    const plain = (fields: Readonly<Record<string, unknown>>): unknown =>
      Object.fromEntries(
        Object.entries(fields)
          .filter(([name, value]) => value !== '' && (value !== null || name === 'upTo') && !TIMES.includes(name))
          .map(([name, value]) => [name, ['epoch', 'id', 'prevId', 'last'].includes(name) ? named(value) : name === 'tip' ? 'tip' : value]),
      );
    // An identity that is the data key says nothing.
    const bare = (change: Readonly<Record<string, unknown>>): unknown =>
      Object.fromEntries(Object.entries(change).filter(([name, value]) => name !== 'identity' || value !== change['dataKey']));
    const told = (text: string): unknown => {
      const message = parseMessage(text);
      return plain(message.type === 'changes' ? { ...message, changes: message.changes.map(bare) } : { ...message });
    };
    const documents: Record<string, unknown> = {};
    for (const name of names.filter((key) => key.startsWith('{p:orders}:'))) {
      documents[name] = JSON.parse((await redis.raw.get(name.replace('{p:', `{${partition}:`))) ?? 'null');
    }
    return {
      heard: heard.map(told),
      stream: entries.map(([id, fields]) => [id, fields.filter((_, i) => i % 2 === 0), told(fields[1] ?? '')]),
      meta: plain(await redis.raw.hgetall(keys.meta)),
      index: await redis.raw.hgetall(keys.index),
      documents,
      names: names.filter((key) => !key.endsWith('/lease')).toSorted(),
    };
  } finally {
    listener.disconnect();
  }
}

describe('the scripted publisher', () => {
  it('writes the keys and says the words that the real manager does', async () => {
    const partition = redis.partition();
    await using writer = new SectionWriter(redis.url, partition);
    const real = await observed(partition, async () => {
      await writer.lead();
      await writer.load(FIRST);
      for (const writes of STEPS) {
        await writer.write(writes);
      }
      await writer.heartbeat();
    });
    const other = redis.partition();
    await using publisher = await scriptedPublisher({ redis: redis.url, partition: other, section, intervalMs: 60_000 });
    const scripted = await observed(other, async () => {
      await publisher.begin({ reason: 'first load' });
      await publisher.store(...FIRST);
      await publisher.end('load ended');
      for (const writes of STEPS) {
        await publisher.publish(...writes);
      }
      await publisher.heartbeat();
    });
    expect(scripted).toEqual(real);
    // The page for other languages has every field.
    const documented = namesUnder('## Keys').flat(2);
    const stored = Object.keys(await redis.raw.hgetall(sectionKeys(partition, section).meta));
    expect(stored.filter((field) => !documented.includes(field))).toEqual([]);
  });

  it("refuses a daemon's section, and takes one over that a test left behind", async () => {
    const partition = redis.partition();
    await using writer = new SectionWriter(redis.url, partition);
    await writer.lead();
    await writer.load(FIRST);
    await expect(scriptedPublisher({ redis: redis.url, partition, section })).rejects.toThrow(/not a scripted one/u);
    await writer.manager.resign(section);
    await expect(scriptedPublisher({ redis: redis.url, partition, section })).rejects.toThrow(/not a scripted one/u);
    const other = redis.partition();
    await using left = await scriptedPublisher({ redis: redis.url, partition: other, section });
    await left.load({ a: { n: 1 } });
    await using next = await scriptedPublisher({ redis: redis.url, partition: other, section });
    expect(await redis.raw.keys(`{${other}*`)).toEqual([]);
    await next.load({ b: { n: 2 } });
    expect(await redis.raw.get(`{${other}:${section}}:b`)).toBe('{"n":2}');
  });

  it('leaves nothing behind', async () => {
    const partition = redis.partition();
    {
      await using publisher = await scriptedPublisher({ redis: redis.url, partition, section });
      await publisher.load({ a: { n: 1 } });
      await publisher.quarantine('a');
      publisher.beat();
    }
    expect(await redis.raw.keys(`{${partition}*`)).toEqual([]);
  });
});
