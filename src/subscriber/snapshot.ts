/**
 * A replica as bytes, and back. The first line says what it is, of which format, and the checksum of the rest; then a header, then one row a
 * line. Damage, another section and another format are refused by name; what is taken up is checked against the stream by a replay (S3).
 */
import { hash } from 'node:crypto';
import type { Document } from '../model/document.ts';
import { PatchwireError } from '../model/failure.ts';
import type { HeldEntry } from './holding.ts';
import type { StoredReplica } from './section-view.ts';

const MAGIC = 'patchwire-replica';
const FORMAT = 1;

type Header = Omit<StoredReplica, 'entries'> & { readonly partition: string; readonly section: string; readonly rows: number };

export interface SnapshotOf {
  readonly partition: string;
  readonly section: string;
}

export function encodeSnapshot({ partition, section }: SnapshotOf, { entries, ...place }: StoredReplica): Uint8Array {
  const header: Header = { partition, section, rows: entries.length, ...place };
  const lines = [JSON.stringify(header)];
  for (const { identity, dataKey, version, document } of entries) {
    lines.push(JSON.stringify([dataKey, identity === dataKey ? null : identity, version, document]));
  }
  const body = lines.join('\n');
  return Buffer.from(`${MAGIC} ${FORMAT} ${hash('sha256', body)}\n${body}`);
}

/** @throws PatchwireError PW-W408; `details.reason` is damaged, foreign (another section's), or format (another version's) */
export function decodeSnapshot({ partition, section }: SnapshotOf, bytes: Uint8Array): StoredReplica {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  const end = text.indexOf('\n');
  const [magic, format, sum] = text.slice(0, Math.max(0, end)).split(' ');
  if (magic !== MAGIC) {
    throw refused('damaged', 'it is no stored replica');
  }
  if (format !== String(FORMAT)) {
    throw refused('format', `its format is ${format}; this library knows ${FORMAT}`);
  }
  const body = text.slice(end + 1);
  if (hash('sha256', body) !== sum) {
    throw refused('damaged', 'its checksum is wrong');
  }
  const [first = '', ...rows] = body.split('\n');
  const { partition: ofPartition, section: ofSection, rows: count, ...place } = JSON.parse(first) as Header;
  if (ofPartition !== partition || ofSection !== section) {
    throw refused('foreign', `it is of ${ofPartition}:${ofSection}, not of ${partition}:${section}`);
  }
  if (count !== rows.length) {
    throw refused('damaged', 'rows are missing');
  }
  return { ...place, entries: rows.map(entryOf) };
}

function entryOf(line: string): HeldEntry {
  const [dataKey, identity, version, document] = JSON.parse(line) as [string, string | null, string, Document];
  return { identity: identity ?? dataKey, dataKey, version, document };
}

function refused(reason: 'damaged' | 'foreign' | 'format', text: string): PatchwireError {
  return new PatchwireError('PW-W408', `the stored replica cannot be used: ${text}`, { details: { reason } });
}
