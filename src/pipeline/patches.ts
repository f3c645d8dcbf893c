/**
 * Composes what is written for one row: from the state that a read found and the base, the document as last delivered. The base decides
 * what happened, never the I/U/D letter of change tracking (which is not even here). Reads nothing and sends nothing.
 */
import type { Base, RowWrite } from '../manager/distributed-data-manager.ts';
import type { RowState } from '../model/change.ts';
import type { Document, Patch } from '../model/document.ts';
import { formatVersion, maxVersion, parseVersion, type Version } from '../model/version.ts';
import { diff } from '../wire/json-patch.ts';
import type { WireChange } from '../wire/messages.ts';
import type { QuarantineEntry } from '../wire/quarantine-entry.ts';
import { AutoBatcher } from './batches.ts';
import type { Quarantine, Unavailable } from './quarantine.ts';
import type { Suspects } from './quarantine-suspects.ts';

/** The writes of one row that must be in one script: its own, and before it the removal of the identity that it had. */
export interface Composed {
  readonly writes: readonly RowWrite[];
  /** About what the writes take on the wire, in bytes. */
  readonly bytes: number;
  /** The document that the index names was not there, or was none: it is written whole (C8). */
  readonly mended: boolean;
  /** In one batch only with others of its group; null: with all that have none. */
  readonly group: number | string | null;
  /** The row was in quarantine and stays there: only its entry is renewed. */
  readonly renewed: boolean;
}

export interface ComposeOptions {
  /** The `to` of the read that found the row. */
  readonly to: Version;
  /** publish: changes for subscribers, nothing when nothing differs. store: the document without messages, while loading. */
  readonly mode: 'publish' | 'store';
  /** What is stored of an identity, queued and in flight included (L2); null: nothing. */
  readonly base: (identity: string) => Base | null;
  readonly quarantine: Pick<Quarantine, 'held' | 'entry'>;
  readonly suspects: Pick<Suspects, 'group' | 'verdict'>;
  readonly maxDocumentBytes: number;
  /** What stays in quarantine is tried again although it has not changed. */
  readonly retry: boolean;
  /**
   * Rows that have changed beyond this version are told also where nothing differs from what was delivered: a cache may have read from the source
   * what they were in between. What a confirming read sees again is not beyond the checkpoint. null: nobody is told of keys.
   */
  readonly tellBeyond: Version | null;
  /** As of a Read. */
  readonly filtered: boolean;
  readonly nowMs: number;
}

/** Whether two spellings of one identity met: SQL Server must be asked whether it calls them equal before `compose`. */
export function spelledAnew(row: RowState, base: Base | null): boolean {
  return base !== null && base.dataKey !== row.dataKey;
}

/** What to write for a row; null when the section holds exactly this already. @throws PW-S242 when there is no room in quarantine */
export function compose(row: RowState, options: ComposeOptions): Composed | null {
  const version = formatVersion(maxVersion(row.changeVersion, options.to));
  const writes: RowWrite[] = [];
  let bytes = 0;
  if (row.formerIdentity !== undefined && row.formerIdentity !== row.identity) {
    const gone = removedRow(row.formerIdentity, version, row, options);
    if (gone !== null) {
      writes.push(gone);
      bytes += CHANGE_BYTES;
    }
  }
  const base = options.base(row.identity);
  let mended = base !== null && base.document === null && options.mode === 'publish';
  let group: Composed['group'] = null;
  let renewed = false;
  const text = row.document === null ? null : JSON.stringify(row.document);
  const unavailable = whyUnavailable(row, text, options);
  if (unavailable !== null) {
    const aside = setAside(row, unavailable, base, version, options);
    if (aside !== null) {
      writes.push(aside);
      bytes += ENTRY_BYTES;
      mended = false;
      renewed = writes.length === 1 && base === null && options.quarantine.held(row.identity) !== null;
    }
  } else if (row.document === null || text === null) {
    const gone = removedRow(row.identity, version, row, options);
    if (gone !== null) {
      writes.push(gone);
      bytes += CHANGE_BYTES;
    }
  } else {
    const own = upsert(row, row.document, text, base, version, options) ?? touched(row, text, base, version, options);
    const held = options.quarantine.held(row.identity);
    if (own !== null) {
      writes.push(held === null ? own.write : { ...own.write, quarantine: null });
      bytes += own.bytes;
      mended ||= own.mended;
      // What Redis refused once may break the chain again: then nothing else goes down with it.
      group = held?.reason === 'refused' ? row.identity : options.suspects.group(row.identity);
    } else if (held !== null && base !== null) {
      // A script that stopped half-way left it in both.
      const { version: stored, dataKey } = base;
      writes.push({
        identity: row.identity,
        expected: { version: stored, dataKey },
        next: { version: stored, dataKey, document: text },
        changes: [],
        quarantine: null,
      });
    }
  }
  return writes.length === 0 ? null : { writes, bytes, mended, group, renewed };
}

