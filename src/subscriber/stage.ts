/**
 * A load under way (S1): pages of documents, each true at one moment, and the rule that says which message counts for which key until the
 * chain has reached the highest page. Reads nothing itself.
 */
import type { Chain } from './chain.ts';
import type { ApplyResult, ChangeRule, Holding } from './holding.ts';
import type { ChangesMessage } from '../wire/messages.ts';
import type { LoadedRow, SectionView } from './section-view.ts';

/** Why a page cannot belong to this load. */
export type PageFault = 'epoch' | 'state' | 'rewound' | 'pending';

export class Stage {
  readonly documents: Holding;
  readonly #first: SectionView;
  #newest: SectionView;
  /** The seq of the page that read the key. */
  readonly #pageOf = new Map<string, number>();
  /** seq → the id that the pages of that seq have as their last message. */
  readonly #ids = new Map<number, string>();
  #complete = false;

  constructor(first: SectionView, documents: Holding) {
    this.documents = documents;
    this.#first = first;
    this.#newest = first;
    this.#ids.set(first.seq, first.last);
  }

  /** The meta of the newest page: the load is done when the chain has reached its seq. */
  get target(): SectionView {
    return this.#newest;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** Takes a page, unless it shows that the load has to begin again. */
  add(view: SectionView, rows: readonly LoadedRow[], aside?: Set<string>): PageFault | null {
    if (view.epoch !== this.#first.epoch) {
      return 'epoch';
    }
    if (view.state !== this.#first.state) {
      return 'state';
    }
    if (view.pending) {
      return 'pending';
    }
    if (
      view.seq < this.#newest.seq ||
      (view.seq === this.#newest.seq && (view.tip !== this.#newest.tip || view.last !== this.#newest.last))
    ) {
      return 'rewound';
    }
    this.#newest = view;
    this.#ids.set(view.seq, view.last);
    this.documents.aside = aside ?? this.documents.aside;
    for (const { identity, entry } of rows) {
      this.documents.set(identity, entry);
      this.#pageOf.set(identity, view.seq);
    }
    return null;
  }

  /** Nothing more will be added. */
  finish(): void {
    this.#complete = true;
  }

  /**
   * Applies a message that the chain calls the next: for the keys of a page that contains it, it is skipped; a key that no page has counts
   * only where prevVersionId matches.
   */
  apply(message: ChangesMessage): ApplyResult {
    return this.documents.apply(message.changes, (identity): ChangeRule => {
      const page = this.#pageOf.get(identity);
      if (page === undefined) {
        return 'lenient';
      }
      return message.seq <= page ? 'skip' : 'strict';
    });
  }

  /** Whether the chain, having come to this seq, came by the id that the page of that seq has, and did not jump over a page. */
  agrees(chain: Chain): boolean {
    return chain.agrees(this.#ids);
  }

  reached(chain: Chain): boolean {
    return chain.seq >= this.#newest.seq;
  }
}
