/**
 * A wait that can be ended early: what the polling ladder, the heartbeats and the request desk sleep on. Knows nothing of why it rings.
 */
import type { Clock } from '../lib/clock.ts';

const RUNG = new Error('rung');

/** One waiter at a time. A ring while nobody waits is kept for the next wait. */
export class Alarm {
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    if (this.#wake === null) {
      this.#rung = true;
    } else {
      this.#wake();
    }
  }

  /**
   * Waits `ms` milliseconds or until it rings.
   * @returns whether it rang
   * @throws the signal's reason when it fires; a ring is kept then
   */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#rung) {
      this.#rung = false;
      return true;
    }
    // Not AbortSignal.any: on Node 20 each one stays referenced by a signal that lives as long as the daemon.
    const sleep = new AbortController();
    const abort = (): void => sleep.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    this.#wake = () => sleep.abort(RUNG);
    try {
      await this.#clock.sleep(ms, { signal: sleep.signal });
      return false;
    } catch (error) {
      if (error === RUNG) {
        return true;
      }
      throw error;
    } finally {
      this.#wake = null;
      signal.removeEventListener('abort', abort);
    }
  }
}
