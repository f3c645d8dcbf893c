/**
 * Reads a section from Redis: meta, pages of documents, the replay stream; each answer is one MULTI, so one moment (S1, S3). Reads only, with
 * plain commands; keeps no state.
 */
import type { Redis } from 'ioredis';
import type { Document } from '../model/document.ts';
import { PatchwireError } from '../model/failure.ts';
import type { KeyColumnForm } from '../model/table.ts';
import { isSectionState, parseMessage } from '../wire/codec.ts';
import { decodeIndexEntry, type SectionKeys } from '../wire/keys.ts';
import { STORE_FORMAT } from '../wire/format.ts';
import type { KeyName, LinkedMessage, LoadedRow, SectionView } from './section-view.ts';

export type SectionRedis = Pick<Redis, 'multi' | 'pipeline' | 'hscan'>;

export interface PageLimits {
  /** What HSCAN is asked for at a time. */
  readonly rows: number;
  /** Documents of one MULTI, in bytes; a document above it comes alone. */
  readonly bytes: number;
}

export interface Page {
  readonly view: SectionView | null;
  readonly rows: readonly LoadedRow[];
  /** Identities of rows in quarantine, all of them at this moment. */
  readonly aside?: Set<string>;
}

const FIELDS = [
  'format',
  'epoch',
  'seq',
  'last',
  'tip',
  'checkpoint',
  'upTo',
  'state',
  'digest',
  'pending',
  'heartbeatAt',
  'incomplete',
  'sourceReadAt',
  'source',
  'high',
  'keys',
] as const;

/** A key that is respelled again and again while it is read is given up; the load begins anew. The same of a quarantine that changes. */
const RESPELLINGS = 10;

/** @throws PatchwireError PW-W402 when a newer patchwire wrote it */
export async function readView(redis: SectionRedis, keys: SectionKeys): Promise<SectionView | null> {
  const [meta, quarantined] = await replies(
    redis
      .multi()
      .hmget(keys.meta, ...FIELDS)
      .hlen(keys.quarantine),
  );
  return decodeView(meta, quarantined);
}

/**
 * All documents, in pages; each page's versions, documents and meta are of one moment. The last page is empty: its meta, and who is in
 * quarantine, was read after the scan had ended. Names come from HSCAN: a key that is there all the time is in at least one page.
 * @throws PatchwireError PW-M309 when the index names a document that is not there, PW-M308 when it is not JSON
 */
export async function* readPages(redis: SectionRedis, keys: SectionKeys, limits: PageLimits): AsyncGenerator<Page> {
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const [next, flat] = await redis.hscan(keys.index, cursor, 'COUNT', limits.rows);
    const names: KeyName[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const identity = flat[i] ?? '';
      if (!seen.has(identity)) {
        seen.add(identity);
        names.push({ identity, dataKey: decodeIndexEntry(identity, flat[i + 1] ?? '').dataKey });
      }
    }
    for await (const page of readKeys(redis, keys, names, limits)) {
      const damaged = page.rows.find(({ error }) => error !== undefined);
      if (damaged?.error !== undefined) {
        throw damaged.error;
      }
      yield page;
    }
    cursor = next;
  } while (cursor !== '0');
  yield await readAside(redis, keys);
}

/** Who is in quarantine, and meta of the same moment. What HSCAN names is all there is when it is as many. */
export async function readAside(redis: SectionRedis, keys: SectionKeys): Promise<Page> {
  let names: readonly string[] = [];
  for (let round = 0; ; round++) {
    const [meta, quarantined, entries] = await replies(
      redis
        .multi()
        .hmget(keys.meta, ...FIELDS)
        .hlen(keys.quarantine)
        .hmget(keys.quarantine, '', ...names),
    );
    const [, ...there] = entries as readonly (string | null)[];
    const aside = new Set(names.filter((_, i) => there[i] !== null));
    if (aside.size === Number(quarantined) || round === RESPELLINGS) {
      return { view: decodeView(meta, quarantined), rows: [], aside };
    }
    names = await namesIn(redis, keys.quarantine);
  }
}

async function namesIn(redis: SectionRedis, hash: string): Promise<readonly string[]> {
  const names = new Set<string>();
  let cursor = '0';
  do {
    const [next, flat] = await redis.hscan(hash, cursor, 'COUNT', 1000);
    flat.forEach((name, i) => (i % 2 === 0 ? names.add(name) : names));
    cursor = next;
  } while (cursor !== '0');
  return [...names];
}

/** These keys, in pages. A document that cannot be read is an error of its row. */
export async function* readKeys(
  redis: SectionRedis,
  keys: SectionKeys,
  names: readonly KeyName[],
  limits: PageLimits,
): AsyncGenerator<Page> {
  for (const chunk of await chunks(redis, keys, names, limits)) {
    yield* readChunk(redis, keys, chunk);
  }
}

/**
 * The stream from entry 0-`seq` on, and meta of the same moment.
 * @throws PatchwireError PW-W401, PW-W402 when an entry cannot be read
 */
export async function readStream(
  redis: SectionRedis,
  keys: SectionKeys,
  seq: number,
): Promise<{ readonly view: SectionView | null; readonly messages: readonly LinkedMessage[] }> {
  const [meta, quarantined, entries] = await replies(
    redis
      .multi()
      .hmget(keys.meta, ...FIELDS)
      .hlen(keys.quarantine)
      .xrange(keys.changes, `0-${seq}`, '+'),
  );
  const messages: LinkedMessage[] = [];
  for (const [, fields] of entries as readonly (readonly [string, readonly string[]])[]) {
    const at = fields.findIndex((name, i) => i % 2 === 0 && name === 'message');
    const message = parseMessage(fields[at + 1] ?? '');
    if (message.type === 'changes' || message.type === 'reset') {
      messages.push(message);
    }
  }
  return { view: decodeView(meta, quarantined), messages };
}