/** Why a row that exists cannot be published; null: it can, or it is gone. */
function whyUnavailable(row: RowState, text: string | null, options: ComposeOptions): Unavailable | null {
  const { maxDocumentBytes, suspects, quarantine, retry } = options;
  if (row.oversizeBytes !== undefined) {
    return {
      reason: 'tooLarge',
      message: `A value of ${row.oversizeBytes} bytes is above limits.maxDocument (${maxDocumentBytes} bytes).`,
    };
  }
  if (row.unrepresentable !== undefined) {
    return { reason: 'unrepresentable', message: row.unrepresentable };
  }
  if (text === null) {
    return null;
  }
  // A character of UTF-16 is three bytes of UTF-8 at most.
  if (text.length * 3 > maxDocumentBytes) {
    const bytes = Buffer.byteLength(text);
    if (bytes > maxDocumentBytes) {
      return { reason: 'tooLarge', message: `The document of ${bytes} bytes is above limits.maxDocument (${maxDocumentBytes} bytes).` };
    }
  }
  const verdict = suspects.verdict(row.identity, text);
  if (verdict !== null) {
    return { reason: 'refused', message: verdict.message };
  }
  const held = quarantine.held(row.identity);
  return held?.reason === 'refused' && !retry && !isNews(row, held) ? { reason: 'refused', message: held.message } : null;
}

/** Whether the row has changed since it was set aside. */
function isNews(row: RowState, held: QuarantineEntry): boolean {
  return row.changeVersion > parseVersion(held.changeVersion);
}

/** Batches of what was composed: no identity twice in one. @param limits in writes and bytes */
export function batcherOf(limits: { readonly rows: number; readonly bytes: number }): AutoBatcher<Composed> {
  return new AutoBatcher({
    maxRows: limits.rows,
    maxBytes: limits.bytes,
    measure: ({ writes, bytes }) => ({ rows: writes.length, bytes }),
    keys: ({ writes }) => writes.map(({ identity }) => identity),
    group: ({ group }) => group,
  });
}

/** Whether the row is to be told of although nothing differs. */
const isToBeTold = (row: RowState, { tellBeyond }: ComposeOptions): boolean => tellBeyond !== null && row.changeVersion > tellBeyond;

/** The row is as it was delivered, but has changed since, and back: an update without operations, under the version of now. */
function touched(
  row: RowState,
  document: string,
  base: Base | null,
  version: string,
  options: ComposeOptions,
): { readonly write: RowWrite; readonly bytes: number; readonly mended: boolean } | null {
  if (base === null || !isToBeTold(row, options) || row.changeVersion <= parseVersion(base.version)) {
    return null;
  }
  const write = written(row, document, base, version, [upserted(row, version, base.version, [])]);
  return { write, bytes: Buffer.byteLength(document) + CHANGE_BYTES, mended: false };
}

/** The row goes into quarantine, its document goes; null: it is there already, and this was known of it. */
function setAside(row: RowState, why: Unavailable, base: Base | null, versionId: string, options: ComposeOptions): RowWrite | null {
  const { quarantine, mode, retry, nowMs } = options;
  const { identity, dataKey } = row;
  const held = quarantine.held(identity);
  if (held !== null && base === null && !retry && held.reason === why.reason && !isNews(row, held)) {
    return null;
  }
  const changeVersion = formatVersion(row.changeVersion);
  const told: WireChange = {
    dataKey,
    ...(identity === dataKey ? {} : { identity }),
    op: 'unavailable',
    versionId,
    prevVersionId: base?.version ?? null,
    changeVersion,
    patch: [],
  };
  return {
    identity,
    expected: base === null ? null : { version: base.version, dataKey: base.dataKey },
    next: null,
    changes: mode === 'store' || (base === null && held !== null && !isToBeTold(row, options)) ? [] : [told],
    quarantine: quarantine.entry(identity, why, { dataKey, versionId, changeVersion, nowMs }),
  };
}

/** The row is gone, from the index or from the quarantine; null: it was in neither, and need not be told. */
function removedRow(identity: string, version: string, row: RowState, options: ComposeOptions): RowWrite | null {
  const { base: baseOf, mode, quarantine } = options;
  const base = baseOf(identity);
  const held = quarantine.held(identity) !== null;
  if (base === null) {
    // It came and went between two reads.
    const told =
      identity === row.identity && !options.filtered && isToBeTold(row, options)
        ? [removed(identity, { ...row, version: null }, version, row.changeVersion)]
        : [];
    const write = { identity, expected: null, next: null, changes: told };
    return held ? { ...write, quarantine: null } : told.length > 0 ? write : null;
  }
  const write = removal(identity, base, version, row, mode);
  return held ? { ...write, quarantine: null } : write;
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
/** The same of an entry of the quarantine. */
const ENTRY_BYTES = 600;

function upsert(
  row: RowState,
  document: Document,
  text: string,
  base: Base | null,
  version: string,
  { mode }: ComposeOptions,
): { readonly write: RowWrite; readonly bytes: number; readonly mended: boolean } | null {
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

function removed(
  identity: string,
  base: { readonly dataKey: string; readonly version: string | null },
  versionId: string,
  changeVersion: Version,
): WireChange {
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
