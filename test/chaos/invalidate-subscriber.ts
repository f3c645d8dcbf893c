/**
 * A subscriber process with caches of its own, kept fresh by the shipped adapter: an lru-cache that is loaded from SQL Server and a keyv that is
 * loaded from the published documents, for every section. Both are asked for random keys all the time; nothing in them may be stale once everything
 * was told, and a writer's row that is got once its version was told must hold what was committed by then.
 */
import { Redis } from 'ioredis';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import mssql from 'mssql';
import { seededRandom } from '../../src/lib/random.ts';
import type * as Adapters from '../../src/subscriber/adapters/index.ts';
import type * as Library from '../../src/subscriber/index.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { canonical, documentOf, type Row, type TableShape } from '../support/equality.ts';
import { type Answered, answerQuestions, contains, Marks, standingOf, Versions } from './answers.ts';
import { anyKey, askAllTheTime, spelled } from './asking.ts';
import { MARKS, PARTITION, TABLES } from './tables.ts';
import type { Mark } from './writers.ts';

const built = (path: string): Promise<unknown> => import(new URL(`../../dist/subscriber/${path}`, import.meta.url).href);
const { subscribe } = (await built('index.js')) as typeof Library;
const { freshCache } = (await built('adapters/index.js')) as typeof Adapters;

const HELD = 600;
/** Of a section's rows, those that are got when a comparison is over: what is not told of them from then on stays stale until the next. */
const WARMED = 300;

const [url = '', connection = '', seed = '0'] = process.argv.slice(2);
const random = seededRandom(Number(seed) + process.pid);
const marks = new Marks();
let gets = 0;

const documents = new Redis(url, { lazyConnect: false, connectionName: 'chaos:documents', commandTimeout: 5000, maxRetriesPerRequest: 0 });
documents.on('error', () => undefined);

let pool: Promise<mssql.ConnectionPool> | null = null;

/** Connects anew after a connection that failed. */
async function database(): Promise<mssql.ConnectionPool> {
  pool ??= (async () => {
    const config = mssql.ConnectionPool.parseConnectionString(connection) as mssql.config;
    const opened = new mssql.ConnectionPool({ ...config, requestTimeout: 5000, connectionTimeout: 5000, pool: { max: 4, min: 0 } });
    opened.on('error', () => undefined);
    return await opened.connect();
  })();
  const own = pool;
  try {
    return await own;
  } catch (error) {
    pool = pool === own ? null : pool;
    throw error;
  }
}

/** What is cached: the document as canonical JSON, or that there is none. */
type Cached = { readonly text: string | null };
type Values = readonly (string | number | bigint)[];

async function fromTable(shape: TableShape, values: Values): Promise<Cached> {
  const { table, columns, key, where } = shape;
  const request = (await database()).request();
  const conditions = key.map((name, i) => {
    const value = values[i];
    request.input(
      `k${i}`,
      typeof value === 'string' ? mssql.NVarChar(40) : mssql.BigInt,
      typeof value === 'string' ? value : String(value),
    );
    return `${name} = @k${i}`;
  });
  const all = [...conditions, ...(where === undefined ? [] : [`(${where})`])];
  const { recordset } = await request.query<Row>(`SELECT ${Object.keys(columns).join(', ')} FROM ${table} WHERE ${all.join(' AND ')}`);
  const [row] = recordset;
  return { text: row === undefined ? null : documentOf(shape, row) };
}

interface Section {
  readonly told: Library.Invalidations;
  tables: { readonly fresh: Adapters.FreshCache<Cached>; readonly lru: LRUCache<string, Cached> };
  readonly published: { readonly fresh: Adapters.FreshCache<Cached>; readonly map: Map<string, unknown> };
  /** A document as it is published. */
  readonly load: (key: Values) => Promise<Cached>;
  readonly shape: TableShape;
}

