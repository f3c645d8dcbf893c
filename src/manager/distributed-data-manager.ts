/**
 * The port to the distributed data manager: where documents, index, change log, checkpoint and messages of a section live and move together
 * (C1 to C8). Adapters: redis/ (production) and memory/ (simulation); one contract suite holds both.
 *
 * Of one section, at most one manager in the world leads at a time, and only a leader writes. The writing calls (publish, store, transition,
 * heartbeat) form a chain: each is sent at once, in the order of the calls, without waiting for the one before; keep at most a few
 * outstanding. When one rejects, its fate and that of all after it is unknown (C2): wait for all outstanding replies, then `lead` again and go
 * on from what it returns. Errors are PatchwireErrors of the M range.
 */
import type { SourceIdentity } from '../model/table.ts';
import type { Version } from '../model/version.ts';
import type { SectionState, WireChange } from '../wire/messages.ts';
import type { QuarantineEntry } from '../wire/quarantine-entry.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { DaemonRegistry } from './daemon-registry.ts';

/** How far a load or a sweep has come; stored with the data so that a kill resumes it (L3). */
export interface LoadCursor {
  /**
   * clear: what the section held goes, nothing is loaded (a section that is followed from now). check: every document that the index names is
   * looked for (C8), in a section that is `resyncing`.
   */
  readonly phase: 'check' | 'load' | 'clear' | 'sweep' | 'window';
  /** load: the last data key written; null: at the beginning. */
  readonly after: string | null;
  /** Rows written so far, and the table's rows when the load began (an estimate), for progress. */
  readonly rows: number;
  readonly estimate: number | null;
  /** When it began, ms since 1970. */
  readonly startedAtMs: number;
  /** How long its pages took so far, pacing included, pauses and the time without a leader not: for the rate. */
  readonly activeMs?: number;
  /** Documents when it began, and how many of the rows looked at were not as they were held: kept while documents are resynced. */
  readonly documents?: number;
  readonly changed?: number;
  /** patchwire began it by itself: its sweep first counts what it would remove. */
  readonly guarded?: boolean;
  /** What its sweep would remove is more than it may without a confirmation: it waits. */
  readonly held?: HeldSweep | null;
}

/** A sweep that waits for an operator. */
export interface HeldSweep {
  /** Documents whose rows are not there, of so many. */
  readonly missing: number;
  readonly documents: number;
  /** Since when, ms since 1970. */
  readonly sinceMs: number;
}

/** Why a section does not hold every row, or not every row as it is: upTo is not claimed while this is set. */
export interface Incomplete {
  /** initial: it was never loaded, only followed; skipped: an operator moved the checkpoint forward over changes. */
  readonly reason: 'initial' | 'skipped';
  /** Rows that changed after it are there. */
  readonly since: Version;
}

/** What an operator has stopped, and stays stopped until resumed. */
export interface Paused {
  readonly what: 'load' | 'all';
  readonly who: string;
  readonly atMs: number;
}

/** What a section is worth without its documents: what an export keeps, and an import brings to documents that are there. */
export interface ExportedSection {
  readonly seq: number;
  readonly last: string;
  readonly checkpoint: Version;
  readonly upTo: Version | null;
  readonly confirmed: Version;
  readonly high: Version;
  readonly source: SourceIdentity;
  readonly incomplete: Incomplete | null;
  readonly mark: bigint | null;
  /** Of the documents that belong to it. */
  readonly digest: string;
  readonly count: number;
}

export type AdoptResult =
  | { readonly kind: 'adopted'; readonly meta: SectionMeta }
  /** The documents are not those of the export: how many there are, and how many index entries are without one. Nothing was written. */
  | { readonly kind: 'differs'; readonly documents: number; readonly missing: number }
  /** There is a section already, and `replace` was not asked for. Nothing was written. */
  | { readonly kind: 'living' }
  /** A daemon leads it. Nothing was written. */
  | { readonly kind: 'held'; readonly by: string; readonly expiresInMs: number };

