/** What a read of the source yields: the state of rows, and what the read proves (R4). */
import type { Document } from './document.ts';
import type { Version } from './version.ts';

/** The state of one row as a read found it. The I/U/D letter is not here: what was last delivered decides. */
export interface RowState {
  /** The identity of the row's key: see row-key.ts. */
  readonly identity: string;
  /** The data key as the row spells it, or, when the row is gone, as change tracking spells it. */
  readonly dataKey: string;
  /** SYS_CHANGE_VERSION; in a load page the page's `to`. */
  readonly changeVersion: Version;
  /** null: the row is gone or has left the filter. */
  readonly document: Document | null;
  /** Bytes of the largest value that was not selected because it is above maxDocument; the document is null then, and the row exists. */
  readonly oversizeBytes?: number;
  /** Why a value cannot be published, without the value; the document is null then, and the row exists. */
  readonly unrepresentable?: string;
  /** Set when change tracking spells the key so that its identity differs from the row's: SQL Server called the two equal, so the old one is gone. */
  readonly formerIdentity?: string;
  /** SYS_CHANGE_CONTEXT in lower-case hex, when the last writer gave one. */
  readonly context?: string;
}

/** Where a page ended: the next page begins beyond it. */
export interface PageCursor {
  readonly version: Version;
  readonly dataKey: string;
}

/** Where change reading stands; all of it is stored with the data. */
export interface TrackingPosition {
  /** Where reading resumes while the process lives. */
  readonly checkpoint: Version;
  /** Where reading resumes after a restart, and where confirming reads begin (R5). */
  readonly confirmed: Version;
  /** The greatest version ever written in this epoch. */
  readonly high: Version;
}

/** One page of changes, in memory whole, its checks (R3) passed. What `checkpoint` and the rest say holds once all rows are delivered. */
export interface ChangePage {
  readonly rows: readonly RowState[];
  /** CHANGE_TRACKING_CURRENT_VERSION() read before the page (R1). */
  readonly to: Version;
  /** A full page proves nothing about versions up to `to` (R4); the next one follows at once. */
  readonly full: boolean;
  /** The position after this page. `checkpoint` never goes back, but where a confirming read begins again the rows may. */
  readonly position: TrackingPosition;
  /** Every change up to it is contained once this page is delivered; null when the page proves nothing new. */
  readonly upTo: Version | null;
  /** Whether CHANGETABLE was read (false: the probe showed that nothing moved). */
  readonly read: boolean;
  /** Whether this page belongs to a confirming read (R5). */
  readonly confirming: boolean;
  /** When the source answered, in ms since 1970. */
  readonly readAtMs: number;
  /** The number of rows in the table by sys.partitions, when this round's probe asked for it. */
  readonly tableRows: number | null;
}

/** One page of a first load or a resync: the next rows by primary key. */
export interface LoadPage {
  readonly rows: readonly RowState[];
  readonly to: Version;
  /** The data key of the last row, or null when the page is empty. */
  readonly last: string | null;
  /** Whether there is nothing beyond it. */
  readonly end: boolean;
}
