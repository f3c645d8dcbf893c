/** From the configuration to what each part asks for: the one place where names of the file meet options of the code. */
import type { Config, TableConfig } from '../config/schema.ts';
import type { Clock } from '../lib/clock.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import type { RedisTargetOptions } from '../manager/redis/connection.ts';
import { redisDataManager } from '../manager/redis/redis-data-manager.ts';
import { PatchwireError } from '../model/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { SectionOptions } from '../pipeline/section.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';
import type { CheckpointStore } from '../source/checkpoint-store.ts';
import { type SqlServerAdministration, sqlServerAdministration } from '../source/sqlserver/administration.ts';
import type { SqlServerConnection } from '../source/sqlserver/connection-options.ts';
import { parseConnectionString } from '../source/sqlserver/connection-string.ts';
import { sqlServerCheckpointStore } from '../source/sqlserver/checkpoint-store.ts';
import { sqlServerChangeTracker } from '../source/sqlserver/sql-server-change-tracker.ts';
import { REDIS_PORT } from '../wire/redis-target.ts';
import { definedFields, selectionOf } from './selection.ts';

/** A command that Redis has not answered after so long has an unknown fate; well below the lease. */
const COMMAND_TIMEOUT_SHARE = 0.5;

/** What liveness allows beyond two slow rounds: the longest wait between two tries or probes, and a probe that is not answered. */
const SILENCE_MARGIN_MS = 120_000;

interface Tools {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where the Redis is, as manager and subscribers ask for it; a url has the user and password that stand beside it. Holds the password. */
export function redisTarget({ manager }: Config): { readonly url?: string; readonly options: RedisTargetOptions } {
  const { url, sentinels, name, cluster, sentinelUsername, sentinelPassword, username, password, db, tls } = manager.redis;
  const { enabled, ...trust } = tls;
  const encrypted = enabled || (url?.startsWith('rediss:') === true && Object.keys(trust).length > 0);
  const options = encrypted ? { tls: definedFields(trust) } : {};
  if (url === undefined) {
    return {
      options: { ...options, ...definedFields({ sentinels, name, cluster, sentinelUsername, sentinelPassword, username, password, db }) },
    };
  }
  const whole = new URL(url);
  whole.username = username === undefined ? whole.username : encodeURIComponent(username);
  whole.password = password === undefined ? whole.password : encodeURIComponent(password);
  return { url: whole.href, options };
}

/** The same as a subscriber takes it: in one piece. */
export function subscriberRedis(config: Config): string | RedisTargetOptions {
  const { url, options } = redisTarget(config);
  if (url === undefined || options.tls === undefined) {
    return url ?? options;
  }
  const { hostname, port, username, password, pathname } = new URL(url);
  const db = Number(pathname.slice(1));
  const user = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { ...options, ...(username + password === '' ? {} : user), host: hostname, port: Number(port === '' ? REDIS_PORT : port), db };
}

export function createManager(config: Config, { clock, log }: Tools): DistributedDataManager {
  const { partition, lease, invalidations, replay } = config.manager;
  return redisDataManager({
    ...redisTarget(config),
    partition,
    leaseMs: lease,
    replay: { maxBytes: replay.maxBytes, maxAgeMs: replay.maxAge },
    invalidations,
    commandTimeoutMs: Math.round(lease * COMMAND_TIMEOUT_SHARE),
    clock,
    logger: log,
  });
}

/** A source's tracker, closed. @throws PatchwireError PW-C103 for a connection that cannot be honoured */
export function createTracker(
  config: Config,
  source: string,
  { clock, log, jsonKept }: Tools & { readonly jsonKept?: () => void },
): ChangeTracker {
  const { isolation, claims, polling, limits } = sourceOf(config, source);
  return ofSource(source, () =>
    sqlServerChangeTracker({
      source,
      connection: connectionOf(config, source),
      isolation,
      claims,
      confirmMs: polling.confirm,
      limits: {
        pageRows: limits.pageRows,
        pageBytes: limits.pageBytes,
        readers: limits.readers,
        timeShare: limits.timeShare,
        lockTimeoutMs: limits.lockTimeout,
        requestTimeoutMs: limits.requestTimeout,
      },
      maxDocumentBytes: config.limits.maxDocument,
      ...definedFields({ hashKey: config.shaping.hashKey }),
      clock,
      logger: log,
      ...(jsonKept === undefined ? {} : { onJsonKept: jsonKept }),
    }),
  );
}

/** The checkpoint rows in a source's database, closed; null: by the configuration there are none. @throws PatchwireError PW-C103 as above */
export function createCheckpoints(config: Config, source: string, { clock, log }: Tools): CheckpointStore | null {
  const { limits } = sourceOf(config, source);
  if (config.checkpoint.store !== 'sqlserver') {
    return null;
  }
  return ofSource(source, () =>
    sqlServerCheckpointStore({
      source,
      partition: config.manager.partition,
      connection: connectionOf(config, source),
      lockTimeoutMs: limits.lockTimeout,
      requestTimeoutMs: limits.requestTimeout,
      clock,
      logger: log,
    }),
  );
}

/** What operators' commands ask of a source beyond following it. @throws PatchwireError PW-C103 for a connection that cannot be honoured */
export function createAdministration(config: Config, source: string, { clock, log }: Tools): SqlServerAdministration {
  const { limits } = sourceOf(config, source);
  return ofSource(source, () =>
    sqlServerAdministration({
      source,
      connection: connectionOf(config, source),
      requestTimeoutMs: limits.requestTimeout,
      clock,
      logger: log,
    }),
  );
}

/** The connection string, or the fields that stand for it. */
function connectionOf(config: Config, source: string): string | SqlServerConnection {
  const {
    isolation: _isolation,
    claims: _claims,
    polling: _polling,
    limits: _limits,
    connection,
    server = '',
    ...fields
  } = sourceOf(config, source);
  return connection ?? { server, ...definedFields(fields) };
}

/** What is wrong with a connection names its source. */
function ofSource<T>(source: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof PatchwireError && error.code === 'PW-C103')) {
      throw error;
    }
    throw new PatchwireError(error.code, `source ${source}: ${error.message}`, {
      hint: error.hint,
      details: { ...error.details, source },
      cause: error,
    });
  }
}

