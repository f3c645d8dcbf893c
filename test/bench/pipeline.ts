/**
 * `npm run bench -- pipeline`: how fast a backlog drains, in rows a second and CPU of this process a row, beside a plain sequential loop over
 * the same source into the same Redis, in one run, alternating. At the end the documents of both are compared.
 */
import { Redis } from 'ioredis';
import sql from 'mssql';
import pino from 'pino';
import { parseConfig } from '../../src/config/load.ts';
import { createDaemon } from '../../src/daemon/daemon.ts';
import { startPrivateRedis } from '../../src/demo/private-redis.ts';
import { sqlServerChangeTracker } from '../../src/source/sqlserver/sql-server-change-tracker.ts';
import { sectionKeys } from '../../src/wire/keys.ts';
import { createTable, currentVersion, makeBacklog, startServer, TABLE } from './backlog.ts';
import { drain, loadAll, type SequentialLoop } from './sequential.ts';

const PARTITION = 'bench';
const SECTION = 'bench';

interface Figures {
  readonly seconds: number;
  /** Microseconds of CPU of this process, user and system. */
  readonly cpuUs: number;
}

/** @returns whether both left equal documents */
export async function benchPipeline(args: readonly string[]): Promise<boolean> {
  const rows = option(args, '--rows', 200_000);
  const rounds = option(args, '--rounds', 3);
  await using server = await startServer();
  await using redisServer = await startPrivateRedis();
  const pool = await new sql.ConnectionPool(server.connectionString).connect();
  const redis = new Redis(redisServer.url);
  const logger = pino({ level: 'silent' });
  const tracker = sqlServerChangeTracker({ source: 'bench', connection: server.connectionString, limits: { timeShare: 1 }, logger });
  const signal = new AbortController().signal;
  try {
    console.log(`${rows} rows of ten columns, about 200 bytes; every round updates two columns of each`);
    await createTable(pool, rows);
    await tracker.open({ signal });
    const table = await tracker.describe({ ...TABLE, columns: 'all', json: [], filter: null }, { signal });
    const loop: SequentialLoop = { tracker, table, redis, prefix: 'sequential:' };
    await loadAll(loop);
    await runDaemon(server.connectionString, redisServer.url, redis, await currentVersion(pool));
    const results: Record<'patchwire' | 'sequential', Figures[]> = { patchwire: [], sequential: [] };
    for (let round = 1; round <= rounds; round += 1) {
      const from = await currentVersion(pool);
      await makeBacklog(pool, rows);
      const to = await currentVersion(pool);
      const runs = {
        patchwire: () => runDaemon(server.connectionString, redisServer.url, redis, to),
        sequential: () => measure(async () => void (await drain(loop, from))),
      };
      for (const name of round % 2 === 0 ? (['sequential', 'patchwire'] as const) : (['patchwire', 'sequential'] as const)) {
        const figures = await runs[name]();
        results[name].push(figures);
        console.log(`round ${round} ${name.padEnd(10)} ${describe(figures, rows)}`);
      }
    }
    for (const [name, figures] of Object.entries(results)) {
      console.log(
        `median  ${name.padEnd(10)} ${describe({ seconds: median(figures.map((f) => f.seconds)), cpuUs: median(figures.map((f) => f.cpuUs)) }, rows)}`,
      );
    }
    const different = await compare(redis, rows);
    console.log(different === 0 ? `equal: ${rows} documents of both loops` : `NOT equal: ${different} of ${rows} documents differ`);
    return different === 0;
  } finally {
    await tracker[Symbol.asyncDispose]();
    redis.disconnect();
    await pool.close();
  }
}

/** Starts the whole daemon, measures until its checkpoint has reached `version`, and stops it. */
async function runDaemon(connection: string, redisUrl: string, redis: Redis, version: bigint): Promise<Figures> {
  const config = parseConfig(
    JSON.stringify({
      sources: { bench: { connection, limits: { timeShare: 1 } } },
      manager: { redis: { url: redisUrl }, partition: PARTITION },
      tables: [{ table: 'dbo.Bench', section: SECTION }],
      http: { port: 0 },
      log: { level: 'silent' },
    }),
    { origin: 'bench', folder: '.', env: {} },
  );
  const daemon = createDaemon(config);
  try {
    return await measure(async () => {
      await daemon.start();
      const { meta } = sectionKeys(PARTITION, SECTION);
      for (;;) {
        const [state, upTo] = await redis.hmget(meta, 'state', 'upTo');
        if (state === 'live' && BigInt(upTo === null || upTo === undefined || upTo === '' ? 0 : upTo) >= version) {
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
  } finally {
    await daemon.stop();
  }
}

async function measure(work: () => Promise<void>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - began) / 1000, cpuUs: user + system };
}

async function compare(redis: Redis, rows: number): Promise<number> {
  const { document } = sectionKeys(PARTITION, SECTION);
  let different = 0;
  for (let first = 1; first <= rows; first += 1000) {
    const ids = Array.from({ length: Math.min(1000, rows - first + 1) }, (_, i) => first + i);
    const [ours, theirs] = await Promise.all([redis.mget(ids.map((id) => document + id)), redis.mget(ids.map((id) => `sequential:${id}`))]);
    different += ids.filter((_, i) => ours[i] === null || ours[i] !== theirs[i]).length;
  }
  return different;
}

function describe({ seconds, cpuUs }: Figures, rows: number): string {
  return `${Math.round(rows / seconds).toLocaleString('en')} rows/s, ${(cpuUs / rows).toFixed(1)} µs of CPU a row`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function option(args: readonly string[], name: string, fallback: number): number {
  const at = args.indexOf(name);
  return at < 0 ? fallback : Number(args[at + 1]);
}
