/**
 * What the state machine and the feed say to each other: inputs (what was seen in Redis) and effects (what to do next). Types only.
 */
import type { PatchwireError } from '../model/failure.ts';
import type { ChangesMessage, Message, ResetMessage, SectionState } from '../wire/messages.ts';
import type { SubscriberEvent } from './events.ts';
import type { KeyColumnForm } from '../model/table.ts';
import type { Held, HeldEntry } from './holding.ts';

/** `{p:s}/meta` at one moment, as far as a subscriber needs it. */
export interface SectionView {
  readonly epoch: string;
  readonly seq: number;
  /** Id of the last message. */
  readonly last: string;
  /** Id of the last script. */
  readonly tip: string;
  readonly checkpoint: string;
  readonly upTo: string | null;
  readonly state: SectionState;
  readonly digest: string;
  readonly pending: boolean;
  readonly quarantined: number;
  /** It does not hold every row: followed without a load, or changes were skipped. */
  readonly incomplete: boolean;
  /** When the publisher beat last, ms since 1970 by its own clock; null: never. */
  readonly heartbeatAtMs: number | null;
  /** When the source last answered, ms since 1970 by the publisher's clock; null: not yet. */
  readonly sourceReadAtMs: number | null;
  /** The columns of the key; null: the section was loaded before they were stored with it. */
  readonly key: readonly KeyColumnForm[] | null;
  /** The greatest source version that was ever written in this epoch. */
  readonly high?: string;
  /** Keys are told on a channel of their own. */
  readonly toldKeys?: boolean;
}

/** A message with a place in the chain. */
export type LinkedMessage = ChangesMessage | ResetMessage;

/** A key to be read: its identity, and how it may be spelled. */
export interface KeyName {
  readonly identity: string;
  readonly dataKey: string;
}

/** A key as a page found it. */
export interface LoadedRow extends KeyName {
  readonly entry: Held;
  /** Its document cannot be read. */
  readonly error?: PatchwireError;
}

/** `request` is the number of the effect that is answered; answers to an earlier request than the last are ignored. */
export type Input =
  /** The channel is subscribed and Redis can be read. */
  | { readonly type: 'connected' }
  /** A connection was lost, or (again) could not be made: `error` says why, where that is known. */
  | { readonly type: 'disconnected'; readonly error: PatchwireError | null }
  /** `bytes`: how long its text was. */
  | { readonly type: 'message'; readonly message: Message; readonly bytes: number }
  /** A message that could not be understood (PW-W401), or is newer than this library (PW-W402). */
  | { readonly type: 'invalid'; readonly error: PatchwireError }
  /** Time has passed: `wakeAt` was reached. */
  | { readonly type: 'tick' }
  /** The answer to `load`; null: there is no such section. */
  | { readonly type: 'meta'; readonly request: number; readonly view: SectionView | null }
  /** Some keys and their documents, and the meta of the same moment. The last one is empty, and says who is in quarantine. */
  | {
      readonly type: 'page';
      readonly request: number;
      readonly view: SectionView | null;
      readonly rows: readonly LoadedRow[];
      readonly aside?: Set<string>;
    }
  /** No more pages: the last page was read after the scan had ended. */
  | { readonly type: 'scanned'; readonly request: number }
  /** The answer to `replay`: the stream from the asked seq on, and the meta of the same moment. */
  | {
      readonly type: 'replayed';
      readonly request: number;
      readonly view: SectionView | null;
      readonly messages: readonly LinkedMessage[];
    }
  /** The user asks for keys that are not held. */
  | { readonly type: 'want'; readonly names: readonly KeyName[] }
  /** The answer to `fetch`: some of its keys, and the meta of the same moment; `seq` as it was asked. The answer to `survey`: who is in quarantine. */
  | {
      readonly type: 'found';
      readonly request: number;
      readonly seq: number;
      readonly view: SectionView | null;
      readonly rows: readonly LoadedRow[];
      readonly aside?: Set<string>;
    }
  /** A read failed. */
  | { readonly type: 'failed'; readonly request: number; readonly error: PatchwireError }
  /** What was stored of a replica, before the first connection. */
  | { readonly type: 'restore'; readonly stored: StoredReplica }
  /** The consumers of changes are full: take no more. */
  | { readonly type: 'hold' }
  /** They have room again. */
  | { readonly type: 'release' }
  /** The user asks for a load. */
  | { readonly type: 'reload' }
  | { readonly type: 'close'; readonly error: PatchwireError | null };

/** A replica at one place of the chain, as it is stored and taken up again. */
export interface StoredReplica {
  readonly epoch: string;
  readonly seq: number;
  readonly last: string;
  readonly checkpoint: string;
  readonly upTo: string | null;
  readonly incomplete: boolean;
  readonly key: readonly KeyColumnForm[] | null;
  readonly entries: readonly HeldEntry[];
  /** Identities of rows in quarantine. */
  readonly aside?: readonly string[];
}

export type InputType = Input['type'];
export type InputOf<T extends InputType> = Extract<Input, { type: T }>;

export type Effect =
  /** Read meta; answer `meta`. An earlier request is given up. */
  | { readonly type: 'load'; readonly request: number }
  /** Go on: read the index and its documents in pages; answer `page`s, then `scanned`. */
  | { readonly type: 'scan'; readonly request: number }
  /** Read meta and the stream from `seq` on in one moment; answer `replayed`. An earlier request is given up. */
  | { readonly type: 'replay'; readonly request: number; readonly seq: number }
  /** Read these keys; answer `found`, once or in parts. Several may run at a time. */
  | { readonly type: 'fetch'; readonly request: number; readonly seq: number; readonly names: readonly KeyName[] }
  /** Read who is in quarantine; answer `found`. */
  | { readonly type: 'survey'; readonly request: number; readonly seq: number }
  /** These keys were read, and are in step from now on. */
  | { readonly type: 'filled'; readonly rows: readonly LoadedRow[] }
  /** The subscribing connection is deaf: make a new one. */
  | { readonly type: 'resubscribe' }
  /** The publisher is silent: perhaps another server is the primary by now. */
  | { readonly type: 'look' }
  /** Close the connections; nothing follows. */
  | { readonly type: 'stop' }
  | { readonly type: 'emit'; readonly event: SubscriberEvent };
