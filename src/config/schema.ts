/**
 * Every key of the configuration with its default, its rule and its meaning. Strict: an unknown key is a problem. Values with units are
 * codecs, so the same schema reads a file and prints it. What this version does not carry out is refused here by name, never ignored.
 * Rules between keys are in rules.ts; where values come from is load.ts.
 */
import { z } from 'zod';
import { parseHostPort } from '../lib/host-port.ts';
import { parseTableName, TABLE_NAME_RULE } from './table-name.ts';
import {
  DURATION_RULE,
  formatDuration,
  formatLadder,
  formatSize,
  LADDER_RULE,
  type LadderStep,
  parseDuration,
  parseLadder,
  parseSize,
  SIZE_RULE,
} from './units.ts';

/** What names of sources, partitions and sections may look like: they become parts of Redis keys and channels. */
export const NAME_PATTERN = /^[A-Za-z0-9_.-]+$/;
export const NAME_RULE = 'a name of letters, digits, dot, dash and underscore';

/** Shorter secrets can be guessed. */
const HASH_KEY_MIN = 32;
const HASH_KEY_RULE = `a secret of at least ${HASH_KEY_MIN} characters, such as \${env:PATCHWIRE_HASH_KEY}`;

const name = z.string({ error: NAME_RULE }).regex(NAME_PATTERN, NAME_RULE);
const text = z.string().min(1, 'a text that is not empty');

interface Bounds {
  readonly min: string;
  readonly max: string;
}

/** A duration in ms, between the bounds. */
function duration({ min, max }: Bounds) {
  return quantity({ min, max, units: 'ms|s|m|h|d', rule: DURATION_RULE, parse: parseDuration, format: formatDuration });
}

/** A size in bytes, between the bounds. */
function size({ min, max }: Bounds) {
  return quantity({ min, max, units: 'B|KiB|MiB|GiB', rule: SIZE_RULE, parse: parseSize, format: formatSize });
}

function quantity(
  options: Bounds & { units: string; rule: string; parse: (text: string) => number | null; format: (value: number) => string },
) {
  const low = options.parse(options.min) ?? 0;
  const high = options.parse(options.max) ?? Number.MAX_SAFE_INTEGER;
  const bounds = `between ${options.min} and ${options.max}`;
  // For editors only (config schema): what is read is decided below.
  const pattern = String.raw`^\s*[0-9]+(\.[0-9]+)?\s*(${options.units})\s*$`;
  return z.codec(z.string({ error: options.rule }).meta({ pattern, description: `${options.rule}; ${bounds}` }), z.number(), {
    decode: (input, context) => {
      const value = options.parse(input);
      if (value === null || value < low || value > high) {
        const message = value === null ? `${options.rule}; ${bounds}` : bounds;
        context.issues.push({ code: 'custom', input, message });
        return z.NEVER;
      }
      return value;
    },
    encode: options.format,
  });
}

function count(min: number, max: number) {
  const rule = `a whole number between ${min} and ${max}`;
  return z.int({ error: rule }).min(min, rule).max(max, rule);
}

function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `one of ${values.join(', ')}` });
}

const ladder = z.codec(z.array(z.string({ error: LADDER_RULE }), { error: LADDER_RULE }), z.array(z.custom<LadderStep>()), {
  decode: (input, context) => {
    const steps = parseLadder(input);
    if (steps === null) {
      context.issues.push({ code: 'custom', input, message: LADDER_RULE });
      return z.NEVER;
    }
    return steps;
  },
  encode: formatLadder,
});

const SHARE_RULE = 'a number above 0 and at most 1';
const share = z.number({ error: SHARE_RULE }).gt(0, SHARE_RULE).max(1, SHARE_RULE);

const sourceLimits = z.strictObject({
  /** Rows of a page. */
  pageRows: count(1, 1_000_000).default(20_000),
  /** Bytes of a page; it is taken into memory whole. */
  pageBytes: size({ min: '64KiB', max: '1GiB' }).prefault('32MiB'),
  /** Readers of one database at a time. */
  readers: count(1, 16).default(1),
  /** The greatest share of time spent reading. */
  timeShare: share.default(0.5),
  lockTimeout: duration({ min: '100ms', max: '10m' }).prefault('5s'),
  /** How long a whole request may take before it is cancelled. */
  requestTimeout: duration({ min: '1s', max: '1h' }).prefault('30s'),
});

/**
 * The driver takes any path for a database's number, and goes on in database 0 when it is none; it takes a query for options of its own, a
 * password among them; and it cannot read a % that begins no %XX.
 */
