/**
 * Keeps one section going. The section itself stands by, retries and waits while it is stopped; here is what remains: opening what it needs,
 * and an error that nobody expected. Every retry sleeps. Knows nothing of other sections: one table's trouble does not stop the others.
 *
 * States: running → retrying (waits, longer each time) → running; → stopped (an error that no retry mends, or ten failures in a row) → tried
 * again slowly. Only progress makes it healthy again.
 */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import type { SectionEnd } from '../pipeline/section.ts';

const MIN_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;
/** How often a stopped section is tried again. */
export const STOPPED_RETRY_MS = 30_000;
/** So many failures in a row make a section stopped. */
export const FAULTED_AFTER = 10;

export interface SuperviseOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: SectionObserver;
  /** How far the section has come, as a number: any growth during a run proves health. */
  readonly progress: () => number;
  /** End with the first error that no retry mends, instead of trying again slowly. */
  readonly once: boolean;
  readonly stop: AbortSignal;
}

export type Supervised = { readonly kind: SectionEnd } | { readonly kind: 'failed'; readonly error: PatchwireError };

/** Runs `run` until it ends by itself or the signal fires. Never rejects; resolves after the last run has settled. */
export async function supervise(run: () => Promise<SectionEnd>, options: SuperviseOptions): Promise<Supervised> {
  const { clock, observer, progress, once, stop, log } = options;
  let failures = 0;
  let told = '';
  while (!stop.aborted) {
    const before = progress();
    try {
      return { kind: await run() };
    } catch (thrown) {
      if (stop.aborted) {
        break;
      }
      const error = asPatchwireError(thrown);
      failures = progress() > before ? 1 : failures + 1;
      const { phase, delayMs } = afterFailure(error, failures, options.random);
      observer.error(error.code);
      observer.phase(phase, { code: error.code, message: error.message, hint: error.hint });
      const fields = { code: error.code, reason: error.message, hint: error.hint, details: error.details, failures };
      // An error that stays is told once: a stopped section is tried for ever, and there may be hundreds.
      const level = told === `${phase} ${error.message}` ? 'debug' : 'error';
      told = `${phase} ${error.message}`;
      log[level](
        error.kind === 'internal' ? { ...fields, err: error } : fields,
        phase === 'stopped' ? 'section stopped' : 'section failed',
      );
      if (once && phase === 'stopped') {
        return { kind: 'failed', error };
      }
      await clock.sleep(delayMs, { signal: stop }).catch(() => undefined);
    }
  }
  return { kind: 'stopped' };
}

/** What follows failure number `failures` in a row. */
export function afterFailure(
  error: PatchwireError,
  failures: number,
  random: Random,
): { readonly phase: 'retrying' | 'stopped'; readonly delayMs: number } {
  if (error.retry === 'never' || error.retry === 'resync' || failures >= FAULTED_AFTER) {
    return { phase: 'stopped', delayMs: Math.round(STOPPED_RETRY_MS * (0.9 + 0.2 * random())) };
  }
  return { phase: 'retrying', delayMs: Math.round(backoffDelayMs(failures, { minMs: MIN_DELAY_MS, maxMs: MAX_DELAY_MS, random })) };
}
