/**
 * A SQL Server for a test: the one that PATCHWIRE_TEST_MSSQL (a connection string of an administrator) names, else a sandbox of its own.
 * Each `freshDatabase` is new and dropped at the end. What needs the sandbox's control API takes `startControlled`: always a sandbox.
 */
import sql from 'mssql';
import type { Sandbox, SandboxOptions, SnapshotProfile } from '../../src/sandbox/server.ts';
import { startSandbox } from '../../src/sandbox/server.ts';
import { dropDatabase } from './drop-database.ts';

export interface TestServer {
  /** The sandbox, or null on a real server: what needs its control API is skipped there. */
  readonly sandbox: Sandbox | null;
  /** A new database, by default with change tracking (2 days) and SNAPSHOT allowed. */
  freshDatabase(options?: { readonly tracking?: boolean; readonly snapshot?: boolean }): Promise<TestDatabase>;
  close(): Promise<void>;
}

export interface TestDatabase {
  readonly name: string;
  readonly connectionString: string;
  /** A pool of the administrator in this database. */
  readonly pool: sql.ConnectionPool;
  /** Runs a batch as it stands; the first result set. */
  rows<T = Record<string, unknown>>(text: string, parameters?: Record<string, unknown>): Promise<T[]>;
  /** Runs a batch and returns the number of the error that it ends with; 0 when it succeeds. */
  errorOf(text: string): Promise<number>;
  /** The numbers of all errors of a batch, in their order. */
  errorsOf(text: string): Promise<number[]>;
  /** Another pool with one connection, for a session of its own. */
  session(options?: { readonly appName?: string; readonly user?: string; readonly password?: string }): Promise<sql.ConnectionPool>;
}

const named = process.env['PATCHWIRE_TEST_MSSQL'] ?? '';
const external = named === '' ? null : named;
let counter = 0;

export const onSandbox: boolean = external === null;

/** The profiles under which what depends on them is run; a real server has its own: null. */
export const PROFILES: readonly (SnapshotProfile | null)[] = onSandbox ? ['implied', 'live', 'worst'] : [null];

function configOf(connectionString: string, changes: Partial<sql.config>): sql.config {
  const parsed = sql.ConnectionPool.parseConnectionString(connectionString) as sql.config;
  const options = { ...parsed.options, ...changes.options };
  return { ...parsed, ...changes, options };
}

async function connect(config: sql.config): Promise<sql.ConnectionPool> {
  const pool = new sql.ConnectionPool(config);
  // A connection that is cut while it is idle says so here.
  pool.on('error', () => undefined);
  return await pool.connect();
}

export interface ControlledServer extends TestServer {
  readonly sandbox: Sandbox;
}

/** The numbers of the errors that a request ends with, in their order; none when it succeeds. -1: an error of the driver. */
export async function numbersOf(request: Promise<unknown>): Promise<number[]> {
  try {
    await request;
    return [];
  } catch (error) {
    const { number = -1, precedingErrors = [] } = error as { number?: number; precedingErrors?: readonly { readonly number: number }[] };
    return [...precedingErrors.map((each) => each.number), number];
  }
}

/** A sandbox for one test file, or the server of the environment. */
export async function startServer(options: SandboxOptions = {}): Promise<TestServer> {
  if (external === null) {
    return await startControlled(options);
  }
  return { sandbox: null, ...(await serve(external)) };
}

/** A sandbox in this process, whatever the environment names. */
export async function startControlled(options: SandboxOptions = {}): Promise<ControlledServer> {
  const sandbox = await startSandbox(options);
  const server = await serve(sandbox.connectionString('master'));
  return {
    ...server,
    sandbox,
    close: async () => {
      await server.close();
      await sandbox.close();
    },
  };
}

async function serve(base: string): Promise<Omit<TestServer, 'sandbox'>> {
  const master = await connect(configOf(base, { database: 'master' }));
  const pools: sql.ConnectionPool[] = [];
  const databases: string[] = [];
  return {
    freshDatabase: async ({ tracking = true, snapshot = true } = {}) => {
      counter += 1;
      const name = `pw_test_${process.pid}_${Date.now().toString(36)}_${counter}`;
      await master.request().batch(`CREATE DATABASE [${name}]`);
      databases.push(name);
      if (tracking) {
        await master.request().batch(`ALTER DATABASE [${name}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)`);
      }
      if (snapshot) {
        await master.request().batch(`ALTER DATABASE [${name}] SET ALLOW_SNAPSHOT_ISOLATION ON`);
      }
      const open = async (changes: Partial<sql.config>): Promise<sql.ConnectionPool> => {
        const pool = await connect(configOf(base, { database: name, ...changes }));
        pools.push(pool);
        return pool;
      };
      const pool = await open({});
      const rows = async <T>(text: string, parameters: Record<string, unknown> = {}): Promise<T[]> => {
        const request = pool.request();
        for (const [key, value] of Object.entries(parameters)) {
          if (typeof value === 'bigint') {
            request.input(key, sql.BigInt, value.toString());
          } else {
            request.input(key, value);
          }
        }
        const result = Object.keys(parameters).length === 0 ? await request.batch<T>(text) : await request.query<T>(text);
        return result.recordset ?? [];
      };
      return {
        name,
        connectionString: `${base.replace(/;(?:Database|Initial Catalog)=[^;]*/iu, '')};Database=${name}`,
        pool,
        rows,
        errorOf: async (text) => (await numbersOf(pool.request().batch(text))).at(-1) ?? 0,
        errorsOf: (text) => numbersOf(pool.request().batch(text)),
        session: ({ appName, user, password } = {}) =>
          open({
            pool: { max: 1, min: 0 },
            ...(user === undefined ? {} : { user, password: password ?? '' }),
            ...(appName === undefined ? {} : { options: { appName } }),
          }),
      };
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.close()));
      for (const name of databases) {
        await dropDatabase(master, name);
      }
      await master.close();
    },
  };
}
