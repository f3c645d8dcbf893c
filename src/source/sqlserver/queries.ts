/**
 * All T-SQL that patchwire sends to a source: constant text per table, names quoted from the catalog, values only as parameters. Builds
 * texts; runs nothing and reads nothing. The order of the statements is what R1 and R3 rest on: the version is read as its own statement
 * before any table or catalog view is touched, and the checks stand before the read and again after its transaction.
 * Source: learn.microsoft.com, "Work with change tracking", CHANGETABLE, SET TRANSACTION ISOLATION LEVEL.
 */
import { keyOperand, keyDeclaration, keyExpression, triedKeyExpression, type KeyPlan } from './key-parameters.ts';
import type { Filter } from './filter.ts';
import type { TablePlan } from './plan.ts';
import { collationName, quoteName, quoteText } from './quote.ts';

export type Isolation = 'snapshot' | 'readCommitted';

/** What a request sets for itself; the settings end with it, being set inside sp_executesql. */
export interface RequestSettings {
  readonly lockTimeoutMs: number;
}

/** The result sets of a page in their order; `after…` are read when the transaction has ended. */
export const PAGE_SETS = ['version', 'table', 'rows', 'afterVersion', 'afterTable', 'afterDatabase'] as const;
/** Those of the check that follows a page which was cut short. */
export const CHECK_SETS = ['afterVersion', 'afterTable', 'afterDatabase'] as const;

const CURRENT_VERSION = 'SELECT CHANGE_TRACKING_CURRENT_VERSION() AS version;';

/** Undoes what a cancelled or failed request left open on this connection. */
export const ROLLBACK = 'IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;';

/** The settings that a good guest makes (R9). */
export function settings({ lockTimeoutMs }: RequestSettings): string {
  return `SET NOCOUNT ON; SET XACT_ABORT ON; SET LOCK_TIMEOUT ${Math.trunc(lockTimeoutMs)}; SET DEADLOCK_PRIORITY LOW;`;
}

/** Who and what the database is. */
const DATABASE = `SELECT DB_NAME() AS name, d.database_id, CONVERT(nvarchar(23), d.create_date, 126) AS create_date,
  CONVERT(nvarchar(36), d.service_broker_guid) AS service_broker_guid, d.snapshot_isolation_state, d.is_read_committed_snapshot_on,
  d.collation_name, CONVERT(nvarchar(60), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) AS updateability,
  CONVERT(nvarchar(256), SERVERPROPERTY('ServerName')) AS server_name
FROM sys.databases AS d WHERE d.database_id = DB_ID();`;

/** How many tables one statement asks for: its text and its plan stay small. */
export const TABLES_AT_A_TIME = 200;

/**
 * How a table is defined, as one value: every column with its id, name, type and collation, and the primary key. Ids are never given again
 * (sys.tables: max_column_id_used is the greatest ever used), so a column that was dropped and added, as a computed one has to be for
 * another expression, is another. Compared, never read. Renaming a column is not documented to move modify_date: so the columns themselves.
 */
const DEFINITION = `HASHBYTES('SHA2_256', (SELECT c.column_id, c.name, c.system_type_id, c.user_type_id, c.max_length, c.precision, c.scale, c.collation_name, c.is_nullable, c.is_computed, ic.key_ordinal
    FROM sys.columns AS c
    LEFT OUTER JOIN sys.indexes AS i ON i.object_id = c.object_id AND i.is_primary_key = 1
    LEFT OUTER JOIN sys.index_columns AS ic ON ic.object_id = c.object_id AND ic.index_id = i.index_id AND ic.column_id = c.column_id
    WHERE c.object_id = o.id ORDER BY c.column_id FOR JSON PATH))`;

const ROW_COUNT = '(SELECT SUM(pt.rows) FROM sys.partitions AS pt WHERE pt.object_id = o.id AND pt.index_id IN (0, 1))';

/**
 * One row for each of the tables, whose number is n: object id, begin and min valid version, definition and when it was last altered. NULL
 * means: off, gone or not allowed. One statement for at most TABLES_AT_A_TIME of them.
 */
