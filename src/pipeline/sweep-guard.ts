/**
 * Whether a sweep may remove what it would (L4). One that patchwire began by itself first counts, removing nothing; when that is more than the
 * allowed share of the section, it waits for an operator, says so, and counts again now and then. What it waits for is stored with the data.
 */
import type { HeldSweep, LoadCursor } from '../manager/distributed-data-manager.ts';
import type { Logger } from '../observe/logger.ts';
import { Sweep, type SweepOptions } from './sweep.ts';

/** Of a section's documents; configurable as limits.sweepShare. */
export const DEFAULT_SWEEP_SHARE = 0.2;

/** A sweep that waits counts again so much later: rows may have come back. */
export const RECOUNT_MS = 600_000;

/** Of a sweep that patchwire begins by itself, of a section that is live. */
export function sweepCursor(startedAtMs: number): LoadCursor {
  return { phase: 'sweep', after: null, rows: 0, estimate: null, startedAtMs, guarded: true };
}

export interface GuardedSweepOptions extends Omit<SweepOptions, 'mode' | 'keeps' | 'counts' | 'most'> {
  readonly mode: () => SweepOptions['mode'];
  readonly logger: Logger;
  /** As it is stored: whether it is guarded, and whether it waits. */
  readonly cursor: LoadCursor;
  /** The greatest share of the documents that it removes by itself. */
  readonly sweepShare?: number;
  /** Stores the cursor, and tells of it at once. */
  readonly keep: (cursor: LoadCursor) => Promise<void>;
  /** Called with how many documents will go, where it was counted, before the first of them does. */
  readonly onCounted?: (missing: number) => Promise<void>;
}

/** Modes: counting, held (waiting for an operator), sweeping. */
export class GuardedSweep {
  readonly #options: GuardedSweepOptions;
  #cursor: LoadCursor;
  #mode: 'counting' | 'held' | 'sweeping';
  #sweep: Sweep;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(options: GuardedSweepOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
    const { guarded = false, held = null } = options.cursor;
    this.#mode = guarded ? 'counting' : 'sweeping';
    this.#sweep = this.#pass();
    if (guarded && held !== null) {
      this.#mode = 'held';
      this.#dueAt = options.clock.monotonic() + RECOUNT_MS;
      this.#tell(held);
    }
  }

  /** What it waits for; null: it does not wait. */
  get held(): HeldSweep | null {
    return this.#cursor.held ?? null;
  }

  /** Rows removed. */
  get removed(): number {
    return this.#mode === 'sweeping' ? this.#sweep.removed : 0;
  }

  /** When its next step is due, in monotonic ms. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** One page of the index, unless it waits. @returns whether the sweep has ended */
  async step(): Promise<boolean> {
    const { clock } = this.#options;
    if (this.#mode === 'held') {
      if (clock.monotonic() < this.#dueAt) {
        return false;
      }
      this.#begin('counting');
    }
    const step = await this.#sweep.step();
    if (step === 'more') {
      return false;
    }
    if (this.#mode === 'counting') {
      return await this.#counted(this.#sweep.removed);
    }
    if (step === 'over') {
      // More rows went while it swept than it may remove: what is left is counted anew.
      this.#begin('counting');
      return false;
    }
    return true;
  }

  /** An operator wants it to remove whatever it finds gone, or says so before it has counted. */
  async confirm(): Promise<void> {
    const missing = this.held?.missing ?? null;
    await this.#keep({ ...this.#cursor, guarded: false, held: null });
    if (missing !== null) {
      this.#options.observer.sweepHeld(null);
      await this.#options.onCounted?.(missing);
    }
    this.#begin('sweeping');
  }

  /** @returns whether nothing is left to do */
  async #counted(missing: number): Promise<boolean> {
    const { delivery, clock, logger, observer, sweepShare = DEFAULT_SWEEP_SHARE } = this.#options;
    const documents = Math.max(missing, delivery.count);
    const before = this.held;
    if (missing > sweepShare * documents) {
      this.#mode = 'held';
      this.#dueAt = clock.monotonic() + RECOUNT_MS;
      const held: HeldSweep = { missing, documents, sinceMs: before?.sinceMs ?? clock.now() };
      if (before?.missing !== missing || before.documents !== documents) {
        await this.#keep({ ...this.#cursor, held });
      }
      if (before === null) {
        this.#tell(held);
      } else {
        observer.sweepHeld(held);
      }
      return false;
    }
    if (before !== null) {
      await this.#keep({ ...this.#cursor, held: null });
      observer.sweepHeld(null);
      logger.info({ missing, documents }, 'sweep goes on: it removes no more than it may by itself');
    }
    await this.#options.onCounted?.(missing);
    this.#begin('sweeping', Math.floor(sweepShare * documents));
    // Counting looks at documents only: rows in quarantine may be gone, too.
    return missing === 0 && delivery.quarantine.count === 0;
  }

  #tell(held: HeldSweep): void {
    const { logger, observer, section } = this.#options;
    observer.error('PW-S231');
    observer.sweepHeld(held);
    const hint = `\`patchwire resync ${section} --confirm\` removes them, once you know why their rows are gone.`;
    logger.error({ code: 'PW-S231', missing: held.missing, documents: held.documents, hint }, 'sweep waits for a confirmation');
  }

  async #keep(cursor: LoadCursor): Promise<void> {
    this.#cursor = cursor;
    await this.#options.keep(cursor);
  }

  #begin(mode: 'counting' | 'sweeping', most?: number): void {
    this.#mode = mode;
    this.#dueAt = Number.NEGATIVE_INFINITY;
    this.#sweep = this.#pass(most);
  }

  #pass(most?: number): Sweep {
    const { mode, ...options } = this.#options;
    const counts = this.#mode === 'counting';
    return new Sweep({ ...options, mode: mode(), counts, ...(most === undefined ? {} : { most }) });
  }
}
