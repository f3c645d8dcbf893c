/**
 * What an operator's commands ask of a database beyond following it: which tables there are and what they lack, and switching change
 * tracking on. The daemon never uses it. Its T-SQL stands here, apart from what the daemon sends; a table that is tracked is never altered.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../observe/logger.ts';
import { driverConfig } from './connection.ts';
import type { SqlServerConnection } from './connection-options.ts';
import { sourceError } from './errors.ts';
import { collector, textOf } from './facts.ts';
import { Guest, type Run } from './guest.ts';
import type { DriverRow } from './plan.ts';
import { quoteName } from './quote.ts';

export interface SurveyedTable {
  readonly schema: string;
  readonly name: string;
  /** By sys.partitions; committed or not. */
  readonly rows: number;
  /** The primary key's columns in key order; empty: it has none. */
  readonly key: readonly string[];
  /** Whether change tracking is on; null: the login may not see it. */
  readonly tracked: boolean | null;
  readonly maySelect: boolean;
  readonly mayTrack: boolean;
  readonly mayAlter: boolean;
  /** Change tracking does not go with memory-optimised tables. Source: learn.microsoft.com, "Work with change tracking". */
  readonly memoryOptimized: boolean;
}

export interface DatabaseSurvey {
  readonly database: string;
  readonly tracking: boolean;
  /** `2 DAYS`; null while tracking is off. */
  readonly retention: string | null;
  readonly snapshot: boolean;
  readonly mayAlter: boolean;
  /** The login's user in this database. */
  readonly user: string;
  /** User tables that the login may see, by schema and name. */
  readonly tables: readonly SurveyedTable[];
}

