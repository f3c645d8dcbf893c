/**
 * The SQL Server stand-in as a process (`patchwire sandbox`), how it is filled, and what happens to it: all sessions cut and nobody let in for a
 * while (what clients see of a restart), killed and built anew from a copy of its rows (a database of another identity, whose versions begin
 * again), taken back to a backup. It keeps nothing on disk: a process that is killed has lost its history.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sql from 'mssql';
import { Process } from './process.ts';
import { openProxy, type Proxy } from './proxy.ts';
import { freePort } from './redis-fleet.ts';
import { DATABASE, TABLES } from './tables.ts';
import { sleep, until, within } from './waiting.ts';

const CHECKPOINT_STORE = readFileSync(new URL('../../sql/checkpoint-store.sql', import.meta.url), 'utf8').split(/^GO$/mu);
const PASSWORD = 'Chaos-1-Pass!';

export interface SqlServerOptions {
  readonly main: string;
  readonly folder: string;
  readonly profile: string;
  readonly snapshot: boolean;
  readonly gapMs: number;
  readonly store: 'redis' | 'sqlserver';
}

export class SqlServer {
  readonly #options: SqlServerOptions;
  #process: Process | null = null;
  #port = 0;
  #pool: sql.ConnectionPool | null = null;
  #master: sql.ConnectionPool | null = null;
  readonly proxies: Proxy[] = [];

  constructor(options: SqlServerOptions) {
    this.#options = options;
  }

  /** The administrator's, past the proxies: for looking and for hurting. */
  get pool(): sql.ConnectionPool {
    if (this.#pool === null) {
      throw new Error('SQL Server is down');
    }
    return this.#pool;
  }

  /** The administrator's in master, where sandbox procedures and RESTORE belong. */
  get master(): sql.ConnectionPool {
    if (this.#master === null) {
      throw new Error('SQL Server is down');
    }
    return this.#master;
  }

  get process(): Process | null {
    return this.#process;
  }

  async openProxy(name: string): Promise<Proxy> {
    const proxy = await openProxy(name, this.#port);
    this.proxies.push(proxy);
    return proxy;
  }

  async start(): Promise<void> {
    this.#port = await freePort();
    await this.#launch();
    await this.#create();
    for (const { create, shape } of TABLES) {
      await this.run(create, `ALTER TABLE ${shape.table} ENABLE CHANGE_TRACKING`);
    }
  }

  /** A pool of somebody else. */
  async connect(port: number, appName: string, database = DATABASE): Promise<sql.ConnectionPool> {
    const pool = new sql.ConnectionPool({
      ...{ server: '127.0.0.1', port, user: 'sa', password: PASSWORD, database, requestTimeout: 20_000, connectionTimeout: 10_000 },
      pool: { max: 4, min: 0 },
      options: { encrypt: false, trustServerCertificate: true, appName },
    });
    pool.on('error', () => undefined);
    return await pool.connect();
  }

  connectionString(port: number, appName?: string): string {
    const application = appName === undefined ? '' : `;Application Name=${appName}`;
    return `Server=127.0.0.1,${port};User Id=sa;Password=${PASSWORD};Encrypt=false;Database=${DATABASE}${application}`;
  }

  /** Batches as the administrator, in the database. */
  async run(...batches: readonly string[]): Promise<void> {
    for (const batch of batches) {
      await this.pool.request().batch(batch);
    }
  }

  /** A procedure of the sandbox's control. */
  async control(batch: string): Promise<void> {
    await this.master.request().batch(batch);
  }

  async version(): Promise<bigint> {
    const { recordset } = await this.pool.request().query<{ v: string }>('SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v');
    return BigInt(recordset[0]?.v ?? -1);
  }

  async backup(name: string): Promise<void> {
    await this.control(`BACKUP DATABASE [${DATABASE}] TO DISK = N'${name}' WITH INIT, FORMAT`);
  }

  /** Takes the database back to a backup; everybody is cut. */
  async restore(name: string): Promise<void> {
    await this.#leave();
    try {
      await until(
        'the database is restored',
        async () => {
          await this.control(`IF DB_ID(N'${DATABASE}') IS NOT NULL ALTER DATABASE [${DATABASE}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE`);
          await this.control(`RESTORE DATABASE [${DATABASE}] FROM DISK = N'${name}' WITH REPLACE`);
          await this.control(`ALTER DATABASE [${DATABASE}] SET MULTI_USER`);
          return true;
        },
        60_000,
      );
    } finally {
      this.#pool = await this.connect(this.#port, 'chaos');
    }
  }

  /** All sessions end, open transactions roll back, and nobody is let in for a while. */
  async outage(ms: number): Promise<void> {
    this.proxies.forEach((proxy) => proxy.refuse());
    await sleep(ms);
    this.proxies.forEach((proxy) => proxy.pass());
  }

  /** Kill -9, and a new process on the same port with the rows as they were last read: another database under the same name. */
  async rebuild(downMs: number): Promise<void> {
    const copies: string[][] = [];
    for (const table of TABLES) {
      copies.push(await this.#copy(table.shape.table));
    }
    await this.#process?.kill();
    // Nobody sees it half built, nor writes into it.
    this.proxies.forEach((proxy) => proxy.refuse());
    await this.#leave();
    await this.#master?.close().catch(() => undefined);
    await sleep(downMs);
    await this.#launch();
    await this.#create();
    for (const [i, { shape, create }] of TABLES.entries()) {
      await this.run(create, ...(copies[i] ?? []), `ALTER TABLE ${shape.table} ENABLE CHANGE_TRACKING`);
    }
    this.proxies.forEach((proxy) => proxy.pass());
  }

  async close(): Promise<void> {
    await this.#leave();
    await this.#master?.close().catch(() => undefined);
    await this.#process?.kill();
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }

  async #leave(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    await within('closing a pool', pool?.close() ?? Promise.resolve(), 5000).catch(() => undefined);
  }

  async #launch(): Promise<void> {
    const { main, folder, profile, gapMs } = this.#options;
    const args = [
      main,
      'sandbox',
      '--port',
      String(this.#port),
      '--password',
      PASSWORD,
      '--profile',
      profile,
      '--visibility-gap',
      `${gapMs}ms`,
    ];
    this.#process = new Process({ name: 'sandbox', command: process.execPath, args, logFile: join(folder, 'sandbox.log') });
    this.#master = await until('the sandbox answers', async () => await this.connect(this.#port, 'chaos', 'master'), 60_000);
  }

  async #create(): Promise<void> {
    await this.control(`CREATE DATABASE [${DATABASE}]`);
    await this.control(`ALTER DATABASE [${DATABASE}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)`);
    if (this.#options.snapshot) {
      await this.control(`ALTER DATABASE [${DATABASE}] SET ALLOW_SNAPSHOT_ISOLATION ON`);
    }
    this.#pool = await this.connect(this.#port, 'chaos');
    if (this.#options.store === 'sqlserver') {
      // The login is an administrator's: it needs no grant.
      await this.run(...CHECKPOINT_STORE.filter((batch) => /CREATE (?:SCHEMA|TABLE)/u.test(batch)));
    }
  }

  /** A table's rows as INSERT statements. A column that was added is not copied: the new table has none. */
  async #copy(table: string): Promise<string[]> {
    const names = Object.keys(TABLES.find(({ shape }) => shape.table === table)?.shape.columns ?? {});
    const select = names.map((name) => `CONVERT(nvarchar(4000), ${name}${name === 'At' ? ', 126' : ''}) AS ${name}`);
    const { recordset } = await this.pool.request().query<Record<string, string | null>>(`SELECT ${select.join(', ')} FROM ${table}`);
    const literal = (value: string | null | undefined): string =>
      value === null || value === undefined ? 'NULL' : `N'${value.replaceAll("'", "''")}'`;
    const statements: string[] = [];
    for (let from = 0; from < recordset.length; from += 500) {
      const rows = recordset.slice(from, from + 500).map((row) => `(${names.map((name) => literal(row[name])).join(', ')})`);
      statements.push(`INSERT INTO ${table} (${names.join(', ')}) VALUES ${rows.join(', ')}`);
    }
    return statements;
  }
}
