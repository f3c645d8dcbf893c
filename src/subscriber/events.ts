/**
 * What the subscriber tells its user: the events, where it stands, and whether it can call itself equal to what is published. Types only.
 */
import type { Document, Patch } from '../model/document.ts';
import type { PatchwireError } from '../model/failure.ts';

/** One document has changed. `before` and `after` are null where there is none. */
export interface ChangeEvent {
  readonly type: 'change';
  readonly dataKey: string;
  readonly identity: string;
  readonly op: 'upsert' | 'remove' | 'unavailable';
  readonly before: Document | null;
  readonly after: Document | null;
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

/** Why the chain of messages was interrupted (S3). */
export type GapReason = 'disconnected' | 'missed' | 'rewound' | 'epoch' | 'silent' | 'heartbeat' | 'invalid';

/** Why what the replica held no longer counts, and the section is loaded again. */
export type ResetReason = 'epoch' | 'rewound' | 'trimmed' | 'diverged' | 'loading' | 'removed' | 'announced';

export type SubscriberEvent =
  | ChangeEvent
  /** Everything up to `seq` is contained. After a `reset` the documents were replaced without change events: look at them anew. */
  | { readonly type: 'live'; readonly epoch: string; readonly seq: number; readonly size: number }
  /** Messages may be missing; they are being fetched from the replay stream. */
  | { readonly type: 'gap'; readonly reason: GapReason }
  /** The gap is closed; `messages` were missing. */
  | { readonly type: 'recovered'; readonly messages: number }
  /** What was seen may have been rewound or replaced; a `live` follows once the section has been loaded again. */
  | { readonly type: 'reset'; readonly reason: ResetReason; readonly text: string }
  /** The digest is not the publisher's, or a patch did not fit: a `reset` follows. */
  | { readonly type: 'diverged'; readonly detail: string }
  /** With every heartbeat: messages not yet applied, and the age of what the replica holds (null: unknown). */
  | { readonly type: 'lag'; readonly messages: number; readonly ageMs: number | null }
  /** A read or a message failed; it is tried again, later each time. */
  | { readonly type: 'trouble'; readonly error: PatchwireError }
  /** The end. `error` is null after a normal close. */
  | { readonly type: 'closed'; readonly error: PatchwireError | null };

export type EventOf<T extends SubscriberEvent['type']> = Extract<SubscriberEvent, { type: T }>;

/**
 * disconnected: no connection; waiting: for a time, or for the section to be loadable; loading: reading all documents; replaying: fetching
 * missed messages; live: every message is applied as it comes; closed: the end.
 */
export type Status = 'disconnected' | 'waiting' | 'loading' | 'replaying' | 'live' | 'closed';

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
  | 'rows quarantined'
  /** The section was never loaded, or changes were skipped: rows may be missing or old until it is loaded. */
  | 'section incomplete'
  | 'closed';

export interface Counters {
  /** Loads that replaced documents after the first going-live. 0: the replica was kept by patches alone. */
  readonly reloads: number;
  readonly replays: number;
  readonly gaps: number;
  readonly messages: number;
  readonly changes: number;
  readonly duplicates: number;
  readonly diverged: number;
  readonly invalid: number;
  readonly heartbeats: number;
}

export interface ReplicaState {
  readonly status: Status;
  /** Whether the documents are exactly those published at `position()`; if not, `reasons` says why. */
  readonly equal: boolean;
  readonly reasons: readonly Unequal[];
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
