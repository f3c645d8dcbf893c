/** Reads what is stored for some identities: index entry and document of each in one moment, although the entry names the document's key. */
import { PatchwireError } from '../../model/errors.ts';
import { decodeIndexEntry, type SectionKeys } from '../../wire/keys.ts';
import type { Base } from '../distributed-data-manager.ts';
import type { Link } from './connection.ts';

const CHUNK = 1000;

/** @throws PW-M309 when an index entry has no document (C8) */
export async function readBases(
  link: Link,
  keys: SectionKeys,
  section: string,
  identities: readonly string[],
  documents: boolean,
): Promise<ReadonlyMap<string, Base>> {
  const bases = new Map<string, Base>();
  const missing: string[] = [];
  for (let at = 0; at < identities.length; at += CHUNK) {
    const chunk = identities.slice(at, at + CHUNK);
    if (documents) {
      await readDocuments(link, keys, section, chunk, bases, missing);
    } else {
      const entries = (await link.call('HMGET', [keys.index, ...chunk], 'read', `bases of ${section}`)) as readonly (string | null)[];
      for (const [i, identity] of chunk.entries()) {
        const entry = entries[i];
        if (typeof entry === 'string') {
          bases.set(identity, { ...decodeIndexEntry(identity, entry), document: null });
        }
      }
    }
  }
  if (missing.length > 0) {
    throw new PatchwireError('PW-M309', `section ${section}: ${missing.length} index entries have no document`, {
      details: { identities: missing.length },
    });
  }
  return bases;
}

/**
 * The document's key is supposed to be the identity; where the entry that comes with it says otherwise, that identity is read again with the
 * key that the entry named. Only an entry and a document of one moment count.
 */
async function readDocuments(
  link: Link,
  keys: SectionKeys,
  section: string,
  identities: readonly string[],
  bases: Map<string, Base>,
  missing: string[],
): Promise<void> {
  let open = identities.map((identity) => ({ identity, dataKey: identity }));
  while (open.length > 0) {
    const [entries, documents] = (await link.run(
      'readBases',
      [keys.index, ...open.map(({ dataKey }) => keys.document + dataKey)],
      open.map(({ identity }) => identity),
      'read',
      `bases of ${section}`,
    )) as readonly [readonly (string | null)[], readonly (string | null)[]];
    const again: typeof open = [];
    for (const [i, { identity, dataKey }] of open.entries()) {
      const entry = entries[i];
      if (typeof entry !== 'string') {
        continue;
      }
      const stored = decodeIndexEntry(identity, entry);
      const document = documents[i];
      if (stored.dataKey !== dataKey) {
        again.push({ identity, dataKey: stored.dataKey });
      } else if (typeof document === 'string') {
        bases.set(identity, { ...stored, document });
      } else {
        missing.push(identity);
      }
    }
    open = again;
  }
}
