/**
 * Repeats what is done to a model database on a server: each operation as T-SQL, or by the sandbox's control API where no statement does it, one
 * after another, each writer on a connection of its own. After each commit the server's version must be the model's.
 */
import mssql from 'mssql';
import type { SavedDatabase } from '../../src/sandbox/control/control.ts';
import type { Sandbox } from '../../src/sandbox/server.ts';
import type { ModelDatabase } from './model-database.ts';
import type { ModelTable, Operation, Row, Value } from './model-table.ts';

export interface RealSourceOptions {
  readonly sandbox: Sandbox;
  readonly name: string;
  readonly database: ModelDatabase;
  readonly snapshot: boolean;
  /** A definition has been repeated: what was read before it may be of before. */
  readonly onDefined: (table: ModelTable | null) => void;
  readonly onWrong: (what: string) => void;
}

/** Writers that keep their transaction open over several actions. */
const LONG_WRITERS = 2;

const quoted = (value: Value): string =>
  value === null ? 'NULL' : typeof value === 'number' ? String(value) : `N'${value.replaceAll("'", "''")}'`;

export class RealSource {
  readonly #options: RealSourceOptions;
  readonly #pools = new Map<number, mssql.ConnectionPool>();
  /** Statements of open transactions that are not sent yet, by writer; of long ones: whether it has begun. */
  readonly #statements = new Map<number, string[]>();
  readonly #begun = new Set<number>();
  /** Columns with a default, whose constraint bears the name that they were added by. */
  readonly #defaults = new Map<string, string>();
  #saved: SavedDatabase | null = null;
  #tail: Promise<void> = Promise.resolve();

  constructor(options: RealSourceOptions) {
    this.#options = options;
    options.database.onOperation = (operation) => this.#take(operation);
  }

  /** Creates the database and its tables. */
  async open(): Promise<void> {
    const { name, database, snapshot } = this.#options;
    const master = await this.#connect('master');
    await master.request().batch(`CREATE DATABASE [${name}]`);
    await master.request().batch(`ALTER DATABASE [${name}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF)`);
    if (snapshot) {
      await master.request().batch(`ALTER DATABASE [${name}] SET ALLOW_SNAPSHOT_ISOLATION ON`);
    }
    await master.close();
    await this.#run(-1, 'CREATE TABLE dbo.Elsewhere (Id int NOT NULL PRIMARY KEY, N int NOT NULL); INSERT dbo.Elsewhere VALUES (1, 0)');
    for (const table of database.tables) {
      await this.#run(-1, created(table));
      await this.#run(-1, `ALTER TABLE dbo.[${table.name}] ENABLE CHANGE_TRACKING`);
    }
    await this.#run(-1, 'ALTER TABLE dbo.Elsewhere ENABLE CHANGE_TRACKING');
  }

  /** Resolves when everything so far has been repeated. */
  get settled(): Promise<void> {
    return this.#tail;
  }

  async close(): Promise<void> {
    await this.#tail;
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    const master = await this.#connect('master');
    await master.request().batch(`ALTER DATABASE [${this.#options.name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE`);
    await master.request().batch(`DROP DATABASE [${this.#options.name}]`);
    await master.close();
  }

