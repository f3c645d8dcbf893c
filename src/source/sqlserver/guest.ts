/**
 * A good guest (R9): how many requests read from a database at a time, what share of the time they may take, and that nothing stays open
 * behind them. Knows requests and connections, not tables.
 */
import { setMaxListeners } from 'node:events';
import type mssql from 'mssql';
import type { Clock } from '../../lib/clock.ts';
import { joinedSignal } from '../../lib/joined-signal.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { SingleConnection } from './connection.ts';
import { ROLLBACK } from './queries.ts';
import { runRequest, type SourceRequest } from './request.ts';

export interface GuestOptions {
  readonly config: mssql.config;
  /** How many requests may read at a time, each on a connection of its own. */
  readonly readers: number;
  /** The share of the time that each reader may spend reading, 0 < share <= 1, over more than a few seconds. */
  readonly timeShare: number;
  /** The watchdog over a whole request, ms. */
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Runs requests one after another on the reader's one connection. */
export type Run = (request: SourceRequest) => Promise<{ readonly cut: boolean }>;

/** How long a reader may read without a pause before the share binds: short bursts are not slowed down. */
export const BURST_MS = 5000;

/** How long undoing an open transaction may take before the connection is dropped instead. */
const ROLLBACK_TIMEOUT_MS = 5000;

/** A budget of reading time: it refills with the share, up to the burst, and what is read is taken out. */
export class TimeShare {
  readonly #share: number;
  #budgetMs: number;
  #at: number;

  constructor(share: number, now: number) {
    this.#share = share;
    this.#budgetMs = BURST_MS * share;
    this.#at = now;
  }

  /** How long to wait at `now` before the next read, ms. */
  waitMs(now: number): number {
    this.#budgetMs = Math.min(BURST_MS * this.#share, this.#budgetMs + Math.max(0, now - this.#at) * this.#share);
    this.#at = now;
    return this.#budgetMs >= 0 ? 0 : Math.ceil(-this.#budgetMs / this.#share);
  }

  spend(ms: number): void {
    this.#budgetMs -= Math.max(0, ms);
  }
}

interface Reader {
  readonly connection: SingleConnection;
  readonly time: TimeShare;
}

interface Waiter {
  readonly take: (reader: Reader) => void;
}

/** The readers of one database and their queue. Lives as long as the source. */
export class Guest implements AsyncDisposable {
  readonly #options: GuestOptions;
  readonly #readers: readonly Reader[];
  readonly #free: Reader[];
  readonly #waiting: Waiter[] = [];
  readonly #disposed = new AbortController();
  #busy = 0;

  constructor(options: GuestOptions) {
    this.#options = options;
    this.#readers = Array.from({ length: Math.max(1, options.readers) }, () => ({
      connection: new SingleConnection(options.config, options.logger),
      time: new TimeShare(options.timeShare, options.clock.monotonic()),
    }));
    this.#free = [...this.#readers];
    // Every read that is under way or waits listens to it; Node would take eleven of them for a leak.
    setMaxListeners(0, this.#disposed.signal);
  }

  /** Requests that are being made or wait for their turn. */
  get load(): number {
    return this.#busy + this.#waiting.length;
  }

  /**
   * Waits for a free reader and its share of time, then does `work`, whose requests all use one connection.
   * @throws the signal's reason, or what `work` throws. When it settles nothing of it is under way and no transaction is open: a cancelled
   * or failed request has been rolled back, or its connection dropped. An abort takes at most CANCEL_GRACE_MS and ROLLBACK_TIMEOUT_MS.
   */
  async read<T>(work: (run: Run) => Promise<T>, options: { readonly signal: AbortSignal }): Promise<T> {
    const { signal, release } = joinedSignal(options.signal, this.#disposed.signal);
    try {
      return await this.#readOnce(work, signal);
    } finally {
      release();
    }
  }

  async #readOnce<T>(work: (run: Run) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, requestTimeoutMs } = this.#options;
    const reader = await this.#take(signal);
    this.#busy += 1;
    try {
      await clock.sleep(reader.time.waitMs(clock.monotonic()), { signal });
      const startedAt = clock.monotonic();
      try {
        return await work((request) => runRequest(reader.connection, request, { timeoutMs: requestTimeoutMs, clock, signal }));
      } catch (error) {
        await this.#undo(reader.connection);
        throw error;
      } finally {
        // A machine that slept is no reading: no request outlives its time-out.
        reader.time.spend(Math.min(clock.monotonic() - startedAt, requestTimeoutMs));
      }
    } finally {
      this.#busy -= 1;
      this.#give(reader);
    }
  }

  /** Cancels what is under way and closes the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new PatchwireError('PW-S201', 'The source is closed.'));
    await Promise.all(this.#readers.map(({ connection }) => connection[Symbol.asyncDispose]()));
  }

  /** Rolls back what the connection has open; a connection that cannot even do that is dropped, and the server rolls back. */
  async #undo(connection: SingleConnection): Promise<void> {
    const { clock } = this.#options;
    if (!connection.isOpen) {
      return;
    }
    try {
      const request: SourceRequest = { text: ROLLBACK, onRow: () => 'more' };
      const { signal } = new AbortController();
      await runRequest(connection, request, { timeoutMs: ROLLBACK_TIMEOUT_MS, graceMs: 0, clock, signal });
    } catch {
      await connection.reset();
    }
  }

  #take(signal: AbortSignal): Promise<Reader> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const reader = this.#free.pop();
      if (reader !== undefined) {
        resolve(reader);
        return;
      }
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        take(free) {
          signal.removeEventListener('abort', abort);
          resolve(free);
        },
      };
      this.#waiting.push(waiter);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  #give(reader: Reader): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#free.push(reader);
    } else {
      next.take(reader);
    }
  }
}
