/** What a program has of a section whatever its mode: what becomes of its documents, and where they stand. Types only. */
import type { FlowItem, FlowLimits, WhenFull } from './change-flow.ts';
import type { ChangeEvent, EventOf, Position, ReplicaState, SubscriberEvent } from './events.ts';
import type { HandleOptions, Handling } from './handling.ts';
import type { WaitOptions } from './subscription.ts';

export interface ChangesOptions {
  /** How much may wait for its consumer. Default 10,000 items, 16 MiB of patches. */
  readonly limits?: Partial<FlowLimits>;
  /** drop (default): the oldest go, and an item `dropped` says how many; wait: the replica is held, and fetches what it missed later. */
  readonly whenFull?: WhenFull;
  /** Ends the iteration: it throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Open until it is closed, its signal fires, or `closed` is emitted. */
export interface Following<T extends object> extends AsyncDisposable {
  /**
   * Calls `handler` for every event of a type until the returned function is called: at once, before the next message is taken. What it throws is
   * thrown again outside, as an uncaught exception: for work that may fail or takes time there is `handle`.
   */
  on<E extends SubscriberEvent['type']>(type: E, handler: (event: EventOf<E, T>) => void): () => void;
  /**
   * The changes from this call on, in order, with the places where they do not follow one another. Ends with the replica. @throws the signal's
   * reason; what closed the replica, if that was an error
   */
  changes(options?: ChangesOptions): AsyncIterableIterator<FlowItem<T>>;
  /** Runs a handler over the changes from this call on: in order per key, so many beside each other, with a rule for what fails. */
  handle(
    handler: (change: ChangeEvent<T>, context: { readonly signal: AbortSignal }) => void | Promise<void>,
    options?: HandleOptions,
  ): Handling;
  /** What it is doing, and whether it is equal to what is published. */
  state(): ReplicaState;
  /** Where the documents stand; null: they do not count (yet, or any more). */
  position(): Position | null;
  /**
   * Resolves when the replica is live and contains every change up to `version` (upTo >= version): what `SELECT
   * CHANGE_TRACKING_CURRENT_VERSION()` says on your connection after your commit. Versions compare only within an epoch.
   * @throws the signal's reason, a DOMException named TimeoutError, PW-W410 when it is closed, or what closed it, RangeError for what is no version
   */
  waitForVersion(version: bigint | string, options?: WaitOptions): Promise<void>;
  /** Resolves when the replica is live. @throws as waitForVersion */
  waitUntilLive(options?: WaitOptions): Promise<void>;
  /** Loads the section anew: after skipped gaps, or out of suspicion. A `reset` tells it. */
  reload(): void;
  /** Closes it; connections that are shared stay open. */
  close(): Promise<void>;
}
