/**
 * Time as an argument: whatever waits or looks at the clock takes a Clock, so that a test can own time. No timers elsewhere.
 */

export interface Clock {
  /** Milliseconds since 1970, as Date.now(): for what is told. It jumps when somebody sets the clock. */
  now(): number;
  /** Milliseconds since some moment, as performance.now(): for what is measured. Never goes back, never jumps. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds (at once for 0 or less).
   * @throws the signal's reason as soon as the signal fires, also when it had fired before the call; the timer is gone then.
   */
  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, { signal } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
        Math.max(0, ms),
      );
      signal?.addEventListener('abort', abort, { once: true });
    });
  },
};
