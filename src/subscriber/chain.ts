/**
 * The chain of messages (S2, S3): which message follows the one that was applied last, which is a duplicate, and which proves that something
 * is missing or was rewound. Compares ids and sequence numbers, never versions.
 */
import type { GapReason } from './events.ts';

/** How many applied messages are remembered, to tell a duplicate from a rewind. */
const REMEMBERED = 1024;

export interface Link {
  readonly epoch: string;
  readonly seq: number;
  readonly id: string;
  readonly prevId: string;
}

export type Verdict = 'next' | 'duplicate' | { readonly gap: GapReason };

export class Chain {
  readonly epoch: string;
  #seq: number;
  #last: string;
  /** seq → id, oldest first. */
  readonly #recent = new Map<number, string>();

  constructor(start: { readonly epoch: string; readonly seq: number; readonly last: string }) {
    this.epoch = start.epoch;
    this.#seq = start.seq;
    this.#last = start.last;
    this.#recent.set(start.seq, start.last);
  }

  get seq(): number {
    return this.#seq;
  }

  /** The id of the message applied last. */
  get last(): string {
    return this.#last;
  }

  /** The id applied at a seq, as far as it is remembered. */
  idAt(seq: number): string | undefined {
    return this.#recent.get(seq);
  }

  /** Whether it came by these ids, as far as it has come; those are taken out. Jumping over one is not coming by. */
  agrees(ids: Map<number, string>): boolean {
    for (const [seq, id] of ids) {
      if (seq <= this.#seq) {
        if (this.#recent.get(seq) !== id) {
          return false;
        }
        ids.delete(seq);
      }
    }
    return true;
  }

  /** Where the message stands to the chain. One that is not above mine and not remembered has to be looked up: it may be another history. */
  judge(message: Link): Verdict {
    if (message.epoch !== this.epoch) {
      return { gap: 'epoch' };
    }
    if (message.seq <= this.#seq) {
      return this.#recent.get(message.seq) === message.id ? 'duplicate' : { gap: 'rewound' };
    }
    return message.prevId === this.#last ? 'next' : { gap: 'missed' };
  }

  /** The message was applied. */
  advance({ seq, id }: Link): void {
    this.#seq = seq;
    this.#last = id;
    this.#recent.set(seq, id);
    if (this.#recent.size > REMEMBERED) {
      for (const oldest of this.#recent.keys()) {
        this.#recent.delete(oldest);
        break;
      }
    }
  }
}