/** `Redis at 127.0.0.1:6379`: without user and password. */
export function describeManager({ manager }: Config): string {
  const { url, sentinels, name, cluster } = manager.redis;
  if (url === undefined) {
    return cluster === undefined ? `Redis ${name} of Sentinels ${sentinels?.join(', ')}` : `Redis Cluster at ${cluster.join(', ')}`;
  }
  const { hostname, port } = new URL(url);
  return `Redis at ${hostname}:${port === '' ? '6379' : port}`;
}

/** `SQL Server (source shop at db.example,1433)`: without user and password. */
export function describeSource(config: Config, source: string): string {
  const connection = connectionOf(config, source);
  let place = '';
  try {
    // By the reader that connects: by a pattern, a part of a quoted password could pass for the server.
    const { server, port, instanceName } = typeof connection === 'string' ? parseConnectionString(connection) : connection;
    place = ` at ${server}${instanceName === undefined ? '' : `\\${instanceName}`}${port === undefined ? '' : `,${port}`}`;
  } catch {
    // Whoever connects says what is wrong with it.
  }
  return `SQL Server (source ${source}${place})`;
}

/** What a section needs of the configuration; the parts that live are added by the caller. */
export function sectionOptions(
  config: Config,
  table: TableConfig,
): Pick<
  SectionOptions,
  | 'section'
  | 'selection'
  | 'ladder'
  | 'confirmMs'
  | 'initial'
  | 'load'
  | 'onLostHistory'
  | 'sweepShare'
  | 'batch'
  | 'maxDocumentBytes'
  | 'quarantine'
  | 'heartbeatMs'
  | 'leaseMs'
> {
  const { polling } = sourceOf(config, table.source);
  return {
    section: table.section,
    selection: selectionOf(table),
    ladder: { steps: polling.ladder, maxMs: table.polling.max },
    confirmMs: polling.confirm,
    initial: table.initial,
    load: definedFields(table.load),
    onLostHistory: table.onLostHistory,
    sweepShare: config.limits.sweepShare,
    batch: config.batch,
    maxDocumentBytes: config.limits.maxDocument,
    quarantine: {
      maxRows: config.quarantine.maxRows,
      retryAfterMs: config.quarantine.retryAfter,
      alertAbove: config.quarantine.alertAbove,
    },
    heartbeatMs: config.manager.heartbeat,
    leaseMs: config.manager.lease,
  };
}

/**
 * The longest that a section's loop may go without advancing: two of its slowest rounds, what a load waits before it begins, and
 * the longest wait between tries.
 */
export function silenceMsOf(config: Config, table: TableConfig): number {
  const { polling, limits } = sourceOf(config, table.source);
  const slowest = Math.min(Math.max(...polling.ladder.map(({ delayMs }) => delayMs)), table.polling.max ?? Number.POSITIVE_INFINITY);
  return 2 * (slowest + limits.requestTimeout) + polling.confirm + config.manager.lease + SILENCE_MARGIN_MS;
}

function sourceOf(config: Config, source: string) {
  const found = config.sources[source];
  if (found === undefined) {
    throw new PatchwireError('PW-C103', `there is no source ${source}`);
  }
  return found;
}
