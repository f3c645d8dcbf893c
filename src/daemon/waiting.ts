/** Waiting for a server at start: try, say for what is waited, sleep, try again. Gives up only for errors that no waiting mends. */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';

const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 15_000;

export interface WaitOptions {
  /** What is waited for, in words: `Redis at 127.0.0.1:6379`. */
  readonly what: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Told of every failed try, and null once it is up. */
  readonly waiting: (error: PatchwireError | null) => void;
}

/**
 * Calls `open` until it succeeds.
 * @throws PatchwireError of class `never`, at once; the signal's reason when it fires
 */
export async function waitUntilOpen<T>(open: () => Promise<T>, { what, log, clock, random, signal, waiting }: WaitOptions): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const opened = await open();
      waiting(null);
      if (attempt > 1) {
        log.info({ what, attempts: attempt }, 'reached');
      }
      return opened;
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asPatchwireError(thrown);
      if (error.retry === 'never') {
        throw error;
      }
      const delayMs = Math.round(backoffDelayMs(attempt, { minMs: MIN_DELAY_MS, maxMs: MAX_DELAY_MS, random }));
      waiting(error);
      log.warn({ what, code: error.code, reason: error.message, hint: error.hint, attempt, retryInMs: delayMs }, 'waiting for a server');
      await clock.sleep(delayMs, { signal });
    }
  }
}
