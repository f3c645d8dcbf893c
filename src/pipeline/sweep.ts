/**
 * The sweep (L4): pages through the section's index, asks SQL Server which of these keys still exist, and removes the others. Never by age or
 * version. What is in quarantine is asked for like it: a row that is gone cannot be mended. Whether it may is sweep-guard.ts; it counts first, removing nothing, or removes no more than it is allowed.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import type { TrackedTable } from '../model/table.ts';
import type { SectionObserver } from '../observe/section-observer.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';
import { dropMisnamed, sweptRow } from './swept-rows.ts';

const NO_PACE = { percent: null, rowsPerSecond: null, secondsLeft: null } as const;

/** Index entries asked for at a time. */
const PAGE_ENTRIES = 1000;

export interface SweepOptions {
  readonly section: string;
  readonly table: TrackedTable;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  readonly delivery: Delivery;
  readonly clock: Clock;
  readonly observer: SectionObserver;
  /** store: without messages, while loading. */
  readonly mode: 'publish' | 'store';
  /** nothing: every entry goes, nobody is asked. Default: what exists. */
  readonly keeps?: 'nothing';
  /** Removes nothing: only counts. */
  readonly counts?: boolean;
  /** The most that it removes. */
  readonly most?: number;
  readonly signal: AbortSignal;
}

/** One pass over the index. After a restart begin a new one: what was removed stays removed. */
export class Sweep {
  readonly #options: SweepOptions;
  #cursor = '0';
  #looked = 0;
  #removed = 0;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** Rows found gone so far. */
  get removed(): number {
    return this.#removed;
  }

  /** One page of the index. @returns end: it was the last; over: it would have removed more than it may, and removed nothing of this page */
  async step(): Promise<'more' | 'end' | 'over'> {
    const { section, manager, delivery, clock, observer, mode, counts = false, most = Number.POSITIVE_INFINITY } = this.#options;
    // Scanned versions are exact bases only when nothing is in flight.
    await delivery.settle();
    const { cursor, entries } = await manager.scan(section, this.#cursor, PAGE_ENTRIES);
    // HSCAN may return an entry twice.
    const page = [...new Map(entries.map((entry) => [entry.identity, entry])).values()];
    if (page.length > 0) {
      const { to, gone } = await this.#goneOf(page);
      if (this.#removed + gone.length > most) {
        return 'over';
      }
      const away = new Set(gone);
      // Not counted, and done also where the sweep only counts: no row loses its document by it.
      await dropMisnamed(
        this.#options,
        page.filter((entry) => !away.has(entry)),
        { to, readAtMs: clock.now() },
      );
      if (!counts) {
        const writes = gone.map((entry) => sweptRow(entry, to, mode));
        await delivery.remove(writes, { to, readAtMs: clock.now(), mode, advance: {} });
      }
      this.#removed += gone.length;
    }
    if (cursor === '0' && !counts) {
      this.#removed += await this.#emptyQuarantine();
    }
    this.#looked += page.length;
    this.#cursor = cursor;
    observer.loadProgress({ phase: 'sweep', rows: this.#looked, estimate: delivery.count, ...NO_PACE });
    return cursor === '0' ? 'end' : 'more';
  }

  /** @returns the entries whose rows are gone */
  async #emptyQuarantine(): Promise<number> {
    const { delivery, clock, mode } = this.#options;
    await delivery.settle();
    await delivery.quarantine.read();
    const held = delivery.quarantine.oldest().map(({ identity, entry }) => ({ identity, dataKey: entry.dataKey }));
    if (held.length === 0) {
      return 0;
    }
    const { to, gone } = await this.#goneOf(held);
    const writes = gone.map(({ identity }) => ({ identity, expected: null, next: null, changes: [], quarantine: null }));
    await delivery.remove(writes, { to, readAtMs: clock.now(), mode, advance: {} });
    return gone.length;
  }

  /** Which of the entries have no row, and as of which version: the one before the look, as for every read (R1). */
  async #goneOf<T extends { readonly dataKey: string }>(page: readonly T[]): Promise<{ readonly to: bigint; readonly gone: readonly T[] }> {
    const { table, tracker, delivery, keeps, signal } = this.#options;
    if (keeps === 'nothing') {
      return { to: delivery.position.high, gone: page };
    }
    const { version } = await tracker.probe({ catalog: false, signal });
    const keys = page.map(({ dataKey }) => dataKey);
    const exists = await tracker.existing(table, keys, { signal });
    return { to: version, gone: page.filter((_, i) => exists[i] === false) };
  }
}
