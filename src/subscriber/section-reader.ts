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
import type { LinkedMessage, LoadedRow, SectionView } from './section-view.ts';

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
}

interface Name {
  readonly identity: string;
  readonly dataKey: string;
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
] as const;

/** A key that is respelled again and again while it is read is given up; the load begins anew. */
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
 * All documents, in pages; each page's versions, documents and meta are of one moment. The last page is empty: its meta was read after the
 * scan had ended. Names come from HSCAN: a key that is there all the time is in at least one page.
 * @throws PatchwireError PW-M309 when the index names a document that is not there
 */
export async function* readPages(redis: SectionRedis, keys: SectionKeys, limits: PageLimits): AsyncGenerator<Page> {
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const [next, flat] = await redis.hscan(keys.index, cursor, 'COUNT', limits.rows);
    const names: Name[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const identity = flat[i] ?? '';
      if (!seen.has(identity)) {
        seen.add(identity);
        names.push({ identity, dataKey: decodeIndexEntry(identity, flat[i + 1] ?? '').dataKey });
      }
    }
    for (const chunk of await chunks(redis, keys, names, limits)) {
      yield* readChunk(redis, keys, chunk);
    }
    cursor = next;
  } while (cursor !== '0');
  yield { view: await readView(redis, keys), rows: [] };
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
async function chunks(redis: SectionRedis, keys: SectionKeys, names: readonly Name[], limits: PageLimits): Promise<readonly Name[][]> {
  const lengths = redis.pipeline();
  names.forEach(({ dataKey }) => lengths.strlen(keys.document + dataKey));
  const sizes = names.length === 0 ? [] : await replies(lengths);
  const parts: Name[][] = [];
  let part: Name[] = [];
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

async function* readChunk(redis: SectionRedis, keys: SectionKeys, chunk: readonly Name[]): AsyncGenerator<Page> {
  let names = chunk;
  for (let round = 0; names.length > 0; round++) {
    const [meta, quarantined, entries, documents] = await replies(
      redis
        .multi()
        .hmget(keys.meta, ...FIELDS)
        .hlen(keys.quarantine)
        .hmget(keys.index, ...names.map(({ identity }) => identity))
        .mget(...names.map(({ dataKey }) => keys.document + dataKey)),
    );
    const rows: LoadedRow[] = [];
    const respelled: Name[] = [];
    names.forEach(({ identity, dataKey }, i) => {
      const entry = (entries as readonly (string | null)[])[i] ?? null;
      if (entry === null) {
        rows.push({ identity, entry: null });
        return;
      }
      const now = decodeIndexEntry(identity, entry);
      if (now.dataKey !== dataKey && round < RESPELLINGS) {
        respelled.push({ identity, dataKey: now.dataKey });
        return;
      }
      const text = (documents as readonly (string | null)[])[i] ?? null;
      rows.push({ identity, entry: { identity, ...now, document: decodeDocument(now.dataKey, text) } });
    });
    yield { view: decodeView(meta, quarantined), rows };
    names = respelled;
  }
}

function decodeDocument(dataKey: string, text: string | null): Document {
  if (text === null) {
    throw new PatchwireError('PW-M309', `the index names ${dataKey}, whose document is not there`);
  }
  try {
    return JSON.parse(text) as Document;
  } catch (error) {
    throw new PatchwireError('PW-M308', `the document of ${dataKey} is not JSON`, { cause: error });
  }
}

function decodeView(meta: unknown, quarantined: unknown): SectionView | null {
  const fields = meta as readonly (string | null)[];
  const [format, epoch, seq, last, tip, checkpoint, upTo, state, digest, pending, heartbeatAt, incomplete, sourceReadAt, source] = fields;
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
