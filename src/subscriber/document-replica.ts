/**
 * The replica as its user has it: all documents by any spelling of their key, parsed, indexed. What is held and where it stands is the
 * subscription's; nothing here touches Redis.
 */
import { PatchwireError } from '../model/failure.ts';
import type { SubscriberEvent } from './events.ts';
import type { HeldEntry, Holding } from './holding.ts';
import { DocumentIndex, type Index, type KeyOf, sharedIndex, type UniqueIndex, uniqueIndex } from './indexes.ts';
import { dataKeyOf, type Key } from './keys.ts';
import type { Replica } from './replica-interface.ts';
import { type FollowerOptions, SectionFollower } from './section-follower.ts';

export class DocumentReplica<T extends object> extends SectionFollower<T> implements Replica<T> {
  /** The documents that parser and indexes know. */
  #known: Holding;
  /** Identities of documents that the parser refused. */
  readonly #refused = new Set<string>();
  readonly #indexes = new Set<DocumentIndex<unknown, T>>();

  constructor(options: FollowerOptions<T>) {
    super(options);
    this.#known = this.subscription.documents;
    this.subscription.start();
  }

  get(key: Key): T | undefined {
    const entry = this.#find(key);
    return entry === undefined ? undefined : this.documentOf(entry);
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  unavailable(key: Key): boolean {
    const { documents } = this.subscription;
    return this.#find(key) === undefined && documents.aside?.has(this.subscription.identityOf(key)) === true;
  }

  versionOf(key: Key): string | undefined {
    return this.#find(key)?.version;
  }

  get size(): number {
    return this.subscription.documents.size - this.#refused.size;
  }

  *entries(): IterableIterator<readonly [string, T]> {
    for (const entry of this.subscription.documents.entries()) {
      const value = this.documentOf(entry);
      if (value !== undefined) {
        yield [entry.dataKey, value];
      }
    }
  }

  *keys(): IterableIterator<string> {
    for (const [dataKey] of this.entries()) {
      yield dataKey;
    }
  }

  *values(): IterableIterator<T> {
    for (const [, document] of this.entries()) {
      yield document;
    }
  }

  [Symbol.iterator](): IterableIterator<readonly [string, T]> {
    return this.entries();
  }

  find(predicate: (document: T, dataKey: string) => boolean): T | undefined {
    for (const [dataKey, document] of this.entries()) {
      if (predicate(document, dataKey)) {
        return document;
      }
    }
    return undefined;
  }

  filter(predicate: (document: T, dataKey: string) => boolean): T[] {
    return [...this.entries()].flatMap(([dataKey, document]) => (predicate(document, dataKey) ? [document] : []));
  }

  index<K>(keyOf: KeyOf<T, K>, options?: { readonly unique?: false }): Index<K, T>;
  index<K>(keyOf: KeyOf<T, K>, options: { readonly unique: true }): UniqueIndex<K, T>;
  index<K>(keyOf: KeyOf<T, K>, { unique = false }: { readonly unique?: boolean } = {}): Index<K, T> | UniqueIndex<K, T> {
    const index = new DocumentIndex(keyOf);
    for (const entry of this.subscription.documents.entries()) {
      index.put(entry.identity, entry.dataKey, this.documentOf(entry));
    }
    const kept = index as unknown as DocumentIndex<unknown, T>;
    this.#indexes.add(kept);
    const drop = (): void => {
      this.#indexes.delete(kept);
    };
    return unique ? uniqueIndex(index, drop) : sharedIndex(index, drop);
  }

  save(): Promise<boolean> {
    return this.subscription.save();
  }

  #find(key: Key): HeldEntry | undefined {
    const { documents } = this.subscription;
    return documents.find(dataKeyOf(key)) ?? documents.find(this.subscription.identityOf(key));
  }

  /** Brings parser and indexes in step with the documents, then tells of what has happened. */
  protected override observe(events: readonly SubscriberEvent[]): void {
    if (this.#known !== this.subscription.documents) {
      this.#known = this.subscription.documents;
      this.#refused.clear();
      this.#indexes.forEach((index) => index.clear());
      if (!this.parsing.plain || this.#indexes.size > 0) {
        for (const { identity } of this.#known.entries()) {
          this.#refresh(identity);
        }
      }
    } else if (!this.parsing.plain || this.#indexes.size > 0) {
      for (const event of events) {
        if (event.type === 'change') {
          this.#refresh(event.identity);
        }
      }
    }
    super.observe(events);
  }

  #refresh(identity: string): void {
    const entry = this.#known.find(identity);
    const value = entry === undefined ? undefined : this.documentOf(entry);
    if (entry !== undefined && value === undefined) {
      this.#refused.add(identity);
    } else {
      this.#refused.delete(identity);
    }
    for (const index of this.#indexes) {
      try {
        index.put(identity, entry?.dataKey ?? identity, value);
      } catch (error) {
        const message = `the key function of an index failed for ${entry?.dataKey}: ${error instanceof Error ? error.message : String(error)}`;
        this.dispatch({ type: 'trouble', error: new PatchwireError('PW-W409', message, { cause: error }) });
      }
    }
  }
}