  #take(operation: Operation): void {
    // Taken down now: the model goes on.
    const work = this.#plan(operation);
    this.#tail = this.#tail.then(work).catch((error: unknown) => {
      this.#options.onWrong(`the server does not do what the model did (${operation.kind}): ${String(error)}`);
    });
  }

  #plan(operation: Operation): () => Promise<void> {
    const { sandbox, name, onDefined } = this.#options;
    const define = (table: ModelTable | null, sql: string) => async (): Promise<void> => {
      await this.#run(-1, sql);
      onDefined(table);
    };
    switch (operation.kind) {
      case 'write': {
        const statement = written(operation.table, operation.before, operation.after);
        return async () => await this.#write(operation.writer, statement);
      }
      case 'commit':
        return async () => await this.#end(operation.writer, 'COMMIT', operation.version);
      case 'rollback':
        return async () => await this.#end(operation.writer, 'ROLLBACK', null);
      case 'elsewhere':
        return async () => this.#compare(await this.#run(-1, `UPDATE dbo.Elsewhere SET N = N + 1; ${VERSION}`), operation.version);
      case 'backUp':
        return () => {
          this.#saved = sandbox.control.saveState(name);
          return Promise.resolve();
        };
      case 'restore':
        return async () => {
          if (this.#saved !== null) {
            sandbox.control.restoreState(name, this.#saved);
          }
          // Its sessions were cut.
          await Promise.all([...this.#pools.values()].map((pool) => pool.close().catch(() => {})));
          this.#pools.clear();
          onDefined(null);
        };
      case 'databaseOff':
        return define(null, `ALTER TABLE dbo.Elsewhere DISABLE CHANGE_TRACKING; ALTER DATABASE [${name}] SET CHANGE_TRACKING = OFF`);
      case 'databaseOn':
        return define(
          null,
          `ALTER DATABASE [${name}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = OFF); ALTER TABLE dbo.Elsewhere ENABLE CHANGE_TRACKING`,
        );
      case 'truncate':
        return define(operation.table, `TRUNCATE TABLE dbo.[${operation.table.name}]`);
      case 'disable':
        return define(operation.table, `ALTER TABLE dbo.[${operation.table.name}] DISABLE CHANGE_TRACKING`);
      case 'enable':
        return define(operation.table, `ALTER TABLE dbo.[${operation.table.name}] ENABLE CHANGE_TRACKING`);
      case 'cleanUp':
        return () => {
          sandbox.control.cleanUp(name, { table: `dbo.${operation.table.name}`, version: operation.version });
          return Promise.resolve();
        };
      case 'replace': {
        const inserts = [...operation.rows.values()].map((row) => inserted(operation.table, row));
        return define(operation.table, [`DROP TABLE dbo.[${operation.table.name}]`, created(operation.table), ...inserts].join(';\n'));
      }
      case 'addColumn': {
        const { table, name: column, fill } = operation;
        const given = fill === null ? '' : ` CONSTRAINT [DF_${table.name}_${column}] DEFAULT ${quoted(fill)} WITH VALUES`;
        return async () => {
          await define(table, `ALTER TABLE dbo.[${table.name}] ADD [${column}] nvarchar(40) NULL${given}`)();
          if (fill !== null) {
            this.#defaults.set(`${table.name}.${column}`, `DF_${table.name}_${column}`);
          }
        };
      }
      case 'dropColumn': {
        const { table, name: column } = operation;
        return async () => {
          // A table that was replaced has none.
          const constraint = this.#defaults.get(`${table.name}.${column}`);
          if (constraint !== undefined) {
            await this.#run(
              -1,
              `IF OBJECT_ID(N'dbo.[${constraint}]') IS NOT NULL ALTER TABLE dbo.[${table.name}] DROP CONSTRAINT [${constraint}]`,
            );
          }
          await define(table, `ALTER TABLE dbo.[${table.name}] DROP COLUMN [${column}]`)();
        };
      }
      case 'renameColumn': {
        const { table, from, to } = operation;
        return async () => {
          await define(table, `EXEC sp_rename N'dbo.${table.name}.${from}', N'${to}', N'COLUMN'`)();
          const constraint = this.#defaults.get(`${table.name}.${from}`);
          if (constraint !== undefined) {
            this.#defaults.set(`${table.name}.${to}`, constraint);
          }
        };
      }
      case 'revoke':
      case 'grant':
        // The daemon is an administrator here.
        return () => Promise.resolve();
    }
  }

  async #write(writer: number, statement: string): Promise<void> {
    if (writer >= LONG_WRITERS) {
      this.#statements.set(writer, [...(this.#statements.get(writer) ?? []), statement]);
      return;
    }
    await this.#run(writer, `${this.#begun.has(writer) ? '' : 'BEGIN TRANSACTION; '}${statement}`);
    this.#begun.add(writer);
  }

  async #end(writer: number, how: 'COMMIT' | 'ROLLBACK', version: bigint | null): Promise<void> {
    const statements = this.#statements.get(writer) ?? [];
    this.#statements.delete(writer);
    const begun = this.#begun.delete(writer);
    if (!begun && statements.length === 0) {
      return;
    }
    const answered = await this.#run(writer, [begun ? '' : 'BEGIN TRANSACTION', ...statements, how, VERSION].join(';\n'));
    this.#compare(answered, version);
  }

  #compare(answered: mssql.IResult<Row>, version: bigint | null): void {
    const found = answered.recordset?.[0]?.['version'];
    if (version !== null && found !== version.toString()) {
      this.#options.onWrong(`the model's version is ${version}, the server's ${String(found)}`);
    }
  }

  async #run(writer: number, sql: string): Promise<mssql.IResult<Row>> {
    let pool = this.#pools.get(writer);
    if (pool === undefined) {
      pool = await this.#connect(this.#options.name);
      this.#pools.set(writer, pool);
    }
    return await pool.request().batch<Row>(sql);
  }

  async #connect(database: string): Promise<mssql.ConnectionPool> {
    const parsed = mssql.ConnectionPool.parseConnectionString(this.#options.sandbox.connectionString(database)) as mssql.config;
    // A transaction that is open waits for its next statement as long as it takes: nobody closes an idle connection under it.
    const pool = new mssql.ConnectionPool({
      ...parsed,
      requestTimeout: 120_000,
      pool: { max: 1, min: 0, idleTimeoutMillis: 3_600_000 },
      options: { ...parsed.options, appName: 'writer' },
    });
    pool.on('error', () => undefined);
    return await pool.connect();
  }
}

const VERSION = 'SELECT CONVERT(nvarchar(20), CHANGE_TRACKING_CURRENT_VERSION()) AS version';

function created({ name, columns, keyColumns }: ModelTable): string {
  const defined = columns.map((column) => {
    const type = column.type === 'int' ? 'int' : 'nvarchar(400) COLLATE Latin1_General_100_CI_AS';
    return `[${column.name}] ${type} ${keyColumns.includes(column.name) ? 'NOT NULL' : 'NULL'}`;
  });
  return `CREATE TABLE dbo.[${name}] (${defined.join(', ')}, PRIMARY KEY (${keyColumns.join(', ')}))`;
}

function inserted({ name }: ModelTable, row: Row): string {
  const names = Object.keys(row);
  return `INSERT dbo.[${name}] (${names.map((each) => `[${each}]`).join(', ')}) VALUES (${names.map((each) => quoted(row[each] ?? null)).join(', ')})`;
}

function written(table: ModelTable, before: Row | null, after: Row | null): string {
  if (before === null) {
    return after === null ? 'SELECT 0' : inserted(table, after);
  }
  const where = table.keyColumns.map((name) => `[${name}] = ${quoted(before[name] ?? null)}`).join(' AND ');
  if (after === null) {
    return `DELETE dbo.[${table.name}] WHERE ${where}`;
  }
  // A key that is spelled as before is not assigned.
  const sets = Object.entries(after).filter(([name, value]) => !table.keyColumns.includes(name) || before[name] !== value);
  return `UPDATE dbo.[${table.name}] SET ${sets.map(([name, value]) => `[${name}] = ${quoted(value)}`).join(', ')} WHERE ${where}`;
}
