/** A clock that only a test moves: timers fire in order of their time, and whatever they set free runs before the next one fires. */
import type { Clock } from '../../src/lib/clock.ts';

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** Lets everything that can run without time passing run: microtasks, and a few turns of the event loop for those who use setImmediate. */
export async function settled(turns: number = 3): Promise<void> {
  for (let i = 0; i < turns; i += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export class ManualClock implements Clock {
  #now: number;
  readonly #startedAt: number;
  readonly #timers = new Set<Timer>();

  constructor(now: number = Date.UTC(2026, 10, 22)) {
    this.#now = now;
    this.#startedAt = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#startedAt;
  }

  /** Sleepers now. */
  get waiting(): number {
    return this.#timers.size;
  }

  sleep(ms: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      if (ms <= 0) {
        resolve();
        return;
      }
      const abort = (): void => {
        this.#timers.delete(timer);
        reject(signal?.reason as Error);
      };
      const timer: Timer = {
        at: this.#now + ms,
        fire: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.#timers.add(timer);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Lets `ms` milliseconds pass. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    while (this.#fireNext(until)) {
      await settled();
    }
    this.#now = until;
    await settled();
  }

  /** Lets time pass, timer by timer, until the condition holds. @throws Error when it does not within `limitMs` or nobody waits any more */
  async until(condition: () => boolean | Promise<boolean>, limitMs: number = 600_000): Promise<void> {
    const limit = this.#now + limitMs;
    for (let idle = 0; ;) {
      await settled(1);
      if (await condition()) {
        return;
      }
      if (this.#fireNext(limit)) {
        idle = 0;
      } else if (++idle > 50) {
        throw new Error(`the condition did not come to hold by ${new Date(this.#now).toISOString()}; ${this.#timers.size} timers wait`);
      }
    }
  }

  #fireNext(limit: number): boolean {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.at <= limit && (next === null || timer.at < next.at)) {
        next = timer;
      }
    }
    if (next === null) {
      return false;
    }
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.fire();
    return true;
  }
}
