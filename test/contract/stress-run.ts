/**
 * One seeded run of everything at once: writers with random transactions, late commits, cut connections and restarts of the section, through
 * the real driver and a real Redis. It ends when nothing moves any more, and compares what Redis holds with what the tables hold, read by a
 * query of its own. Also samples position and documents together meanwhile, to hold them against what was committed when.
 */
import { pino } from 'pino';
import sql from 'mssql';
import { systemClock } from '../../src/lib/clock.ts';
import { seededRandom } from '../../src/lib/random.ts';
import type { Random } from '../../src/lib/random.ts';
import { redisDataManager } from '../../src/manager/redis/redis-data-manager.ts';
import { silentObserver } from '../../src/observe/section-observer.ts';
import { runSection } from '../../src/pipeline/section.ts';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { sqlServerChangeTracker } from '../../src/source/sqlserver/sql-server-change-tracker.ts';
import type { TestRedis } from '../support/redis.ts';
import { dropDatabase } from '../support/drop-database.ts';

export interface StressOptions {
  readonly seed: number;
  readonly sandbox: Sandbox;
  readonly redis: TestRedis;
  readonly snapshot: boolean;
  readonly claims: 'implied' | 'confirmed';
  /** Milliseconds of writing. */
  readonly writeMs: number;
  /** Whether late commits are made: only what is claimed by `confirmed` holds then. */
  readonly gaps: boolean;
}

const WRITER = 'stress-writer';
const CONFIRM_MS = 400;
const GAP_MS = 120;
const QUIET_LIMIT_MS = 30_000;

/** One table: its section is named after it. The select gives the key's values as k0 and k1, in key order. */
interface StressTable {
  readonly section: string;
  readonly filter: string | null;
  readonly sql: string;
  readonly select: string;
  readonly document: (row: Row) => Readonly<Record<string, unknown>>;
}

const TABLES: readonly StressTable[] = [
  {
    section: 'Counters',
    filter: null,
    sql: 'CREATE TABLE dbo.Counters (Id int NOT NULL PRIMARY KEY, N int NOT NULL, Pad nvarchar(200) NULL)',
    select: 'SELECT CONVERT(nvarchar(20), Id) AS k0, Id, N, Pad FROM dbo.Counters',
    document: (row: Row) => ({ Id: row['Id'], N: row['N'], Pad: row['Pad'] }),
  },
  {
    section: 'Names',
    filter: "State <> N'gone'",
    sql: 'CREATE TABLE dbo.Names (Name nvarchar(40) COLLATE Latin1_General_100_CI_AS NOT NULL PRIMARY KEY, N bigint NOT NULL, State nvarchar(10) NULL)',
    select: "SELECT Name AS k0, Name, CONVERT(nvarchar(20), N) AS N, State FROM dbo.Names WHERE State <> N'gone'",
    document: (row: Row) => ({ Name: row['Name'], N: row['N'], State: row['State'] }),
  },
  {
    section: 'Moments',
    filter: null,
    sql: 'CREATE TABLE dbo.Moments (At datetimeoffset(3) NOT NULL PRIMARY KEY, N int NULL)',
    select: 'SELECT CONVERT(nvarchar(40), At, 121) AS k0, CONVERT(nvarchar(40), At, 121) AS At, N FROM dbo.Moments',
    document: (row: Row) => ({ At: isoOf(String(row['At'])), N: row['N'] }),
  },
  {
    section: 'Pairs',
    filter: null,
    sql: 'CREATE TABLE dbo.[Pa]]irs] (B varbinary(8) NOT NULL, [the key] varchar(10) NOT NULL, N int NULL, PRIMARY KEY ([the key], B))',
    select: 'SELECT [the key] AS k0, B AS k1, B, [the key], N FROM dbo.[Pa]]irs]',
    document: (row: Row) => ({ B: (row['B'] as Buffer).toString('base64'), 'the key': row['the key'], N: row['N'] }),
  },
];

type Row = Readonly<Record<string, unknown>>;

/** What a writer knows of a committed counter: its version, and the value that it has at least from then on. */
interface Committed {
  readonly id: number;
  readonly n: number;
  readonly version: bigint;
}

interface Sample {
  readonly epoch: string;
  readonly upTo: bigint;
  readonly counters: ReadonlyMap<number, number>;
}

export interface StressResult {
  /** What differs at the end, in words; empty: nothing. */
  readonly differences: readonly string[];
  /** Claims of upTo that did not hold, in words. */
  readonly falseClaims: readonly string[];
  /** What went backwards, in words. */
  readonly backwards: readonly string[];
  readonly restarts: number;
  readonly cuts: number;
  readonly commits: number;
  readonly codes: readonly string[];
}