const sections = new Map<string, Section>(
  TABLES.map(({ shape }) => {
    const { section } = shape;
    const versions = new Versions(section);
    const keys = sectionKeys(PARTITION, section);
    const told: Library.Invalidations = subscribe({
      ...{ redis: url, partition: PARTITION, section, mode: 'invalidate', onGap: section === 'goods' ? 'all' : 'replay' },
      onEvent: (event) => {
        versions.take(event);
        if (section === MARKS && (event.type === 'live' || event.type === 'lag')) {
          check();
        }
      },
    });
    const lru = new LRUCache<string, Cached>({ max: HELD });
    const map = new Map<string, unknown>();
    const keyv = new Keyv<Cached>({ store: map, useKeyPrefix: false });
    const load = async (key: Values): Promise<Cached> => {
      const identity = told.identityOf(key);
      const entry = await documents.hget(keys.index, identity);
      if (entry === null) {
        return { text: null };
      }
      const text = await documents.get(`${keys.document}${entry.split(' ')[1] ?? identity}`);
      // The columns that it knows.
      const known = Object.entries(JSON.parse(text ?? '{}') as Library.Document).filter(([name]) => name in shape.columns);
      return { text: text === null ? null : canonical(Object.fromEntries(known)) };
    };
    return [
      section,
      {
        ...{ told, load, shape },
        tables: { fresh: freshCache<Cached>(told, lru), lru },
        published: { fresh: freshCache<Cached>(told, keyv), map },
      },
    ];
  }),
);

/** Marks that were told of must be got from now on. */
function check(): void {
  const { told } = sections.get(MARKS)!;
  const upTo = told.position()?.upTo ?? null;
  if (upTo !== null && contains(told)) {
    marks.claimed(upTo).forEach((mark) => void look(mark, upTo).catch(() => undefined));
  }
}

async function look(mark: Mark, upTo: string): Promise<void> {
  const { tables, shape } = sections.get(MARKS)!;
  const { generation } = marks;
  const { text } = await tables.fresh.get(mark.writer, () => fromTable(shape, [mark.writer]));
  if (generation === marks.generation) {
    marks.look(mark, text === null ? null : JSON.parse(text), upTo);
  }
}

const rest = askAllTheTime(50, async () => {
  const { shape, tables, published, load } = [...sections.values()][Math.floor(random() * sections.size)]!;
  const key = anyKey(shape.section, random);
  gets += 1;
  await (random() < 0.5 ? tables.fresh.get(spelled(key), () => fromTable(shape, key)) : published.fresh.get(spelled(key), () => load(key)));
});

async function warm({ tables, published, load, shape }: Section, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const values = key.split('|').map(decodeURIComponent);
    const got = [tables.fresh.get(key, () => fromTable(shape, values)), published.fresh.get(key, () => load(values))];
    await Promise.all(got).catch(() => undefined);
  }
}

/** What stands in a cache, by identity. */
async function cachedIn({ tables, published }: Section): Promise<Answered> {
  await Promise.all([tables.fresh.settled(), published.fresh.settled()]);
  const stored = [...published.map].map(([identity, text]) => [identity, (JSON.parse(String(text)) as { value: Cached }).value] as const);
  return [...tables.lru.entries(), ...stored].map(([identity, { text }]) => [identity, text === null ? null : JSON.parse(text)]);
}

answerQuestions({
  marks: (told) => {
    marks.add(told);
    check();
  },
  forget: () => marks.forget(),
  rest,
  restored: () => {
    for (const section of sections.values()) {
      const { fresh, lru } = section.tables;
      void fresh[Symbol.asyncDispose]();
      section.tables = { lru, fresh: freshCache<Cached>(section.told, lru) };
    }
  },
  standing: () => {
    check();
    const all = [...sections].map(([name, { told }]) => [name, standingOf(told, contains(told))] as const);
    const caches = [...sections.values()].flatMap(({ tables, published }) => [tables.fresh, published.fresh]);
    const [loads, refused] = (['loads', 'refused'] as const).map((what) => caches.reduce((sum, each) => sum + each.counters[what], 0));
    return { sections: Object.fromEntries(all), checked: marks.checked, did: `${gets} gets, ${loads} loads, ${refused} not stored` };
  },
  documents: async (name, keys) => {
    const section = sections.get(name)!;
    const cached = await cachedIn(section);
    void warm(section, keys.slice(0, WARMED));
    return { equal: contains(section.told), documents: cached };
  },
});
