/**
 * What a section does about an error: waits as its class says and says so. Under the lead (heartbeats go on) or without it; what no retry
 * mends is tried again slowly, or at once when an operator asks. Knows neither lane nor lease.
 */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import { Alarm } from './alarm.ts';
import { REQUEST_INTERVAL_MS, type RequestDesk } from './requests.ts';

export interface RecoveryOptions {
  readonly desk: RequestDesk;
  /** How often a stopped section is tried again, since somebody may have mended the cause. Default 60 s. */
  readonly faultedRetryMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: SectionObserver;
  /** Reject where the section would otherwise stop. */
  readonly once?: boolean;
}

/** Waits between tries: minimum and maximum, in ms. A lost connection is tried again sooner than a refusal. */
const BACKOFF = { reconnect: { minMs: 100, maxMs: 5000 }, backoff: { minMs: 100, maxMs: 30_000 } } as const;
/** As many tries of class `now` are made without a wait. */
const AT_ONCE = 3;
const DEFAULT_FAULTED_RETRY_MS = 60_000;

/** Whether no retry mends it. */
export function isFinal(error: PatchwireError): boolean {
  return error.retry === 'never' || error.retry === 'resync';
}

export class Recovery {
  readonly #options: RecoveryOptions;
  /** Ends the wait under the lead: a request has come. */
  readonly alarm: Alarm;
  #attempts = 0;
  #loggedStop: string | null = null;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.alarm = new Alarm(options.clock);
  }

  /** Something got through: back-off begins anew. */
  readonly healthy = (): void => {
    if (this.#attempts > 0) {
      this.#options.logger.info({ attempts: this.#attempts }, 'recovered');
    }
    this.#attempts = 0;
    this.#loggedStop = null;
  };

  /** Waits an error of the source out while the lead is kept. @throws the signal's reason */
  async underLead(error: PatchwireError, signal: AbortSignal): Promise<void> {
    await this.alarm.wait(this.#nextDelay(error), signal);
  }

  /** What went wrong outside of the lane, or ended it: waits as its class says. @throws the error itself when it is final and `once` is set */
  async withoutLead(thrown: unknown, signal: AbortSignal): Promise<void> {
    const error = asPatchwireError(thrown);
    const { clock, once, observer } = this.#options;
    if (!isFinal(error)) {
      const delayMs = this.#nextDelay(error);
      await clock.sleep(delayMs, { signal }).catch(() => {});
      return;
    }
    if (once === true) {
      throw error;
    }
    observer.error(error.code);
    await this.#stopped(error, signal).catch((reason: unknown) => {
      if (!signal.aborted) {
        throw reason;
      }
    });
  }

  /** Says that it is tried again, and when. */
  #nextDelay(error: PatchwireError): number {
    const { observer, logger, random } = this.#options;
    this.#attempts += 1;
    const limits = error.retry === 'reconnect' ? BACKOFF.reconnect : BACKOFF.backoff;
    const atOnce = error.retry === 'now' && this.#attempts <= AT_ONCE;
    const delayMs = atOnce ? 0 : backoffDelayMs(this.#attempts, { ...limits, random });
    const { code, message, hint } = error;
    observer.error(code);
    observer.phase('retrying', { code, message, hint });
    const fields = { code, hint, attempt: this.#attempts, delayMs: Math.round(delayMs), err: error };
    // Told ever more rarely: a long outage is no flood, however many sections there are. The counters tell the phase all the while.
    if (Number.isInteger(Math.log2(this.#attempts))) {
      logger.warn(fields, 'trying again');
    } else {
      logger.debug(fields, 'trying again');
    }
    return delayMs;
  }

  /** Waits until it is time to try again, or until a request comes. */
  async #stopped(error: PatchwireError, signal: AbortSignal): Promise<void> {
    const { observer, logger, clock, desk, faultedRetryMs = DEFAULT_FAULTED_RETRY_MS } = this.#options;
    const { code, message, hint } = error;
    observer.phase('stopped', { code, message, hint });
    if (this.#loggedStop !== message) {
      this.#loggedStop = message;
      logger.error({ code, hint, details: error.details, err: error }, 'section stopped');
    }
    // Counted, not compared with the clock: that may be set back.
    for (let waitedMs = 0; waitedMs < faultedRetryMs; waitedMs += REQUEST_INTERVAL_MS) {
      await clock.sleep(REQUEST_INTERVAL_MS, { signal });
      // An unreachable Redis is not this wait's trouble: the next try meets it.
      if (await desk.look().catch(() => false)) {
        return;
      }
    }
  }
}
