/**
 * What a section does about an error: one budget of failures in a row, a wait as the error's class says, and a word about it. While a server's
 * breaker is open it waits for the breaker and tries nothing; after ten failures in a row it is faulted, and tried again slowly. Under the
 * lead (heartbeats go on) or without it. Progress, which begins the budget anew: a batch was acknowledged, or a round that read to its end
 * needed none. Knows neither lane nor lease.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { asPatchwireError, type PatchwireError } from '../model/errors.ts';
import { isFinal, retryDelayMs } from '../model/retry-delay.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import { Alarm } from './alarm.ts';
import { REQUEST_INTERVAL_MS, type RequestDesk } from './requests.ts';

/** What a section sees of the circuit breaker of a server. */
export interface Breaker {
  /** Why it is open; null: it is closed. */
  readonly failure: unknown;
  /** Whether a call was rejected because it is open, and asked the server nothing. */
  refused(error: PatchwireError): boolean;
  /** Resolves at its next change. @throws the signal's reason */
  next(signal: AbortSignal): Promise<void>;
  /** An operator asked: the next probe may come now. */
  hurry(): void;
}

export interface Breakers {
  readonly source: Breaker;
  readonly manager: Breaker;
}

export interface RecoveryOptions {
  readonly desk: RequestDesk;
  readonly breakers?: Breakers;
  /** How often a stopped or faulted section is tried again, at most: somebody may have mended the cause. Default 60 s. */
  readonly faultedRetryMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: SectionObserver;
  /** Reject where the section would otherwise stop. */
  readonly once?: boolean;
}

/** So many failures in a row make a section faulted. */
export const FAULTED_AFTER = 10;
const DEFAULT_FAULTED_RETRY_MS = 60_000;
const CHANGED = new Error('the breaker changed');
/** Those who waited for one breaker go on within this time, each at its own moment, ms. */
const SPREAD_MS = 1000;