function factsQuery(tables: readonly string[], { rows, first = 0 }: { readonly rows: boolean; readonly first?: number }): string {
  const names = tables.map((table, i) => `(${first + i}, ${quoteText(table)})`).join(', ');
  return `SELECT o.n, o.id AS object_id, CHANGE_TRACKING_MIN_VALID_VERSION(o.id) AS min_valid, ct.begin_version, CONVERT(nvarchar(33), tb.modify_date, 126) AS modified,
  ${DEFINITION} AS definition${rows ? `,\n  ${ROW_COUNT} AS row_count` : ''}
FROM (SELECT v.n, OBJECT_ID(v.name) AS id FROM (VALUES ${names}) AS v (n, name)) AS o
LEFT OUTER JOIN sys.change_tracking_tables AS ct ON ct.object_id = o.id
LEFT OUTER JOIN sys.tables AS tb ON tb.object_id = o.id;`;
}

/** What R3 compares of one table. */
function checks(table: string): string {
  return factsQuery([table], { rows: false });
}

/** A name as OBJECT_ID and FROM take it. */
export function tableName(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

/** One request that opens the source: version, then the database. */
export function openQuery(): string {
  return `SET NOCOUNT ON;\n${CURRENT_VERSION}\n${DATABASE}`;
}

/**
 * The probe of R6. Result sets: version; with the catalog also database, then the tables', one for each TABLES_AT_A_TIME of them.
 * @param tables quoted names; null: without the catalog
 */
export function probeQuery(tables: readonly string[] | null, request: RequestSettings): string {
  const catalog = tables === null ? [] : [DATABASE, ...chunks(tables)];
  return [settings(request), CURRENT_VERSION, ...catalog].join('\n');
}

/** How many result sets follow the database's. */
export function probeChunks(tables: number): number {
  return Math.ceil(tables / TABLES_AT_A_TIME);
}

function chunks(tables: readonly string[]): readonly string[] {
  return Array.from({ length: probeChunks(tables.length) }, (_, i) => {
    const first = i * TABLES_AT_A_TIME;
    return factsQuery(tables.slice(first, first + TABLES_AT_A_TIME), { rows: true, first });
  });
}

/** The result sets of a description in their order. */
export const DESCRIBE_SETS = ['database', 'table', 'version', 'name', 'columns', 'databaseAgain', 'tableAgain'] as const;

/**
 * Identity, version, identity again (L3), with the catalog between, of some tables: n is a table's number. Parameters: none, the names are the
 * operator's, quoted.
 */
export function describeQuery(tables: readonly string[], request: RequestSettings): string {
  const facts = factsQuery(tables, { rows: false });
  const asked = `(VALUES ${tables.map((table, n) => `(${n}, ${quoteText(table)})`).join(', ')}) AS v (n, name)`;
  return `${settings(request)}
${DATABASE}
${facts}
${CURRENT_VERSION}
SELECT v.n, s.name AS schema_name, o.name AS table_name, HAS_PERMS_BY_NAME(v.name, N'OBJECT', N'VIEW CHANGE TRACKING') AS may_track
FROM ${asked} JOIN sys.tables AS o ON o.object_id = OBJECT_ID(v.name) JOIN sys.schemas AS s ON s.schema_id = o.schema_id;
SELECT v.n, c.name, c.column_id, ty.name AS type_name, b.name AS base_name, c.max_length, c.precision, c.scale, c.collation_name, c.is_nullable, c.is_computed, ic.key_ordinal,
  HAS_PERMS_BY_NAME(v.name, N'OBJECT', N'SELECT', c.name, N'COLUMN') AS may_select
FROM ${asked} JOIN sys.columns AS c ON c.object_id = OBJECT_ID(v.name) JOIN sys.types AS ty ON ty.user_type_id = c.user_type_id
LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id
LEFT JOIN sys.indexes AS i ON i.object_id = c.object_id AND i.is_primary_key = 1
LEFT JOIN sys.index_columns AS ic ON ic.object_id = c.object_id AND ic.index_id = i.index_id AND ic.column_id = c.column_id
ORDER BY v.n, c.column_id;
${DATABASE}
${facts}`;
}

// --- Pages -------------------------------------------------------------------------------------------------------------------------------

function begin({ isolation }: TablePlan): string {
  return `SET TRANSACTION ISOLATION LEVEL ${isolation === 'snapshot' ? 'SNAPSHOT' : 'READ COMMITTED'};\nBEGIN TRANSACTION;`;
}

const END = 'COMMIT TRANSACTION;\nSET TRANSACTION ISOLATION LEVEL READ COMMITTED;';

/** A page in one request: settings, transaction, version, checks, rows, end of the transaction, version and checks again (R1 to R3). */
function pageQuery(plan: TablePlan, request: RequestSettings, declarations: readonly string[], rows: string): string {
  return `${settings(request)}
${declarations.map((declaration) => `${declaration}\n`).join('')}${begin(plan)}
${CURRENT_VERSION}
${checks(plan.name)}
${rows}
${END}
${CURRENT_VERSION}
${checks(plan.name)}
${DATABASE}`;
}

/** The check after a page that was cut short at pageBytes, or refused. The request that was cancelled is rolled back first. */
export function checkQuery(plan: TablePlan, request: RequestSettings): string {
  return `${ROLLBACK}\n${settings(request)}\n${CURRENT_VERSION}\n${checks(plan.name)}\n${DATABASE}`;
}

/**
 * One page of a window. The narrow inner query picks the rows, only then are they joined.
 * Parameters: @rows int, @from bigint; beyond a cursor also @cursor bigint and the key's; @maxValue bigint where a column is unbounded.
 */
export function windowQuery(plan: TablePlan, request: RequestSettings, beyond: boolean): string {
  const keys = plan.key.map(({ column }) => quoteName(column.name));
  const order = (alias: string): string => [`${alias}.SYS_CHANGE_VERSION`, ...keys.map((name) => `${alias}.${name}`)].join(', ');
  const after = keyCondition(plan.key, 'ct', 'ct.SYS_CHANGE_VERSION = @cursor AND ');
  const rows = `SELECT ${plan.windowSelect.join(', ')}
FROM (SELECT TOP (@rows) ct.SYS_CHANGE_VERSION, ct.SYS_CHANGE_CONTEXT, ${keys.map((name) => `ct.${name}`).join(', ')}
  FROM CHANGETABLE(CHANGES ${plan.name}, @from) AS ct${beyond ? `\n  WHERE ct.SYS_CHANGE_VERSION > @cursor OR ${after}` : ''}
  ORDER BY ${order('ct')}) AS w
LEFT OUTER JOIN ${plan.name} AS t ON ${keys.map((name) => `t.${name} = w.${name}`).join(' AND ')}
ORDER BY ${order('w')};`;
  return pageQuery(plan, request, beyond ? plan.key.flatMap(keyDeclaration) : [], rows);
}

/**
 * One load page, by primary key; with `where` only of the rows that pass it as well. Parameters: @rows int; beyond a key the key's; @maxValue bigint
 * where a column is unbounded.
 */
export function loadQuery(plan: TablePlan, request: RequestSettings, beyond: boolean, where: Filter | null = null): string {
  const filters = [plan.filter, where].flatMap((filter) => (filter === null ? [] : [`(${filter.sql})`]));
  const conditions = [...(beyond ? [keyCondition(plan.key, 't', '')] : []), ...filters];
  const rows = `SELECT TOP (@rows) ${plan.loadSelect.join(', ')}
FROM ${plan.name} AS t${conditions.length === 0 ? '' : `\nWHERE ${conditions.join(' AND ')}`}
ORDER BY ${plan.key.map(({ column }) => `t.${quoteName(column.name)}`).join(', ')};`;
  return pageQuery(plan, request, beyond ? plan.key.flatMap(keyDeclaration) : [], rows);
}

/** The row of one key, as a load page. Parameters: @rows int, the key's; @maxValue bigint where a column is unbounded. */
export function rowQuery(plan: TablePlan, request: RequestSettings): string {
  const key = plan.key.map((part, i) => `t.${quoteName(part.column.name)} = ${keyOperand(part, i)}`);
  const conditions = [...key, ...(plan.filter === null ? [] : [`(${plan.filter.sql})`])];
  const rows = `SELECT TOP (@rows) ${plan.loadSelect.join(', ')}
FROM ${plan.name} AS t
WHERE ${conditions.join(' AND ')};`;
  return pageQuery(plan, request, plan.key.flatMap(keyDeclaration), rows);
}

/** (prefix (a > @k0 OR (a = @k0 AND b > @k1))): the rows beyond a composite key, in the key's own order. */
function keyCondition(key: readonly KeyPlan[], alias: string, prefix: string): string {
  const beyond = key.reduceRight((inner, part, i) => {
    const name = `${alias}.${quoteName(part.column.name)}`;
    const operand = keyOperand(part, i);
    return inner === '' ? `${name} > ${operand}` : `(${name} > ${operand} OR (${name} = ${operand} AND ${inner}))`;
  }, '');
  return `(${prefix}${beyond})`;
}

/** The result sets of a count in their order. */
export const COUNT_SETS = ['version', 'count', 'afterVersion'] as const;

/** All rows of the table, counted, between two looks at the version (R6): sys.partitions counts uncommitted ones. Parameters: none. */
export function countQuery(plan: TablePlan, request: RequestSettings): string {
  return `${settings(request)}
${begin(plan)}
${CURRENT_VERSION}
SELECT COUNT_BIG(*) AS row_count FROM ${plan.name} AS t;
${END}
${CURRENT_VERSION}`;
}

// --- Keys --------------------------------------------------------------------------------------------------------------------------------

/** At most this many parameters a request (the protocol allows 2,100). */
const MAX_PARAMETERS = 2000;

/** In how many keys at a time the sweep asks: few sizes, so that the plan cache holds few texts. */
export function existingSizes(keyColumns: number): readonly number[] {
  const largest = Math.floor(MAX_PARAMETERS / keyColumns);
  return [1, 16, 128, 1024].filter((size) => size < largest).concat(largest);
}

/** The result sets of a look for keys in their order. */
export const EXISTING_SETS = ['table', 'rows', 'afterTable'] as const;

/**
 * Which of `size` keys exist and pass the filter (L4), checked before and after. Parameters: @p<row>_<column>. Rows: n, the number of a key that does,
 * and the key as the row spells it. What is no value of its column (the key was another one once) is NULL, and no error of all.
 */
export function existingQuery(plan: TablePlan, request: RequestSettings, size: number): string {
  const columns = plan.key.map((_, i) => `k${i}`);
  const values = Array.from({ length: size }, (_, row) => `(${[row, ...plan.key.map((__, i) => `@p${row}_${i}`)].join(', ')})`);
  const join = plan.key.map((part, i) => `t.${quoteName(part.column.name)} = ${collated(part, triedKeyExpression(part, `v.k${i}`))}`);
  const keys = plan.key.map(({ column, codec }, i) => `${codec.select(`t.${quoteName(column.name)}`)} AS k${i}`);
  const filter = plan.filter === null ? '' : `\nWHERE (${plan.filter.sql})`;
  return `${settings(request)}
${checks(plan.name)}
SELECT v.n, ${keys.join(', ')} FROM (VALUES ${values.join(', ')}) AS v (${['n', ...columns].join(', ')})
JOIN ${plan.name} AS t ON ${join.join(' AND ')}${filter};
${checks(plan.name)}`;
}

/** Whether two spellings are one key, under the collations that were described: no table is read. Parameters: @a<column>, @b<column>. */
export function sameKeyQuery(plan: TablePlan, request: RequestSettings): string {
  const equal = plan.key.map(
    (part, i) => `${collated(part, keyExpression(part, `@a${i}`))} = ${collated(part, keyExpression(part, `@b${i}`))}`,
  );
  return `${settings(request)}\nSELECT CASE WHEN ${equal.join(' AND ')} THEN 1 ELSE 0 END AS same;`;
}

/**
 * A key's value under the collation of its column, said explicitly: a column of VALUES has the database's, and two columns of different
 * collations do not compare (error 468). Source: learn.microsoft.com, "Collation precedence".
 */
function collated(part: KeyPlan, value: string): string {
  const { collation } = part.column;
  return `${value}${collation === null ? '' : ` COLLATE ${collationName(collation)}`}`;
}
