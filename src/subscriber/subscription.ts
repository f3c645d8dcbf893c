/**
 * A running replica: joins the state machine to its feed, to the clock and to its user. Inputs are taken one after another, also those that a
 * user's handler causes. Owns the connections and one timer; closing releases both.
 */
import type { Clock } from '../lib/clock.ts';
import type { Document } from '../model/document.ts';
import { PatchwireError } from '../model/failure.ts';
import { compareVersionTexts, formatVersion, parseVersion } from '../model/version.ts';
import type { MachineOptions } from './course.ts';
import type { EventOf, Position, ReplicaState, SubscriberEvent } from './events.ts';
import { Feed, type FeedOptions } from './feed.ts';
import type { Effect, Input } from './section-view.ts';
import { SubscriberMachine } from './state.ts';

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Default: as long as it takes. */
  readonly timeoutMs?: number;
}

/** All documents of a section, kept in step with what is published. Open until it is closed, its signal fires, or `closed` is emitted. */
export interface Replica extends AsyncDisposable, Iterable<readonly [string, Document]> {
  /** The document of a data key, by its exact spelling or by its identity. Not to be changed: patches apply to it. */
  get(dataKey: string): Document | undefined;
  has(dataKey: string): boolean;
  /** The source version as of which the document is known to be current. */
  versionOf(dataKey: string): string | undefined;
  readonly size: number;
  /** Data keys as their rows spell them, with their documents. While the replica goes on, what was not yet visited may change. */
  entries(): IterableIterator<readonly [string, Document]>;
  /** Calls `handler` for every event of a type until the returned function is called. What it throws is thrown again outside. */
  on<T extends SubscriberEvent['type']>(type: T, handler: (event: EventOf<T>) => void): () => void;
  /** What it is doing, and whether it is equal to what is published. */
  state(): ReplicaState;
  /** Where the documents stand; null: they do not count (yet, or any more). */
  position(): Position | null;
  /**
   * Resolves when the replica is live and contains every change up to `version` (upTo >= version). Versions compare only within an epoch.
   * @throws the signal's reason, a TimeoutError, or PW-W403 when it is closed before
   */
  waitForVersion(version: bigint | string, options?: WaitOptions): Promise<void>;
  /** Resolves when the replica is live. @throws as waitForVersion */
  waitUntilLive(options?: WaitOptions): Promise<void>;
  /** Closes the connections; the documents stay readable. */
  close(): Promise<void>;
}

export interface SubscriptionOptions {
  readonly clock: Clock;
  readonly machine: MachineOptions;
  readonly feed: Omit<FeedOptions, 'input'>;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SubscriberEvent) => void;
}

interface Waiter {
  readonly ready: () => boolean;
  readonly settle: (error: unknown) => void;
}

