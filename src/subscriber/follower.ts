/** What is the same whatever a subscriber holds: its subscription, who hears of its events, and where it stands. Knows nothing of documents. */
import type { Position, ReplicaState, SubscriberEvent } from './events.ts';
import type { LoadedRow } from './section-view.ts';
import { Subscription, type SubscriptionOptions, type WaitOptions } from './subscription.ts';

/** Whoever extends it starts its subscription at the end of its constructor. */
export abstract class Follower<E extends { readonly type: string }> implements AsyncDisposable {
  protected readonly subscription: Subscription;
  readonly #onEvent: ((event: E) => void) | undefined;
  readonly #handlers = new Map<string, Set<(event: never) => void>>();

  constructor(options: Omit<SubscriptionOptions, 'observe' | 'filled' | 'taken'>, onEvent: ((event: E) => void) | undefined) {
    this.#onEvent = onEvent;
    this.subscription = new Subscription({
      ...options,
      observe: (events) => this.observe(events),
      filled: (rows) => this.filled(rows),
      taken: () => this.taken(),
    });
  }

  on<T extends E['type']>(type: T, handler: (event: Extract<E, { readonly type: T }>) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    handlers.add(handler);
    return () => {
      handlers.delete(handler);
    };
  }

  state(): ReplicaState {
    return this.subscription.state();
  }

  position(): Position | null {
    return this.subscription.position();
  }

  waitForVersion(version: bigint | string, options: WaitOptions = {}): Promise<void> {
    return this.subscription.waitForVersion(version, options);
  }

  waitUntilLive(options: WaitOptions = {}): Promise<void> {
    return this.subscription.waitUntilLive(options);
  }

  close(): Promise<void> {
    return this.subscription.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** All events of one input, in order; what is held is what it is after it. */
  protected abstract observe(events: readonly SubscriberEvent[]): void;

  /** Keys were read one by one, and are in step from now on. */
  protected filled(_rows: readonly LoadedRow[]): void {}

  /** All that was to be taken has been taken. */
  protected taken(): void {}

  /** Tells whoever listens; `first` hears of it before all others. */
  protected dispatch(event: E, first?: (event: never) => void): void {
    for (const handler of [first, this.#onEvent, ...(this.#handlers.get(event.type) ?? [])]) {
      try {
        (handler as ((event: E) => void) | undefined)?.(event);
      } catch (error) {
        // The user's error is the user's: it surfaces, and what is held stays whole.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
