/**
 * The exact base of every key (L2): what is queued or in flight over what a read of Redis answered. Holds keys only while a script that
 * writes them is unanswered, or a read of bases that may have been answered before that script is in use.
 */
import type { Base, RowWrite } from '../manager/distributed-data-manager.ts';

interface Entry {
  /** null: removed. */
  base: Base | null;
  /** Writes composed and not acknowledged. */
  unanswered: number;
}

export class BaseOverlay {
  readonly #entries = new Map<string, Entry>();
  readonly #answered = new Set<string>();
  #stored: ReadonlyMap<string, Base> = new Map();
  #reading = false;

  /** Bases are about to be asked for: from now on no entry is dropped, since an answer may be older than an acknowledgement. */
  readingBegins(): void {
    this.#reading = true;
  }

  /**
   * What the manager answered for the rows that are composed next; an entry of the overlay goes before it. What it answered before is
   * forgotten: the documents of a whole page may be larger than the page.
   */
  stored(bases: ReadonlyMap<string, Base>): void {
    this.#stored = bases;
  }

  /** All rows that the answers were for have been composed. */
  readingEnds(): void {
    this.#reading = false;
    this.#stored = new Map();
    for (const identity of this.#answered) {
      this.#dropAnswered(identity);
    }
    this.#answered.clear();
  }

  /** The base of the next write of an identity; null: nothing is, or will be, stored. */
  base(identity: string): Base | null {
    const entry = this.#entries.get(identity);
    return entry === undefined ? (this.#stored.get(identity) ?? null) : entry.base;
  }

  /** A write has been composed: it is the base of the next one. */
  queue({ identity, next }: RowWrite): void {
    const entry = this.#entries.get(identity);
    if (entry === undefined) {
      this.#entries.set(identity, { base: next, unanswered: 1 });
    } else {
      entry.base = next;
      entry.unanswered += 1;
    }
  }

  acknowledged(writes: readonly RowWrite[]): void {
    for (const { identity } of writes) {
      const entry = this.#entries.get(identity);
      if (entry !== undefined) {
        entry.unanswered -= 1;
        if (this.#reading) {
          this.#answered.add(identity);
        } else {
          this.#dropAnswered(identity);
        }
      }
    }
  }

  /** Forgets everything. Right only when nothing sent is unanswered. */
  clear(): void {
    this.#entries.clear();
    this.#answered.clear();
    this.#stored = new Map();
    this.#reading = false;
  }

  /** Keys held, for the test of its bound. */
  get size(): number {
    return this.#entries.size;
  }

  #dropAnswered(identity: string): void {
    if (this.#entries.get(identity)?.unanswered === 0) {
      this.#entries.delete(identity);
    }
  }
}
