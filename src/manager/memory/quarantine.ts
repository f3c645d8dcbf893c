/** Reads the quarantine over plain maps: pages of it, or the entries of some rows. */
import { decodeQuarantineEntry } from '../../wire/quarantine-entry.ts';
import type { QuarantinedRow, QuarantinePage } from '../distributed-data-manager.ts';
import type { StoredSection } from './memory-store.ts';

/** The cursor is the last identity given out, in the order of characters. */
export function scanQuarantine({ quarantine }: StoredSection, cursor: string, count: number): QuarantinePage {
  const after = cursor === '0' ? null : cursor.slice(1);
  const rest = [...quarantine].filter(([identity]) => after === null || identity > after).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const page = rest.slice(0, Math.max(1, count));
  const last = page.at(-1)?.[0];
  return {
    cursor: page.length < rest.length && last !== undefined ? `>${last}` : '0',
    entries: page.map(([identity, text]) => ({ identity, entry: decodeQuarantineEntry(identity, text) })),
  };
}

export function quarantinedRows({ quarantine }: StoredSection, identities: readonly string[]): readonly QuarantinedRow[] {
  return identities.flatMap((identity) => {
    const text = quarantine.get(identity);
    return text === undefined ? [] : [{ identity, entry: decodeQuarantineEntry(identity, text) }];
  });
}