export class Recovery {
  readonly #options: RecoveryOptions;
  /** Ends the wait under the lead: a request has come. */
  readonly alarm: Alarm;
  readonly #woken = new Set<string>();
  #failures = 0;
  #loggedStop: string | null = null;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.alarm = new Alarm(options.clock);
  }

  /** Ten failures in a row. */
  get faulted(): boolean {
    return this.#failures >= FAULTED_AFTER;
  }

  /** Something got through: the budget begins anew. */
  readonly healthy = (): void => {
    if (this.#failures > 0 || this.#loggedStop !== null) {
      this.#options.logger.info({ failures: this.#failures }, 'recovered');
    }
    this.#failures = 0;
    this.#loggedStop = null;
    this.#woken.clear();
  };

  /** Waits an error of the source out while the lead is kept, or until a request comes. @throws the signal's reason; the error when it is final, or the section faulted, and `once` is set */
  async underLead(error: PatchwireError, signal: AbortSignal): Promise<void> {
    const { once, desk, breakers } = this.#options;
    const breaker = breakers?.source ?? null;
    let delayMs = 0;
    if (breaker?.refused(error) !== true) {
      delayMs = this.#failed(error, breaker);
      if (once === true && this.faulted) {
        throw error;
      }
      if (this.faulted) {
        // Whoever asks for something hears why it is not done.
        await desk.refuse(error).catch(() => {});
      }
    }
    if (await this.#whileDown(breaker, signal, (until) => this.#rungFor(Number.POSITIVE_INFINITY, until))) {
      return;
    }
    await this.#rungFor(delayMs, signal);
  }

  /** What went wrong outside of the lane, or ended it: waits as its class says. @throws the error when it is final, or the section faulted, and `once` is set */
  async withoutLead(thrown: unknown, signal: AbortSignal): Promise<void> {
    const error = asPatchwireError(thrown);
    const { breakers, once } = this.#options;
    const breaker = (error.kind === 'source' ? breakers?.source : error.kind === 'manager' ? breakers?.manager : null) ?? null;
    const delayMs = breaker?.refused(error) === true ? 0 : this.#failed(error, breaker);
    if (once === true && (isFinal(error) || this.faulted)) {
      throw error;
    }
    try {
      // Requests come by Redis: while that is down nobody can ask.
      const asked = (until: AbortSignal): Promise<boolean> => this.#lookFor(Number.POSITIVE_INFINITY, until);
      if (!(await this.#whileDown(breaker, signal, asked))) {
        await this.#lookFor(delayMs, signal);
      }
    } catch (reason) {
      if (!signal.aborted) {
        throw reason;
      }
    }
  }

  /** Counts a failure and says that it is tried again, and when. */
  #failed(error: PatchwireError, breaker: Breaker | null): number {
    const { observer, logger, random, faultedRetryMs = DEFAULT_FAULTED_RETRY_MS } = this.#options;
    this.#failures += 1;
    observer.error(error.code);
    const stopped = isFinal(error) || this.faulted;
    // Between half of it and the whole: many that were stopped by one cause do not come back as one.
    const delayMs = stopped ? faultedRetryMs * (0.5 + 0.5 * random()) : retryDelayMs(error, this.#failures, random);
    this.#tell(error, stopped);
    const { code, hint, details } = error;
    const fields = { code, hint, failures: this.#failures, delayMs: Math.round(delayMs), err: error };
    if (stopped) {
      const why = `${code} ${error.message}`;
      const level = this.#loggedStop === why ? 'debug' : 'error';
      this.#loggedStop = why;
      logger[level]({ ...fields, details, faulted: this.faulted }, 'section stopped');
    } else if ((breaker?.failure ?? null) === null && Number.isInteger(Math.log2(this.#failures))) {
      // Told ever more rarely, and a server that is down by its breaker alone: a long outage is no flood, however many sections there are.
      logger.warn(fields, 'trying again');
    } else {
      logger.debug(fields, 'trying again');
    }
    return delayMs;
  }

  #tell({ code, message, hint }: PatchwireError, stopped: boolean): void {
    const { observer } = this.#options;
    observer.phase(stopped ? 'stopped' : 'retrying', { code, message, hint, failures: this.#failures });
  }

  /**
   * Waits while a breaker is open, trying nothing; its probes try for everybody. A request makes the next probe come at once.
   * @returns whether a request ended the wait. @throws the signal's reason; what opened it when that is final and `once` is set
   */
  async #whileDown(breaker: Breaker | null, signal: AbortSignal, asked: (until: AbortSignal) => Promise<boolean>): Promise<boolean> {
    const { random, clock, once } = this.#options;
    let waited = false;
    while (breaker !== null && breaker.failure !== null) {
      waited = true;
      const failure = asPatchwireError(breaker.failure);
      if (once === true && isFinal(failure)) {
        throw failure;
      }
      this.#tell(failure, isFinal(failure));
      const scope = new AbortController();
      const abort = (): void => scope.abort(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) {
        abort();
      }
      const request = asked(scope.signal);
      try {
        if (await Promise.race([breaker.next(scope.signal).then(() => false), request])) {
          breaker.hurry();
          return true;
        }
      } finally {
        signal.removeEventListener('abort', abort);
        scope.abort(CHANGED);
        // The alarm has one waiter at a time.
        await request.catch(() => {});
      }
    }
    if (waited) {
      await clock.sleep(SPREAD_MS * random(), { signal });
    }
    return false;
  }

  /** Under the lead the desk is watched: waits so long, or until it rang for a request that ended no wait before. @returns whether it did */
  async #rungFor(ms: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const until = clock.monotonic() + ms;
    for (let leftMs = ms; leftMs > 0; leftMs = until - clock.monotonic()) {
      if ((await this.alarm.wait(Math.min(Math.ceil(leftMs), LONGEST_SLEEP_MS), signal)) && this.#isNews()) {
        return true;
      }
    }
    return false;
  }

  /** Without the lead nobody watches the desk: waits so long, or until a request is there that ended no wait before. @returns whether it is */
  async #lookFor(ms: number, signal: AbortSignal): Promise<boolean> {
    const { clock, desk } = this.#options;
    // Counted, not compared with the clock: that may be set back.
    for (let waitedMs = 0; waitedMs < ms; waitedMs += REQUEST_INTERVAL_MS) {
      await clock.sleep(Math.min(REQUEST_INTERVAL_MS, ms - waitedMs), { signal });
      // An unreachable Redis is not this wait's trouble: the next try meets it.
      if (ms > REQUEST_INTERVAL_MS && (await desk.look().catch(() => false)) && this.#isNews()) {
        return true;
      }
    }
    return false;
  }

  /** Whether a request is due that has ended no wait yet: each ends one, or a request that cannot be served would undo every wait. */
  #isNews(): boolean {
    const news = this.#options.desk.dueIds.filter((id) => !this.#woken.has(id));
    news.forEach((id) => this.#woken.add(id));
    return news.length > 0;
  }
}

/** No timer goes beyond a day: Node takes those above 2^31 ms for 1 ms. */
const LONGEST_SLEEP_MS = 86_400_000;
