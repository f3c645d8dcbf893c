/**
 * Documents that are not there although the index names them (C8: eviction, somebody's DEL): found by paging through the index, read again from
 * the source by their keys, and published whole. Works in the lane, between other reads; looks at no version and removes nothing that exists.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import type { RowState } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TrackedTable } from '../model/table.ts';
import type { Logger } from '../observe/logger.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import { Digest } from '../wire/digest.ts';
import type { Delivery } from './deliver.ts';

/** Index entries looked at in one step. */
const PAGE_ENTRIES = 1000;
/** Rows read by key in one step: windows go on between steps. */
const ROWS_AT_A_TIME = 200;
/** Beyond so many, and half of what was looked at, reading all rows page by page is cheaper than one by one. */
const MOST_BY_KEY = 5000;

export interface DocumentCheckOptions {
  readonly section: string;
  readonly table: TrackedTable;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  readonly delivery: Delivery;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mode: 'publish' | 'store';
  readonly signal: AbortSignal;
}

/** One pass over the index. */
export class DocumentCheck {
  readonly #options: DocumentCheckOptions;
  #cursor = '0';
  #looked = 0;
  #mended = 0;
  readonly #digest = new Digest();

  constructor(options: DocumentCheckOptions) {
    this.#options = options;
  }

  /** The digest of all entries that were scanned. */
  get digest(): string {
    return this.#digest.toString();
  }

  /** Documents written anew so far, and those removed whose row is gone as well. */
  get mended(): number {
    return this.#mended;
  }

  /**
   * One page of the index; where many documents are missing, a part of it.
   * @returns whether the pass has ended. @throws PW-M309 when so much is missing that a resync is due; what tracker and manager throw
   */
  async step(): Promise<boolean> {
    const { section, manager } = this.#options;
    const { cursor, entries } = await manager.scan(section, this.#cursor, PAGE_ENTRIES);
    // HSCAN may return an entry twice.
    const page = [...new Map(entries.map((entry) => [entry.identity, entry])).values()];
    const lost = new Set(page.length === 0 ? [] : await manager.missing(section, page));
    const missing = page.filter(({ identity }) => lost.has(identity));
    if (missing.length > 0) {
      await this.#mend(missing.slice(0, ROWS_AT_A_TIME));
    }
    if (missing.length > ROWS_AT_A_TIME) {
      this.#looked += ROWS_AT_A_TIME;
      return false;
    }
    this.#looked += page.length;
    page.forEach(({ identity, version }) => this.#digest.toggle(identity, version));
    this.#cursor = cursor;
    return cursor === '0';
  }

  async #mend(missing: readonly { readonly identity: string; readonly dataKey: string }[]): Promise<void> {
    const { section, table, tracker, delivery, clock, mode, signal } = this.#options;
    this.#mended += missing.length;
    if (this.#mended > MOST_BY_KEY && this.#mended * 2 > this.#looked) {
      throw new PatchwireError('PW-M309', `section ${section}: more than ${MOST_BY_KEY} index entries have no document`, {
        details: { looked: this.#looked, missing: this.#mended },
      });
    }
    // The version before the look, as for every read (R1): what is gone was gone as of it.
    const { version: to } = await tracker.probe({ catalog: false, signal });
    // What somebody else wrote into the index may be no key at all: such a key is asked for, and no row is read by it.
    const exists = await tracker.existing(
      table,
      missing.map(({ dataKey }) => dataKey),
      { signal },
    );
    const rows: RowState[] = [];
    for (const [i, { identity, dataKey }] of missing.entries()) {
      const row = exists[i] === true ? await tracker.readRow(table, { dataKey, signal }) : null;
      rows.push(
        row === null
          ? { identity, dataKey, changeVersion: to, document: null }
          : row.identity === identity
            ? row
            : { ...row, formerIdentity: identity },
      );
    }
    const sameKey = (a: string, b: string): Promise<boolean> => tracker.sameKey(table, a, b, { signal });
    await delivery.deliver({ rows, to, readAtMs: clock.now(), mode, advance: {}, sameKey, signal });
  }
}

/**
 * The patrol of a live section: one page of the index every `intervalMs`, over and over; a whole pass at once after damage was met. What nobody
 * touches is found after index size / 1000 intervals at the latest. A pass during which nothing was written also compares the digest: versions
 * that somebody else wrote, entries that he removed (C6).
 */
export class Patrol {
  readonly #options: DocumentCheckOptions;
  readonly #intervalMs: number;
  #check: DocumentCheck;
  #dueAt: number;
  #hurried = false;
  /** Rows sent when the pass began: what it scanned is of one moment only if none were since. null: it has not begun, or scripts were in flight. */
  #sentBefore: number | null = null;
  #began = false;
  /** What the last undisturbed pass found instead of the digest: HSCAN may answer an entry twice, so one pass proves nothing. */
  #suspected: string | null = null;

  constructor(options: DocumentCheckOptions, intervalMs: number) {
    this.#options = options;
    this.#intervalMs = intervalMs;
    this.#check = new DocumentCheck(options);
    this.#dueAt = options.clock.monotonic() + intervalMs;
  }

  /** Damage was met: the whole index is looked at, without pauses. */
  hurry(): void {
    if (!this.#hurried) {
      this.#hurried = true;
      this.#restart();
    }
  }

  /** Whether it wants its next step at once. */
  get hurried(): boolean {
    return this.#hurried;
  }

  /** One page, if one is due. @throws PW-M308 when the index is not what was delivered; as DocumentCheck */
  async step(): Promise<void> {
    const { clock, logger, delivery } = this.#options;
    if (!this.#hurried && clock.monotonic() < this.#dueAt) {
      return;
    }
    this.#dueAt = clock.monotonic() + this.#intervalMs;
    if (!this.#began) {
      this.#began = true;
      this.#sentBefore = delivery.quiet ? delivery.sentRows : null;
    }
    const before = this.#check.mended;
    const ended = await this.#check.step();
    const { mended } = this.#check;
    if (ended) {
      if (mended > 0) {
        logger.info({ documents: mended }, 'every document that the index names is there again');
      }
      await this.#compareDigest(this.#check.digest);
      this.#hurried = false;
      this.#restart();
    } else if (mended > before) {
      // Where one is gone, others may be: the rest of this pass is not put off.
      this.#hurried = true;
    }
  }

  async #compareDigest(found: string): Promise<void> {
    const { manager, section, delivery } = this.#options;
    const meta = delivery.sentRows === this.#sentBefore ? await manager.readMeta(section) : null;
    if (meta === null || meta.digest === found) {
      this.#suspected = null;
    } else if (this.#suspected === found) {
      throw new PatchwireError('PW-M308', `section ${section}: the index is not what was delivered`, {
        details: { digest: meta.digest, found },
      });
    } else {
      this.#suspected = found;
    }
  }

  #restart(): void {
    this.#check = new DocumentCheck(this.#options);
    this.#began = false;
  }
}
