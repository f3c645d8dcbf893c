/** What a program has of a lazy cache. Types only. */
import type { Counters, ReplicaState } from './events.ts';
import type { Following } from './following.ts';
import type { Key } from './keys.ts';
import type { WaitOptions } from './subscription.ts';

export interface LazyCounters extends Counters {
  /** Keys that were asked for and held. */
  readonly hits: number;
  /** Keys that were read from Redis. */
  readonly loads: number;
  /** Keys that had to go for others. */
  readonly evictions: number;
}

export interface LazyState extends ReplicaState {
  readonly counters: LazyCounters;
}

/**
 * The documents of a section that were asked for, kept in step with what is published; the least recently used go when there are too many, where
 * a change counts as a use. Events and changes are those of the keys that are held. After a `reset` nothing is held, and loaded again when it is
 * asked for. Documents are not to be changed: they are what patches apply to.
 */
export interface LazyCache<T extends object> extends Following<T> {
  /**
   * The document of a key, in any spelling that the key's collation calls equal; undefined: there is none. What is held and in step is given out
   * at once; else it waits, for Redis or until the cache is live: it never answers with what may be stale, nor with anything older than what was
   * given out or told before, unless a `reset` said so. Keys asked for in one turn of the event loop are read together.
   * @throws the signal's reason; a DOMException named TimeoutError; PW-W410 when it is closed, or what closed it; PW-M308, PW-M309, PW-W415 when
   * the document cannot be read
   */
  get(key: Key, options?: WaitOptions): Promise<T | undefined>;
  /** The documents of several keys, in their order. @throws as get, for the first that cannot be read */
  getMany(keys: readonly Key[], options?: WaitOptions): Promise<(T | undefined)[]>;
  /**
   * Whether the row exists, and its document cannot be published (it is in quarantine): `get` answers undefined for it, as for a row that is not
   * there. Such a row is not held: it is read again whenever it is asked for. @throws as get
   */
  unavailable(key: Key, options?: WaitOptions): Promise<boolean>;
  /** What is held of a key, at once, also while it may be stale (`state().status` is not live); undefined: absent, or not held. */
  peek(key: Key): T | undefined;
  /** Whether there is a document; undefined: not held, so not known. */
  has(key: Key): boolean | undefined;
  /** How many keys are held, absent ones included. */
  readonly size: number;
  state(): LazyState;
}
