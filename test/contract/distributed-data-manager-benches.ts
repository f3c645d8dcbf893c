/** The benches of the contract: over plain maps, and over a Redis. */
import { Redis } from 'ioredis';
import { systemClock } from '../../src/lib/clock.ts';
import { memoryDataManager } from '../../src/manager/memory/memory-data-manager.ts';
import { MemoryStore } from '../../src/manager/memory/memory-store.ts';
import { parseVersion } from '../../src/model/version.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { decodeIndexEntry, sectionKeys } from '../../src/wire/keys.ts';
import type { TestRedis } from '../support/redis.ts';
import type { ManagerBench } from './distributed-data-manager-rows.ts';

const PARTITION = 'shop';

export async function memoryBench(): Promise<ManagerBench & { readonly store: MemoryStore }> {
  const store = new MemoryStore();
  const texts: string[] = [];
  const keyTexts: string[] = [];
  store.listen((channel, text) => (channel.startsWith('__dataChanged:') ? texts : keyTexts).push(text));
  return {
    store,
    manager: (options = {}) =>
      memoryDataManager({
        store,
        partition: PARTITION,
        leaseMs: 60_000,
        replay: { maxBytes: 1e7, maxAgeMs: 1e9 },
        clock: systemClock,
        ...options,
      }),
    messages: async () => texts,
    keyMessages: async () => keyTexts,
    state: async (section) => {
      const { index, documents, changes } = store.section(PARTITION, section);
      return {
        index: Object.fromEntries([...index].map(([identity, entry]) => [identity, `${entry.version} ${entry.dataKey}`])),
        documents: Object.fromEntries(documents),
        changes: changes.map(({ seq, text }) => ({ seq, text })),
      };
    },
    expireLease: async (section) => {
      store.section(PARTITION, section).lease = null;
    },
    setMeta: async (section, field, value) => {
      const meta = store.section(PARTITION, section).meta!;
      if (field === 'checkpoint' || field === 'upTo') {
        meta[field] = parseVersion(value);
      } else if (field === 'format') {
        meta.format = Number(value);
      } else {
        meta[field] = value;
      }
    },
    setIndexEntry: async (section, identity, version) => {
      store.section(PARTITION, section).index.set(identity, { version, dataKey: identity });
    },
    deleteDocument: async (section, dataKey) => {
      store.section(PARTITION, section).documents.delete(dataKey);
    },
    deleteMeta: async (section) => {
      store.section(PARTITION, section).meta = null;
    },
    snapshot: async () => {
      const copy = store.snapshot();
      return async () => store.restore(copy);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** The sections of the contract. */
const SECTIONS = ['orders', 'other', 'new'];

/** Managers over a partition of its own in a Redis that outlives the bench, connected by `url` where another user is meant. */
export async function redisBench(
  redis: TestRedis,
  { url = redis.url, cluster = null }: { url?: string; cluster?: readonly string[] | null } = {},
): Promise<ManagerBench & { readonly partition: string }> {
  const partition = redis.partition();
  const { raw } = redis;
  const managers: AsyncDisposable[] = [];
  const texts: string[] = [];
  const keyTexts: string[] = [];
  const marks = new Map<string, () => void>();
  const listener = new Redis(redis.url, { protocol: 2 });
  listener.on('error', () => undefined);
  listener.on('pmessage', (_pattern: string, channel: string, text: string) =>
    (channel.startsWith('__dataChanged:') ? texts : keyTexts).push(text),
  );
  listener.on('message', (_channel: string, mark: string) => marks.get(mark)?.());
  await listener.psubscribe(`__dataChanged:{${partition}:[^s]*`, `__dataKeys:{${partition}:[^s]*`);
  await listener.subscribe(`mark:${partition}`);
  if (cluster !== null) {
    // Sharded channels have no patterns.
    listener.on('smessage', (channel: string, text: string) => (channel.startsWith('__dataChanged:') ? texts : keyTexts).push(text));
    const channels = SECTIONS.map((section) => sectionKeys(partition, section)).flatMap((each) => [each.channel, each.keysChannel]);
    await Promise.all(channels.map((channel) => listener.ssubscribe(channel)));
  }
  const keys = (section: string): ReturnType<typeof sectionKeys> => sectionKeys(partition, section);
  const arrived = async (): Promise<void> => {
    const mark = String(marks.size);
    const heard = new Promise<void>((resolve) => marks.set(mark, resolve));
    await raw.publish(`mark:${partition}`, mark);
    await heard;
  };
  return {
    partition,
    manager: (options = {}) => {
      const manager = redisDataManager({
        ...(cluster === null ? { url } : { options: { cluster } }),
        partition,
        leaseMs: 60_000,
        replay: { maxBytes: 1e7, maxAgeMs: 1e9 },
        commandTimeoutMs: 10_000,
        clock: systemClock,
        ...options,
      });
      managers.push(manager);
      return manager;
    },
    messages: async () => {
      await arrived();
      return [...texts];
    },
    keyMessages: async () => {
      await arrived();
      return [...keyTexts];
    },
    state: async (section) => {
      const index = Object.entries(await raw.hgetall(keys(section).index));
      const documents: Record<string, string> = {};
      const prefix = keys(section).document;
      for await (const found of raw.scanStream({ match: `${prefix}*`, count: 5000 }) as AsyncIterable<string[]>) {
        for (const key of found) {
          documents[key.slice(prefix.length)] = (await raw.get(key)) ?? '';
        }
      }
      const changes = await raw.xrange(keys(section).changes, '-', '+');
      return {
        index: Object.fromEntries(
          index.map(([identity, value]) => {
            const { version, dataKey } = decodeIndexEntry(identity, value);
            return [identity, `${version} ${dataKey}`];
          }),
        ),
        documents,
        changes: changes.map(([id, fields]) => ({ seq: Number(id.split('-')[1]), text: fields[1] ?? '' })),
      };
    },
    expireLease: async (section) => {
      await raw.del(keys(section).lease);
    },
    setMeta: async (section, field, value) => {
      await raw.hset(keys(section).meta, field, value);
    },
    setIndexEntry: async (section, identity, version) => {
      await raw.hset(keys(section).index, identity, version);
    },
    deleteDocument: async (section, dataKey) => {
      await raw.del(keys(section).document + dataKey);
    },
    deleteMeta: async (section) => {
      await raw.del(keys(section).meta);
    },
    snapshot: async () => {
      const own = async (): Promise<string[]> => await raw.keys(`{${partition}:*`);
      const dumps: [string, number, Buffer][] = [];
      for (const key of await own()) {
        dumps.push([key, Math.max(0, await raw.pttl(key)), (await raw.dumpBuffer(key))!]);
      }
      return async () => {
        await raw.del(...(await own()));
        for (const [key, ttl, dump] of dumps) {
          await raw.restore(key, ttl, dump);
        }
      };
    },
    [Symbol.asyncDispose]: async () => {
      listener.disconnect();
      for (const manager of managers) {
        await manager[Symbol.asyncDispose]();
      }
      await redis.flush();
    },
  };
}
