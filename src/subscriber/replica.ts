/**
 * The documents of a section in memory, by identity, with their digest kept incrementally. A message is applied whole or not at all. Knows
 * nothing of chains, epochs or Redis.
 */
import { Digest } from '../wire/digest.ts';
import type { WireChange } from '../wire/messages.ts';
import { applyChanges } from './applying.ts';
import type { ApplyResult, ChangeRule, Held, HeldEntry, Holding, Mode } from './holding.ts';

/** All documents of the section. */
export const replicaMode: Mode = { name: 'replica', whole: true, empty: () => new ReplicaDocuments() };

export class ReplicaDocuments implements Holding {
  readonly #entries = new Map<string, HeldEntry>();
  /** Only data keys that are spelled differently from their identity. */
  readonly #spellings = new Map<string, string>();
  readonly #digest = new Digest();
  aside = new Set<string>();

  get size(): number {
    return this.#entries.size;
  }

  get digest(): string {
    return this.#digest.toString();
  }

  /** The entry of a data key, by its exact spelling or by its identity. */
  find(key: string): HeldEntry | undefined {
    return this.#entries.get(key) ?? this.#entries.get(this.#spellings.get(key) ?? key);
  }

  entries(): IterableIterator<HeldEntry> {
    return this.#entries.values();
  }

  /** Puts an entry, or takes it out. */
  set(identity: string, next: Held): void {
    const old = this.#entries.get(identity);
    if (old !== undefined) {
      this.#digest.toggle(identity, old.version);
      this.#spellings.delete(old.dataKey);
    }
    this.aside[next === false ? 'add' : 'delete'](identity);
    if (!next) {
      this.#entries.delete(identity);
    } else {
      this.#digest.toggle(identity, next.version);
      this.#entries.set(identity, next);
      if (next.dataKey !== identity) {
        this.#spellings.set(next.dataKey, identity);
      }
    }
  }

  /** Applies the changes of one message in their order, all or none. */
  apply(changes: readonly WireChange[], rule?: (identity: string) => ChangeRule): ApplyResult {
    return applyChanges(changes, {
      rule,
      held: (identity) => this.#entries.get(identity) ?? null,
      put: (identity, next) => this.set(identity, next),
    });
  }
}
