/**
 * Every mode of the subscriber over a Redis Cluster: sections on different nodes share one connection; a node is switched, killed, and a slot moved
 * while it is read. What a cache holds or an invalidation leaves is never older than what was waited for.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Document } from '../../src/model/document.ts';
import { connect, type Connection, type Invalidations, type LazyCache, type Replica, subscribe } from '../../src/subscriber/index.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { until } from '../support/daemon-process.ts';
import { startCluster, type TestCluster, type TestNode } from '../support/redis-topologies.ts';
import { leading, SectionWriter } from './subscriber-writer.ts';

const WAIT = { timeoutMs: 40_000 };
const KEYS = Array.from({ length: 40 }, (_, i) => String(i + 1));

/** A section that is written, and all that follows it. */
interface Followed {
  readonly meta: string;
  readonly writer: SectionWriter;
  readonly replica: Replica;
  /** It has room for a few keys only: most of what is asked for is read. */
  readonly lazy: LazyCache;
  readonly invalidations: Invalidations;
  /** A cache of our own that is kept by `invalidations`. */
  readonly cached: Map<string, Document>;
}

let redis: TestCluster;
let connection: Connection;
let sections: Followed[];

beforeAll(async () => {
  redis = await startCluster({ primaries: 3, replicas: 2 });
  connection = connect({ redis: { cluster: redis.addresses.slice(1, 3) } });
  sections = [];
  for (const node of redis.nodes.slice(0, 3)) {
    sections.push(await follow(await partitionOn(node)));
  }
});
afterAll(async () => {
  await connection?.[Symbol.asyncDispose]();
  await Promise.all((sections ?? []).map(({ writer }) => writer[Symbol.asyncDispose]()));
  await redis?.[Symbol.asyncDispose]();
});

async function partitionOn(node: TestNode): Promise<string> {
  for (let i = 0; ; i += 1) {
    if ((await redis.primaryOf(sectionKeys(`place${i}`, 'orders').meta)) === node) {
      return `place${i}`;
    }
  }
}

async function follow(partition: string): Promise<Followed> {
  const writer = new SectionWriter({ cluster: redis.addresses }, partition);
  await writer.lead();
  await writer.load(KEYS.map((key) => [key, { n: 0 }]));
  const cached = new Map<string, Document>();
  const of = { redis: connection, partition, section: writer.section };
  return {
    ...{ meta: sectionKeys(partition, writer.section).meta, writer, cached },
    replica: subscribe(of),
    lazy: subscribe({ ...of, mode: 'lazy', max: 4, timeoutMs: WAIT.timeoutMs }),
    invalidations: subscribe({
      ...{ ...of, mode: 'invalidate' },
      onInvalidate: (event) => void (event.type === 'invalidateAll' ? cached.clear() : cached.delete(event.identity)),
    }),
  };
}

/** Changes some rows, deletes one, and looks at what every mode makes of it; ends with a cache that holds everything. */
async function change({ writer, replica, lazy, invalidations, cached }: Followed, n: number): Promise<void> {
  const key = (i: number): string => KEYS[i % KEYS.length]!;
  await writer.write([
    [key(n), { n }],
    [key(n + 1), { n }],
    [key(n + 2), null],
  ]);
  const version = await writer.write([[key(n + 2), { again: n }]]);
  await Promise.all([replica, lazy, invalidations].map((each) => each.waitForVersion(version, WAIT)));
  const now = writer.documents;
  expect(Object.fromEntries(replica.entries())).toEqual(now);
  expect(await lazy.getMany(KEYS.slice(n % 20, (n % 20) + 20), WAIT)).toEqual(KEYS.slice(n % 20, (n % 20) + 20).map((each) => now[each]));
  for (const [held, document] of cached) {
    expect([held, document]).toEqual([held, now[held]]);
  }
  Object.entries(now).forEach(([each, document]) => cached.set(each, document));
}

describe('subscribers of a Redis Cluster on one connection', () => {
  it('S2: follow sections on different nodes in every mode', async () => {
    for (const section of sections) {
      await change(section, 1);
      await change(section, 2);
      expect(section.replica.state()).toMatchObject({ equal: true, error: null });
      expect(section.cached.size).toBe(KEYS.length);
    }
    expect(new Set(await Promise.all(sections.map(({ meta }) => redis.primaryOf(meta)))).size).toBe(3);
  });

  it('S3: go over to the replica that is promoted, and the others do not notice', async () => {
    const [moved, ...others] = sections as [Followed, ...Followed[]];
    const before = others.map(({ replica }) => replica.state().counters);
    const next = await redis.replicaOf(await redis.primaryOf(moved.meta));
    await redis.promote(next);
    await until('another primary', async () => (await redis.primaryOf(moved.meta)) === next);
    await redis.whole();
    await leading(moved.writer);
    await change(moved, 3);
    expect(moved.replica.state()).toMatchObject({ equal: true });
    expect(others.map(({ replica }) => replica.state().counters)).toEqual(before);
  });

  it('S1: read while their slot moves key by key, and answer nothing that is old or half there', async () => {
    const moved = sections[1]!;
    const from = await redis.primaryOf(moved.meta);
    const to = await redis.primaryOf(sections[2]!.meta);
    let over = false;
    const moving = redis.moveSlot(moved.meta, to, { betweenMs: 100 }).finally(() => {
      over = true;
    });
    const now = moved.writer.documents;
    for (let i = 0; !over; i += 1) {
      const some = KEYS.slice(i % 35, (i % 35) + 5);
      expect(await moved.lazy.getMany(some, WAIT)).toEqual(some.map((key) => now[key]));
      expect(Object.fromEntries(moved.replica.entries())).toEqual(now);
    }
    await moving;
    expect(await redis.primaryOf(moved.meta)).not.toBe(from);
    await leading(moved.writer);
    await change(moved, 4);
    await change(sections[2]!, 4);
    expect(moved.replica.state()).toMatchObject({ equal: true });
  });

  it('S3: lose a node: whoever was on it waits for the next one, and the others go on', async () => {
    const lost = sections[0]!;
    const killed = await redis.primaryOf(lost.meta);
    await killed.server.kill();
    await change(sections[2]!, 5);
    await redis.whole();
    await leading(lost.writer);
    await change(lost, 5);
    expect(lost.replica.state()).toMatchObject({ equal: true });
    await killed.server.start();
  });
});
