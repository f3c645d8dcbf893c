/**
 * The contract over a Redis Cluster of one node, which has every slot: what a node refuses and how it publishes, and the rights that it takes. Who
 * serves what is redis-cluster.test.ts.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subscribe } from '../../src/subscriber/index.ts';
import { privateTestRedis } from '../support/redis.ts';
import { startCluster, type TestCluster } from '../support/redis-topologies.ts';
import { distributedDataManagerContract } from './distributed-data-manager.ts';
import { redisBench } from './distributed-data-manager-benches.ts';
import { SectionWriter } from './subscriber-writer.ts';

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

describe('the rights that a cluster takes', () => {
  const acl = readFileSync(new URL('../../docker/users.acl', import.meta.url), 'utf8');
  /** Beyond docker/users.acl, as the README has it. PUBLISH and SUBSCRIBE are for other clusters. */
  const MORE = {
    patchwire: ['+cluster|slots', '+spublish', '-publish'],
    reader: ['+cluster|slots', '+ssubscribe', '+sunsubscribe'],
  } as const;
  const user = async (
    name: keyof typeof MORE,
    without?: string,
  ): Promise<{ cluster: readonly string[]; username: string; password: string }> => {
    const line = acl.split('\n').find((text) => text.startsWith(`user ${name} `))!;
    const words = [
      ...line
        .replaceAll(/\{shop[:}]\*/gu, '{rights*')
        .split(' ')
        .slice(2),
      ...MORE[name],
    ];
    await cluster.nodes[0]!.raw.call('ACL', 'SETUSER', name, 'reset', ...words.filter((word) => word !== `+${without}`));
    return { cluster: cluster.addresses, username: name, password: 'Try-It-0nly!' };
  };

  it('are enough for daemon and reader', async () => {
    await using writer = new SectionWriter(await user('patchwire'), 'rights');
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    await using replica = subscribe({ redis: await user('reader'), partition: 'rights', section: 'orders' });
    await replica.waitUntilLive({ timeoutMs: 30_000 });
    await replica.waitForVersion(await writer.write([['2', { n: 2 }]]), { timeoutMs: 30_000 });
    expect(replica.get('2')).toEqual({ n: 2 });
  });

  it.each(['cluster|slots', 'spublish'])('C5: without +%s the daemon refuses to start and names it', async (right) => {
    await using writer = new SectionWriter(await user('patchwire', right), 'rights');
    const message = expect.stringMatching(new RegExp(right.replace('|', '.'), 'iu')) as string;
    await expect(writer.lead()).rejects.toMatchObject({ code: 'PW-M303', message });
  });

  it.each(['cluster|slots', 'ssubscribe'])('without +%s a reader names what is missing', async (right) => {
    await using replica = subscribe({ redis: await user('reader', right), partition: 'rights', section: 'orders' });
    await expect.poll(() => replica.state().error?.code, { timeout: 20_000 }).toBe('PW-M303');
  });

  it('a server that is no cluster is told', async () => {
    await using single = await privateTestRedis();
    await using writer = new SectionWriter({ cluster: [`127.0.0.1:${single.server.port}`] }, 'rights');
    await expect(writer.lead()).rejects.toMatchObject({ code: 'PW-M330', hint: expect.stringContaining('manager.redis.url') as string });
  });
});
