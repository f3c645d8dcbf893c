/**
 * Composes what is written for one row: from the state that a read found and the base, the document as last delivered. The base decides
 * what happened, never the I/U/D letter of change tracking (which is not even here). Reads nothing and sends nothing.
 */
import type { Base, RowWrite } from '../manager/distributed-data-manager.ts';
import type { RowState } from '../model/change.ts';
import type { Document, Patch } from '../model/document.ts';
import { PatchwireError } from '../model/errors.ts';
import { formatVersion, maxVersion, type Version } from '../model/version.ts';
import { diff } from '../wire/json-patch.ts';
import type { WireChange } from '../wire/messages.ts';

/** The writes of one row that must be in one script: its own, and before it the removal of the identity that it had. */
export interface Composed {
  readonly writes: readonly RowWrite[];
  /** About what the writes take on the wire, in bytes. */
  readonly bytes: number;
  /** The document that the index names was not there, or was none: it is written whole (C8). */
  readonly mended: boolean;
}

export interface ComposeOptions {
  /** The `to` of the read that found the row. */
  readonly to: Version;
  /** publish: changes for subscribers, nothing when nothing differs. store: the document without messages, while loading. */
  readonly mode: 'publish' | 'store';
  /** What is stored of an identity, queued and in flight included (L2); null: nothing. */
  readonly base: (identity: string) => Base | null;
}

/** Whether two spellings of one identity met: SQL Server must be asked whether it calls them equal before `compose`. */
export function spelledAnew(row: RowState, base: Base | null): boolean {
  return base !== null && base.dataKey !== row.dataKey;
}

/** What to write for a row; null when the section holds exactly this already. @throws PW-S225 for a row whose value is above maxDocument */
export function compose(row: RowState, options: ComposeOptions): Composed | null {
  if (row.oversizeBytes !== undefined) {
    throw new PatchwireError('PW-S225', `The row ${row.dataKey} holds a value of ${row.oversizeBytes} bytes, above limits.maxDocument.`, {
      details: { dataKey: row.dataKey, bytes: row.oversizeBytes },
    });
  }
  const version = formatVersion(maxVersion(row.changeVersion, options.to));
  const writes: RowWrite[] = [];
  let bytes = 0;
  if (row.formerIdentity !== undefined && row.formerIdentity !== row.identity) {
    const former = options.base(row.formerIdentity);
    if (former !== null) {
      writes.push(removal(row.formerIdentity, former, version, row, options.mode));
      bytes += CHANGE_BYTES;
    }
  }
  const base = options.base(row.identity);
  let mended = base !== null && base.document === null && options.mode === 'publish';
  if (row.document === null) {
    if (base !== null) {
      writes.push(removal(row.identity, base, version, row, options.mode));
      bytes += CHANGE_BYTES;
    }
  } else {
    const own = upsert(row, row.document, base, version, options.mode);
    if (own !== null) {
      writes.push(own.write);
      bytes += own.bytes;
      mended ||= own.mended;
    }
  }
  return writes.length === 0 ? null : { writes, bytes, mended };
}

/** The removal of what is stored under `base`, as of `version`. */
export function removal(
  identity: string,
  base: Base,
  version: string,
  row: { readonly changeVersion: Version },
  mode: 'publish' | 'store',
): RowWrite {
  return {
    identity,
    expected: { version: base.version, dataKey: base.dataKey },
    next: null,
    changes: mode === 'store' ? [] : [removed(identity, base, version, row.changeVersion)],
  };
}

/** Rough cost of a change besides its document and patch: field names, keys, versions. */
const CHANGE_BYTES = 160;

function upsert(
  row: RowState,
  document: Document,
  base: Base | null,
  version: string,
  mode: 'publish' | 'store',
): { readonly write: RowWrite; readonly bytes: number; readonly mended: boolean } | null {
  const text = JSON.stringify(document);
  if (mode === 'store') {
    return { write: written(row, text, base, version, []), bytes: Buffer.byteLength(text) + CHANGE_BYTES, mended: false };
  }
  if (base === null) {
    const changes = [upserted(row, version, null, diff(null, document))];
    return { write: written(row, text, base, version, changes), bytes: 2 * Buffer.byteLength(text) + CHANGE_BYTES, mended: false };
  }
  if (spelledAnew(row, base)) {
    const changes = [removed(row.identity, base, version, row.changeVersion), upserted(row, version, null, diff(null, document))];
    return { write: written(row, text, base, version, changes), bytes: 2 * (Buffer.byteLength(text) + CHANGE_BYTES), mended: false };
  }
  // The common answer to a confirming read, so nothing more is worked out before it.
  if (base.document === text) {
    return null;
  }
  const before = parsed(base.document);
  // What cannot be read tells nothing of what subscribers hold: they get the whole.
  const patch: Patch = before === null ? [{ op: 'replace', path: '', value: document }] : diff(before, document);
  if (patch.length === 0) {
    return null;
  }
  const changes = [upserted(row, version, base.version, patch)];
  const bytes = Buffer.byteLength(text) + patchBytes(patch) + CHANGE_BYTES;
  return { write: written(row, text, base, version, changes), bytes, mended: before === null };
}

/** The document of a base; null where there is none, or something else. */
function parsed(text: string | null): Document | null {
  try {
    const value: unknown = text === null ? null : JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? (value as Document | null) : null;
  } catch {
    return null;
  }
}

function written(row: RowState, document: string, base: Base | null, version: string, changes: readonly WireChange[]): RowWrite {
  return {
    identity: row.identity,
    expected: base === null ? null : { version: base.version, dataKey: base.dataKey },
    next: { version, dataKey: row.dataKey, document },
    changes,
  };
}

function upserted(row: RowState, versionId: string, prevVersionId: string | null, patch: Patch): WireChange {
  const { dataKey, identity } = row;
  const changeVersion = formatVersion(row.changeVersion);
  const operations = patch as WireChange['patch'];
  // Two literals, and no spread: this runs for every row.
  return identity === dataKey
    ? { dataKey, op: 'upsert', versionId, prevVersionId, changeVersion, patch: operations }
    : { dataKey, identity, op: 'upsert', versionId, prevVersionId, changeVersion, patch: operations };
}

function removed(identity: string, base: Base, versionId: string, changeVersion: Version): WireChange {
  return {
    dataKey: base.dataKey,
    ...(identity === base.dataKey ? {} : { identity }),
    op: 'remove',
    versionId,
    prevVersionId: base.version,
    changeVersion: formatVersion(changeVersion),
    patch: diff({}, null) as WireChange['patch'],
  };
}

function patchBytes(patch: Patch): number {
  let bytes = 0;
  for (const operation of patch) {
    bytes += operation.path.length + 32;
    if (operation.op !== 'remove') {
      const { value } = operation;
      bytes += typeof value === 'string' ? Buffer.byteLength(value) : typeof value === 'object' ? JSON.stringify(value).length : 16;
    }
  }
  return bytes;
}
