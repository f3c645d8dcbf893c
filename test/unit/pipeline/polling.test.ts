import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/lib/random.ts';
import { DEFAULT_LADDER, Ladder, ladderDelayMs } from '../../../src/pipeline/polling.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const never = new AbortController().signal;

async function waited(clock: ManualClock, ladder: Ladder, outcome: 'empty' | 'changes' | 'full'): Promise<number> {
  const before = clock.now();
  let done = false;
  const wait = ladder.wait(outcome, never).then(() => (done = true));
  await clock.until(() => done);
  await wait;
  return clock.now() - before;
}

describe('polling ladder', () => {
  it('R7: climbs 50 ms x5, 200 ms x15, 1 s x80, then 5 s for ever', async () => {
    const clock = new ManualClock();
    const ladder = new Ladder({ steps: DEFAULT_LADDER, clock, random: () => 0.5 });
    const delays: number[] = [];
    for (let i = 0; i < 103; i += 1) {
      delays.push(await waited(clock, ladder, 'empty'));
    }
    const expected = [...Array<number>(5).fill(50), ...Array<number>(15).fill(200), ...Array<number>(80).fill(1000), 5000, 5000, 5000];
    expect(delays).toEqual(expected);
  });

  it('R7: any change puts it back to the bottom, a full page is followed at once', async () => {
    const clock = new ManualClock();
    const ladder = new Ladder({ steps: DEFAULT_LADDER, clock, random: () => 0.5 });
    for (let i = 0; i < 30; i += 1) {
      await waited(clock, ladder, 'empty');
    }
    expect(await waited(clock, ladder, 'full')).toBe(0);
    expect(await waited(clock, ladder, 'changes')).toBe(50);
    expect(await waited(clock, ladder, 'empty')).toBe(50);
  });

  it("R7: the table's max caps every step", () => {
    expect(ladderDelayMs(DEFAULT_LADDER, 1000, 700)).toBe(700);
    expect(ladderDelayMs(DEFAULT_LADDER, 0, 700)).toBe(50);
  });

  it('R7: jitter stays within 10 % and repeats for a seed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 0, max: 120 }), async (seed, waits) => {
        const run = async (): Promise<number[]> => {
          const clock = new ManualClock(0);
          const ladder = new Ladder({ steps: DEFAULT_LADDER, clock, random: seededRandom(seed) });
          const delays: number[] = [];
          for (let i = 0; i < waits; i += 1) {
            delays.push(await waited(clock, ladder, 'empty'));
          }
          return delays;
        };
        const delays = await run();
        delays.forEach((delay, i) => {
          const nominal = ladderDelayMs(DEFAULT_LADDER, i);
          expect(delay).toBeGreaterThanOrEqual(nominal * 0.9 - 1e-6);
          expect(delay).toBeLessThanOrEqual(nominal * 1.1 + 1e-6);
        });
        expect(await run()).toEqual(delays);
        expect(waits < 3 || new Set(delays.slice(0, 3)).size > 1).toBe(true);
      }),
      { numRuns: 10 },
    );
  });

  it('L6: a wake ends the wait under way, or the next one, and goes back to the bottom', async () => {
    const clock = new ManualClock();
    const ladder = new Ladder({
      steps: [
        { delayMs: 10, count: 1 },
        { delayMs: 5000, count: Infinity },
      ],
      clock,
      random: () => 0.5,
    });
    await waited(clock, ladder, 'empty');
    const wait = ladder.wait('empty', never);
    ladder.wake();
    await wait;
    expect(await waited(clock, ladder, 'empty')).toBe(10);
    ladder.wake();
    expect(await waited(clock, ladder, 'empty')).toBe(0);
  });

  it('does not wait while it is hurried', async () => {
    const clock = new ManualClock();
    const ladder = new Ladder({ steps: DEFAULT_LADDER, clock, random: () => 0.5 });
    ladder.want(Number.NEGATIVE_INFINITY);
    expect(await waited(clock, ladder, 'empty')).toBe(0);
    ladder.want(null);
    expect(await waited(clock, ladder, 'empty')).toBe(50);
  });

  it("rejects with the signal's reason and leaves no timer behind", async () => {
    const clock = new ManualClock();
    const ladder = new Ladder({ steps: DEFAULT_LADDER, clock, random: () => 0.5 });
    const abort = new AbortController();
    const wait = ladder.wait('empty', abort.signal);
    const reason = new Error('stop');
    abort.abort(reason);
    await expect(wait).rejects.toBe(reason);
    await expect(ladder.wait('full', abort.signal)).rejects.toBe(reason);
    expect(clock.waiting).toBe(0);
  });
});
