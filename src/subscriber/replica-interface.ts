/** What a program has of a replica: the documents, what becomes of them, and where they stand. Types only. */
import type { Following } from './following.ts';
import type { Index, KeyOf, UniqueIndex } from './indexes.ts';
import type { Key } from './keys.ts';

/**
 * All documents of a section, kept in step with what is published. Open until it is closed, its signal fires, or `closed` is emitted; what it
 * holds then stays readable. Documents are not to be changed: they are what patches apply to.
 */
export interface Replica<T extends object> extends Following<T>, Iterable<readonly [string, T]> {
  /** The document of a key, in any spelling that the key's collation calls equal. */
  get(key: Key): T | undefined;
  has(key: Key): boolean;
  /**
   * Whether the row exists, and its document cannot be published (it is in quarantine): what `get` and `has` cannot tell from a row that is not
   * there. As of `position()`; that such a row was deleted is known from the next heartbeat on.
   */
  unavailable(key: Key): boolean;
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
  /** Stores what is held now. @returns whether there was a store, and something whole to be stored. @throws what the store throws */
  save(): Promise<boolean>;
  /** Saves, if there is a store, and closes; connections that are shared stay open. */
  close(): Promise<void>;
}
