/**
 * What operators did in a partition, newest last, bounded: for people who ask what happened at night. Decides nothing, and nobody waits for it:
 * a command is not undone because its entry could not be written.
 */

/** Older entries go when there are more. */
export const MOST_AUDITED = 1000;

export interface AuditEntry {
  /** user@host, as requests have it. */
  readonly who: string;
  /** As it is typed, without `patchwire` and without arguments: `checkpoint reset`. */
  readonly command: string;
  /** null: of no single section. */
  readonly section: string | null;
  /** null: of no table that is known by name. */
  readonly table: string | null;
  /** Without secrets. */
  readonly args: Readonly<Record<string, string>>;
  /** asked: the command ended before there was a result; whoever leads goes on with it. */
  readonly outcome: 'done' | 'failed' | 'asked';
  /** Of the error that it ended with. */
  readonly code: string | null;
  readonly message: string;
}

export interface AuditRecord extends AuditEntry {
  /** When it was written, ms since 1970, in the store's time. */
  readonly atMs: number;
}

export interface AuditTrail {
  /** Needs no lead. @throws PatchwireError of the M range: it was not written, or (PW-M311) may not have been */
  append(entry: AuditEntry): Promise<void>;
  /** The last so many, newest first; what is no entry is left out. Needs no lead. */
  last(limit: number): Promise<readonly AuditRecord[]>;
}
