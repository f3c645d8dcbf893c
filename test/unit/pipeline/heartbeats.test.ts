import { expect, it } from 'vitest';
import { Alarm } from '../../../src/pipeline/alarm.ts';
import { keepBeating } from '../../../src/pipeline/heartbeats.ts';

it('C7: heartbeats go on at their interval when the clock is set back', async () => {
  const stop = new AbortController();
  let now = 10_000_000;
  let slept = 0;
  const clock = {
    now: () => now,
    monotonic: () => slept,
    sleep: (ms: number): Promise<void> => {
      stop.signal.throwIfAborted();
      now += Math.max(0, ms);
      slept += Math.max(0, ms);
      return Promise.resolve();
    },
  };
  let beats = 0;
  const delivery = {
    heartbeat: (): Promise<void> => {
      beats += 1;
      now -= 3_600_000;
      if (beats === 3) {
        stop.abort(new Error('enough'));
      }
      return Promise.resolve();
    },
  };
  const beating = keepBeating({ delivery, alarm: new Alarm(clock), clock, intervalMs: 5000, signal: stop.signal });
  await expect(beating).rejects.toThrow('enough');
  expect(beats).toBe(3);
  expect(slept).toBeLessThanOrEqual(3 * 5250);
});
