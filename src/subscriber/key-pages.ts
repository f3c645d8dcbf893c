/**
 * Keys that are read one by one while messages go on (S1): which answer may be taken, and which message counts for which key until the chain
 * has reached the page that the key came from. Reads nothing itself.
 */
import type { Chain } from './chain.ts';
import type { ChangeRule } from './holding.ts';
import type { SectionView } from './section-view.ts';

export class KeyPages {
  /** Of keys that are being read: the seq that a page must have reached, since a message up to it may have changed the key. */
  readonly #reading = new Map<string, number>();
  /** Of keys that were read: the seq of their page, as long as the chain has not come there. */
  readonly #ahead = new Map<string, number>();
  /** seq → the id that pages of that seq have as their last message. */
  readonly #ids = new Map<number, string>();

  /** The seq of the newest page: what is read from now on cannot be older. */
  newest = 0;

  /** The last message of the pages of this seq; its own if there is none yet. */
  idAt({ seq, last }: SectionView): string {
    return this.#ids.get(seq) ?? last;
  }

  /** The key is being read from now on. */
  begin(identity: string, seq: number): void {
    this.#reading.set(identity, seq);
  }

  /** Takes a key of a page; false: a message has changed it that the page does not have, so it must be read again. */
  take(identity: string, view: SectionView, chain: Chain): boolean {
    if (view.seq < (this.#reading.get(identity) ?? Infinity)) {
      return false;
    }
    this.#reading.delete(identity);
    if (view.seq > chain.seq) {
      this.newest = Math.max(this.newest, view.seq);
      this.#ahead.set(identity, view.seq);
      this.#ids.set(view.seq, view.last);
    }
    return true;
  }

  /** Which changes of the message of this seq count. */
  rule(seq: number): (identity: string) => ChangeRule {
    return (identity) => {
      if (this.#reading.has(identity)) {
        this.#reading.set(identity, seq);
      }
      return seq <= (this.#ahead.get(identity) ?? -1) ? 'skip' : 'strict';
    };
  }

  /** Whether the chain came by the ids of the pages that it has reached. */
  agrees(chain: Chain): boolean {
    const agrees = chain.agrees(this.#ids);
    if (this.#ids.size === 0) {
      this.#ahead.clear();
    }
    return agrees;
  }
}