/** Splits names so that the documents of each part, as long as they are now, stay within the limit. */
async function chunks(
  redis: SectionRedis,
  keys: SectionKeys,
  names: readonly KeyName[],
  limits: PageLimits,
): Promise<readonly KeyName[][]> {
  const lengths = redis.pipeline();
  names.forEach(({ dataKey }) => lengths.strlen(keys.document + dataKey));
  const sizes = names.length === 0 ? [] : await replies(lengths);
  const parts: KeyName[][] = [];
  let part: KeyName[] = [];
  let bytes = 0;
  names.forEach((name, i) => {
    const size = Number(sizes[i]);
    if (part.length > 0 && (bytes + size > limits.bytes || part.length >= limits.rows)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(name);
    bytes += size;
  });
  return part.length > 0 ? [...parts, part] : parts;
}

async function* readChunk(redis: SectionRedis, keys: SectionKeys, chunk: readonly KeyName[]): AsyncGenerator<Page> {
  let names = chunk;
  for (let round = 0; names.length > 0; round++) {
    const [meta, quarantined, aside, entries, documents] = await replies(
      redis
        .multi()
        .hmget(keys.meta, ...FIELDS)
        .hlen(keys.quarantine)
        .hmget(keys.quarantine, ...names.map(({ identity }) => identity))
        .hmget(keys.index, ...names.map(({ identity }) => identity))
        .mget(...names.map(({ dataKey }) => keys.document + dataKey)),
    );
    const rows: LoadedRow[] = [];
    const respelled: KeyName[] = [];
    names.forEach((name, i) => {
      const { identity } = name;
      const entry = (entries as readonly (string | null)[])[i] ?? null;
      const text = (documents as readonly (string | null)[])[i] ?? null;
      const now = entry === null ? null : decodeIndexEntry(identity, entry);
      if (now !== null && now.dataKey !== name.dataKey && round < RESPELLINGS) {
        respelled.push({ identity, dataKey: now.dataKey });
      } else {
        const row = readRow(name, now, text);
        rows.push(row.entry === null && typeof (aside as readonly unknown[])[i] === 'string' ? { ...row, entry: false } : row);
      }
    });
    yield { view: decodeView(meta, quarantined), rows };
    names = respelled;
  }
}

function readRow(name: KeyName, now: { readonly version: string; readonly dataKey: string } | null, text: string | null): LoadedRow {
  const { identity, dataKey } = name;
  const failed = (code: 'PW-M308' | 'PW-M309' | 'PW-W415', message: string): LoadedRow => ({
    ...{ ...name, entry: null },
    error: new PatchwireError(code, `${message}: ${dataKey}`),
  });
  if (now === null) {
    // A document that the index does not know by this identity: its key folds to another one, in a way that is not known here.
    return text === null ? { ...name, entry: null } : failed('PW-W415', 'the key can be found by its identity only');
  }
  if (text === null) {
    return failed('PW-M309', 'the index names a document that is not there');
  }
  try {
    return { identity, dataKey: now.dataKey, entry: { identity, ...now, document: JSON.parse(text) as Document } };
  } catch {
    return failed('PW-M308', 'a document is not JSON');
  }
}

function decodeView(meta: unknown, quarantined: unknown): SectionView | null {
  const fields = meta as readonly (string | null)[];
  const [
    format,
    epoch,
    seq,
    last,
    tip,
    checkpoint,
    upTo,
    state,
    digest,
    pending,
    heartbeatAt,
    incomplete,
    sourceReadAt,
    source,
    high,
    told,
  ] = fields;
  if (typeof format !== 'string') {
    return null;
  }
  if (Number(format) > STORE_FORMAT) {
    throw new PatchwireError('PW-W402', `the section has format ${format}; this library knows ${STORE_FORMAT}`, { details: { format } });
  }
  if (typeof epoch !== 'string' || typeof last !== 'string' || typeof digest !== 'string' || !isSectionState(state)) {
    throw new PatchwireError('PW-M316', 'the meta of the section cannot be read');
  }
  return {
    epoch,
    seq: Number(seq),
    last,
    tip: tip ?? '',
    checkpoint: checkpoint ?? '0',
    upTo: upTo || null,
    state,
    digest,
    pending: (pending ?? '') !== '',
    quarantined: Number(quarantined),
    incomplete: (incomplete ?? '') !== '',
    heartbeatAtMs: heartbeatAt ? Number(heartbeatAt) : null,
    sourceReadAtMs: sourceReadAt ? Date.parse(sourceReadAt) : null,
    key: decodeKey(source ?? ''),
    high: high || '0',
    toldKeys: (told ?? '') !== '',
  };
}

/** The columns of the key, as far as the source's identity has them. What cannot be read is as good as absent: keys are found as spelled. */
function decodeKey(source: string): SectionView['key'] {
  try {
    const { key } = JSON.parse(source || '{}') as { readonly key?: unknown };
    return Array.isArray(key) && key.every(isKeyColumn) ? key : null;
  } catch {
    return null;
  }
}

function isKeyColumn(value: unknown): value is KeyColumnForm {
  const { type, collation } = (value ?? {}) as Partial<Record<keyof KeyColumnForm, unknown>>;
  return typeof type === 'string' && (collation === null || typeof collation === 'string');
}

/** The replies of a MULTI or a pipeline. @throws the first error among them */
async function replies(commands: { exec(): Promise<[error: Error | null, result: unknown][] | null> }): Promise<unknown[]> {
  const results = (await commands.exec()) ?? [];
  return results.map(([error, result]) => {
    if (error !== null) {
      throw error;
    }
    return result;
  });
}