/** What `{p:s}/meta` holds. */
export interface SectionMeta {
  readonly format: number;
  readonly epoch: string;
  readonly seq: number;
  /** Id of the last message and of the last script. */
  readonly last: string;
  readonly tip: string;
  readonly checkpoint: Version;
  readonly upTo: Version | null;
  readonly confirmed: Version;
  readonly high: Version;
  readonly state: SectionState;
  readonly cursor: LoadCursor | null;
  readonly source: SourceIdentity | null;
  readonly digest: string;
  /** Living documents (the index's length). */
  readonly count: number;
  readonly pending: boolean;
  readonly leader: string;
  readonly heartbeatAtMs: number | null;
  readonly sourceReadAtMs: number | null;
  readonly quarantined: number;
  /** null: it holds every row. */
  readonly incomplete: Incomplete | null;
  /** null: nothing is paused. */
  readonly paused: Paused | null;
  /** Whether whoever led last tells keys on a channel of their own. */
  readonly keys: boolean;
  /** The last mark that the checkpoint store acknowledged before what is here was written; null: none was kept with it. */
  readonly mark: bigint | null;
}

/** Moves of the position that ride on a script. What is left out stays. */
export interface Advance {
  readonly checkpoint?: Version;
  readonly upTo?: Version;
  readonly confirmed?: Version;
  readonly high?: Version;
  /** null clears it. */
  readonly cursor?: LoadCursor | null;
  readonly sourceReadAtMs?: number;
  /** See SectionMeta. */
  readonly mark?: bigint;
}

/** What a key's row is now in the section: the base of the next diff, and what the guard of C6 expects. */
export interface Base {
  readonly version: string;
  readonly dataKey: string;
  /** JSON text; null when only versions were asked for, or when the document that the index names is not there (C8). */
  readonly document: string | null;
}

/** An entry of the index as a scan met it. */
export interface IndexEntry {
  readonly identity: string;
  readonly dataKey: string;
  readonly version: string;
}

export interface IndexPage {
  readonly cursor: string;
  readonly entries: readonly IndexEntry[];
}

/** Rows that cannot be published, as a scan met them. */
export interface QuarantinePage {
  readonly cursor: string;
  readonly entries: readonly QuarantinedRow[];
}

export interface QuarantinedRow {
  readonly identity: string;
  readonly entry: QuarantineEntry;
}

/** One row of a batch. The identity occurs once in a batch. */
export interface RowWrite {
  readonly identity: string;
  /** What the writer believes to be stored (C6); null: nothing. Its dataKey differing from `dataKey` makes it a respelling. */
  readonly expected: { readonly version: string; readonly dataKey: string } | null;
  /** null: remove the row. */
  readonly next: { readonly version: string; readonly dataKey: string; readonly document: string } | null;
  /** What subscribers are told, in this order; empty in a store. */
  readonly changes: readonly WireChange[];
  /** Written into the quarantine; null: taken out of it. What is left out stays. */
  readonly quarantine?: QuarantineEntry | null;
}

export interface Batch {
  readonly section: string;
  readonly rows: readonly RowWrite[];
  readonly advance: Advance;
  /** When the source was read, ms since 1970. */
  readonly changeTimeMs: number;
}

export interface Transition {
  readonly state: SectionState;
  /** A new epoch is drawn; its first script deletes the change log first (C4). */
  readonly newEpoch: boolean;
  /**
   * What subscribers are told by a `reset` message. null: nobody loads anew. State and epoch stay, and nobody is told; or a section that is live
   * is resynced from now on, or has been: told by a change message without changes.
   */
  readonly reset: { readonly phase: 'begin' | 'end'; readonly reason: string } | null;
  readonly advance: Advance;
  /** Set when a load begins: stored before the first page (L3). */
  readonly source?: SourceIdentity;
  /** What is left out stays; null: it holds every row from now on. Anything else takes upTo away. */
  readonly incomplete?: Incomplete | null;
  /** What is left out stays; null: resumed. */
  readonly paused?: Paused | null;
}

export type LeadResult =
  /** `created`: the section did not exist; it is `loading`, with checkpoint 0, and awaits its first transition. `rewound`: Redis had gone back; a new epoch was drawn (C4). */
  | { readonly kind: 'leading'; readonly meta: SectionMeta; readonly created: boolean; readonly rewound: boolean }
  | { readonly kind: 'held'; readonly by: string; readonly expiresInMs: number };

export interface OperatorRequest {
  /** Id of the request: unique, made by whoever asks. */
  readonly id: string;
  readonly verb: string;
  readonly args: Readonly<Record<string, string>>;
  /** Who asked, for the audit. */
  readonly who: string;
}

export interface OperationProgress {
  readonly id: string;
  readonly verb: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly message: string;
  readonly atMs: number;
  readonly code?: string;
}

export interface DistributedDataManager extends AsyncDisposable {
  /** Random per process; in every message. */
  readonly managerId: string;
  readonly partition: string;
  /** Who else is alive in the partition, and who leads what. Decides nothing: a lease does. */
  readonly daemons: DaemonRegistry;
  /** What operators did in the partition. */
  readonly audit: AuditTrail;

