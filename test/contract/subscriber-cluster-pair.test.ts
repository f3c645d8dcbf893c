/** What a pair of connections to a cluster's node notices: a node that takes a subscription away says so to nobody's question, at any moment. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { ConnectionPair } from '../../src/subscriber/connection.ts';
import { keySlot } from '../../src/wire/slot.ts';
import { startCluster, type TestCluster } from '../support/redis-topologies.ts';

const LIMIT = { timeout: 20_000 };
const BUSY = `local t = redis.call('TIME'); local n
repeat n = redis.call('TIME') until (n[1] - t[1]) * 1000000 + n[2] - t[2] > 300000`;

let redis: TestCluster;
beforeAll(async () => {
  redis = await startCluster({ primaries: 1 });
});
afterAll(() => redis?.[Symbol.asyncDispose]());

const listener = (channel: string) => ({ channel, up: vi.fn(), down: vi.fn(), text: vi.fn(), closed: vi.fn() });

it('S3: a subscription that a node takes away while another one is asked for is made anew', async () => {
  const [{ raw, server }] = redis.nodes as [(typeof redis.nodes)[number]];
  await using pair = new ConnectionPair({
    ...{ redis: { host: '127.0.0.1', port: server.port }, node: true, name: 'pair', commandTimeoutMs: 10_000 },
    ...{ clock: systemClock, random: Math.random, reconnect: { minMs: 20, maxMs: 50 } },
  });
  const [taken, other] = [listener('{taken}'), listener('{other}')];
  pair.join(taken);
  await vi.waitFor(() => expect(taken.up).toHaveBeenCalled(), LIMIT);

  // Both come to the node while it is busy, and are answered together.
  const busy = raw.duplicate();
  const held = busy.eval(BUSY, 0);
  await vi.waitFor(async () => expect(busy.commandQueue?.length ?? 1).toBeGreaterThan(0), LIMIT);
  pair.join(other);
  const slot = String(keySlot('{taken}'));
  await raw.call('CLUSTER', 'DELSLOTS', slot);
  await held;
  busy.disconnect();
  await vi.waitFor(() => expect(taken.down).toHaveBeenCalled(), LIMIT);

  await raw.call('CLUSTER', 'ADDSLOTS', slot);
  await vi.waitFor(() => expect([taken.up, other.up].map(({ mock }) => mock.calls.length)).toEqual([2, expect.any(Number)]), LIMIT);
  await vi.waitFor(
    async () => expect(await raw.call('PUBSUB', 'SHARDNUMSUB', '{taken}', '{other}')).toEqual(['{taken}', 1, '{other}', 1]),
    LIMIT,
  );
});
