import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffDelayMs } from '../../../src/lib/backoff.ts';
import { seededRandom } from '../../../src/lib/random.ts';

const options = fc.record({
  minMs: fc.integer({ min: 1, max: 10_000 }),
  factor: fc.integer({ min: 1, max: 1000 }),
  attempt: fc.integer({ min: 1, max: 10_000 }),
  draw: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

describe('back-off', () => {
  it('waits at least the minimum and at most the maximum, whatever the attempt', () => {
    fc.assert(
      fc.property(options, ({ minMs, factor, attempt, draw }) => {
        const delay = backoffDelayMs(attempt, { minMs, maxMs: minMs * factor, random: () => draw });
        expect(delay).toBeGreaterThanOrEqual(minMs);
        expect(delay).toBeLessThanOrEqual(minMs * factor);
      }),
    );
  });

  it('has a ceiling that doubles with every attempt until the maximum', () => {
    const highest = (attempt: number): number => backoffDelayMs(attempt, { minMs: 100, maxMs: 1000, random: () => 1 - Number.EPSILON });
    expect([1, 2, 3, 4, 5].map((attempt) => Math.round(highest(attempt)))).toEqual([200, 400, 800, 1000, 1000]);
  });

  it('spreads the waits of two that fail together', () => {
    const [one, other] = [1, 2].map((seed) => backoffDelayMs(5, { minMs: 100, maxMs: 5000, random: seededRandom(seed) }));
    expect(one).not.toBe(other);
  });
});
