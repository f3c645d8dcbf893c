/**
 * A circuit breaker: one for a server that many use. While it is open nobody asks the server but the breaker itself, by one probe at a time, after
 * ever longer waits; a probe that succeeds closes it. It begins half-open: the first probe is the first connection. Knows neither what a probe is
 * nor which failures are the server's: both are handed in.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from './clock.ts';

/** halfOpen: a probe is under way; calls are let through only while it is closed. */
export type BreakerState = 'closed' | 'open' | 'halfOpen';

export type BreakerEvent =
  /** `first`: it was never closed before, the server has not been reached yet. */
  | { readonly kind: 'opened'; readonly failure: unknown; readonly first: boolean; readonly retryInMs: number }
  | { readonly kind: 'probeFailed'; readonly failure: unknown; readonly attempts: number; readonly retryInMs: number }
  /** After so many probes, the one that succeeded included; `durationMs` since it opened. */
  | { readonly kind: 'closed'; readonly attempts: number; readonly durationMs: number };

export interface CircuitBreakerOptions {
  /** Asks the server once. @throws why it does not serve; the signal's reason */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  /** How long to wait before try number `attempt` (1 for the first) after `failure`, in ms. */
  readonly delayMs: (attempt: number, failure: unknown) => number;
  /** So many failures in a row, by whichever callers, open it. */
  readonly threshold: number;
  /** What callers are rejected with while it is open. */
  readonly refusal: (failure: unknown) => unknown;
  /** Told of every change; must not throw. */
  readonly onEvent: (event: BreakerEvent) => void;
  readonly clock: Clock;
  /** Ends the probing; the state stays as it is. */
  readonly signal: AbortSignal;
}

/** A probe that was asked for comes no sooner than this after the last one, ms. */
export const HURRY_GAP_MS = 1000;

const HURRIED = new Error('hurried');

export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #state: BreakerState | 'starting' = 'starting';
  #failure: { readonly of: unknown } | null = null;
  /** Fires when it opens, with the refusal; another one after each closing. */
  #outage = outageController();
  #inARow = 0;
  /** Openings and failed probes since a call last succeeded: a server that only lets probes through is not hammered with them. */
  #tries = 0;
  #probedAt = Number.NEGATIVE_INFINITY;
  #openings = 0;
  #hurry: (() => void) | null = null;
  readonly #listeners = new Set<() => void>();

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    // Everybody who waits listens to it; Node would take eleven of them for a leak.
    setMaxListeners(0, options.signal);
  }

  /** Makes the first probe, and goes on until one succeeds. */
  start(): void {
    void this.#untilClosed(this.#options.clock.monotonic());
  }

  get state(): BreakerState {
    return this.#state === 'starting' ? 'halfOpen' : this.#state;
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** What opened it, or failed last; null while it is closed or has not been opened yet. */
  get failure(): unknown {
    return this.#failure?.of ?? null;
  }

  /** How often it has opened. */
  get openings(): number {
    return this.#openings;
  }

  /** Aborts when it opens, with the refusal: calls under way end by it. Take it anew for each call. */
  get outage(): AbortSignal {
    return this.#outage.signal;
  }

  /** Resolves while it is closed; waits for the outcome of the very first probe. @throws the refusal while it is open; the signal's reason */
  async pass(): Promise<void> {
    while (this.#state === 'starting') {
      await this.next(this.#options.signal);
    }
    if (this.#failure !== null) {
      throw this.#options.refusal(this.#failure.of);
    }
  }

  /** A call got its answer. */
  succeeded(): void {
    if (this.isClosed) {
      this.#inARow = 0;
      this.#tries = 0;
    }
  }

  /** A call failed because of the server; `weight` failures at once. What comes after it has opened tells nothing new. */
  failed(failure: unknown, weight = 1): void {
    if (!this.isClosed) {
      return;
    }
    this.#inARow += weight;
    if (this.#inARow >= this.#options.threshold && !this.#options.signal.aborted) {
      this.#inARow = 0;
      void this.#untilClosed(this.#options.clock.monotonic(), { of: failure });
    }
  }

  /** Somebody asked for it: the next probe comes at once, unless there was one within HURRY_GAP_MS. */
  hurry(): void {
    this.#hurry?.();
  }

  /** Resolves at the next change: it opened, a probe failed, it closed. @throws the signal's reason */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const changed = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        this.#listeners.delete(changed);
        reject(signal.reason as Error);
      };
      this.#listeners.add(changed);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** Open from here on, with `cause` behind it, until a probe succeeds or the signal fires. */
  async #untilClosed(since: number, cause: { readonly of: unknown } | null = null): Promise<void> {
    const { probe, signal, clock } = this.#options;
    let attempts = 0;
    try {
      if (cause !== null) {
        await this.#rest(this.#opened(cause.of, false));
      }
      for (;;) {
        attempts += 1;
        this.#state = this.#state === 'starting' ? 'starting' : 'halfOpen';
        try {
          await probe(signal);
          break;
        } catch (failure) {
          signal.throwIfAborted();
          await this.#rest(this.#state === 'starting' ? this.#opened(failure, true) : this.#probeFailed(failure, attempts));
        }
      }
    } catch {
      // Only the signal ends it from outside: whoever waits listens to the same.
      return;
    }
    this.#state = 'closed';
    this.#failure = null;
    this.#outage = this.#outage.signal.aborted ? outageController() : this.#outage;
    this.#tell({ kind: 'closed', attempts, durationMs: clock.monotonic() - since });
  }

  #opened(failure: unknown, first: boolean): number {
    this.#openings += 1;
    const retryInMs = this.#open(failure);
    this.#outage.abort(this.#options.refusal(failure));
    this.#tell({ kind: 'opened', failure, first, retryInMs });
    return retryInMs;
  }

  #probeFailed(failure: unknown, attempts: number): number {
    const retryInMs = this.#open(failure);
    this.#tell({ kind: 'probeFailed', failure, attempts, retryInMs });
    return retryInMs;
  }

  #open(failure: unknown): number {
    this.#state = 'open';
    this.#failure = { of: failure };
    this.#probedAt = this.#options.clock.monotonic();
    this.#tries += 1;
    return this.#options.delayMs(this.#tries, failure);
  }

  /** Waits, or until somebody hurries. @throws the signal's reason */
  async #rest(ms: number): Promise<void> {
    const { clock, signal } = this.#options;
    let until = clock.monotonic() + ms;
    for (;;) {
      const leftMs = Math.ceil(until - clock.monotonic());
      if (leftMs <= 0) {
        return;
      }
      const sleep = new AbortController();
      const abort = (): void => sleep.abort(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      this.#hurry = (): void => {
        until = Math.min(until, this.#probedAt + HURRY_GAP_MS);
        sleep.abort(HURRIED);
      };
      try {
        signal.throwIfAborted();
        await clock.sleep(leftMs, { signal: sleep.signal });
      } catch (error) {
        if (error !== HURRIED) {
          throw error;
        }
      } finally {
        this.#hurry = null;
        signal.removeEventListener('abort', abort);
      }
    }
  }

  #tell(event: BreakerEvent): void {
    this.#options.onEvent(event);
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    listeners.forEach((changed) => changed());
  }
}

/** Every call under way listens to it; Node would take eleven of them for a leak. */
function outageController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
