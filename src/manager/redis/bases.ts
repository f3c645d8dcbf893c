/** Reads what is stored for some identities: index entry and document of each in one moment, although the entry names the document's key. */
import { PatchwireError } from '../../model/errors.ts';
import { decodeIndexEntry, type SectionKeys } from '../../wire/keys.ts';
import type { Base, IndexEntry } from '../distributed-data-manager.ts';
import type { Link } from './connection.ts';

const CHUNK = 1000;

/** An index entry without its document has a base without document (C8). @throws PW-M312 when the document's key is of another type */
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
  await demandAbsent(link, keys, section, missing);
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
      } else {
        bases.set(identity, { ...stored, document: document ?? null });
        if (typeof document !== 'string') {
          missing.push(dataKey);
        }
      }
    }
    open = again;
  }
}

/** MGET takes a key of any other type for a missing one; a document must not go over it. @throws PW-M312 */
async function demandAbsent(link: Link, keys: SectionKeys, section: string, dataKeys: readonly string[]): Promise<void> {
  const types = await Promise.all(dataKeys.map((dataKey) => link.call('TYPE', [keys.document + dataKey], 'read', `bases of ${section}`)));
  for (const [i, dataKey] of dataKeys.entries()) {
    // It may have been written meanwhile: only another type is foreign.
    if (types[i] !== 'none' && types[i] !== 'string') {
      throw new PatchwireError('PW-M312', `section ${section}: the key of the document ${dataKey} is a ${String(types[i])}, not a string`, {
        details: { dataKey, type: types[i] },
      });
    }
  }
}

/** Which of these entries, as they were scanned, have no document in one moment. Counts first: nearly always all are there. @throws PW-M312 */
export async function missingDocuments(
  link: Link,
  keys: SectionKeys,
  section: string,
  entries: readonly IndexEntry[],
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = 0; at < entries.length; at += CHUNK) {
    const chunk = entries.slice(at, at + CHUNK);
    const exists = (dataKeys: readonly string[]): Promise<unknown> =>
      link.call(
        'EXISTS',
        dataKeys.map((dataKey) => keys.document + dataKey),
        'read',
        `documents of ${section}`,
      );
    if ((await exists(chunk.map(({ dataKey }) => dataKey))) === chunk.length) {
      continue;
    }
    const found = await Promise.all(chunk.map(({ dataKey }) => exists([dataKey])));
    const absent = chunk.filter((_, i) => found[i] !== 1);
    const identities = absent.map(({ identity }) => identity);
    // An entry may have gone with its document, or have got one, since it was scanned.
    const now = await readBases(link, keys, section, identities, true);
    for (const { identity, dataKey, version } of absent) {
      const base = now.get(identity);
      if (base?.version === version && base.dataKey === dataKey && base.document === null) {
        missing.push(identity);
      }
    }
  }
  return missing;
}
