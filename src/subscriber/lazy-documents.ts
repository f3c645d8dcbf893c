/**
 * The part of a section that was asked for: documents by identity, and keys known to be absent, the least recently used of which go when there
 * are too many. Changes of other keys mean nothing here. Knows nothing of chains, epochs or Redis.
 */
import { LRUCache } from 'lru-cache';
import type { WireChange } from '../wire/messages.ts';
import { applyChanges } from './applying.ts';
import type { ApplyResult, ChangeRule, Held, HeldEntry, Holding, Mode } from './holding.ts';

/** How much is kept; both may be set. */
export interface LazyLimits {
  /** Keys, absent ones included. */
  readonly max?: number | undefined;
  /** About so many bytes: documents as JSON, keys, and what holding one costs. */
  readonly maxBytes?: number | undefined;
}

/** What holding a key costs beside its texts, about. */
const OVERHEAD_BYTES = 200;

/** A key and what is known of it; null: absent. */
interface Known {
  readonly entry: HeldEntry | null;
}

export class LazyMode implements Mode {
  readonly name = 'lazy';
  readonly whole = false;
  /** Keys that had to go for others. */
  evictions = 0;
  readonly #limits: LazyLimits;

  constructor(limits: LazyLimits) {
    this.#limits = limits;
  }

  empty(): LazyDocuments {
    return new LazyDocuments(this.#limits, () => {
      this.evictions++;
    });
  }
}

export class LazyDocuments implements Holding {
  readonly digest = null;
  readonly aside = null;
  readonly #known: LRUCache<string, Known>;

  /** @throws TypeError when a limit is no positive integer */
  constructor({ max, maxBytes }: LazyLimits, evicted: () => void) {
    this.#known = new LRUCache<string, Known>({
      ...(max === undefined ? {} : { max }),
      ...(maxBytes === undefined ? {} : { maxSize: maxBytes, sizeCalculation: bytesOf }),
      disposeAfter: (_known, _identity, reason) => {
        if (reason === 'evict') {
          evicted();
        }
      },
    } as LRUCache.Options<string, Known, unknown>);
  }

  /** Keys, absent ones included. */
  get size(): number {
    return this.#known.size;
  }

  find(identity: string): HeldEntry | undefined {
    return this.known(identity) ?? undefined;
  }

  /** null: absent; undefined: not held. */
  known(identity: string): HeldEntry | null | undefined {
    return this.#known.peek(identity)?.entry;
  }

  /** The same, as a use: what was used last goes last. */
  use(identity: string): HeldEntry | null | undefined {
    return this.#known.get(identity)?.entry;
  }

  *entries(): IterableIterator<HeldEntry> {
    for (const { entry } of this.#known.values()) {
      if (entry !== null) {
        yield entry;
      }
    }
  }

  /** A row in quarantine is not held: no message tells when it goes. */
  set(identity: string, next: Held): void {
    if (next === false) {
      this.#known.delete(identity);
    } else {
      this.#known.set(identity, { entry: next });
    }
  }

  apply(changes: readonly WireChange[], rule?: (identity: string) => ChangeRule): ApplyResult {
    return applyChanges(changes, {
      rule,
      held: (identity) => this.known(identity),
      put: (identity, next) => this.set(identity, next),
    });
  }
}

function bytesOf({ entry }: Known, identity: string): number {
  return OVERHEAD_BYTES + 2 * identity.length + (entry === null ? 0 : 2 * JSON.stringify(entry.document).length);
}
