/**
 * What the subscriber tells its user: the events, where it stands, and whether it can call itself equal to what is published. Types only.
 */
import type { Document, Patch } from '../model/document.ts';
import type { PatchwireError } from '../model/failure.ts';

/** One document has changed. `before` and `after` are null where there is none. */
export interface ChangeEvent<T = Document> {
  readonly type: 'change';
  /** The key as the row spells it. */
  readonly dataKey: string;
  /** The key as the collation folds it: the same for every spelling that SQL Server calls equal. */
  readonly identity: string;
  /** unavailable: the row exists, its document cannot be published; it is gone here. */
  readonly op: 'upsert' | 'remove' | 'unavailable';
  readonly before: T | null;
  readonly after: T | null;
  /** From the document before to the one after, as RFC 6902; it is about the document as published, not as a parser made it. */
  readonly patch: Patch;
  /** The source version as of which the document is known to be current. */
  readonly versionId: string;
  readonly prevVersionId: string | null;
  /** SYS_CHANGE_VERSION. */
  readonly changeVersion: string;
  readonly seq: number;
  /** When the source was read, ISO 8601 in UTC. */
  readonly changeTime: string;
}

/** Why the chain of messages was interrupted (S3). slow: the consumers of changes do not keep up, so messages are left to the replay stream. */
export type GapReason = 'disconnected' | 'missed' | 'rewound' | 'epoch' | 'silent' | 'heartbeat' | 'invalid' | 'slow';

/** Why what the replica held no longer counts, and the section is loaded again. asked: by `reload()`. */
export type ResetReason = 'epoch' | 'rewound' | 'trimmed' | 'diverged' | 'loading' | 'removed' | 'announced' | 'asked';

/**
 * What to do when history is lost. autoReset: tell it by `reset` and load again; strict: close with PW-W406; skipGap: where messages are missing
 * for good, tell it by `skipped` and go on with those that follow, never equal until `reload()`; anything else as autoReset.
 */
export type Recovery = 'autoReset' | 'strict' | 'skipGap';

/** Everything up to `seq` is contained. After a `reset` the documents were replaced without change events: look at them anew. */
export interface LiveEvent {
  readonly type: 'live';
  readonly epoch: string;
  readonly seq: number;
  readonly size: number;
}

/** What was seen may have been rewound or replaced; a `live` follows once the section has been loaded again. */
export interface ResetEvent {
  readonly type: 'reset';
  readonly reason: ResetReason;
  readonly text: string;
}

export type SubscriberEvent<T = Document> =
  | ChangeEvent<T>
  | LiveEvent
  /** A stored replica was taken up; changes since then follow as `change` events, then `live`. */
  | { readonly type: 'restored'; readonly epoch: string; readonly seq: number; readonly size: number }
  /** Messages may be missing; they are being fetched from the replay stream. */
  | { readonly type: 'gap'; readonly reason: GapReason }
  /** The gap is closed; `messages` were missing. */
  | { readonly type: 'recovered'; readonly messages: number }
  /** skipGap: the messages after `from` up to `to` (seq) are missing for good. */
  | { readonly type: 'skipped'; readonly from: number; readonly to: number; readonly text: string }
  | ResetEvent
  /** The digest is not the publisher's, or a patch did not fit: a `reset` follows. */
  | { readonly type: 'diverged'; readonly detail: string }
  /**
   * With every heartbeat, when the publisher falls silent, and when the documents grow older than `maxAgeMs`: messages not yet applied, the age
   * of what the replica holds (null: unknown), and whether the publisher beats.
   */
  | { readonly type: 'lag'; readonly messages: number; readonly ageMs: number | null; readonly publisher: Publisher }
  /** A read, a message, a handler, a stored replica or a document failed; what is to be tried again is tried again, later each time. */
  | { readonly type: 'trouble'; readonly error: PatchwireError }
  /** The end. `error` is null after a normal close. */
  | { readonly type: 'closed'; readonly error: PatchwireError | null };

export type EventOf<T extends SubscriberEvent['type'], D = Document> = Extract<SubscriberEvent<D>, { type: T }>;

/**
 * disconnected: no connection; waiting: for a time, or for the section to be loadable; loading: reading all documents; replaying: fetching
 * missed messages; behind: consumers of changes are full, and what comes meanwhile is fetched from the replay stream later; live: every message
 * is applied as it comes; closed: the end.
 */
export type Status = 'disconnected' | 'waiting' | 'loading' | 'replaying' | 'behind' | 'live' | 'closed';

/** Whether the publisher beats: unknown before its first heartbeat; silent: none for three intervals, though the channel can be heard. */
export type Publisher = 'unknown' | 'beating' | 'silent';

/** Why a replica does not call itself equal to what is published (S4). */
export type Unequal =
  | 'disconnected'
  | 'section missing'
  | 'section loading'
  | 'section resyncing'
  | 'pending script'
  | 'backing off'
  | 'loading'
  | 'replaying'
  | 'behind'
  | 'rows quarantined'
  /** The section was never loaded, or changes were skipped: rows may be missing or old until it is loaded. */
  | 'section incomplete'
  /** skipGap: messages are missing for good, until `reload()`. */
  | 'gap skipped'
  /** Older than `maxAgeMs`, or of an unknown age. */
  | 'too old'
  /** Only a part is held, so that there is no digest to compare. */
  | 'not compared'
  | 'closed';

export interface Counters {
  /** Loads that replaced documents which had counted. 0: the replica was kept by patches alone. */
  readonly reloads: number;
  readonly replays: number;
  readonly gaps: number;
  readonly messages: number;
  readonly changes: number;
  readonly duplicates: number;
  readonly diverged: number;
  readonly invalid: number;
  readonly heartbeats: number;
  /** Changes that were passed over after a skipped gap: their document is not the one that they follow. */
  readonly skipped: number;
}

export interface ReplicaState {
  readonly status: Status;
  /** Whether the documents are exactly those published at `position()`; if not, `reasons` says why. It says nothing of their age. */
  readonly equal: boolean;
  readonly reasons: readonly Unequal[];
  /** Whether somebody keeps the section in step with its source. While it is silent, `equal` is about what was published last. */
  readonly publisher: Publisher;
  readonly counters: Counters;
  /** The last trouble, until the replica is live again. */
  readonly error: PatchwireError | null;
}

/** Where the documents stand (S5). */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
  /** The id of the last message applied. */
  readonly last: string;
  readonly checkpoint: string;
  /** Every change up to this source version is contained; null: not yet known of any. */
  readonly upTo: string | null;
  /** Milliseconds since the source was last read, as far as is known here; null: unknown. */
  readonly ageMs: number | null;
}
