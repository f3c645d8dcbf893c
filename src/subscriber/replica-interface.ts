/** What a program has of a replica: the documents, what becomes of them, and where they stand. Types only. */
import type { FlowItem, FlowLimits, WhenFull } from './change-flow.ts';
import type { ChangeEvent, EventOf, Position, ReplicaState, SubscriberEvent } from './events.ts';
import type { HandleOptions, Handling } from './handling.ts';
import type { Index, KeyOf, UniqueIndex } from './indexes.ts';
import type { Key } from './keys.ts';
import type { WaitOptions } from './subscription.ts';

export interface ChangesOptions {
  /** How much may wait for its consumer. Default 10,000 items, 16 MiB of patches. */
  readonly limits?: Partial<FlowLimits>;
  /** drop (default): the oldest go, and an item `dropped` says how many; wait: the replica is held, and fetches what it missed later. */
  readonly whenFull?: WhenFull;
  /** Ends the iteration: it throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * All documents of a section, kept in step with what is published. Open until it is closed, its signal fires, or `closed` is emitted; what it
 * holds then stays readable. Documents are not to be changed: they are what patches apply to.
 */
export interface Replica<T extends object> extends AsyncDisposable, Iterable<readonly [string, T]> {
  /** The document of a key, in any spelling that the key's collation calls equal. */
  get(key: Key): T | undefined;
  has(key: Key): boolean;
  /** The source version as of which the document is known to be current. */
  versionOf(key: Key): string | undefined;
  /** How many documents there are; without those that a parser refused and `onInvalid: 'skip'` leaves out. */
  readonly size: number;
  /** Data keys as their rows spell them, with their documents. While the replica goes on, what was not yet visited may change. */
  entries(): IterableIterator<readonly [string, T]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<T>;
  /** The first document for which it holds. It looks at all of them: for a look-up that is made often, make an index. */
  find(predicate: (document: T, dataKey: string) => boolean): T | undefined;
  /** Every document for which it holds. */
  filter(predicate: (document: T, dataKey: string) => boolean): T[];
  /**
   * An index over the documents by a function of them, in step from now on; a look-up costs the same whatever is held. A document for which the
   * function throws while the replica goes on is in no bucket, and told by `trouble`. @throws what the function throws for a document that is there
   */
  index<K>(keyOf: KeyOf<T, K>, options?: { readonly unique?: false }): Index<K, T>;
  index<K>(keyOf: KeyOf<T, K>, options: { readonly unique: true }): UniqueIndex<K, T>;
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
   * @throws the signal's reason, a DOMException named TimeoutError, PW-W410 when it is closed, or what closed it
   */
  waitForVersion(version: bigint | string, options?: WaitOptions): Promise<void>;
  /** Resolves when the replica is live. @throws as waitForVersion */
  waitUntilLive(options?: WaitOptions): Promise<void>;
  /** Loads the section anew: after skipped gaps, or out of suspicion. A `reset` tells it. */
  reload(): void;
  /** Stores what is held now. @returns whether there was a store, and something whole to be stored. @throws what the store throws */
  save(): Promise<boolean>;
  /** Saves, if there is a store, and closes; connections that are shared stay open. */
  close(): Promise<void>;
}
