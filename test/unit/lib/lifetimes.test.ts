import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { Disposer } from '../../../src/lib/disposer.ts';
import { seededRandom } from '../../../src/lib/random.ts';

describe('Disposer', () => {
  it('releases in reverse order, everything even if one release fails, and then throws the first failure', async () => {
    const released: string[] = [];
    const disposer = new Disposer();
    disposer.defer(() => void released.push('first'));
    disposer.defer(() => {
      released.push('second');
      throw new Error('second failed');
    });
    disposer.use({ [Symbol.asyncDispose]: () => Promise.resolve(void released.push('third')) });
    await expect(disposer[Symbol.asyncDispose]()).rejects.toThrow('second failed');
    expect(released).toEqual(['third', 'second', 'first']);
  });

  it('releases nothing twice', async () => {
    let releases = 0;
    const disposer = new Disposer();
    disposer.defer(() => void (releases += 1));
    await disposer[Symbol.asyncDispose]();
    await disposer[Symbol.asyncDispose]();
    expect(releases).toBe(1);
  });
});

describe('the system clock', () => {
  it('rejects with the reason of a signal that has fired before the sleep began, or fires in it', async () => {
    const reason = new Error('enough');
    await expect(systemClock.sleep(60_000, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const sleeping = systemClock.sleep(60_000, { signal: controller.signal });
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });

  it('sleeps no time at all for zero or less', async () => {
    await expect(systemClock.sleep(0)).resolves.toBeUndefined();
    await expect(systemClock.sleep(-5)).resolves.toBeUndefined();
  });
});

describe('seeded random numbers', () => {
  it('repeat for a seed and lie in [0, 1)', () => {
    const draw = (seed: number): number[] => Array.from({ length: 1000 }, seededRandom(seed));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((value) => value >= 0 && value < 1)).toBe(true);
  });
});