export async function stressRun(options: StressOptions): Promise<StressResult> {
  const { seed, sandbox, redis, snapshot, claims } = options;
  const random = seededRandom(seed);
  const name = `stress_${process.pid}_${seed}_${Date.now().toString(36)}`;
  const master = await connect(sandbox.connectionString('master'));
  await master.request().batch(`CREATE DATABASE [${name}]`);
  await master.request().batch(`ALTER DATABASE [${name}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)`);
  if (snapshot) {
    await master.request().batch(`ALTER DATABASE [${name}] SET ALLOW_SNAPSHOT_ISOLATION ON`);
  }
  const pool = await connect(sandbox.connectionString(name));
  for (const table of TABLES) {
    await pool.request().batch(table.sql);
    await pool
      .request()
      .batch(`ALTER TABLE ${table.section === 'Pairs' ? 'dbo.[Pa]]irs]' : `dbo.${table.section}`} ENABLE CHANGE_TRACKING`);
  }
  await fill(pool, random);

  const partition = redis.partition();
  const logger = pino({ level: process.env['STRESS_LOG'] ?? 'silent' });
  const codes = new Set<string>();
  const stopping = new AbortController();
  let restarts = 0;
  const daemons = TABLES.flatMap((table) => (table.section === 'Counters' ? [table, table] : [table]));
  const sections = daemons.map(async ({ section, filter }) => {
    while (!stopping.signal.aborted) {
      const manager = redisDataManager({
        url: redis.url,
        partition,
        leaseMs: 600,
        replay: { maxBytes: 65_536, maxAgeMs: 60_000 },
        commandTimeoutMs: 3000,
        clock: systemClock,
        logger,
      });
      const tracker = sqlServerChangeTracker({
        source: 'stress',
        connection: sandbox.connectionString(name),
        claims,
        confirmMs: CONFIRM_MS,
        limits: { pageRows: 7, pageBytes: 3000, timeShare: 1, lockTimeoutMs: 300, requestTimeoutMs: 4000 },
        clock: systemClock,
        logger,
      });
      const stop = new AbortController();
      const kill = new AbortController();
      const onStop = (): void => stop.abort(new Error('the run is over'));
      stopping.signal.addEventListener('abort', onStop);
      const timer = setTimeout(() => (random() < 0.5 ? kill : stop).abort(new Error('restart')), 300 + random() * random() * 8000);
      const quiet = setInterval(() => quietened(), 50);
      const quietened = (): void => {
        if (writing.signal.aborted) {
          clearTimeout(timer);
        }
      };
      try {
        await manager.open({ signal: stop.signal });
        await tracker.open({ signal: stop.signal });
        await runSection({
          section,
          selection: { schema: 'dbo', name: section === 'Pairs' ? 'Pa]irs' : section, columns: 'all', json: [], filter },
          tracker,
          manager,
          ladder: {
            steps: [
              { delayMs: 15, count: 20 },
              { delayMs: 60, count: Number.POSITIVE_INFINITY },
            ],
          },
          confirmMs: CONFIRM_MS,
          batch: { rows: 3, bytes: 2000, inFlight: 3 },
          heartbeatMs: 150,
          leaseMs: 600,
          faultedRetryMs: 500,
          clock: systemClock,
          random,
          logger: logger.child({ section }),
          observer: {
            ...silentObserver,
            error: (code) => codes.add(code),
          },
          stop: stop.signal,
          kill: kill.signal,
        });
      } catch (error) {
        logger.debug({ err: error }, 'run ended');
      } finally {
        clearTimeout(timer);
        clearInterval(quiet);
        stopping.signal.removeEventListener('abort', onStop);
        await tracker[Symbol.asyncDispose]();
        await manager[Symbol.asyncDispose]();
      }
      restarts += 1;
    }
  });

  const writing = new AbortController();
  const until = Date.now() + options.writeMs;
  const committed: Committed[] = [];
  const samples: Sample[] = [];
  let commits = 0;
  let cuts = 0;
  const writers = [0, 1, 2, 3, 4].map(async (writer) => {
    const own = await connect(sandbox.connectionString(name));
    while (Date.now() < until) {
      commits += (await transaction(own, random)) ? 1 : 0;
      const counted = await count(own, writer, random);
      if (counted !== null) {
        committed.push(counted);
      }
      await sleep(random() * 10);
    }
    await own.close();
  });
  const trouble = (async () => {
    while (Date.now() < until) {
      await sleep(30 + random() * 250);
      if (options.gaps) {
        sandbox.control.setVisibilityGap(random() < 0.6 ? Math.round(random() * GAP_MS) : 0);
      }
      if (random() < 0.35) {
        cuts += sandbox.control.cutConnections('patchwire');
      }
      if (random() < 0.1) {
        await redis.raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      }
      if (random() < 0.15) {
        await ask(redis, partition, random);
      }
      if (random() < 0.2) {
        sandbox.control.slowAnswers(random() * 40, { appName: 'patchwire', count: 5 });
      }
    }
  })();
  const sampling = (async () => {
    while (Date.now() < until) {
      const sample = await takeSample(redis, partition);
      if (sample !== null) {
        samples.push(sample);
      }
      await sleep(15);
    }
  })();
  await Promise.all([...writers, trouble, sampling]);
  writing.abort();
  sandbox.control.setVisibilityGap(0);
  sandbox.control.slowAnswers(0, { appName: 'patchwire' });

  const quietUntil = Date.now() + QUIET_LIMIT_MS;
  let differences = await compare(pool, redis, partition);
  while (differences.length > 0 && Date.now() < quietUntil) {
    await sleep(100);
    differences = await compare(pool, redis, partition);
  }
  stopping.abort();
  await Promise.all(sections);
  await pool.close();
  await dropDatabase(master, name);
  await master.close();
  return {
    differences,
    falseClaims: falseClaims(committed, samples),
    backwards: backwards(samples),
    restarts,
    cuts,
    commits,
    codes: [...codes],
  };
}