export interface AdministrationOptions {
  readonly source: string;
  readonly connection: string | SqlServerConnection;
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SqlServerAdministration extends AsyncDisposable {
  /** @throws PatchwireError of the S range: PW-S201 when it cannot be reached */
  survey(options: { readonly signal: AbortSignal }): Promise<DatabaseSurvey>;
  /** Runs one statement. @throws PatchwireError of the S range; what the statement did is undone then */
  run(statement: string, options: { readonly signal: AbortSignal }): Promise<void>;
}

const SETS = ['database', 'tables', 'rows', 'keys'] as const;

/** The catalog of a database in one request: the database, its tables, their rows, their keys. */
export const SURVEY_QUERY = `SET NOCOUNT ON; SET LOCK_TIMEOUT 10000; SET DEADLOCK_PRIORITY LOW;
SELECT DB_NAME() AS name, ct.retention_period, ct.retention_period_units_desc, d.snapshot_isolation_state,
  HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'ALTER') AS may_alter, USER_NAME() AS user_name
FROM sys.databases AS d LEFT JOIN sys.change_tracking_databases AS ct ON ct.database_id = d.database_id WHERE d.database_id = DB_ID();
SELECT s.name AS schema_name, t.name AS table_name, t.object_id, t.is_memory_optimized,
  CASE WHEN ct.object_id IS NULL THEN 0 ELSE 1 END AS tracked,
  HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(t.name), N'OBJECT', N'SELECT') AS may_select,
  HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(t.name), N'OBJECT', N'VIEW CHANGE TRACKING') AS may_track,
  HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(t.name), N'OBJECT', N'ALTER') AS may_alter
FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id
LEFT JOIN sys.change_tracking_tables AS ct ON ct.object_id = t.object_id
WHERE t.is_ms_shipped = 0 ORDER BY s.name, t.name;
SELECT p.object_id, SUM(p.rows) AS row_count FROM sys.partitions AS p WHERE p.index_id IN (0, 1) GROUP BY p.object_id;
SELECT i.object_id, c.name FROM sys.indexes AS i
JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
WHERE i.is_primary_key = 1 ORDER BY i.object_id, ic.key_ordinal;`;

/** How long changes are kept, as ALTER DATABASE takes it: `7 DAYS`. */
export const RETENTION_PATTERN = /^[1-9][0-9]{0,4} (?:DAYS|HOURS|MINUTES)$/;

/** @param retention as RETENTION_PATTERN. @throws RangeError when it is not */
export function enableDatabaseStatement(database: string, retention: string): string {
  if (!RETENTION_PATTERN.test(retention)) {
    throw new RangeError(`not a retention: ${JSON.stringify(retention)}`);
  }
  return `ALTER DATABASE ${quoteName(database)} SET CHANGE_TRACKING = ON (CHANGE_RETENTION = ${retention}, AUTO_CLEANUP = ON);`;
}

export function enableSnapshotStatement(database: string): string {
  return `ALTER DATABASE ${quoteName(database)} SET ALLOW_SNAPSHOT_ISOLATION ON;`;
}

export function enableTableStatement({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `ALTER TABLE ${quoteName(schema)}.${quoteName(name)} ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = OFF);`;
}

/** What lets the daemon's user follow a table. */
export function grantStatements({ schema, name }: { readonly schema: string; readonly name: string }, user: string): readonly string[] {
  const table = `${quoteName(schema)}.${quoteName(name)}`;
  return [`GRANT SELECT ON ${table} TO ${quoteName(user)};`, `GRANT VIEW CHANGE TRACKING ON ${table} TO ${quoteName(user)};`];
}

/** Nothing is connected before the first call. @throws PatchwireError PW-C103 for a connection that cannot be honoured */
export function sqlServerAdministration(options: AdministrationOptions): SqlServerAdministration {
  const { source, requestTimeoutMs, clock, logger } = options;
  const guest = new Guest({ config: driverConfig(options.connection), readers: 1, timeShare: 1, requestTimeoutMs, clock, logger });
  const read = async <T>(doing: string, signal: AbortSignal, work: (run: Run) => Promise<T>): Promise<T> => {
    try {
      return await guest.read(work, { signal });
    } catch (error) {
      throw signal.aborted && error === signal.reason ? error : sourceError(error, { source, doing });
    }
  };
  return {
    survey: ({ signal }) => read('looking at its tables', signal, survey),
    run: (statement, { signal }) =>
      read('switching change tracking on', signal, async (run) => {
        await run({ text: statement, onRow: () => 'more' });
      }),
    [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose](),
  };
}

async function survey(run: Run): Promise<DatabaseSurvey> {
  const { sets, onRow } = collector(SETS);
  await run({ text: SURVEY_QUERY, onRow });
  const database = sets.get('database')?.[0] ?? {};
  const units = textOf(database['retention_period_units_desc']);
  const rows = new Map((sets.get('rows') ?? []).map((row) => [String(row['object_id']), Number(row['row_count'])]));
  const keys = new Map<string, string[]>();
  for (const row of sets.get('keys') ?? []) {
    const id = String(row['object_id']);
    keys.set(id, [...(keys.get(id) ?? []), textOf(row['name'])]);
  }
  return {
    database: textOf(database['name']),
    tracking: units !== '',
    retention: units === '' ? null : `${textOf(database['retention_period'])} ${units}`,
    snapshot: Number(database['snapshot_isolation_state']) === 1,
    mayAlter: isOne(database['may_alter']),
    user: textOf(database['user_name']),
    tables: (sets.get('tables') ?? []).map((row) => {
      const id = String(row['object_id']);
      return surveyed(row, { rows: rows.get(id) ?? 0, key: keys.get(id) ?? [] });
    }),
  };
}

function surveyed(row: DriverRow, { rows, key }: { readonly rows: number; readonly key: readonly string[] }): SurveyedTable {
  const mayTrack = isOne(row['may_track']);
  return {
    schema: textOf(row['schema_name']),
    name: textOf(row['table_name']),
    rows,
    key,
    tracked: mayTrack || isOne(row['tracked']) ? isOne(row['tracked']) : null,
    maySelect: isOne(row['may_select']),
    mayTrack,
    mayAlter: isOne(row['may_alter']),
    memoryOptimized: isOne(row['is_memory_optimized']),
  };
}

function isOne(value: DriverRow[string] | undefined): boolean {
  return value === true || Number(value ?? 0) === 1;
}