function isRedisUrl(value: string): boolean {
  if (!/^rediss?:\/\//u.test(value) || !URL.canParse(value)) {
    return false;
  }
  const { pathname, search, hash, username, password } = new URL(value);
  const escaped = (text: string): boolean => /^(?:[^%]|%[0-9a-f]{2})*$/iu.test(text);
  return /^\/?\d{0,9}$/u.test(pathname) && /^(?:\?family=[046])?$/u.test(search) && hash === '' && escaped(username) && escaped(password);
}

/** The port is only tried: what it is without one is said where it is used. */
const address = z
  .string({ error: 'a text such as redis-1:6379' })
  .refine((value) => parseHostPort(value, 1) !== null, 'an address such as redis-1:6379 or [::1]:6379');
const addresses = z.array(address, { error: 'a list of addresses such as [redis-1:6379, redis-2:6379]' }).min(1);

/** One server, the primary that Sentinels name, or a cluster: rules.ts says which keys go together. */
const redisSchema = z.strictObject({
  url: text
    .refine(
      isRedisUrl,
      'a URL such as redis://127.0.0.1:6379 or rediss://…; behind the port at most the number of a database; in the password # % / ? @ as %23 %25 %2F %3F %40',
    )
    .optional(),
  /** They are asked for the primary at every connect. */
  sentinels: addresses.optional(),
  /** How the Sentinels call the primary. */
  name: text.optional(),
  sentinelUsername: text.optional(),
  sentinelPassword: z.string().optional(),
  /** Some nodes of a cluster: any that answers tells the others. */
  cluster: addresses.optional(),
  /** Instead of the user and password of the url. */
  username: text.optional(),
  password: z.string().optional(),
  /** A database's number, behind Sentinels. */
  db: count(0, 999_999_999).optional(),
  /** For a url rediss:// says the same as `enabled`. */
  tls: z
    .strictObject({
      enabled: z.boolean({ error: 'true or false' }).default(false),
      ca: text.optional(),
      cert: text.optional(),
      key: text.optional(),
      servername: text.optional(),
    })
    .prefault({}),
});

export const sourceSchema = z.strictObject({
  /** An ADO connection string; instead of it server, port, database, user and so on. */
  connection: text.optional(),
  server: text.optional(),
  port: count(1, 65_535).optional(),
  database: text.optional(),
  user: text.optional(),
  password: z.string().optional(),
  encrypt: z.union([z.boolean(), z.literal('strict')], { error: 'true, false or strict' }).optional(),
  trustServerCertificate: z.boolean({ error: 'true or false' }).optional(),
  instanceName: text.optional(),
  /** Windows domain, for NTLM. */
  domain: text.optional(),
  hostNameInCertificate: text.optional(),
  /** For listeners of availability groups. */
  multiSubnetFailover: z.boolean({ error: 'true or false' }).optional(),
  isolation: choice(['auto', 'snapshot', 'readCommitted']).default('auto'),
  claims: choice(['implied', 'confirmed']).default('implied'),
  polling: z
    .strictObject({
      ladder: ladder.prefault(['50ms x5', '200ms x15', '1s x80', '5s']),
      confirm: duration({ min: '100ms', max: '1h' }).prefault('1s'),
    })
    .prefault({}),
  limits: sourceLimits.prefault({}),
});

const anyCharacters = count(0, 1000);

/** How one column stands in the documents. */
const columnShape = z.strictObject({
  /** Its property's name. */
  as: text.optional(),
  exclude: z.literal(true, { error: 'true; otherwise leave the key out' }).optional(),
  /** Keyed and stable; columns of one domain give equal values equal hashes. */
  hash: z
    .union([z.literal(true), z.strictObject({ domain: text })], { error: 'true, or { domain: a name that columns share }' })
    .optional(),
  mask: z
    .union([z.literal(true), z.strictObject({ keepFirst: anyCharacters.optional(), keepLast: anyCharacters.optional() })], {
      error: 'true, or { keepFirst: characters, keepLast: characters }',
    })
    .optional(),
  /** The first so many characters. */
  truncate: count(1, 1_000_000).optional(),
});

