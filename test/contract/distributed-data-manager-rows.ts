/** What the contract of DistributedDataManager asks of a bench, and the rows and batches that its tests speak in. */
import { expect } from 'vitest';
import type { Clock } from '../../src/lib/clock.ts';
import type { Advance, Batch, DistributedDataManager, RowWrite } from '../../src/manager/distributed-data-manager.ts';
import type { PatchwireError } from '../../src/model/errors.ts';
import { Digest } from '../../src/wire/digest.ts';

/** What a store holds of a section, in one form for all adapters. */
export interface StoredState {
  /** identity → 'version dataKey', sorted. */
  readonly index: Readonly<Record<string, string>>;
  /** data key → text, sorted. */
  readonly documents: Readonly<Record<string, string>>;
  readonly changes: readonly { readonly seq: number; readonly text: string }[];
}

export interface ManagerBench extends AsyncDisposable {
  /** A manager of its own over the store of this bench. */
  manager(options?: {
    readonly leaseMs?: number;
    readonly replay?: { readonly maxBytes: number; readonly maxAgeMs: number };
    readonly clock?: Clock;
    readonly invalidations?: boolean;
  }): DistributedDataManager;
  /** Texts of all messages so far, once everything that was sent has arrived. */
  messages(): Promise<readonly string[]>;
  /** The same of the channel of keys. */
  keyMessages(): Promise<readonly string[]>;
  state(section: string): Promise<StoredState>;
  /** The lease runs out. */
  expireLease(section: string): Promise<void>;
  setMeta(section: string, field: 'pending' | 'tip' | 'checkpoint' | 'upTo' | 'format', value: string): Promise<void>;
  setIndexEntry(section: string, identity: string, version: string): Promise<void>;
  deleteDocument(section: string, dataKey: string): Promise<void>;
  deleteMeta(section: string): Promise<void>;
  /** Remembers the store; the answer brings it back. */
  snapshot(): Promise<() => Promise<void>>;
}

/** The section of most tests. */
export const S = 'orders';

/** An upsert of a document without respelling. */
export function upsert(identity: string, version: string, before: string | null, dataKey = identity): RowWrite {
  const document = JSON.stringify({ id: identity, version });
  return {
    identity,
    expected: before === null ? null : { version: before, dataKey },
    next: { version, dataKey, document },
    changes: [
      {
        dataKey,
        ...(dataKey === identity ? {} : { identity }),
        op: 'upsert',
        versionId: version,
        prevVersionId: before,
        changeVersion: version,
        patch: before === null ? [{ op: 'add', path: '', value: JSON.parse(document) as { id: string } }] : [],
      },
    ],
  };
}

export function removal(identity: string, before: string, dataKey = identity): RowWrite {
  return {
    identity,
    expected: { version: before, dataKey },
    next: null,
    changes: [
      { dataKey, op: 'remove', versionId: before, prevVersionId: before, changeVersion: before, patch: [{ op: 'remove', path: '' }] },
    ],
  };
}

export function batch(rows: readonly RowWrite[], advance: Advance = {}, section = S): Batch {
  return { section, rows, advance, changeTimeMs: Date.UTC(2026, 0, 1) };
}

/** Leads and makes the section live at a version. */
export async function live(manager: DistributedDataManager, version = 1n, section = S): Promise<void> {
  const result = await manager.lead(section);
  expect(result.kind).toBe('leading');
  await manager.transition(section, {
    state: 'live',
    newEpoch: true,
    reset: { phase: 'end', reason: 'test' },
    advance: { checkpoint: version, upTo: version, confirmed: version },
  });
}

/** The code of what a promise rejects with; 'resolved' if it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'resolved',
    (error: unknown) => (error as PatchwireError).code,
  );
}

export function digestOf(state: StoredState): string {
  const digest = new Digest();
  for (const [identity, entry] of Object.entries(state.index)) {
    digest.toggle(identity, entry.split(' ')[0] ?? '');
  }
  return digest.toString();
}
