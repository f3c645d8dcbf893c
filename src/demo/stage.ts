/**
 * The demo's stage: a private Redis, a sandbox with the order desk loaded, the daemon with the shipped configuration, and one subscriber a
 * section. Everything is real and private to the run; all of it is gone when the disposer runs.
 */
import { fileURLToPath } from 'node:url';
import sql from 'mssql';
import { loadConfig } from '../config/load.ts';
import { createDaemon, type Daemon } from '../daemon/daemon.ts';
import { systemClock } from '../lib/clock.ts';
import type { Disposer } from '../lib/disposer.ts';
import type { Random } from '../lib/random.ts';
import { PatchwireError } from '../model/errors.ts';
import { startSandbox } from '../sandbox/server.ts';
import type { SubscriberEvent } from '../subscriber/events.ts';
import { type Replica, subscribe } from '../subscriber/index.ts';
import { CREATE_TABLES, DATABASE, SECTIONS, type SectionName, seedRows } from './order-desk.ts';
import { startPrivateRedis } from './private-redis.ts';

export const CONFIG_FILE = fileURLToPath(new URL('../../cdc.config.yaml', import.meta.url));
export const PARTITION = 'shop';

/** Long enough for a slow machine; a demo that hangs says so instead. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 100;

export interface Stage {
  readonly pool: sql.ConnectionPool;
  readonly daemon: Daemon;
  readonly replicas: ReadonlyMap<SectionName, Replica>;
  readonly connectionString: string;
  readonly redisUrl: string;
}

export interface StageOptions {
  readonly random: Random;
  readonly note: (text: string) => void;
  readonly onEvent: (section: SectionName, event: SubscriberEvent) => void;
  readonly signal: AbortSignal;
}

/** Sets the stage up; what has been acquired is with the disposer, also when it throws. */
export async function setStage(disposer: Disposer, { random, note, onEvent, signal }: StageOptions): Promise<Stage> {
  const redis = disposer.use(await startPrivateRedis());
  note(`redis-server on port ${redis.port}, private to this run`);
  const sandbox = await startSandbox();
  disposer.defer(() => sandbox.close());
  await createDatabase(sandbox.connectionString());
  const connectionString = sandbox.connectionString(DATABASE);
  const pool = new sql.ConnectionPool(connectionString);
  disposer.defer(() => pool.close());
  await pool.connect();
  for (const batch of [...CREATE_TABLES, ...seedRows(random)]) {
    signal.throwIfAborted();
    await pool.request().batch(batch);
  }
  note(`sandbox (a stand-in for SQL Server) on port ${sandbox.port}, database ${DATABASE}: five tables, change tracking on`);

  const daemon = createDaemon(
    loadConfig({
      path: CONFIG_FILE,
      env: { ...process.env, PATCHWIRE_MSSQL: connectionString, PATCHWIRE_REDIS: redis.url },
      flags: [
        { origin: 'demo', path: ['http', 'port'], value: 0 },
        { origin: 'demo', path: ['log', 'level'], value: 'error' },
        // A quiet table is asked less and less often; somebody who watches wants to see it at once.
        { origin: 'demo', path: ['sources', 'shop', 'polling', 'ladder'], value: ['50ms'] },
        { origin: 'demo', path: ['manager', 'heartbeat'], value: '500ms' },
        // For who tries the examples of the subscriber library beside it.
        { origin: 'demo', path: ['manager', 'invalidations'], value: true },
      ],
    }),
  );
  disposer.defer(() => daemon.stop());
  await daemon.start();

  const replicas = new Map(
    SECTIONS.map((section) => [
      section,
      disposer.use(subscribe({ redis: redis.url, partition: PARTITION, section, signal, onEvent: (event) => onEvent(section, event) })),
    ]),
  );
  await unlessStopped(daemon, signal, (options) => [...replicas.values()].map((replica) => replica.waitUntilLive(options)));
  const documents = [...replicas.values()].reduce((sum, replica) => sum + replica.size, 0);
  note(`daemon and a subscriber are live: ${documents} documents in ${SECTIONS.length} sections loaded`);
  return { pool, daemon, replicas, connectionString, redisUrl: redis.url };
}

async function createDatabase(connectionString: string): Promise<void> {
  const pool = await new sql.ConnectionPool(connectionString).connect();
  try {
    await pool.request().batch(`CREATE DATABASE [${DATABASE}]`);
  } finally {
    await pool.close();
  }
}

/** Waits until the replicas of these sections contain every change up to `version`. @throws PatchwireError the daemon's own when that cannot come */
export async function waitFor(stage: Stage, sections: readonly SectionName[], version: string, signal: AbortSignal): Promise<void> {
  const replicas = sections.flatMap((section) => stage.replicas.get(section) ?? []);
  await unlessStopped(stage.daemon, signal, (options) => replicas.map((replica) => replica.waitForVersion(version, options)));
}

/**
 * Waits for replicas while the daemon can still feed them: a section that has stopped ends the wait at once, one in trouble says so at its end.
 * @throws PatchwireError the section's own trouble, or PW-I901 when nobody knows of any; the signal's reason
 */
export async function unlessStopped(
  daemon: Pick<Daemon, 'status'>,
  signal: AbortSignal,
  wait: (options: { readonly signal: AbortSignal }) => readonly Promise<void>[],
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const over = new AbortController();
  const waits = wait({ signal: AbortSignal.any([signal, over.signal]) });
  const watch = async (): Promise<never> => {
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += LOOK_EVERY_MS) {
      await systemClock.sleep(LOOK_EVERY_MS, { signal: over.signal });
      throwTrouble(daemon, ['stopped']);
    }
    throwTrouble(daemon, ['stopped', 'retrying', 'starting']);
    throw new PatchwireError('PW-I901', `a replica is still behind after ${patienceMs / 1000} s, and the daemon reports no trouble`);
  };
  try {
    await Promise.race([Promise.all(waits), watch()]);
  } finally {
    over.abort(new Error('the wait is over'));
    await Promise.allSettled(waits);
  }
}

/** @throws PatchwireError the trouble of the first section in one of these phases */
function throwTrouble(daemon: Pick<Daemon, 'status'>, phases: readonly string[]): void {
  const troubled = daemon.status().sections.find(({ phase, trouble }) => trouble !== null && phases.includes(phase));
  if (troubled?.trouble) {
    const { code, message, hint } = troubled.trouble;
    throw new PatchwireError(code, `section ${troubled.section}: ${message}`, { hint });
  }
}

/** Runs statements in one transaction. @returns the version of the database after it */
export async function commit(pool: sql.ConnectionPool, statements: readonly string[]): Promise<string> {
  const transaction = new sql.Transaction(pool);
  await transaction.begin();
  try {
    for (const statement of statements) {
      await transaction.request().batch(statement);
    }
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
  await transaction.commit();
  const { recordset } = await pool.request().query<{ version: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS version');
  return recordset[0]?.version ?? '0';
}