export const tableSchema = z.strictObject({
  table: z.string({ error: TABLE_NAME_RULE }).refine((value) => parseTableName(value) !== null, TABLE_NAME_RULE),
  /** May be left out when there is one source. */
  source: name.optional(),
  /** Default: the table's name without schema, where it is a legal and free name. */
  section: name.optional(),
  polling: z.strictObject({ max: duration({ min: '10ms', max: '1d' }).optional() }).prefault({}),
  columns: z
    .union([z.literal('all'), z.array(text).min(1), z.strictObject({ exclude: z.array(text).min(1) })], {
      error: 'all, a list of columns, or { exclude: [columns] }',
    })
    .default('all'),
  /** Columns whose text is nested JSON in the document. */
  json: z.array(text).default([]),
  /** By column: rename, exclude, hash, mask or truncate. */
  shape: z.record(z.string(), columnShape, { error: 'a map of columns' }).default({}),
  /** A row filter in the documented grammar. */
  filter: text.optional(),
  /** none: nothing is loaded, rows are published as they change from now on, and upTo is never claimed. */
  initial: choice(['full', 'none']).default('full'),
  /** How fast a first load, or a replacement, may go. */
  load: z
    .strictObject({
      rowsPerSecond: count(1, 10_000_000).optional(),
      timeShare: share.optional(),
      /** Load even where Redis seems to have no room for it. */
      ignoreMemory: z.boolean({ error: 'true or false' }).default(false),
    })
    .prefault({}),
  /** resync: it is read anew by itself, by patches where the source is the same. stop: with its code, until an operator acts. */
  onLostHistory: choice(['resync', 'stop']).default('resync'),
});

export const configSchema = z.strictObject({
  sources: z.record(z.string(), sourceSchema, { error: 'a map of sources: at least one' }),
  manager: z.strictObject({
    redis: redisSchema,
    partition: name,
    heartbeat: duration({ min: '250ms', max: '5m' }).prefault('5s'),
    lease: duration({ min: '1s', max: '10m' }).prefault('10s'),
    /** Keys are told on a channel of their own, for subscribers without documents. */
    invalidations: z.boolean({ error: 'true or false' }).default(false),
    /** Bounds of the change log that subscribers catch up from. */
    replay: z
      .strictObject({
        maxBytes: size({ min: '64KiB', max: '4GiB' }).prefault('16MiB'),
        maxAge: duration({ min: '1s', max: '30d' }).prefault('1h'),
      })
      .prefault({}),
  }),
  checkpoint: z
    .strictObject({
      /** sqlserver: in Redis, and in a row of the source's own database, which proves a restore. */
      store: choice(['redis', 'sqlserver']).default('redis'),
    })
    .prefault({}),
  batch: z
    .strictObject({
      rows: count(1, 7000).default(500),
      bytes: size({ min: '1KiB', max: '64MiB' }).prefault('256KiB'),
      /** Scripts under way at a time, per section. */
      inFlight: count(1, 64).default(4),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** A row with a greater value is not published. */
      maxDocument: size({ min: '1KiB', max: '64MiB' }).prefault('1MiB'),
      /** The greatest share of a section's documents that a sweep removes without a confirmation. */
      sweepShare: share.default(0.2),
    })
    .prefault({}),
  /** Rows that cannot be published. */
  quarantine: z
    .strictObject({
      /** With one row more the section stops: a mass problem is no row problem. */
      maxRows: count(0, 100_000).default(1000),
      /** A row is tried again when it was tried so long ago. */
      retryAfter: duration({ min: '1s', max: '30d' }).prefault('1h'),
      /** More rows than this are an alert. */
      alertAbove: count(0, 100_000).default(0),
    })
    .prefault({}),
  tables: z.array(tableSchema, { error: 'a list of tables' }).default([]),
  shaping: z
    .strictObject({
      /** The secret of hashed columns: another one makes other hashes, so it is kept like the data. */
      hashKey: z.string({ error: HASH_KEY_RULE }).min(HASH_KEY_MIN, HASH_KEY_RULE).optional(),
    })
    .prefault({}),
  /** How long a stop may take. */
  daemon: z.strictObject({ shutdown: duration({ min: '1s', max: '10m' }).prefault('25s') }).prefault({}),
  http: z.strictObject({ host: text.default('127.0.0.1'), port: count(0, 65_535).default(9464) }).prefault({}),
  log: z.strictObject({ level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info') }).prefault({}),
});

type Parsed = z.output<typeof configSchema>;

type DeepReadonly<T> = T extends (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

export type SourceConfig = DeepReadonly<z.output<typeof sourceSchema>>;

/** A table's entry with everything filled in that has a default. */
export type TableConfig = DeepReadonly<Omit<z.output<typeof tableSchema>, 'section' | 'source'>> & {
  readonly section: string;
  readonly source: string;
};

/** The configuration as the daemon takes it: whole, deeply frozen; durations in ms, sizes in bytes. */
export type Config = DeepReadonly<Omit<Parsed, 'tables'>> & { readonly tables: readonly TableConfig[] };

/** Paths whose values are never printed; `*` stands for one name. */
export const SECRET_PATHS: readonly (readonly string[])[] = [
  ['sources', '*', 'connection'],
  ['sources', '*', 'password'],
  ['manager', 'redis', 'url'],
  ['manager', 'redis', 'password'],
  ['manager', 'redis', 'sentinelPassword'],
  ['manager', 'redis', 'tls', 'key'],
  ['shaping', 'hashKey'],
];
