/** What the contract suite works with: a database, a tracker that is open on it, and short ways to read. */
import { pino } from 'pino';
import type { LoadPage, PageCursor, RowState, TrackingPosition } from '../../src/model/change.ts';
import type { TableSelection, TrackedTable } from '../../src/model/table.ts';
import type { ChangeTracker, WindowPage } from '../../src/source/change-tracker.ts';
import type { SqlServerConnection } from '../../src/source/sqlserver/connection-options.ts';
import { sqlServerChangeTracker, type SqlServerChangeTrackerOptions } from '../../src/source/sqlserver/sql-server-change-tracker.ts';
import { createDatabase, type DatabaseOptions, type SqlDatabase } from './change-tracker-database.ts';

export const logger = pino({ level: 'silent' });
export const never: AbortSignal = new AbortController().signal;

export const selection = (name: string, rest: Partial<TableSelection> = {}): TableSelection => ({
  schema: 'dbo',
  name,
  columns: 'all',
  json: [],
  filter: null,
  ...rest,
});

export interface Rig {
  readonly database: SqlDatabase;
  readonly tracker: ChangeTracker;
  readonly describe: (name: string, rest?: Partial<TableSelection>) => Promise<TrackedTable>;
  /** One window from `from` with a position that fits. */
  readonly window: (table: TrackedTable, from: bigint) => ReturnType<ChangeTracker['readWindow']>;
  /** All pages from `from` on. */
  readonly changes: (table: TrackedTable, from: bigint) => Promise<RowState[]>;
  readonly load: (table: TrackedTable) => Promise<RowState[]>;
  /** Transactions open in the database, but for the asker's. */
  readonly openTransactions: () => Promise<number>;
  readonly another: (options: Partial<SqlServerChangeTrackerOptions>) => ChangeTracker;
}

export class Rigs implements AsyncDisposable {
  readonly #server: () => SqlServerConnection;
  readonly #open: AsyncDisposable[] = [];

  constructor(server: () => SqlServerConnection) {
    this.#server = server;
  }

  async start(
    sql: readonly string[],
    options: Partial<SqlServerChangeTrackerOptions> = {},
    databaseOptions: DatabaseOptions = {},
  ): Promise<Rig> {
    const database = await createDatabase(this.#server(), databaseOptions);
    this.#open.push(database);
    for (const batch of sql) {
      await database.run(batch);
    }
    const another = (more: Partial<SqlServerChangeTrackerOptions>): ChangeTracker => {
      const made = sqlServerChangeTracker({ source: 'shop', connection: database.connection, logger, ...options, ...more });
      this.#open.push(made);
      return made;
    };
    const tracker = another({});
    await tracker.open({ signal: never });
    const position = (version: bigint): TrackingPosition => ({ checkpoint: version, confirmed: version, high: version });
    return {
      database,
      tracker,
      another,
      describe: (name, rest) => tracker.describe(selection(name, rest), { signal: never }),
      window: (table, from) => tracker.readWindow(table, { from, cursor: null, position: position(from), signal: never }),
      async openTransactions() {
        const { recordset } = await database.run(
          'SELECT SUM(s.open_transaction_count) AS n FROM sys.dm_exec_sessions AS s WHERE s.database_id = DB_ID() AND s.session_id <> @@SPID',
        );
        return Number(recordset[0]?.['n'] ?? 0);
      },
      async changes(table, from) {
        const rows: RowState[] = [];
        for (let cursor: PageCursor | null = null, full = true; full;) {
          const page: WindowPage = await tracker.readWindow(table, { from, cursor, position: position(from), signal: never });
          rows.push(...page.rows);
          ({ full } = page);
          cursor = page.last ?? cursor;
        }
        return rows;
      },
      async load(table) {
        const rows: RowState[] = [];
        for (let page: LoadPage | null = null; page === null || !page.end;) {
          page = await tracker.readLoadPage(table, { after: page?.last ?? null, signal: never });
          rows.push(...page.rows);
        }
        return rows;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#open.splice(0).toReversed()) {
      await each[Symbol.asyncDispose]();
    }
  }
}
