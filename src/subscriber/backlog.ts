/** Messages that are kept while a load or a replay runs, within bounds. What goes beyond is dropped, which the chain will show. */
import type { LinkedMessage } from './section-view.ts';

export interface BacklogLimits {
  readonly messages: number;
  readonly bytes: number;
}

export class Backlog {
  readonly #limits: BacklogLimits;
  #messages: LinkedMessage[] = [];
  #bytes = 0;

  constructor(limits: BacklogLimits) {
    this.#limits = limits;
  }

  keep(message: LinkedMessage, bytes: number): void {
    if (this.#messages.length < this.#limits.messages && this.#bytes + bytes <= this.#limits.bytes) {
      this.#messages.push(message);
      this.#bytes += bytes;
    }
  }

  /** What was kept, oldest first; nothing is kept any more. */
  take(): readonly LinkedMessage[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    return messages;
  }
}