/** An operator asks something of some section: a poll, to read again from a version, a load anew. */
async function ask(redis: TestRedis, partition: string, random: Random): Promise<void> {
  const { section } = pick(random, TABLES);
  const manager = redisDataManager({
    url: redis.url,
    partition,
    leaseMs: 600,
    replay: { maxBytes: 65_536, maxAgeMs: 60_000 },
    commandTimeoutMs: 3000,
    clock: systemClock,
  });
  const { signal } = new AbortController();
  try {
    await manager.open({ signal });
    const meta = await manager.readMeta(section);
    const to: Readonly<Record<string, string>> = { to: String((meta?.checkpoint ?? 0n) - BigInt(int(random, 4))) };
    const [verb, args] = pick(random, [
      ['poll', {}] as const,
      ['reset', to] as const,
      ['reset', to] as const,
      ['reset', {}] as const,
      ['purge', {}] as const,
    ]);
    await manager.request(section, { id: `r${int(random, 1e9)}`, verb, args, who: 'stress' });
  } catch {
    // A Redis under load may be slow: nobody asked then.
  } finally {
    await manager[Symbol.asyncDispose]();
  }
}

async function connect(connectionString: string): Promise<sql.ConnectionPool> {
  const parsed = sql.ConnectionPool.parseConnectionString(connectionString) as sql.config;
  const pool = new sql.ConnectionPool({ ...parsed, pool: { max: 1, min: 0 }, options: { ...parsed.options, appName: WRITER } });
  pool.on('error', () => undefined);
  return await pool.connect();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

const int = (random: Random, below: number): number => Math.floor(random() * below);
const text = (value: string): string => `N'${value.replaceAll("'", "''")}'`;

/** Few keys, so that they meet: spellings of one key, separators, blanks, nothing, an unpaired surrogate by its code. */
const NAMES = [
  'a',
  'A',
  'a ',
  'A  ',
  '',
  ' ',
  'b|c',
  'B|c',
  '50%',
  "o'x",
  'é',
  'É',
  'e',
  'ss',
  'SS',
  'null',
  'NULL',
  '日本',
  '[x]',
  '__proto__',
  'y',
];
const NARROW = ['a', 'A', 'a|', '%7C', '', 'b ', 'B', 'ü', 'Ü', 'null'];
const BYTES = ['0x', '0x00', '0x01', '0x0100', '0x010000', '0xFF', '0x7C25'];

const MOMENTS = [
  '2026-01-31 00:00:00 +00:00',
  '2026-01-31 05:30:00 +05:30',
  '2026-01-30 22:00:00.000 -02:00',
  '2026-01-31 00:00:00.123 +00:00',
  '0001-01-01 00:00:00 +00:00',
  '9999-12-31 23:59:59.999 +00:00',
];

async function fill(pool: sql.ConnectionPool, random: Random): Promise<void> {
  for (let i = 0; i < 40; i += 1) {
    await pool.request().batch(`INSERT dbo.Counters VALUES (${i}, 0, NULL)`);
    await attempt(pool, `INSERT dbo.Names VALUES (${text(pick(random, NAMES))}, ${i}, N'ok')`);
    await attempt(pool, `INSERT dbo.[Pa]]irs] VALUES (${pick(random, BYTES)}, ${text(pick(random, NARROW))}, ${i})`);
  }
}

/** A batch that may fail: two spellings of one key, a lock, a deadlock. */
async function attempt(pool: sql.ConnectionPool, batch: string): Promise<boolean> {
  try {
    await pool.request().batch(batch);
    return true;
  } catch {
    return false;
  }
}

/** Some random statements, alone or as one transaction that is committed or rolled back. */
async function transaction(pool: sql.ConnectionPool, random: Random): Promise<boolean> {
  const statements = Array.from({ length: 1 + int(random, 4) }, () => statement(random));
  if (random() < 0.4) {
    return await attempt(pool, `SET XACT_ABORT OFF; SET LOCK_TIMEOUT 500; ${statements[0] ?? ''}`);
  }
  const end = random() < 0.75 ? 'COMMIT' : 'ROLLBACK';
  const body = `SET LOCK_TIMEOUT 500; SET XACT_ABORT ON; BEGIN TRANSACTION; ${statements.join('; ')}; ${end} TRANSACTION;`;
  if (await attempt(pool, body)) {
    return end === 'COMMIT';
  }
  await attempt(pool, 'IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION');
  return false;
}

function statement(random: Random): string {
  const [n, name, narrow, bytes] = [int(random, 1000), text(pick(random, NAMES)), text(pick(random, NARROW)), pick(random, BYTES)];
  const moment = `'${pick(random, MOMENTS)}'`;
  const state = pick(random, ["N'ok'", "N'gone'", 'NULL', "N'new'"]);
  const spelling = text(pick(random, NAMES));
  return pick(random, [
    `UPDATE dbo.Names SET N = ${n}, State = ${state} WHERE Name = ${name}`,
    `UPDATE dbo.Names SET State = ${state} WHERE N % 3 = ${int(random, 3)}`,
    `UPDATE dbo.Names SET N = N`,
    `DELETE dbo.Names WHERE Name = ${name}`,
    `IF NOT EXISTS (SELECT 1 FROM dbo.Names WHERE Name = ${name}) INSERT dbo.Names VALUES (${name}, ${n}, ${state})`,
    `IF NOT EXISTS (SELECT 1 FROM dbo.Names WHERE Name = ${name}) INSERT dbo.Names VALUES (${name}, ${n}, N'ok')`,
    `UPDATE dbo.Names SET Name = ${spelling} WHERE Name = ${spelling}`,
    `IF NOT EXISTS (SELECT 1 FROM dbo.Names WHERE Name = ${spelling}) UPDATE dbo.Names SET Name = ${spelling} WHERE Name = ${name}`,
    `IF NOT EXISTS (SELECT 1 FROM dbo.[Pa]]irs] WHERE B = ${bytes} AND [the key] = ${narrow}) INSERT dbo.[Pa]]irs] VALUES (${bytes}, ${narrow}, ${n})`,
    `UPDATE dbo.[Pa]]irs] SET N = ${n} WHERE [the key] = ${narrow}`,
    `UPDATE dbo.[Pa]]irs] SET B = ${bytes} WHERE B = ${bytes}`,
    `UPDATE dbo.[Pa]]irs] SET [the key] = ${narrow} WHERE [the key] = ${narrow}`,
    `DELETE dbo.[Pa]]irs] WHERE [the key] = ${narrow} AND B = ${bytes}`,
    `IF NOT EXISTS (SELECT 1 FROM dbo.Moments WHERE At = ${moment}) INSERT dbo.Moments VALUES (${moment}, ${n})`,
    `UPDATE dbo.Moments SET At = ${moment} WHERE At = ${moment}`,
    `DELETE dbo.Moments WHERE At = ${moment}`,
    `IF NOT EXISTS (SELECT 1 FROM dbo.Counters WHERE Id >= 1000 AND Id < 1030) INSERT dbo.Counters VALUES (${1000 + int(random, 30)}, 0, N'new')`,
    `UPDATE dbo.Counters SET Id = Id + 1 WHERE Id >= 1000`,
    `UPDATE dbo.Counters SET Pad = REPLICATE(N'x', ${int(random, 200)}) WHERE Id % 5 = ${int(random, 5)}`,
    `DELETE dbo.Counters WHERE Id >= 1000 AND Id % 2 = ${int(random, 2)}`,
  ]);
}

/** Counts one of the writer's own rows up, and asks for the version that this got. */
async function count(pool: sql.ConnectionPool, writer: number, random: Random): Promise<Committed | null> {
  const id = int(random, 8) * 5 + writer;
  try {
    const updated = await pool
      .request()
      .batch<Row>(`SET LOCK_TIMEOUT 500; UPDATE dbo.Counters SET N = N + 1 OUTPUT inserted.N WHERE Id = ${id}`);
    const found = await pool
      .request()
      .batch<Row>(`SELECT CONVERT(nvarchar(20), c.SYS_CHANGE_VERSION) AS v FROM CHANGETABLE(VERSION dbo.Counters, (Id), (${id})) AS c`);
    const [n, version] = [updated.recordset[0]?.['N'], found.recordset[0]?.['v']];
    return typeof n === 'number' && typeof version === 'string' ? { id, n, version: BigInt(version) } : null;
  } catch {
    return null;
  }
}

const COUNTERS = Array.from({ length: 40 }, (_, id) => id);

/** upTo and all counters at one moment; null while the section claims nothing. */
async function takeSample(redis: TestRedis, partition: string): Promise<Sample | null> {
  const tag = `{${partition}:Counters}`;
  const answers = await redis.raw
    .multi()
    .hmget(`${tag}/meta`, 'upTo', 'state', 'epoch')
    .mget(COUNTERS.map((id) => `${tag}:${id}`))
    .exec();
  const [upTo, state, epoch] = (answers?.[0]?.[1] ?? []) as (string | null)[];
  const documents = (answers?.[1]?.[1] ?? []) as (string | null)[];
  if (state !== 'live' || upTo === null || upTo === undefined || upTo === '') {
    return null;
  }
  const counters = COUNTERS.flatMap((id, i): [number, number][] => {
    const document = documents[i];
    return document === null || document === undefined ? [] : [[id, (JSON.parse(document) as { N: number }).N]];
  });
  return { epoch: epoch ?? '', upTo: BigInt(upTo), counters: new Map(counters) };
}

/** Each counter is counted by one writer: what was committed at a version below upTo must be in the sample. */
function falseClaims(committed: readonly Committed[], samples: readonly Sample[]): string[] {
  return samples.flatMap(({ upTo, counters }) =>
    committed
      .filter(({ id, n, version }) => version <= upTo && (counters.get(id) ?? -1) < n)
      .map(({ id, n, version }) => `upTo ${upTo} without ${id}=${n} of version ${version} (${counters.get(id)})`),
  );
}

function backwards(samples: readonly Sample[]): string[] {
  return samples.flatMap(({ epoch, upTo, counters }, i) => {
    const before = samples[i - 1];
    if (before?.epoch !== epoch) {
      return [];
    }
    const fallen = [...before.counters].filter(([id, n]) => (counters.get(id) ?? -1) < n).map(([id, n]) => `${id} fell below ${n}`);
    return upTo < before.upTo ? [...fallen, `upTo fell from ${before.upTo} to ${upTo}`] : fallen;
  });
}

async function compare(pool: sql.ConnectionPool, redis: TestRedis, partition: string): Promise<string[]> {
  const differences: string[] = [];
  for (const table of TABLES) {
    const { recordset } = await pool.request().batch<Row>(table.select);
    const expected = new Map(
      recordset.map((row) => [dataKeyOf('At' in row ? { k0: isoOf(String(row['At'])) } : row), JSON.stringify(table.document(row))]),
    );
    const tag = `{${partition}:${table.section}}`;
    const keys = (await redis.raw.keys(`${tag}:*`)).toSorted();
    const values = keys.length === 0 ? [] : await redis.raw.mget(keys);
    const found = new Map(keys.map((key, i) => [key.slice(tag.length + 1), values[i] ?? '']));
    for (const key of new Set([...expected.keys(), ...found.keys()])) {
      if (expected.get(key) !== found.get(key)) {
        differences.push(`${table.section} ${JSON.stringify(key)}: table ${expected.get(key)}, redis ${found.get(key)}`);
      }
    }
    const entries = await redis.raw.hlen(`${tag}/index`);
    if (entries !== expected.size) {
      differences.push(`${table.section}: ${expected.size} rows, ${entries} index entries`);
    }
  }
  return differences;
}

/** 2026-01-31 05:30:00.000 +05:30 as 2026-01-31T05:30:00.000+05:30. */
function isoOf(at: string): string {
  return at.replace(' ', 'T').replace(' ', '');
}

function dataKeyOf(row: Row): string {
  return ['k0', 'k1']
    .flatMap((name) => (name in row ? [row[name]] : []))
    .map((value) => encodeURIComponent(Buffer.isBuffer(value) ? value.toString('base64') : String(value)))
    .join('|');
}
