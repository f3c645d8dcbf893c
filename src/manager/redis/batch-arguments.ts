/** Lays a batch out as keys and arguments of the batch script: flat arrays of text, nothing for a row but its strings. */
import { Digest } from '../../wire/digest.ts';
import { encodeIndexEntry, type SectionKeys } from '../../wire/keys.ts';
import type { Batch } from '../distributed-data-manager.ts';
import { encodeAdvance } from './meta.ts';

export interface BatchHead {
  readonly token: string;
  readonly expectedTip: string;
  readonly format: number;
  readonly tip: string;
  readonly managerId: string;
  readonly leaseMs: number;
  readonly checkpoint: string;
  readonly upTo: string;
  readonly seq: number;
  readonly id: string;
  readonly nowMs: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly channels: string;
  /** '' for a store. */
  readonly message: string;
  /** The same without bodies; '' where it is told to nobody. */
  readonly keysMessage: string;
}

/** The order is that of scripts/batch.ts. */
export function batchArguments(batch: Batch, keys: SectionKeys, head: BatchHead): { readonly keys: string[]; readonly args: string[] } {
  const digest = new Digest();
  const guarded: string[] = [];
  const expected: string[] = [];
  const index: string[] = [];
  const gone: string[] = [];
  const setKeys: string[] = [];
  const documents: string[] = [];
  const deleteKeys: string[] = [];
  const aside: string[] = [];
  const back: string[] = [];
  for (const row of batch.rows) {
    const before = row.expected;
    const after = row.next;
    const { identity } = row;
    guarded.push(identity);
    expected.push(before === null ? '' : encodeIndexEntry({ version: before.version, dataKey: before.dataKey, identity }));
    if (before?.version !== after?.version) {
      if (before !== null) {
        digest.toggle(identity, before.version);
      }
      if (after !== null) {
        digest.toggle(identity, after.version);
      }
    }
    if (after !== null) {
      index.push(identity, encodeIndexEntry({ version: after.version, dataKey: after.dataKey, identity }));
      setKeys.push(keys.document + after.dataKey);
      documents.push(after.document);
    } else if (before !== null) {
      gone.push(identity);
    }
    if (before !== null && before.dataKey !== after?.dataKey) {
      deleteKeys.push(keys.document + before.dataKey);
    }
    if (row.quarantine === null) {
      back.push(identity);
    } else if (row.quarantine !== undefined) {
      aside.push(identity, JSON.stringify(row.quarantine));
    }
  }
  const advance = encodeAdvance(batch.advance);
  return {
    keys: [keys.meta, keys.index, keys.changes, keys.lease, keys.quarantine, ...setKeys, ...deleteKeys],
    args: [
      head.token,
      head.expectedTip,
      String(head.format),
      head.tip,
      head.managerId,
      String(head.leaseMs),
      head.checkpoint,
      head.upTo,
      digest.toString(),
      String(head.seq),
      head.id,
      head.channels,
      String(head.nowMs),
      String(head.maxBytes),
      String(head.nowMs - head.maxAgeMs),
      head.message,
      String(advance.length),
      String(guarded.length),
      String(index.length),
      String(gone.length),
      String(setKeys.length),
      String(deleteKeys.length),
      String(aside.length),
      String(back.length),
      ...advance,
      ...guarded,
      ...expected,
      ...index,
      ...gone,
      ...documents,
      ...aside,
      ...back,
      head.keysMessage,
    ],
  };
}
