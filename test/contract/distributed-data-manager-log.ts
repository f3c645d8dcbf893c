/** The part of the contract of DistributedDataManager that is about the change log and its bounds. */
import { expect, it } from 'vitest';
import { batch, live, type ManagerBench, S, upsert } from './distributed-data-manager-rows.ts';

export function logContract(given: () => ManagerBench): void {
  it('G5: the log is bounded by bytes, and keeps the newest whatever its size', async () => {
    const bench = given();
    const small = bench.manager({ replay: { maxBytes: 2000, maxAgeMs: 3_600_000 } });
    await live(small);
    for (let i = 0; i < 20; i += 1) {
      await small.publish(batch([upsert(String(i), '5', null)]));
    }
    const { changes } = await bench.state(S);
    const bytes = changes.reduce((sum, entry) => sum + entry.text.length, 0);
    expect(bytes).toBeLessThanOrEqual(2000);
    expect(bytes + changes[0]!.text.length).toBeGreaterThan(2000);
    expect(changes.at(-1)?.seq).toBe(21);
    await small.publish(batch(Array.from({ length: 50 }, (_, i) => upsert(`x${i}`, '5', null))));
    expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([22]);
  });

  it('the log is bounded by age', async () => {
    const bench = given();
    let now = Date.UTC(2026, 5, 1);
    const aging = bench.manager({
      replay: { maxBytes: 1e6, maxAgeMs: 1000 },
      clock: { now: () => now, monotonic: () => now, sleep: async () => undefined },
    });
    await live(aging);
    await aging.publish(batch([]));
    now += 600;
    await aging.publish(batch([]));
    expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([1, 2, 3]);
    now += 600;
    await aging.publish(batch([]));
    expect((await bench.state(S)).changes.map((entry) => entry.seq)).toEqual([3, 4]);
  });
}
