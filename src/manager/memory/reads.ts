/** What is read of a section over plain maps: bases of diffs, and the index page by page. Writes nothing. */
import { PatchwireError } from '../../model/errors.ts';
import type { Base } from '../distributed-data-manager.ts';
import type { StoredSection } from './memory-store.ts';

/** @throws PW-M309 */
export function storedBases(
  stored: StoredSection,
  section: string,
  identities: readonly string[],
  documents: boolean,
): ReadonlyMap<string, Base> {
  const bases = new Map<string, Base>();
  let missing = 0;
  for (const identity of identities) {
    const entry = stored.index.get(identity);
    if (entry === undefined) {
      continue;
    }
    const document = stored.documents.get(entry.dataKey) ?? null;
    if (documents && document === null) {
      missing += 1;
    }
    bases.set(identity, { ...entry, document: documents ? document : null });
  }
  if (missing > 0) {
    throw new PatchwireError('PW-M309', `section ${section}: ${missing} index entries have no document`, {
      details: { identities: missing },
    });
  }
  return bases;
}

/** The cursor is the last identity given out, in the order of characters. */
export function scanIndex(
  { index }: StoredSection,
  cursor: string,
  count: number,
): {
  readonly cursor: string;
  readonly entries: readonly { readonly identity: string; readonly dataKey: string; readonly version: string }[];
} {
  const after = cursor === '0' ? null : cursor.slice(1);
  const rest = [...index].filter(([identity]) => after === null || identity > after).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const page = rest.slice(0, Math.max(1, count));
  const last = page.at(-1)?.[0];
  return {
    cursor: page.length < rest.length && last !== undefined ? `>${last}` : '0',
    entries: page.map(([identity, entry]) => ({ identity, ...entry })),
  };
}
