/** Daemon and subscribers over a Redis Cluster: sections on different nodes, and under load a switch, a killed node, and a slot that moves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sectionKeys } from '../../src/wire/keys.ts';
import { startCluster, type TestCluster } from '../support/redis-topologies.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { type PlacesWorld, placesWorld } from './redis-places-world.ts';

let server: TestServer;
let redis: TestCluster;
let here: PlacesWorld;

beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), startCluster({ primaries: 3, replicas: 3 })]);
  here = await placesWorld(server, { cluster: redis.addresses.slice(0, 2) });
});
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await Promise.all([redis?.[Symbol.asyncDispose](), server?.close()]);
});

const metaOf = (i: number): string => sectionKeys(here.world.partition, here.shapes[i]!.section).meta;

describe('a Redis Cluster', () => {
  it('has the sections on different nodes, each published by SPUBLISH, as its meta says', async () => {
    const nodes = await Promise.all(here.shapes.map((_, i) => redis.primaryOf(metaOf(i))));
    expect(new Set(nodes).size).toBeGreaterThan(1);
    for (const [i, { raw }] of nodes.entries()) {
      expect(await raw.hget(metaOf(i), 'publish')).toBe('SPUBLISH');
    }
  });

  it('is switched under load by CLUSTER FAILOVER: the next primary is led, and all ends equal', async () => {
    here.write();
    await here.more(20);
    const old = await redis.primaryOf(metaOf(0));
    const next = await redis.replicaOf(old);
    await next.raw.call('CLUSTER', 'FAILOVER');
    await redis.whole();
    expect(await redis.primaryOf(metaOf(0))).toBe(next);
    await here.more(20);
    await here.endsEqual();
  });

  it('moves a slot under load, key by key: nothing is written meanwhile that is lost, and all ends equal', async () => {
    here.write();
    await here.more(10);
    const from = await redis.primaryOf(metaOf(1));
    const to = await redis.primaryOf(metaOf(from === (await redis.primaryOf(metaOf(0))) ? 2 : 0));
    await redis.moveSlot(metaOf(1), to, { betweenMs: 50 });
    expect(await redis.primaryOf(metaOf(1))).toBe(to);
    await here.more(20);
    await here.endsEqual();
  });

  it('C2, C4: loses a node under load: its replica is led, the sections of the others go on, and all ends equal', async () => {
    here.write();
    await here.more(20);
    const killed = await redis.primaryOf(metaOf(0));
    await killed.server.kill();
    await here.more(20);
    await redis.whole();
    await here.endsEqual();
    await killed.server.start();
    await redis.whole();
  });
});