export class Subscription implements Replica {
  readonly #clock: Clock;
  readonly #machine: SubscriberMachine;
  readonly #feed: Feed;
  readonly #handlers = new Map<SubscriberEvent['type'], Set<(event: never) => void>>();
  readonly #onEvent: ((event: SubscriberEvent) => void) | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #inputs: Input[] = [];
  #busy = false;
  #timer: { readonly atMs: number; readonly cancel: AbortController } | null = null;
  #closing: Promise<void> | null = null;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => {
    // Whoever aborts does not wait; close() may be called for that.
    void this.close();
  };

  constructor({ clock, machine, feed, signal, onEvent }: SubscriptionOptions) {
    this.#clock = clock;
    this.#machine = new SubscriberMachine(machine);
    this.#feed = new Feed({ ...feed, input: (input) => this.#take(input) });
    this.#onEvent = onEvent;
    this.#signal = signal;
    if (signal?.aborted === true) {
      this.#abort();
      return;
    }
    signal?.addEventListener('abort', this.#abort, { once: true });
    this.#feed.start();
  }

  get(dataKey: string): Document | undefined {
    return this.#machine.documents.find(dataKey)?.document;
  }

  has(dataKey: string): boolean {
    return this.#machine.documents.find(dataKey) !== undefined;
  }

  versionOf(dataKey: string): string | undefined {
    return this.#machine.documents.find(dataKey)?.version;
  }

  get size(): number {
    return this.#machine.documents.size;
  }

  *entries(): IterableIterator<readonly [string, Document]> {
    for (const { dataKey, document } of this.#machine.documents.entries()) {
      yield [dataKey, document];
    }
  }

  [Symbol.iterator](): IterableIterator<readonly [string, Document]> {
    return this.entries();
  }

  on<T extends SubscriberEvent['type']>(type: T, handler: (event: EventOf<T>) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    handlers.add(handler);
    return () => {
      handlers.delete(handler);
    };
  }

  state(): ReplicaState {
    return this.#machine.state();
  }

  position(): Position | null {
    return this.#machine.position(this.#clock.now());
  }

  waitForVersion(version: bigint | string, options: WaitOptions = {}): Promise<void> {
    const wanted = formatVersion(typeof version === 'bigint' ? version : parseVersion(version));
    return this.#wait(() => {
      const upTo = this.position()?.upTo ?? null;
      return this.#isLive() && upTo !== null && compareVersionTexts(upTo, wanted) >= 0;
    }, options);
  }

  waitUntilLive(options: WaitOptions = {}): Promise<void> {
    return this.#wait(() => this.#isLive(), options);
  }

  async close(): Promise<void> {
    this.#take({ type: 'close', error: null });
    // Called by a handler, it is taken after what is being taken now.
    await Promise.resolve();
    await this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isLive(): boolean {
    return this.#machine.state().status === 'live';
  }

  async #wait(ready: () => boolean, { signal, timeoutMs }: WaitOptions): Promise<void> {
    signal?.throwIfAborted();
    if (ready()) {
      return;
    }
    if (this.#closing !== null) {
      throw closedError();
    }
    const cancel = new AbortController();
    const abort = (): void => waiter.settle(signal?.reason);
    let waiter: Waiter = { ready, settle: () => {} };
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { ready, settle: (error) => (error === null ? resolve() : reject(error as Error)) };
        this.#waiters.add(waiter);
        signal?.addEventListener('abort', abort, { once: true });
        if (timeoutMs !== undefined) {
          this.#clock.sleep(timeoutMs, { signal: cancel.signal }).then(
            () => waiter.settle(new DOMException(`not there after ${timeoutMs} ms`, 'TimeoutError')),
            () => {},
          );
        }
      });
    } finally {
      this.#waiters.delete(waiter);
      signal?.removeEventListener('abort', abort);
      cancel.abort();
    }
  }

  #take(input: Input): void {
    this.#inputs.push(input);
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        for (const effect of this.#machine.handle(next, this.#clock.now())) {
          this.#perform(effect);
        }
      }
    } finally {
      this.#busy = false;
    }
    this.#arm();
    for (const waiter of this.#waiters) {
      if (waiter.ready()) {
        waiter.settle(null);
      }
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'load':
        this.#feed.load(effect.request);
        return;
      case 'scan':
        this.#feed.scan(effect.request);
        return;
      case 'replay':
        this.#feed.replay(effect.request, effect.seq);
        return;
      case 'resubscribe':
        this.#feed.resubscribe();
        return;
      case 'stop':
        this.#stop();
        return;
      case 'emit':
        this.#emit(effect.event);
    }
  }

  #stop(): void {
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#closing = this.#feed[Symbol.asyncDispose]();
    for (const waiter of this.#waiters) {
      waiter.settle(closedError());
    }
  }

  #emit(event: SubscriberEvent): void {
    const handlers = [...(this.#handlers.get(event.type) ?? [])] as ((event: SubscriberEvent) => void)[];
    for (const handler of this.#onEvent === undefined ? handlers : [this.#onEvent, ...handlers]) {
      try {
        handler(event);
      } catch (error) {
        // The user's error is the user's: it surfaces, and the replica stays whole.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** One timer, for the machine's next tick. */
  #arm(): void {
    const atMs = this.#machine.wakeAtMs;
    if (atMs === (this.#timer?.atMs ?? null)) {
      return;
    }
    this.#timer?.cancel.abort();
    this.#timer = null;
    if (atMs === null) {
      return;
    }
    const timer = { atMs, cancel: new AbortController() };
    this.#timer = timer;
    this.#clock.sleep(atMs - this.#clock.now(), { signal: timer.cancel.signal }).then(
      () => {
        if (this.#timer === timer) {
          this.#timer = null;
        }
        this.#take({ type: 'tick' });
      },
      () => {},
    );
  }
}

function closedError(): PatchwireError {
  return new PatchwireError('PW-W403', 'the replica is closed', { retry: 'never', hint: 'Subscribe again.' });
}
