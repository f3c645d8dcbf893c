/** Daemon and subscribers over a Redis Cluster: sections on different nodes, and under load a switch, a killed node, and a slot that moves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomUUID } from 'node:crypto';
import type { PatchwireError } from '../../src/model/errors.ts';
import { readAudience } from '../../src/subscriber/audience.ts';
import { connect, subscribe } from '../../src/subscriber/index.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { keySlot } from '../../src/wire/slot.ts';
import { startCli } from '../support/cli.ts';
import { until } from '../support/daemon-process.ts';
import { startCluster, type TestCluster, type TestNode } from '../support/redis-topologies.ts';
import { startServer, type TestServer } from '../support/sandbox.ts';
import { type PlacesWorld, placesWorld } from './redis-places-world.ts';
import { SectionWriter } from './subscriber-writer.ts';

let server: TestServer;
let redis: TestCluster;
let here: PlacesWorld;

beforeAll(async () => {
  [server, redis] = await Promise.all([startServer(), startCluster({ primaries: 3, replicas: 3, gated: true })]);
  here = await placesWorld(server, { cluster: redis.addresses.slice(0, 2) });
});
afterAll(async () => {
  await here?.[Symbol.asyncDispose]();
  await Promise.all([redis?.[Symbol.asyncDispose](), server?.close()]);
});

const metaOf = (i: number): string => sectionKeys(here.world.partition, here.shapes[i]!.section).meta;

describe('a Redis Cluster', () => {
  it('agrees with us on the slots of keys', async () => {
    const keys = ['{shop:orders}:1', 'a{b}c', 'é{', '{}x', '{shop}/daemons', '}{x}', randomUUID()];
    const slots = await Promise.all(keys.map((key) => redis.nodes[0]!.raw.call('CLUSTER', 'KEYSLOT', key)));
    expect(slots).toEqual(keys.map(keySlot));
  });

  it('C2: scripts in flight to a node that has lost the slot are refused, once each, and never sent again', async () => {
    const partition = 'inflight';
    await using writer = new SectionWriter({ cluster: redis.addresses }, partition);
    await writer.lead();
    await writer.load([['1', { n: 1 }]]);
    const { meta, document } = sectionKeys(partition, writer.section);
    const from = await redis.primaryOf(meta);
    const to = redis.nodes.slice(0, 3).find((node) => node !== from)!;
    await redis.moveSlot(meta, to);
    const counts = async (node: TestNode): Promise<readonly number[]> => {
      const line = /^cmdstat_evalsha:.*$/m.exec(await node.raw.info('commandstats'))?.[0] ?? '';
      return ['calls', 'rejected_calls'].map((name) => Number(new RegExp(`[:,]${name}=(\\d+)`).exec(line)?.[1] ?? 0));
    };
    // The daemon's own scripts are not refused meanwhile.
    const [, refusedBefore] = await counts(from);
    const sent = ['2', '3', '4', '5'].map((key) => writer.write([[key, { n: Number(key) }]]));
    const outcomes = await Promise.allSettled(sent);
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as PatchwireError).code)).toEqual([
      'PW-M310',
      ...Array<string>(3).fill('PW-M310'),
    ]);
    const [, refused] = await counts(from);
    expect(refused! - refusedBefore!).toBe(4);

    const { kind } = await writer.manager.lead(writer.section);
    expect(kind).toBe('leading');
    expect(await to.raw.mget(...['1', '2', '3', '4', '5'].map((key) => document + key))).toEqual(['{"n":1}', null, null, null, null]);
  });

  it('has one connection for sections on different nodes, and says who listens to each', async () => {
    const { partition } = here.world;
    await using connection = connect({ redis: { cluster: redis.addresses } });
    const replicas = here.shapes.map(({ section }) => subscribe({ redis: connection, partition, section, name: 'several' }));
    await Promise.all(replicas.map((replica) => replica.waitUntilLive({ timeoutMs: 30_000 })));
    const sections = here.shapes.map(({ section }) => section);
    await until('lines of all three', async () => {
      const listening = await readAudience({ redis: { cluster: redis.addresses }, partition, sections });
      return listening.filter(({ name }) => name === 'several').length === 3;
    });
    await connection[Symbol.asyncDispose]();
    expect(replicas.map((replica) => replica.state().status)).toEqual(['closed', 'closed', 'closed']);
  });

  it('has the sections on different nodes, each published by SPUBLISH, as its meta says', async () => {
    const nodes = await Promise.all(here.shapes.map((_, i) => redis.primaryOf(metaOf(i))));
    expect(new Set(nodes).size).toBeGreaterThan(1);
    for (const [i, { raw }] of nodes.entries()) {
      expect(await raw.hget(metaOf(i), 'publish')).toBe('SPUBLISH');
    }
  });

  it('is switched under load by CLUSTER FAILOVER: the next primary is led, and all ends equal', async () => {
    here.write();
    await here.more(5);
    const old = await redis.primaryOf(metaOf(0));
    const next = await redis.replicaOf(old);
    await redis.promote(next);
    await until('another primary', async () => (await redis.primaryOf(metaOf(0))) === next);
    await redis.whole();
    await here.more(5);
    await here.endsEqual();
  });

  it('moves a slot under load, key by key: nothing is written meanwhile that is lost, and all ends equal', async () => {
    here.write();
    await here.more(5);
    const from = await redis.primaryOf(metaOf(1));
    const to = await redis.primaryOf(metaOf(from === (await redis.primaryOf(metaOf(0))) ? 2 : 0));
    await redis.moveSlot(metaOf(1), to, { betweenMs: 50 });
    expect(await redis.primaryOf(metaOf(1))).toBe(to);
    await here.more(5);
    await here.endsEqual();
  });

  it('C2, C3: a node falls asleep and wakes up deposed: the next primary is led meanwhile, and whoever listened to the old one comes after', async () => {
    here.write();
    await here.more(5);
    const old = await redis.primaryOf(metaOf(2));
    const next = await redis.replicaOf(old);
    const pid = Number(/process_id:(\d+)/u.exec(await old.raw.info('server'))![1]);
    process.kill(pid, 'SIGSTOP');
    try {
      await until('another primary', async () => ((await next.raw.call('ROLE')) as [string])[0] === 'master');
      const before = await next.raw.hget(metaOf(2), 'tip');
      await until('a script on the next one', async () => (await next.raw.hget(metaOf(2), 'tip')) !== before);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await redis.whole();
    await here.endsEqual();
  });

  it('C3: a node is cut off from the others, and lives on for its clients: it is left, also by subscribers, and all ends equal', async () => {
    here.write();
    await here.more(5);
    const old = await redis.primaryOf(metaOf(0));
    const next = await redis.replicaOf(old);
    redis.isolate(old);
    await until('another primary', async () => ((await next.raw.call('ROLE')) as [string])[0] === 'master');
    expect(((await old.raw.call('ROLE')) as [string])[0]).toBe('master');
    await here.more(5);
    await here.endsEqual();
    expect(((await old.raw.call('ROLE')) as [string])[0]).toBe('master');
    redis.rejoin(old);
    await redis.whole();
  });

  it('C2, C4: loses a node under load: its replica is led, the sections of the others go on, and all ends equal', async () => {
    here.write();
    await here.more(5);
    const killed = await redis.primaryOf(metaOf(0));
    await killed.server.kill();
    await here.more(5);
    await redis.whole();
    await here.endsEqual();
    await killed.server.start();
    await redis.whole();
  });

  it('L6: does what operators’ commands ask for, wherever the section lies', async () => {
    const [moved, reset, gone] = here.shapes.map(({ section }) => section) as [string, string, string];
    const done = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await here.world.command(...args);
      expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
      return stdout;
    };
    await using tail = startCli(['tail', '--json'], here.world.cli);
    await Promise.all([moved, reset, gone].map((section) => tail.line((line) => line.includes('"live"') && line.includes(section))));
    const [shown, leases, listening] = await Promise.all([
      done('checkpoint', 'show', gone, '--json'),
      done('leases', '--json'),
      done('subscribers', '--all', '--json'),
    ]);
    expect(JSON.parse(shown)).toMatchObject({ section: gone, state: 'live' });
    for (const section of [moved, reset, gone]) {
      expect([leases, listening].map((text) => text.includes(section))).toEqual([true, true]);
    }
    await Promise.all([done('poll'), done('checkpoint', 'reset', reset, '--yes')]);
    await tail.line((line) => line.includes('"reset"') && line.includes(reset));
    await here.endsEqual();

    await here.stopDaemon();
    await done('checkpoint', 'export', '--output', 'checkpoints.json');
    const { meta, changes, quarantine, requests, operations, document } = sectionKeys(here.world.partition, moved);
    const node = await redis.primaryOf(meta);
    const { seq } = await here.world.meta(moved);
    await node.raw.del(meta, changes, quarantine, requests, operations);
    const imported = await done('checkpoint', 'import', 'checkpoints.json', '--yes', '--replace', '--json');
    expect(JSON.parse(imported)).toContainEqual(expect.objectContaining({ section: moved, result: 'adopted' }));
    expect(Number(seq)).toBeGreaterThan(0);
    await done('table', 'remove', gone, '--purge', '--yes');
    expect(await (await redis.primaryOf(metaOf(2))).raw.exists(metaOf(2))).toBe(0);

    await here.start();
    await here.world.sql(`UPDATE ${here.shapes[0]!.table} SET A = 4711 WHERE Id = 1`);
    await here.world.caughtUp(moved, reset);
    expect(await node.raw.get(`${document}1`)).toContain('4711');
    expect(await here.world.differences(moved, reset)).toEqual([]);
  }, 180_000);
});
