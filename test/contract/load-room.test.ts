/** What a row is estimated to take in Redis, held against what it does take: a load must not be refused without need, nor fill Redis up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { storedBytes } from '../../src/pipeline/load-room.ts';
import { privateTestRedis, type PrivateTestRedis } from '../support/redis.ts';
import { batch, live } from './distributed-data-manager-rows.ts';

let redis: PrivateTestRedis;

beforeAll(async () => {
  redis = await privateTestRedis();
});

afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
});

const ROWS = 20_000;
const SECTION = 'orders';

async function usedMemory(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.raw.info('memory'))?.[1] ?? 0);
}

describe('the estimate of a load', () => {
  it.each([20, 200, 1000, 5000])('is at most a fifth above, and hardly below, what rows of %d characters take', async (length) => {
    const partition = redis.partition();
    await using manager = redisDataManager({
      url: redis.url,
      partition,
      leaseMs: 60_000,
      replay: { maxBytes: 1e6, maxAgeMs: 1e9 },
      commandTimeoutMs: 10_000,
      clock: systemClock,
    });
    await live(manager, 1n, SECTION);
    const before = await usedMemory();
    const rows = length > 1000 ? ROWS / 10 : ROWS;
    let estimated = 0;
    for (let from = 0; from < rows; from += 500) {
      const writes = Array.from({ length: 500 }, (_, n) => {
        const dataKey = String(1_000_000 + from + n);
        const document = { t: 'x'.repeat(length) };
        estimated += storedBytes({ identity: dataKey, dataKey, changeVersion: 1n, document }, partition, SECTION);
        const next = { version: '123456', dataKey, document: JSON.stringify(document) };
        return { identity: dataKey, expected: null, next, changes: [] };
      });
      await manager.store(batch(writes, {}, SECTION));
    }
    const taken = (await usedMemory()) - before;
    expect(estimated / taken).toBeGreaterThan(0.95);
    expect(estimated / taken).toBeLessThan(1.2);
    expect(await manager.room('orders')).toBeNull();
    await redis.flush();
  });

  it('the room is what maxmemory leaves', async () => {
    const partition = redis.partition();
    await using manager = redisDataManager({
      url: redis.url,
      partition,
      leaseMs: 60_000,
      replay: { maxBytes: 1e6, maxAgeMs: 1e9 },
      commandTimeoutMs: 10_000,
      clock: systemClock,
    });
    expect(await manager.room('orders')).toBeNull();
    await redis.raw.config('SET', 'maxmemory', String((await usedMemory()) + 10_000_000));
    expect(await manager.room('orders')).toBeGreaterThan(9_000_000);
    expect(await manager.room('orders')).toBeLessThan(11_000_000);
    await redis.raw.config('SET', 'maxmemory', '0');
  });
});
