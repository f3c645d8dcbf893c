/** Reads the quarantine: pages of it, or the entries of some rows. Whatever writes it is a batch's own script. */
import type { SectionKeys } from '../../wire/keys.ts';
import { decodeQuarantineEntry } from '../../wire/quarantine-entry.ts';
import type { QuarantinedRow, QuarantinePage } from '../distributed-data-manager.ts';
import type { Link } from './connection.ts';

const CHUNK = 1000;

/** @throws what the connection throws */
export async function scanQuarantine(
  link: Link,
  keys: SectionKeys,
  section: string,
  cursor: string,
  count: number,
): Promise<QuarantinePage> {
  const args = [keys.quarantine, cursor, 'COUNT', String(count)];
  const [next, flat] = (await link.call('HSCAN', args, 'read', `quarantine of section ${section}`)) as readonly [string, readonly string[]];
  const entries: QuarantinedRow[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const identity = flat[i] ?? '';
    entries.push({ identity, entry: decodeQuarantineEntry(identity, flat[i + 1] ?? '') });
  }
  return { cursor: next, entries };
}

/** @throws what the connection throws */
export async function quarantinedRows(
  link: Link,
  keys: SectionKeys,
  section: string,
  identities: readonly string[],
): Promise<readonly QuarantinedRow[]> {
  const found: QuarantinedRow[] = [];
  for (let at = 0; at < identities.length; at += CHUNK) {
    const chunk = identities.slice(at, at + CHUNK);
    const args = [keys.quarantine, ...chunk];
    const texts = (await link.call('HMGET', args, 'read', `quarantine of section ${section}`)) as readonly (string | null)[];
    for (const [i, identity] of chunk.entries()) {
      const text = texts[i];
      if (typeof text === 'string') {
        found.push({ identity, entry: decodeQuarantineEntry(identity, text) });
      }
    }
  }
  return found;
}