  /** Connects and tests every command under the daemon's own user, and the eviction policy (C5, C8). @throws M301 to M304, M310, M315 */
  open(options: { readonly signal: AbortSignal }): Promise<{ readonly warnings: readonly string[] }>;

  /** What meta holds; null: there is no such section. Needs no lead. @throws M313 for a newer format */
  readMeta(section: string): Promise<SectionMeta | null>;

  /**
   * Takes or keeps the lead: lease, a new random token and the state in one script (C3). Remembers tip and token of the lead before, to tell a
   * rewound Redis from another leader (C4). Call it only when no writing call of this section is outstanding.
   * `repair`: the digest of the index as it is is computed, which reads the whole index, and the next transition to a new epoch stores it; lead
   * although the pending marker is set (meta says so): then only that transition, or a purge, is accepted, and it clears the marker (C5).
   * @throws M307 when the pending marker is set and `repair` is not, M313
   */
  lead(section: string, options?: { readonly repair?: boolean }): Promise<LeadResult>;
  /** Gives the lead up if it is still held; never throws for a lead that is lost. */
  resign(section: string): Promise<void>;

  /** What is stored for these identities, documents included unless told not to. @throws M312 when a document's key holds something else */
  bases(section: string, identities: readonly string[], options: { readonly documents: boolean }): Promise<ReadonlyMap<string, Base>>;
  /** Pages through the index (HSCAN): every entry that stays throughout comes at least once. Cursor '0' begins and ends. */
  scan(section: string, cursor: string, count: number): Promise<IndexPage>;
  /** Pages through the quarantine (HSCAN), as `scan` does. Needs no lead. */
  scanQuarantine(section: string, cursor: string, count: number): Promise<QuarantinePage>;
  /** The entries of these identities that are in quarantine. Needs no lead. */
  quarantined(section: string, identities: readonly string[]): Promise<readonly QuarantinedRow[]>;
  /** Which of these index entries, as they were scanned, have no document (C8), in this moment. Reads no document. @throws M312 */
  missing(section: string, entries: readonly IndexEntry[]): Promise<readonly string[]>;

  /** One script: guard, documents, index, change log, PUBLISH, position. Moves tip, seq and last. @throws M305, M306, M307, M308, M310, M311 */
  publish(batch: Batch): Promise<void>;
  /** The same without a message: a load or sweep page, or a window while loading. Moves the tip only. */
  store(batch: Batch): Promise<void>;
  /**
   * Changes state, epoch or source. Moves tip, seq and last; with `reset: null` the tip only, like a load page: a seq without a message would be
   * a hole to every subscriber. @returns the meta after it. @throws also I901, before anything is sent, for a change of state or epoch without
   * a message
   */
  transition(section: string, transition: Transition): Promise<SectionMeta>;
  /**
   * Composed from meta inside the script (C7); renews the lease; an idle advance rides on it. Moves neither tip nor seq nor last.
   * `believed` is what the leader takes the stored position to be. @throws M305, M306 also when the stored position differs
   */
  heartbeat(
    section: string,
    options: {
      readonly believed: { readonly checkpoint: Version; readonly confirmed: Version };
      readonly advance: Advance;
      readonly intervalMs: number;
    },
  ): Promise<void>;
  /**
   * Gives documents that are there the position that was exported with them: under a new epoch, in one script, leaderless before and after.
   * @throws M307 over a purge that was not finished, M313
   */
  adopt(section: string, exported: ExportedSection, options: { readonly replace: boolean }): Promise<AdoptResult>;
  /** Bytes that may still be written where the section lies before memory is full; null: there is no limit, or it cannot be known. */
  room(section: string): Promise<number | null>;
  /** Looks again at what somebody may have changed since `open`: the eviction policy (C8). @throws M304, and what reading throws */
  inspect(): Promise<void>;
  /** Deletes every key of the section and tells subscribers by `removed`. Leader only; the lead is gone with it. Resumable: call again. */
  purge(section: string, reason: string): Promise<{ readonly documents: number }>;

  /** Puts a request into {p:s}/requests (L6). */
  request(section: string, request: OperatorRequest): Promise<void>;
  /** Requests not yet answered in {p:s}/operations, oldest first. */
  pendingRequests(section: string): Promise<readonly OperatorRequest[]>;
  /** Writes progress or result of a request. Leader only. */
  progress(section: string, progress: OperationProgress): Promise<void>;
  operation(section: string, id: string): Promise<OperationProgress | null>;
}
