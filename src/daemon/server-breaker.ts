/**
 * The circuit breaker of one server (a source's SQL Server, or Redis): which errors are the server's, how it is probed, and what is said of it:
 * one line when it opens, one when it closes, a status and metrics. All sections that use the server wait on it. Knows no section.
 */
import type { Clock } from '../lib/clock.ts';
import { type BreakerEvent, CircuitBreaker } from '../lib/circuit-breaker.ts';
import type { Random } from '../lib/random.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';
import { asPatchwireError, PatchwireError } from '../model/errors.ts';
import { refusesCredentials, retryDelayMs } from '../model/retry-delay.ts';
import type { Logger } from '../observe/logger.ts';
import type { ServerStatus } from '../observe/server-status.ts';
import type { Breaker } from '../pipeline/recovery.ts';

/** So many failures in a row, by whichever sections, open it. Refused credentials open it at once: every further try may lock the account. */
export const OPENS_AFTER = 3;

/** Errors that say something of the server (or of the whole database), not of a table. */
const OF_THE_SERVER: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PW-S201',
  'PW-S202',
  'PW-S203',
  'PW-S214',
  'PW-S226',
  'PW-M301',
  'PW-M302',
  'PW-M310',
]);

export interface ServerBreakerOptions {
  /** `redis`, or `source/` and the source's name. */
  readonly server: string;
  /** Where it is, without user and password. */
  readonly what: string;
  /** Opens the adapter: its first call is the start, every further one a probe. @throws PatchwireError */
  readonly open: (signal: AbortSignal) => Promise<void>;
  /** Told after every change. */
  readonly told: (status: ServerStatus) => void;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends the probing. */
  readonly signal: AbortSignal;
}

export class ServerBreaker implements Breaker {
  readonly #options: ServerBreakerOptions;
  readonly #circuit: CircuitBreaker;
  #downSinceMs: number | null;
  #loggedCode: ErrorCode | null = null;

  constructor(options: ServerBreakerOptions) {
    const { open, clock, random, signal } = options;
    this.#options = options;
    this.#downSinceMs = clock.now();
    this.#circuit = new CircuitBreaker({
      probe: open,
      delayMs: (attempt, failure) => retryDelayMs(asPatchwireError(failure), attempt, random),
      threshold: OPENS_AFTER,
      refusal: refusalOf,
      onEvent: (event) => this.#changed(event),
      clock,
      signal,
    });
  }

  /** Asks the server for the first time, and goes on asking until it serves. */
  start(): void {
    this.#options.told(this.status());
    this.#circuit.start();
  }

  get failure(): unknown {
    return this.#circuit.failure;
  }

  refused(error: PatchwireError): boolean {
    return error.details[REFUSED] === true;
  }

  next(signal: AbortSignal): Promise<void> {
    return this.#circuit.next(signal);
  }

  hurry(): void {
    this.#circuit.hurry();
  }

  /** Aborts with the refusal when the server is found down. Take it anew for each call. */
  get outage(): AbortSignal {
    return this.#circuit.outage;
  }

  /** Resolves while the server serves; waits for the outcome of the very first call. @throws the refusal; the signal's reason */
  pass(): Promise<void> {
    return this.#circuit.pass();
  }

  /** Lets a call through and learns from its outcome. A call is made at once while the server serves: calls keep their order. @throws the refusal, without asking the server; what the call throws */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (!this.#circuit.isClosed) {
      await this.#circuit.pass();
    }
    try {
      const answer = await call();
      this.#circuit.succeeded();
      return answer;
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  succeeded(): void {
    this.#circuit.succeeded();
  }

  /** Learns from a failure; one that is not the server's tells nothing. */
  failed(error: unknown): void {
    if (error instanceof PatchwireError && OF_THE_SERVER.has(error.code) && !this.refused(error) && !ofOneNode(error)) {
      this.#circuit.failed(error, refusesCredentials(error) ? OPENS_AFTER : 1);
    }
  }

  status(): ServerStatus {
    const { server, what } = this.#options;
    const { state, failure, openings } = this.#circuit;
    const error = failure === null ? null : asPatchwireError(failure);
    return {
      server,
      what,
      state,
      trouble: error === null ? null : { code: error.code, message: error.message, hint: error.hint },
      downSinceMs: this.#downSinceMs,
      openings,
    };
  }

  #changed(event: BreakerEvent): void {
    const { log, what, clock } = this.#options;
    if (event.kind === 'closed') {
      if (this.#loggedCode !== null) {
        log.info({ what, attempts: event.attempts, durationMs: Math.round(event.durationMs) }, 'reached');
      }
      this.#loggedCode = null;
      this.#downSinceMs = null;
    } else {
      this.#downSinceMs ??= clock.now();
      const { code, message, hint } = asPatchwireError(event.failure);
      const fields = { what, code, reason: message, hint, retryInMs: Math.round(event.retryInMs) };
      // One line for an outage, and one more only when its cause is another.
      log[this.#loggedCode === code ? 'debug' : 'warn'](fields, 'waiting for a server');
      this.#loggedCode = code;
    }
    this.#options.told(this.status());
  }
}

const REFUSED = 'breakerOpen';

/** Of a cluster: the sections of the other nodes go on; what the whole cluster answers has no node. Credentials are the same everywhere. */
function ofOneNode(error: PatchwireError): boolean {
  return error.details['node'] !== undefined && !refusesCredentials(error);
}

/** The same error for those who ask meanwhile, marked: it was not their call that failed. */
function refusalOf(failure: unknown): PatchwireError {
  const cause = asPatchwireError(failure);
  const { code, message, hint, retry, waitMs, details } = cause;
  return new PatchwireError(code, message, { hint, retry, waitMs, details: { ...details, [REFUSED]: true }, cause });
}
