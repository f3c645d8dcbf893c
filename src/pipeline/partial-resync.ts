/**
 * Reads a part of the table again and publishes what differs: rows named by their keys (one that is not there any more is removed), or all rows that
 * pass an expression. Everything else stays untouched. Works in the lane, a piece at a time; not stored: after a kill it begins again.
 */
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import type { RowState } from '../model/change.ts';
import { PatchwireError } from '../model/errors.ts';
import { decodeDataKey } from '../model/data-key.ts';
import { comparableKeyText, identityOf } from '../model/row-key.ts';
import type { TrackedTable } from '../model/table.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { Delivery } from './deliver.ts';
import { type LoadLimits, LoadPace } from './load-pace.ts';

export interface PartialResyncOptions {
  readonly section: string;
  readonly table: TrackedTable;
  readonly tracker: ChangeTracker;
  readonly manager: DistributedDataManager;
  readonly delivery: Delivery;
  readonly clock: Clock;
  readonly limits: LoadLimits;
  readonly mode: () => 'publish' | 'store';
  readonly signal: AbortSignal;
}

/** What is asked for: exactly one of the two. */
export interface Part {
  readonly keys: readonly string[] | null;
  /** In the grammar of filters. */
  readonly where: string | null;
}

/** Rows read by key in one step. */
const KEYS_AT_A_TIME = 100;

export class PartialResync {
  readonly #options: PartialResyncOptions;
  readonly #part: Part;
  readonly #pace: LoadPace;
  #after: string | null = null;
  #next = 0;
  #rows = 0;
  #changed = 0;

  constructor(options: PartialResyncOptions, part: Part) {
    this.#options = options;
    this.#part = part;
    this.#pace = new LoadPace(options.limits);
  }

  /** How far it is. */
  get words(): string {
    return `${this.#rows} rows looked at, ${this.#changed} corrected`;
  }

  /** One piece, if one is due. @returns whether it has ended. @throws PW-C109 for a key that is none of the table's, PW-S210; what tracker and manager throw */
  async step(): Promise<boolean> {
    const { clock } = this.#options;
    if (clock.monotonic() < this.#pace.dueAt) {
      return false;
    }
    const beganAt = clock.monotonic();
    const before = this.#rows;
    const ended = this.#part.keys === null ? await this.#page() : await this.#keys(this.#part.keys);
    this.#pace.read(this.#rows - before, beganAt, clock.monotonic());
    return ended;
  }

  async #page(): Promise<boolean> {
    const { table, tracker, signal } = this.#options;
    const { pageRows } = this.#pace;
    const where = this.#part.where ?? undefined;
    const limits = { ...(pageRows === undefined ? {} : { rows: pageRows }), ...(where === undefined ? {} : { where }) };
    const page = await tracker.readLoadPage(table, { after: this.#after, ...limits, signal });
    await this.#deliver(page.rows, page.to);
    this.#after = page.last ?? this.#after;
    return page.end;
  }

  async #keys(keys: readonly string[]): Promise<boolean> {
    const { table, tracker, signal } = this.#options;
    const asked = keys.slice(this.#next, this.#next + KEYS_AT_A_TIME);
    // The version before the look, as for every read (R1): what is gone was gone as of it.
    const { version: to } = await tracker.probe({ catalog: false, signal });
    const rows = new Map<string, RowState>();
    for (const dataKey of asked) {
      const row = (await tracker.readRow(table, { dataKey, signal })) ?? { ...keyOf(table, dataKey), changeVersion: to, document: null };
      rows.set(row.identity, row);
    }
    await this.#deliver([...rows.values()], to);
    this.#next += asked.length;
    return this.#next >= keys.length;
  }

  async #deliver(rows: readonly RowState[], to: bigint): Promise<void> {
    const { table, tracker, delivery, clock, mode, signal } = this.#options;
    const sameKey = (a: string, b: string): Promise<boolean> => tracker.sameKey(table, a, b, { signal });
    const { written } = await delivery.deliver({
      rows,
      to,
      readAtMs: clock.now(),
      mode: mode(),
      retry: true,
      advance: {},
      sameKey,
      signal,
    });
    this.#rows += rows.length;
    this.#changed += written;
  }
}

/** The identity of a row that is not there, by the key that was written. */
function keyOf({ key, fullName }: TrackedTable, dataKey: string): Pick<RowState, 'identity' | 'dataKey'> {
  let values: string[];
  try {
    values = decodeDataKey(dataKey);
  } catch (cause) {
    throw new PatchwireError('PW-C109', `${JSON.stringify(dataKey)} is no key of ${fullName}.`, { cause });
  }
  const folded = values.map((value, i) => comparableKeyText(key[i]?.type ?? '', value));
  return {
    dataKey,
    identity: identityOf(
      folded,
      key.map(({ keyCollation }) => keyCollation),
    ),
  };
}
