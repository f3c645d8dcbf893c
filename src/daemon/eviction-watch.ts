/**
 * Looks at Redis' eviction policy from time to time: at the start allkeys-* is refused, and somebody may set it later (C8). Tells it, once, and when
 * it is over; stops nothing: what was evicted is found and written again.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';

const EVERY_MS = 60_000;

export interface EvictionWatchOptions {
  readonly manager: Pick<DistributedDataManager, 'inspect'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told with every look that finds it so. */
  readonly evicts: (error: PatchwireError) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the signal fires; never rejects. A Redis that does not answer is the trouble of others. */
export async function watchEviction({ manager, clock, log, evicts, signal }: EvictionWatchOptions): Promise<void> {
  let told = false;
  for (;;) {
    try {
      await clock.sleep(EVERY_MS, { signal });
      await manager.inspect();
      if (told) {
        told = false;
        log.info('redis evicts keys of every kind no more');
      }
    } catch (thrown) {
      if (signal.aborted) {
        return;
      }
      const error = asPatchwireError(thrown);
      if (error.code !== 'PW-M304') {
        continue;
      }
      evicts(error);
      if (!told) {
        told = true;
        const { code, message, hint, details } = error;
        log.error({ code, reason: message, hint, details }, 'redis evicts documents and checkpoints');
      }
    }
  }
}
