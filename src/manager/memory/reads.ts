/** What is read of a section over plain maps: bases of diffs, and the index page by page. Writes nothing. */
import type { Base, IndexEntry, IndexPage } from '../distributed-data-manager.ts';
import type { StoredSection } from './memory-store.ts';

/** An index entry without its document has a base without document (C8). */
export function storedBases(stored: StoredSection, identities: readonly string[], documents: boolean): ReadonlyMap<string, Base> {
  const bases = new Map<string, Base>();
  for (const identity of identities) {
    const entry = stored.index.get(identity);
    if (entry !== undefined) {
      bases.set(identity, { ...entry, document: documents ? (stored.documents.get(entry.dataKey) ?? null) : null });
    }
  }
  return bases;
}

/** Which of these entries still stand as they were scanned and have no document. */
export function missingDocuments({ index, documents }: StoredSection, entries: readonly IndexEntry[]): readonly string[] {
  return entries
    .filter(({ identity, dataKey, version }) => {
      const entry = index.get(identity);
      return entry?.version === version && entry.dataKey === dataKey && !documents.has(dataKey);
    })
    .map(({ identity }) => identity);
}

/** The cursor is the last identity given out, in the order of characters. */
export function scanIndex({ index }: StoredSection, cursor: string, count: number): IndexPage {
  const after = cursor === '0' ? null : cursor.slice(1);
  const rest = [...index].filter(([identity]) => after === null || identity > after).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const page = rest.slice(0, Math.max(1, count));
  const last = page.at(-1)?.[0];
  return {
    cursor: page.length < rest.length && last !== undefined ? `>${last}` : '0',
    entries: page.map(([identity, entry]) => ({ identity, ...entry })),
  };
}
