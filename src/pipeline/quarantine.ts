/**
 * What is in quarantine while a section is led: read once, and from then on what was composed last (L2), so that a row that stays unpublishable is
 * written once for each change and not once for each read. Composes entries and enforces the bound; writes nothing itself.
 */
import type { DistributedDataManager, QuarantinedRow, RowWrite } from '../manager/distributed-data-manager.ts';
import { PatchwireError } from '../model/errors.ts';
import { QUARANTINE_CODES, type QuarantineEntry, type QuarantineReason } from '../wire/quarantine-entry.ts';

export interface QuarantineLimits {
  /** So many rows at most: with one more the section stops. */
  readonly maxRows: number;
  /** A row is tried again when it was tried so long ago, ms. */
  readonly retryAfterMs: number;
  /** More rows than this are an alert. */
  readonly alertAbove: number;
}

export const DEFAULT_QUARANTINE: QuarantineLimits = { maxRows: 1000, retryAfterMs: 3_600_000, alertAbove: 0 };

/** Why a row cannot be published. */
export interface Unavailable {
  readonly reason: QuarantineReason;
  /** No row contents. */
  readonly message: string;
}

const PAGE_ENTRIES = 1000;

export class Quarantine {
  readonly #manager: Pick<DistributedDataManager, 'scanQuarantine'>;
  readonly #section: string;
  readonly #limits: QuarantineLimits;
  /** null: not read. */
  #rows: Map<string, QuarantineEntry> | null;
  #count: number;

  /** @param count as `meta` says it: of none nothing is read */
  constructor(
    manager: Pick<DistributedDataManager, 'scanQuarantine'>,
    { section, count, limits }: { readonly section: string; readonly count: number; readonly limits: QuarantineLimits },
  ) {
    this.#manager = manager;
    this.#section = section;
    this.#limits = limits;
    this.#rows = count === 0 ? new Map() : null;
    this.#count = count;
  }

  get retryAfterMs(): number {
    return this.#limits.retryAfterMs;
  }

  /** Rows in quarantine, by what has been composed. */
  get count(): number {
    return this.#rows?.size ?? this.#count;
  }

  /** Reads it if that has not been done. Call it before anything is composed, and only when nothing that writes it is unanswered. */
  async read(): Promise<void> {
    if (this.#rows !== null) {
      return;
    }
    const rows = new Map<string, QuarantineEntry>();
    let cursor = '0';
    do {
      const page = await this.#manager.scanQuarantine(this.#section, cursor, PAGE_ENTRIES);
      page.entries.forEach(({ identity, entry }) => rows.set(identity, entry));
      cursor = page.cursor;
    } while (cursor !== '0');
    this.#rows = rows;
  }

  /** What was composed was not sent: what is stored counts again. */
  forget(): void {
    this.#count = this.count;
    this.#rows = null;
  }

  /** The entry of a row; null: it is in none. */
  held(identity: string): QuarantineEntry | null {
    return this.#rows === null || this.#rows.size === 0 ? null : (this.#rows.get(identity) ?? null);
  }

  /** Those tried longest ago first. */
  oldest(): readonly QuarantinedRow[] {
    return [...(this.#rows ?? [])]
      .map(([identity, entry]) => ({ identity, entry }))
      .toSorted((a, b) => (a.entry.lastAt < b.entry.lastAt ? -1 : a.entry.lastAt > b.entry.lastAt ? 1 : 0));
  }

  /** The entry of a row that cannot be published now. @throws PW-S242 when there is no room for it */
  entry(
    identity: string,
    why: Unavailable,
    row: { readonly dataKey: string; readonly versionId: string; readonly changeVersion: string; readonly nowMs: number },
  ): QuarantineEntry {
    const before = this.held(identity);
    if (before === null && this.count >= this.#limits.maxRows) {
      const { maxRows } = this.#limits;
      throw new PatchwireError('PW-S242', `${this.#section}: ${maxRows} rows are in quarantine, and one more cannot be published.`, {
        details: { maxRows, dataKey: row.dataKey, code: QUARANTINE_CODES[why.reason] },
      });
    }
    const { dataKey, versionId, changeVersion } = row;
    const at = new Date(row.nowMs).toISOString();
    return {
      dataKey,
      reason: why.reason,
      code: QUARANTINE_CODES[why.reason],
      message: why.message,
      versionId,
      changeVersion,
      attempts: (before?.attempts ?? 0) + 1,
      firstAt: before?.firstAt ?? at,
      lastAt: at,
    };
  }

  /** A write has been composed: it is what the next one meets. */
  queue({ identity, quarantine }: Pick<RowWrite, 'identity' | 'quarantine'>): void {
    if (quarantine === null) {
      this.#rows?.delete(identity);
    } else if (quarantine !== undefined) {
      this.#rows?.set(identity, quarantine);
    }
  }
}
