/**
 * Whether a section in Redis and a subscriber's replica are equal to their table. The table is read by a plain query of the driver and turned
 * into documents by code of this file, never by that of src/source, so that an error there cannot hide here.
 */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { ConnectionPool } from 'mssql';

/** How the driver's value becomes the document's: as it comes, or a decimal with so many digits. */
type Kind = 'plain' | 'decimal2' | 'datetime2';

export interface TableShape {
  /** `dbo.Orders`. */
  readonly table: string;
  readonly section: string;
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, Kind>>;
  /** The rows that belong to the section, as T-SQL. */
  readonly where?: string;
}

export type Row = Record<string, unknown>;

interface DriverDate extends Date {
  readonly nanosecondsDelta?: number;
}

const CONVERSIONS: Readonly<Record<Kind, (value: unknown) => unknown>> = {
  plain: (value) => value,
  decimal2: (value) => (value as number).toFixed(2),
  datetime2: (value) => {
    const date = value as DriverDate;
    const ticks = Math.round((date.nanosecondsDelta ?? 0) * 1e7);
    return `${date.toISOString().slice(0, 23)}${ticks.toString().padStart(4, '0')}`;
  },
};

/** JSON with sorted names: two documents are equal exactly when their texts are. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** The document of a row, as canonical JSON. */
export function documentOf(shape: TableShape, row: Row): string {
  return canonical(
    Object.fromEntries(
      Object.entries(shape.columns).map(([name, kind]) => [name, row[name] === null ? null : CONVERSIONS[kind](row[name])]),
    ),
  );
}

/** The table's documents by data key, as canonical JSON. */
export async function tableDocuments(pool: ConnectionPool, shape: TableShape): Promise<Map<string, string>> {
  const names = Object.keys(shape.columns);
  const where = shape.where === undefined ? '' : ` WHERE ${shape.where}`;
  const { recordset } = await pool.request().query<Row>(`SELECT ${names.join(', ')} FROM ${shape.table}${where}`);
  return new Map(
    recordset.map((row) => [shape.key.map((name) => encodeURIComponent(String(row[name]))).join('|'), documentOf(shape, row)]),
  );
}

export interface StoredSection {
  readonly meta: Readonly<Record<string, string>>;
  /** Documents by data key, as canonical JSON: every key that exists, in the index or not. */
  readonly documents: ReadonlyMap<string, string>;
  /** Data keys of the index. */
  readonly indexed: ReadonlySet<string>;
  /** The digest of the index, computed here. */
  readonly digest: string;
}

/** Everything of a section as it stands in Redis. Reads key by key: for a section that is not written meanwhile, or for a look. */
export async function storedSection(redis: Redis, partition: string, section: string): Promise<StoredSection> {
  const tag = `{${partition}:${section}}`;
  const documents = new Map<string, string>();
  for await (const keys of redis.scanStream({ match: `${tag}:*`, count: 5000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) {
      const values = await redis.mget(keys);
      values.forEach((value, i) => {
        if (value !== null) {
          documents.set((keys[i] ?? '').slice(tag.length + 1), canonical(JSON.parse(value)));
        }
      });
    }
  }
  const index = Object.entries(await redis.hgetall(`${tag}/index`));
  const indexed = new Set<string>();
  let digest = 0n;
  for (const [identity, entry] of index) {
    const [version = '', dataKey = identity] = entry.split(' ');
    indexed.add(dataKey);
    digest ^= createHash('sha256').update(`${identity}\0${version}`).digest().readBigUInt64BE();
  }
  const meta = await redis.hgetall(`${tag}/meta`);
  return { meta, documents, indexed, digest: digest.toString(16).padStart(16, '0') };
}

/** The differences between a table and its section in Redis, a line each; empty when every key, document, index entry and the digest agree. */
export async function sectionDifferences(
  world: { readonly pool: ConnectionPool; readonly redis: Redis; readonly partition: string },
  shape: TableShape,
): Promise<string[]> {
  const expected = await tableDocuments(world.pool, shape);
  const { meta, documents, indexed, digest } = await storedSection(world.redis, world.partition, shape.section);
  const lines = compare(expected, documents, `${shape.section} in Redis`);
  for (const key of new Set([...expected.keys(), ...indexed])) {
    if (!indexed.has(key) || !expected.has(key)) {
      lines.push(`${shape.section} ${key}: ${indexed.has(key) ? 'in the index, not in the table' : 'in the table, not in the index'}`);
    }
  }
  for (const [what, is, wanted] of [
    ['digest', meta['digest'], digest],
    ['state', meta['state'], 'live'],
    ['pending', meta['pending'], ''],
  ]) {
    if (is !== wanted) {
      lines.push(`${shape.section}: ${what} is ${is}, not ${wanted}`);
    }
  }
  return lines.slice(0, 20);
}

/** The differences between a table and what a replica holds. */
export async function replicaDifferences(
  pool: ConnectionPool,
  shape: TableShape,
  replica: { entries(): Iterable<readonly [string, unknown]> },
): Promise<string[]> {
  const held = new Map([...replica.entries()].map(([key, document]) => [key, canonical(document)]));
  return compare(await tableDocuments(pool, shape), held, `the replica of ${shape.section}`).slice(0, 20);
}

/**
 * The differences between a table and what was answered for some of its keys, in any spelling; null: there is none.
 * @param folded the same for all spellings of a key
 */
export function answerDifferences(
  expected: ReadonlyMap<string, string>,
  shape: TableShape,
  answered: readonly (readonly [key: string, document: unknown])[],
  folded: (dataKey: string) => string,
): string[] {
  const rows = new Map([...expected].map(([key, document]) => [folded(key), document]));
  return answered
    .flatMap(([key, document]) => {
      const is = document === null ? 'absent' : canonical(document);
      const wanted = rows.get(folded(key)) ?? 'absent';
      return is === wanted ? [] : [`of ${shape.section}: ${key} is ${is}, the table has ${wanted}`];
    })
    .slice(0, 20);
}

function compare(expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>, where: string): string[] {
  const lines: string[] = [];
  for (const [key, document] of expected) {
    const other = found.get(key);
    if (other === undefined) {
      lines.push(`${where}: ${key} is missing`);
    } else if (other !== document) {
      lines.push(`${where}: ${key} is ${other}, the table has ${document}`);
    }
  }
  for (const key of found.keys()) {
    if (!expected.has(key)) {
      lines.push(`${where}: ${key} is not in the table`);
    }
  }
  return lines;
}
