/**
 * The port to a checkpoint store beside the source's data: one row for each section, in the same database, so that both go back in time together.
 * The store reads and writes rows as they are told; what a row proves is decided by pipeline/marks.ts. Adapter: sqlserver/checkpoint-store.ts.
 *
 * Errors are PatchwireErrors of the S range. Aborting a call rejects with the signal's reason; whether a write took effect is unknown then, as
 * after any other failure.
 */
import type { Version } from '../model/version.ts';

/** A section's row. */
export interface CheckpointRow {
  /** What the section's documents belong to; '' while a load begins whose epoch is not known yet. */
  readonly epoch: string;
  readonly checkpoint: Version;
  readonly confirmed: Version;
  /** Token of the leader who may write it. */
  readonly leader: string;
  /** Grows with every write that stands before published rows; never goes back by itself. */
  readonly mark: bigint;
  /** The mark at which the documents were last begun anew: those with an earlier one are of another history. */
  readonly originMark: bigint;
}

/** When the store was last written, by the server's clock, ms since 1970. */
export interface StoredCheckpoint extends CheckpointRow {
  readonly updatedAtMs: number;
}

/** What a write expects to find: no other mark and no other leader. */
export type ExpectedRow = Pick<CheckpointRow, 'leader' | 'mark'>;

export interface CheckpointStore extends AsyncDisposable {
  /** The row; null: there is none. @throws PW-S233 when the store is not there or may not be used, PW-S214 in a database that is not writable */
  read(section: string, options: { readonly signal: AbortSignal }): Promise<StoredCheckpoint | null>;
  /** Writes a first row. @returns false where there is one already; nothing was written then */
  create(section: string, row: CheckpointRow, options: { readonly signal: AbortSignal }): Promise<boolean>;
  /** Replaces the expected row. @returns false where the row is another one, or gone; nothing was written then */
  replace(section: string, expected: ExpectedRow, row: CheckpointRow, options: { readonly signal: AbortSignal }): Promise<boolean>;
}
