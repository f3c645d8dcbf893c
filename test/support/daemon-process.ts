/**
 * A database, a partition and a configuration for `patchwire run` as a process of its own, and how to wait until it has caught up. Waits are
 * for conditions that are read from Redis and SQL Server; the limits are generous, and name what did not come.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { ConnectionPool } from 'mssql';
import { subscribe } from '../../src/subscriber/index.ts';
import type { Replica, SubscriberEvent } from '../../src/subscriber/index.ts';
import { type CliOptions, type CliResult, runCli, type RunningCli, startCli } from './cli.ts';
import { replicaDifferences, sectionDifferences, type TableShape } from './equality.ts';
import type { TestRedis } from './redis.ts';
import type { TestDatabase } from './sandbox.ts';
import { temporaryFolder } from './temporary-folder.ts';

const LIMIT_MS = 60_000;

/** Waits until `look` returns something other than null, undefined or false. @throws Error that names what did not come */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  limitMs = LIMIT_MS,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) {
      return seen;
    }
    if (Date.now() > end) {
      throw new Error(`it did not come in ${limitMs} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface TableEntry {
  readonly shape: TableShape;
  /** Keys of the table's entry in the configuration, beside table and section. */
  readonly entry?: Readonly<Record<string, unknown>>;
}

export interface WorldOptions {
  readonly database: TestDatabase;
  readonly redis: TestRedis;
  readonly tables: readonly TableEntry[];
  /** What the daemon is given instead of the url of the Redis: a gate before it. */
  readonly redisUrl?: string;
  /** What stands in manager.redis instead, and what subscribers are given: Sentinels, or a cluster. */
  readonly redisPlaces?: { readonly sentinels: readonly string[]; readonly name: string } | { readonly cluster: readonly string[] };
  readonly connection?: string;
  /** Keys beside those of the harness. */
  readonly source?: Readonly<Record<string, unknown>>;
  readonly batch?: Readonly<Record<string, unknown>>;
  readonly lease?: string;
}

export interface FollowedReplica {
  readonly replica: Replica;
  readonly events: SubscriberEvent[];
}

export interface DaemonWorld {
  readonly partition: string;
  readonly raw: Redis;
  readonly pool: ConnectionPool;
  readonly cli: CliOptions;
  /** Runs batches in order. */
  sql(...batches: string[]): Promise<void>;
  /** `patchwire run`. */
  daemon(...args: string[]): DaemonProcess;
  /** Another command of the CLI, to its end. */
  command(...args: string[]): Promise<CliResult>;
  /** A replica of a section with all its events. Closed with the world. */
  follow(section: string): FollowedReplica;
  version(): Promise<bigint>;
  meta(section: string): Promise<Readonly<Record<string, string>>>;
  /** Waits until all sections (or those named) are live and contain everything committed until now. @returns the version */
  caughtUp(...sections: string[]): Promise<bigint>;
  /** Waits as `caughtUp`, then compares tables, Redis and the replicas. @returns the differences */
  differences(...sections: string[]): Promise<string[]>;
  /** Waits as `caughtUp`; where a test begins. @throws Error with the differences when there are any */
  equal(): Promise<void>;
  close(): Promise<void>;
}

/** A running daemon. Disposal kills it. */
export interface DaemonProcess extends AsyncDisposable {
  readonly cli: RunningCli;
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
  ready(): Promise<void>;
  /** Waits for a line of the log. */
  line(text: string | RegExp): Promise<Record<string, unknown>>;
  /** SIGTERM, and its end. */
  stop(): Promise<CliResult>;
  /** kill -9, and its end. */
  kill(): Promise<void>;
}

export function daemonWorld(options: WorldOptions): DaemonWorld {
  const { database, redis, tables } = options;
  const partition = redis.partition();
  const cwd = temporaryFolder('e2e');
  // YAML contains JSON.
  const config = {
    sources: {
      shop: {
        connection: '${env:PATCHWIRE_MSSQL}',
        ...options.source,
        polling: { ladder: ['20ms'], confirm: '200ms', ...(options.source?.['polling'] as object | undefined) },
        limits: { timeShare: 1, ...(options.source?.['limits'] as object | undefined) },
      },
    },
    manager: {
      redis: options.redisPlaces ?? { url: options.redisUrl ?? redis.url },
      partition,
      heartbeat: '250ms',
      lease: options.lease ?? '1s',
    },
    ...(options.batch === undefined ? {} : { batch: options.batch }),
    tables: tables.map(({ shape, entry }) => ({ table: shape.table, section: shape.section, ...entry })),
    http: { port: 0 },
  };
  writeFileSync(join(cwd, 'cdc.config.yaml'), JSON.stringify(config, null, 2));
  const cli: CliOptions = { cwd, env: { PATCHWIRE_MSSQL: options.connection ?? database.connectionString } };
  const raw = redis.raw;
  const pool = database.pool;
  const replicas = new Map<string, FollowedReplica>();
  const daemons: DaemonProcess[] = [];
  const all = tables.map(({ shape }) => shape.section);

  const version = async (): Promise<bigint> => {
    const [row] = await database.rows<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
    return BigInt(row?.v ?? -1);
  };
  const meta = (section: string): Promise<Record<string, string>> => raw.hgetall(`{${partition}:${section}}/meta`);
  const caughtUp = async (...sections: string[]): Promise<bigint> => {
    const target = await version();
    for (const section of sections.length === 0 ? all : sections) {
      let last: Record<string, string> = {};
      await until(`${section} at version ${target}`, async () => {
        last = await meta(section);
        const reached = (name: string): boolean => BigInt(last[name] || -1) >= target;
        return last['state'] === 'live' && reached('checkpoint') && reached('upTo');
      }).catch((error: unknown) => {
        const output = daemons.flatMap((daemon) => [...daemon.cli.stdout, ...daemon.cli.stderr].slice(-15)).join('\n');
        throw new Error(`${String(error)}; meta: ${JSON.stringify(last)}; the daemons said:\n${output}`);
      });
      await replicas.get(section)?.replica.waitForVersion(target, { timeoutMs: LIMIT_MS });
    }
    return target;
  };
  const differences = async (...sections: string[]): Promise<string[]> => {
    await caughtUp(...sections);
    const lines: string[] = [];
    for (const { shape } of tables.filter((table) => sections.length === 0 || sections.includes(table.shape.section))) {
      lines.push(...(await sectionDifferences({ pool, redis: raw, partition }, shape)));
      const followed = replicas.get(shape.section);
      if (followed !== undefined) {
        // What it contains may be whole while it still replays what a cut made it doubt; what does not come is told below.
        await until('an equal replica', () => followed.replica.state().equal, 20_000).catch(() => null);
        lines.push(...(await replicaDifferences(pool, shape, followed.replica)));
        const { equal, reasons } = followed.replica.state();
        lines.push(...(equal ? [] : [`the replica of ${shape.section} calls itself not equal: ${reasons.join(', ')}`]));
      }
    }
    return lines;
  };
  return {
    partition,
    raw,
    pool,
    cli,
    sql: async (...batches) => {
      for (const batch of batches) {
        await pool.request().batch(batch);
      }
    },
    daemon: (...args) => {
      const daemon = daemonProcess(startCli(['run', ...args], cli));
      daemons.push(daemon);
      return daemon;
    },
    command: (...args) => runCli(args, cli),
    follow: (section) => {
      const events: SubscriberEvent[] = [];
      const replica = subscribe({ redis: options.redisPlaces ?? redis.url, partition, section, onEvent: (event) => events.push(event) });
      const followed = { replica, events };
      replicas.set(section, followed);
      return followed;
    },
    version,
    meta,
    caughtUp,
    differences,
    equal: async () => {
      const lines = await differences();
      if (lines.length > 0) {
        throw new Error(lines.join('\n'));
      }
    },
    close: async () => {
      for (const daemon of daemons) {
        await daemon[Symbol.asyncDispose]();
      }
      for (const { replica } of replicas.values()) {
        await replica.close();
      }
    },
  };
}

function daemonProcess(cli: RunningCli): DaemonProcess {
  let address: { readonly host: string; readonly port: number } | null = null;
  const line = async (text: string | RegExp): Promise<Record<string, unknown>> =>
    JSON.parse(await cli.line((each) => (typeof text === 'string' ? each.includes(text) : text.test(each)))) as Record<string, unknown>;
  const get = async (path: string): Promise<{ status: number; body: string }> => {
    address ??= (await line('daemon starts'))['http'] as { host: string; port: number };
    const response = await fetch(`http://${address.host}:${address.port}${path}`);
    return { status: response.status, body: await response.text() };
  };
  return {
    cli,
    get,
    line,
    ready: async () => {
      let last = '';
      await until('the daemon is ready', async () => {
        const { status, body } = await get('/ready');
        last = body;
        return status === 200;
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${last}\n${cli.stdout.slice(-15).join('\n')}`);
      });
    },
    stop: async () => {
      cli.process.kill('SIGTERM');
      return await cli.exited();
    },
    kill: async () => {
      cli.process.kill('SIGKILL');
      await cli.exited();
    },
    [Symbol.asyncDispose]: () => cli[Symbol.asyncDispose](),
  };
}
