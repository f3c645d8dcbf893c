/**
 * When a section's checkpoint row is written: before the first script of every read, before every change of state or epoch, and before what waits
 * idly is claimed by a heartbeat, which waits for it no longer than HEARTBEAT_PATIENCE_MS and goes without it then. What a row says marks.ts
 * knows; what the scripts are deliver.ts does.
 */
import type { Clock } from '../lib/clock.ts';
import type { Advance, SectionMeta, Transition } from '../manager/distributed-data-manager.ts';
import type { MarkedPosition, Marks } from './marks.ts';

/** Far below any lease: a database that does not answer holds no heartbeat up. */
export const HEARTBEAT_PATIENCE_MS = 250;

/** What a heartbeat may claim of what waits; null: nothing of it. */
export interface Claimable {
  readonly idle: Advance | null;
  /** How many transitions had moved the position by then. */
  readonly moves: number;
}

export class Covering {
  readonly #marks: Marks;
  readonly #clock: Clock;
  /** The read that was covered last. */
  #read: object | null = null;
  #covered: Advance | null = null;
  #beside: Promise<void> | null = null;
  /** Transitions that moved the position: what was to be claimed before one is not claimed after it. */
  #moves = 0;

  constructor(marks: Marks, clock: Clock) {
    this.#marks = marks;
    this.#clock = clock;
  }

  /** Rides on every script: the last mark that the store acknowledged. */
  get mark(): Pick<Advance, 'mark'> {
    const { mark } = this.#marks;
    return mark === null ? {} : { mark };
  }

  /** Before a batch of what a read found; the row is written once for each read. @throws what it meets */
  async read(read: object, position: MarkedPosition): Promise<void> {
    if (this.#read !== read) {
      await this.#marks.cover(position);
      this.#read = read;
    }
  }

  /**
   * Before a heartbeat. @param moves whether what waits would claim anything
   * @returns what it may claim
   */
  async claimable(waiting: Advance | null, position: MarkedPosition, moves: boolean): Promise<Claimable> {
    const marks = this.#marks;
    if (this.#beside === null && marks.isKept && (moves || marks.owes)) {
      const before = this.#moves;
      const beside = marks.coverBeside(position).then((mark) => {
        this.#covered = mark === null || before !== this.#moves ? null : waiting;
        this.#beside = null;
      });
      this.#beside = beside;
    }
    if (this.#beside !== null) {
      const enough = new AbortController();
      const patience = this.#clock.sleep(HEARTBEAT_PATIENCE_MS, { signal: enough.signal }).catch(() => {});
      await Promise.race([this.#beside, patience]);
      enough.abort();
    }
    const idle = this.#covered;
    this.#covered = null;
    return { idle, moves: this.#moves };
  }

  /** What a heartbeat may claim when it is sent: nothing of before a transition that was sent meanwhile. */
  still({ idle, moves }: Claimable): Advance | null {
    return moves === this.#moves ? idle : null;
  }

  /** A transition is sent. `moves`: its position counts, and nothing that waited or was to be claimed. */
  overtaken(moves: boolean): void {
    if (moves) {
      this.#moves += 1;
      this.#covered = null;
    }
  }

  /** Before a transition. @returns whether what waits may ride on it. @throws what it meets, where the transition tells of the source */
  async transition({ source, advance, newEpoch }: Transition, position: MarkedPosition): Promise<boolean> {
    const marks = this.#marks;
    if (source !== undefined) {
      await marks.coverBeginning(position);
    } else if (newEpoch || Object.keys(advance).length > 0) {
      await marks.cover(position);
    } else {
      // An operator's pause or resumption: it needs no source, so nothing is claimed with it; the next heartbeat may.
      return false;
    }
    return true;
  }

  /** After it. */
  stored({ epoch }: Pick<SectionMeta, 'epoch'>, { source }: Transition): void {
    this.#marks.stored(epoch, { begins: source !== undefined });
  }

  /** What was read and never sent is forgotten. */
  forget(): void {
    this.#read = null;
    this.#covered = null;
  }
}
