/**
 * What a sweep writes: the removal of an index entry whose row is gone, and of one that names its row by an identity that the row has no more,
 * since the key got another collation or type. Reads bases, asks no source.
 */
import type { DistributedDataManager, IndexEntry, RowWrite } from '../manager/distributed-data-manager.ts';
import { decodeDataKey } from '../model/data-key.ts';
import { comparableKeyText, identityOf } from '../model/row-key.ts';
import type { TrackedTable } from '../model/table.ts';
import { formatVersion, maxVersion, parseVersion, type Version } from '../model/version.ts';
import type { Delivery } from './deliver.ts';
import { removal } from './patches.ts';

type Mode = 'publish' | 'store';

/** The removal of an entry as of a version. */
export function sweptRow({ identity, dataKey, version }: IndexEntry, to: Version, mode: Mode): RowWrite {
  const known = versionOf(version);
  const asOf = known === null ? to : maxVersion(to, known);
  const write = removal(identity, { version, dataKey, document: null }, formatVersion(asOf), { changeVersion: asOf }, mode);
  // What somebody else wrote for a version no message may name.
  return known === null ? { ...write, changes: write.changes.map((change) => ({ ...change, prevVersionId: null })) } : write;
}

export interface MisnamedOptions {
  readonly section: string;
  readonly table: TrackedTable;
  readonly manager: Pick<DistributedDataManager, 'bases'>;
  readonly delivery: Delivery;
  readonly mode: Mode;
}

/**
 * Removes entries whose rows are there under another identity by now: a row has one document. Where both name one key of a document it stays, by
 * the same script. Nothing may be unanswered that writes one of them.
 */
export async function dropMisnamed(
  { section, table, manager, delivery, mode }: MisnamedOptions,
  entries: readonly IndexEntry[],
  read: { readonly to: Version; readonly readAtMs: number },
): Promise<void> {
  const misnamed = entries.flatMap((entry) => {
    const now = identityNow(table, entry.dataKey);
    return now === null || now === entry.identity ? [] : [{ entry, now }];
  });
  if (misnamed.length === 0) {
    return;
  }
  await delivery.quarantine.read();
  const bases = await manager.bases(
    section,
    misnamed.map(({ now }) => now),
    { documents: true },
  );
  for (const { entry, now } of misnamed) {
    const base = bases.get(now);
    if (base === undefined && delivery.quarantine.held(now) === null) {
      // All that there is of its row.
      continue;
    }
    const writes = [sweptRow(entry, read.to, mode)];
    if (base?.dataKey === entry.dataKey && base.document !== null) {
      const { version, dataKey, document } = base;
      writes.push({ identity: now, expected: { version, dataKey }, next: { version, dataKey, document }, changes: [] });
    }
    await delivery.remove(writes, { ...read, mode, advance: {} });
  }
}

/** The identity of a data key under the key that the table has now; null where that cannot be told. */
function identityNow({ key }: TrackedTable, dataKey: string): string | null {
  let values: string[];
  try {
    values = decodeDataKey(dataKey);
  } catch {
    return null;
  }
  if (values.length !== key.length) {
    return null;
  }
  const comparable = values.map((value, i) => comparableKeyText(key[i]?.type ?? '', value));
  return identityOf(
    comparable,
    key.map(({ keyCollation }) => keyCollation),
  );
}

/** null: the text is none. */
function versionOf(text: string): Version | null {
  try {
    return parseVersion(text);
  } catch {
    return null;
  }
}
