/**
 * The port to a source of row changes. Its adapter (sqlserver/) knows SQL Server; what is proved by reading it in which order
 * (confirming reads, checkpoints, upTo: R3 to R7) is track-changes.ts, which works on any adapter.
 *
 * Errors are PatchwireErrors of the S range with a retry class. Aborting a call rejects with the signal's reason; a request under way is
 * cancelled at the server and its transaction rolled back before the call settles.
 */
import type { ChangePage, LoadPage, PageCursor, RowState, TrackingPosition } from '../model/change.ts';
import type { PatchwireError } from '../model/errors.ts';
import type { TableSelection, TrackedTable } from '../model/table.ts';
import type { Version } from '../model/version.ts';

/** What one probe round told of the database and, when it asked (R6), of every registered table. */
export interface Probe {
  /** CHANGE_TRACKING_CURRENT_VERSION() of the database. */
  readonly version: Version;
  /** When the source answered, in ms since 1970. */
  readonly atMs: number;
  /** By full name; null when this round did not ask for the catalog. */
  readonly tables: ReadonlyMap<string, TableProbe | LockedTable> | null;
}

/** Somebody holds a lock on the table under which not even its definition can be read (Sch-M): the others are told of without it. */
export interface LockedTable {
  readonly locked: PatchwireError;
}

export interface TableProbe {
  readonly objectId: number | null;
  readonly beginVersion: Version | null;
  readonly minValidVersion: Version | null;
  /** As TrackedTable.definition. */
  readonly definition: string | null;
  /** Rows by sys.partitions. */
  readonly rows: number | null;
}

/** What a probe round says of a table; null: nothing, since it was not asked for. @throws PatchwireError PW-S215 when the table is locked */
export function probedTable({ tables }: Probe, fullName: string): TableProbe | null {
  const probed = tables?.get(fullName) ?? null;
  if (probed !== null && 'locked' in probed) {
    throw probed.locked;
  }
  return probed;
}

/** A raw page of a window: what CHANGETABLE gave, checked before and after (R3). */
export interface WindowPage {
  readonly rows: readonly RowState[];
  readonly to: Version;
  readonly full: boolean;
  /** Where the page ended; null when it is empty. */
  readonly last: PageCursor | null;
  readonly readAtMs: number;
}

export interface LoadPageOptions {
  readonly after: string | null;
  readonly rows?: number;
  /** Only rows that pass this expression, in the grammar of filters, beside the table's own filter. @throws PW-S210 */
  readonly where?: string;
  readonly signal: AbortSignal;
}

/** How many rows the table holds, counted, at exactly one version of the database. */
export interface RowCount {
  readonly rows: number;
  readonly version: Version;
}

/** How long a poller waits between rounds: the ladder of R7, or whatever the caller puts in its place. */
export interface PollPacing {
  /**
   * Called after each round; resolves when the next round is due.
   * @param outcome empty: nothing new; changes: rows came; full: the page was full (a pacing returns at once then)
   * @throws the signal's reason when it fires
   */
  wait(outcome: 'empty' | 'changes' | 'full', signal: AbortSignal): Promise<void>;
}

export interface TrackChangesOptions {
  readonly table: TrackedTable;
  /** Where to begin; after a restart `checkpoint` is set to `confirmed` by the caller. */
  readonly from: TrackingPosition;
  readonly backoff: PollPacing;
  readonly signal: AbortSignal;
}

export interface ChangeTracker extends AsyncDisposable {
  /** The source's name in the configuration. */
  readonly source: string;

  /** Connects and checks that the database can be followed. @throws S201, S202, S203, S204, S214, S222, S226 */
  open(options: { readonly signal: AbortSignal }): Promise<void>;

  /**
   * Looks a table up and resolves the selection against its catalog. @throws S205 to S210, S219, S221
   * From then on the table is asked for in every probe, until `forget`.
   */
  describe(selection: TableSelection, options: { readonly signal: AbortSignal }): Promise<TrackedTable>;
  forget(table: TrackedTable): void;

  /** One probe round for all described tables; calls that come while one is under way share the next (R6). */
  probe(options: { readonly catalog: boolean; readonly signal: AbortSignal }): Promise<Probe>;

  /** One page of changes with version > `from`, beyond `cursor`, in a transaction of its own (R2), checked (R3). @throws S209, S211 to S217, S221, S230 */
  readWindow(
    table: TrackedTable,
    options: {
      readonly from: Version;
      readonly cursor: PageCursor | null;
      readonly position: TrackingPosition;
      readonly signal: AbortSignal;
    },
  ): Promise<WindowPage>;

  /**
   * The next rows by primary key beyond the data key `after`, in SQL Server's own order; at most `rows`, by default a whole page. Like every read
   * of rows it is checked before and after: what was read under another definition than the described one is never returned. @throws S230 then
   */
  readLoadPage(table: TrackedTable, options: LoadPageOptions): Promise<LoadPage>;

  /**
   * One row as it is published: the one of this data key, in any spelling that SQL Server takes for it; without a key the first one that passes
   * the filter. @returns null where there is none, or the one asked for does not pass the filter. @throws PW-C109 for a key that is none of the table
   */
  readRow(table: TrackedTable, options: { readonly dataKey: string | null; readonly signal: AbortSignal }): Promise<RowState | null>;

  /**
   * Which of these data keys still exist and pass the filter (L4), in the order asked: whether there is a row of just this identity. What is no key of
   * the table, or how a key of another type was written, does not.
   */
  existing(table: TrackedTable, dataKeys: readonly string[], options: { readonly signal: AbortSignal }): Promise<readonly boolean[]>;

  /** Whether SQL Server calls two data keys of the table equal. */
  sameKey(table: TrackedTable, a: string, b: string, options: { readonly signal: AbortSignal }): Promise<boolean>;

  /**
   * Counts the table's committed rows, whatever its filter (R6). Expensive: it reads a whole index.
   * @returns null when the version moved meanwhile, or is NULL: then the number is of no one version. @throws S209, S215 to S217
   */
  countRows(table: TrackedTable, options: { readonly signal: AbortSignal }): Promise<RowCount | null>;

  /**
   * Follows a table: an endless iterable of pages, one a round (a round that found nothing yields a page without rows). Pulled: nothing is
   * read before it is asked for. Ends by its signal (which rejects with its reason) or by return().
   */
  trackChanges(options: TrackChangesOptions): AsyncIterable<ChangePage>;
}
