/**
 * What a subscriber keeps of a section: the part in which its modes differ. Chain, gaps, replays, loads and what may be claimed (S1 to S5) are
 * the same for all and know a holding only by this interface.
 */
import type { Document } from '../model/document.ts';
import type { WireChange } from '../wire/messages.ts';

/** A row as it is held. */
export interface HeldEntry {
  readonly identity: string;
  readonly dataKey: string;
  readonly version: string;
  readonly document: Document;
}

/** A row as far as it is known: null: there is none; false: there is one, in quarantine, so that it has no document here. */
export type Held = HeldEntry | null | false;

/** A change that was applied, with the document before and after it. */
export interface AppliedChange {
  readonly change: WireChange;
  readonly identity: string;
  readonly before: Document | null;
  readonly after: Document | null;
}

/**
 * How a change is held against what is here: strict: prevVersionId must match; lenient: it counts only if prevVersionId matches, else it is
 * passed over; skip: it is contained already.
 */
export type ChangeRule = 'strict' | 'lenient' | 'skip';

export type ApplyResult =
  | { readonly ok: true; readonly applied: readonly AppliedChange[] }
  | { readonly ok: false; readonly detail: string };

export interface Holding {
  readonly size: number;
  /** Of identities and versions, as the publisher computes it (S4); null: not everything is held, so there is nothing to compare. */
  readonly digest: string | null;
  /** Identities of rows in quarantine, which have no entry; null: that is not kept. */
  aside: Set<string> | null;
  find(key: string): HeldEntry | undefined;
  entries(): IterableIterator<HeldEntry>;
  /** What a page says of a key. */
  set(identity: string, next: Held): void;
  /** Applies the changes of one message in their order, all or none. */
  apply(changes: readonly WireChange[], rule?: (identity: string) => ChangeRule): ApplyResult;
}

/** A mode, as far as it is not the same for all: what it begins to hold, for every load anew. */
export interface Mode {
  readonly name: string;
  /** Whether everything is held: a load then reads all pages; else it reads meta alone, and the chain begins there. */
  readonly whole: boolean;
  empty(): Holding;
}
