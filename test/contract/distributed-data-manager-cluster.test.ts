/** The contract over a Redis Cluster of one node, which has every slot: what a node refuses and how it publishes; who serves what is elsewhere. */
import { afterAll, beforeAll } from 'vitest';
import { startCluster, type TestCluster } from '../support/redis-topologies.ts';
import { distributedDataManagerContract } from './distributed-data-manager.ts';
import { redisBench } from './distributed-data-manager-benches.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster({ primaries: 1 });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

let benches = 0;
distributedDataManagerContract('a Redis Cluster', () => {
  const { raw, server } = cluster.nodes[0]!;
  benches += 1;
  const partition = `cluster-${benches}`;
  const redis = {
    url: server.url,
    raw,
    partition: () => partition,
    flush: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return redisBench(redis, { cluster: cluster.addresses });
});
