/**
 * The catalog procedures that ODBC, JDBC and DB-Library drivers call for their metadata functions: tables, columns, keys, indexes. Names are
 * matched as LIKE patterns where the procedure takes patterns. Source of the result sets: learn.microsoft.com, "Catalog stored procedures".
 */
import { collationOf } from '../sql/collation.ts';
import { likeMatcher } from '../sql/like.ts';
import { SqlError } from '../session.ts';
import type { ResultColumn, SqlType, SqlValue } from '../sql-types.ts';
import type { Column, Database, IndexDefinition, Table, View } from './catalog.ts';
import { primaryKey, sameName } from './catalog.ts';
import { odbcType } from './describe-odbc-type.ts';
import { formatDefinition } from './format-definition.ts';
import { seesDefinition } from './permissions.ts';
import type { Procedure, ProcedureCall } from './procedure-call.ts';
import type { StatementContext } from './statement-context.ts';
import { shownTables } from './shown-objects.ts';
import { sendResult } from './send-result.ts';

type Kind = 'name' | 'name?' | 'int' | 'int?' | 'smallint' | 'smallint?' | 'tinyint' | 'text?' | 'flag';

const COLLATION = 'SQL_Latin1_General_CP1_CI_AS';
const KINDS: Record<Kind, readonly [SqlType, boolean]> = {
  name: [{ name: 'nvarchar', length: 128, collation: COLLATION }, false],
  'name?': [{ name: 'nvarchar', length: 128, collation: COLLATION }, true],
  int: [{ name: 'int' }, false],
  'int?': [{ name: 'int' }, true],
  smallint: [{ name: 'smallint' }, false],
  'smallint?': [{ name: 'smallint' }, true],
  tinyint: [{ name: 'tinyint' }, false],
  'text?': [{ name: 'varchar', length: 254, collation: COLLATION }, true],
  flag: [{ name: 'char', length: 1, collation: COLLATION }, true],
};

/** Columns of a result set from `NAME kind, …`. */
export function resultColumns(...columns: readonly (readonly [string, Kind])[]): ResultColumn[] {
  return columns.map(([name, kind]) => ({ name, type: KINDS[kind][0], nullable: KINDS[kind][1] }));
}

/** Answers with one result set. */
export async function answer(
  call: ProcedureCall,
  columns: readonly ResultColumn[],
  rowsOf: (context: StatementContext) => Iterable<readonly SqlValue[]>,
): Promise<void> {
  const rows = await call.runner.atomic((context) => [...rowsOf(context)]);
  await sendResult(call.runner, { count: rows.length, columns, rows, select: true });
}

/** The text of a parameter; null for NULL and where it is left out. */
export function text(call: ProcedureCall, name: string, position: number): string | null {
  const value = call.get(name, position)?.value;
  return typeof value === 'string' ? value.trimEnd() : null;
}

/** Whether a name fits a parameter that is a LIKE pattern; everything fits NULL. */
export function fits(pattern: string | null, context: StatementContext): (name: string) => boolean {
  if (pattern === null) {
    return () => true;
  }
  return likeMatcher(pattern, null, collationOf(context.database.collation), true);
}

function isName(wanted: string | null): (name: string) => boolean {
  return (name) => wanted === null || sameName(name, wanted);
}

/** The qualifier must be the current database. @throws SqlError 15250 */
function requireCurrent(context: StatementContext, qualifier: string | null): void {
  if (qualifier !== null && !sameName(qualifier, context.database.name)) {
    throw new SqlError(15250, 'The database name component of the object qualifier must be the name of the current database.');
  }
}

function byText(...keys: readonly number[]): (a: readonly SqlValue[], b: readonly SqlValue[]) => number {
  return (a, b) => {
    for (const key of keys) {
      const [left, right] = [a[key] ?? null, b[key] ?? null];
      const order =
        typeof left === 'string' && typeof right === 'string'
          ? left.toLowerCase() < right.toLowerCase()
            ? -1
            : Number(left.toLowerCase() > right.toLowerCase())
          : Number(left) - Number(right);
      if (order !== 0) {
        return order;
      }
    }
    return 0;
  };
}

const TABLES = resultColumns(
  ['TABLE_QUALIFIER', 'name?'],
  ['TABLE_OWNER', 'name?'],
  ['TABLE_NAME', 'name?'],
  ['TABLE_TYPE', 'text?'],
  ['REMARKS', 'text?'],
);

function views(context: StatementContext, database: Database): View[] {
  return [...database.objects.values()].filter((object) => object.kind === 'view' && context.session.administrator) as View[];
}

async function tables(call: ProcedureCall): Promise<void> {
  const [name, owner, qualifier] = [text(call, '@table_name', 0), text(call, '@table_owner', 1), text(call, '@table_qualifier', 2)];
  const types = text(call, '@table_type', 3);
  await answer(call, TABLES, (context) => {
    if (qualifier === '%' && name === '' && owner === '') {
      return [...context.instance.databases.values()].map((each) => [each.name, null, null, null, null]).toSorted(byText(0));
    }
    if (owner === '%' && name === '' && (qualifier ?? '') === '') {
      return [...context.database.schemas.values()].map((each) => [null, each.name, null, null, null]).toSorted(byText(1));
    }
    if (types === '%' && name === '' && owner === '' && (qualifier ?? '') === '') {
      return ['SYSTEM TABLE', 'TABLE', 'VIEW'].map((each) => [null, null, null, each, null]);
    }
    if (qualifier !== '%') {
      requireCurrent(context, qualifier);
    }
    const wanted = (type: string): boolean => types === null || types.toUpperCase().includes(`'${type}'`) || types === type;
    const [fitsName, fitsOwner] = [fits(name, context), fits(owner, context)];
    const { database } = context;
    const found = [
      ...(wanted('TABLE') ? shownTables(context, database).map((table) => ({ object: table, type: 'TABLE' })) : []),
      ...(wanted('VIEW') ? views(context, database).map((view) => ({ object: view, type: 'VIEW' })) : []),
    ];
    return found
      .filter(({ object }) => fitsName(object.name) && fitsOwner(object.schema.name))
      .map(({ object, type }) => [database.name, object.schema.name, object.name, type, null])
      .toSorted(byText(3, 0, 1, 2));
  });
}

const COLUMNS = resultColumns(
  ['TABLE_QUALIFIER', 'name?'],
  ['TABLE_OWNER', 'name?'],
  ['TABLE_NAME', 'name?'],
  ['COLUMN_NAME', 'name?'],
  ['DATA_TYPE', 'smallint'],
  ['TYPE_NAME', 'name?'],
  ['PRECISION', 'int?'],
  ['LENGTH', 'int?'],
  ['SCALE', 'smallint?'],
  ['RADIX', 'smallint?'],
  ['NULLABLE', 'smallint'],
  ['REMARKS', 'text?'],
  ['COLUMN_DEF', 'text?'],
  ['SQL_DATA_TYPE', 'smallint'],
  ['SQL_DATETIME_SUB', 'smallint?'],
  ['CHAR_OCTET_LENGTH', 'int?'],
  ['ORDINAL_POSITION', 'int'],
  ['IS_NULLABLE', 'text?'],
  ['SS_DATA_TYPE', 'tinyint'],
).map((column) =>
  column.name === 'COLUMN_DEF' ? { ...column, type: { name: 'nvarchar', length: 4000, collation: COLLATION } as const } : column,
);

/** `old`: the procedure without a version describes the types of SQL Server 2008 as text; ODBC 2 has other codes for dates. */
function columnRow(table: Table, column: Column, ordinal: number, old: boolean, odbc: number): SqlValue[] {
  const type = odbcType(column.type);
  const asText = old && ['date', 'time', 'datetime2', 'datetimeoffset'].includes(type.name);
  const code = asText ? -9 : type.code === 93 && odbc < 3 ? 11 : type.code === 91 && odbc < 3 ? 9 : type.code;
  return [
    table.database.name,
    table.schema.name,
    table.name,
    column.name,
    code,
    column.identity === null ? type.name : `${type.name} identity`,
    type.precision,
    asText ? type.precision * 2 : type.length,
    asText ? null : type.scale,
    type.radix,
    column.nullable ? 1 : 0,
    null,
    column.default === null ? null : formatDefinition(column.default.expression, column.default.text),
    asText ? -9 : type.verbose,
    asText ? null : type.dateKind,
    asText ? type.precision * 2 : type.octets,
    ordinal,
    column.nullable ? 'YES' : 'NO',
    type.wire,
  ];
}

function columns(old: boolean): Procedure {
  return async (call) => {
    const [name, owner, column] = [text(call, '@table_name', 0), text(call, '@table_owner', 1), text(call, '@column_name', 3)];
    const qualifier = text(call, '@table_qualifier', 2);
    const version = call.get('@odbcver', 4)?.value;
    const odbc = typeof version === 'number' ? version : 2;
    await answer(call, COLUMNS, (context) => {
      requireCurrent(context, qualifier);
      const [fitsName, fitsOwner, fitsColumn] = [fits(name, context), fits(owner, context), fits(column, context)];
      return tablesAndTemps(context, name)
        .filter((table) => fitsName(table.name) && fitsOwner(table.schema.name))
        .toSorted((a, b) => byText(0, 1)([a.schema.name, a.name], [b.schema.name, b.name]))
        .flatMap((table) =>
          table.columns.flatMap((each, index) => (fitsColumn(each.name) ? [columnRow(table, each, index + 1, old, odbc)] : [])),
        );
    });
  };
}

function tablesAndTemps(context: StatementContext, name: string | null): Table[] {
  return name?.startsWith('#') === true ? [...context.session.tempTables.values()] : shownTables(context, context.database);
}

/** The tables that a procedure about one table names. */
function named(context: StatementContext, name: string | null, owner: string | null): Table[] {
  return tablesAndTemps(context, name).filter(
    (table) => isName(name)(table.name) && isName(owner)(table.schema.name) && seesDefinition(context.session, table),
  );
}

const PRIMARY_KEYS = resultColumns(
  ['TABLE_QUALIFIER', 'name?'],
  ['TABLE_OWNER', 'name?'],
  ['TABLE_NAME', 'name?'],
  ['COLUMN_NAME', 'name?'],
  ['KEY_SEQ', 'smallint'],
  ['PK_NAME', 'name?'],
);

async function primaryKeys(call: ProcedureCall): Promise<void> {
  await answer(call, PRIMARY_KEYS, (context) => {
    requireCurrent(context, text(call, '@table_qualifier', 2));
    return named(context, text(call, '@table_name', 0), text(call, '@table_owner', 1)).flatMap((table) => {
      const key = primaryKey(table);
      return (key === null ? [] : columnNames(table, key)).map((column, index) => [
        table.database.name,
        table.schema.name,
        table.name,
        column,
        index + 1,
        key?.name ?? null,
      ]);
    });
  });
}

function columnNames(table: Table, index: IndexDefinition): string[] {
  return index.columns.map(({ columnId }) => nameOf(table, columnId));
}

function nameOf(table: Table, columnId: number): string {
  return table.columns.find((column) => column.id === columnId)?.name ?? '';
}

const FOREIGN_KEYS = resultColumns(
  ['PKTABLE_QUALIFIER', 'name?'],
  ['PKTABLE_OWNER', 'name?'],
  ['PKTABLE_NAME', 'name?'],
  ['PKCOLUMN_NAME', 'name?'],
  ['FKTABLE_QUALIFIER', 'name?'],
  ['FKTABLE_OWNER', 'name?'],
  ['FKTABLE_NAME', 'name?'],
  ['FKCOLUMN_NAME', 'name?'],
  ['KEY_SEQ', 'smallint'],
  ['UPDATE_RULE', 'smallint?'],
  ['DELETE_RULE', 'smallint?'],
  ['FK_NAME', 'name?'],
  ['PK_NAME', 'name?'],
  ['DEFERRABILITY', 'smallint?'],
);

/** Codes of ODBC, and SQL_NOT_DEFERRABLE. */
const RULES = { cascade: 0, noAction: 1, setNull: 2, setDefault: 3 } as const;
const NOT_DEFERRABLE = 7;

async function foreignKeys(call: ProcedureCall): Promise<void> {
  const [primary, primaryOwner] = [text(call, '@pktable_name', 0), text(call, '@pktable_owner', 1)];
  const [foreign, foreignOwner] = [text(call, '@fktable_name', 3), text(call, '@fktable_owner', 4)];
  if (primary === null && foreign === null) {
    throw new SqlError(15252, 'The primary or foreign key table name must be given.');
  }
  await answer(call, FOREIGN_KEYS, (context) => {
    const rows = shownTables(context, context.database).flatMap((table) =>
      table.foreignKeys.flatMap((key) => {
        const { references } = key;
        const asked =
          isName(primary)(references.name) &&
          isName(primaryOwner)(references.schema.name) &&
          isName(foreign)(table.name) &&
          isName(foreignOwner)(table.schema.name);
        return (asked ? key.columnIds : []).map((columnId, index): SqlValue[] => [
          context.database.name,
          references.schema.name,
          references.name,
          nameOf(references, key.referencedIds[index] ?? 0),
          context.database.name,
          table.schema.name,
          table.name,
          nameOf(table, columnId),
          index + 1,
          RULES[key.onUpdate],
          RULES[key.onDelete],
          key.name,
          primaryKey(references)?.name ?? null,
          NOT_DEFERRABLE,
        ]);
      }),
    );
    return rows.toSorted(primary === null ? byText(1, 2, 11, 8) : byText(5, 6, 11, 8));
  });
}

const STATISTICS = resultColumns(
  ['TABLE_QUALIFIER', 'name?'],
  ['TABLE_OWNER', 'name?'],
  ['TABLE_NAME', 'name?'],
  ['NON_UNIQUE', 'smallint?'],
  ['INDEX_QUALIFIER', 'name?'],
  ['INDEX_NAME', 'name?'],
  ['TYPE', 'smallint'],
  ['SEQ_IN_INDEX', 'smallint?'],
  ['COLUMN_NAME', 'name?'],
  ['COLLATION', 'flag'],
  ['CARDINALITY', 'int?'],
  ['PAGES', 'int?'],
  ['FILTER_CONDITION', 'text?'],
);

async function statistics(call: ProcedureCall): Promise<void> {
  const onlyUnique = text(call, '@is_unique', 4)?.toUpperCase() === 'Y';
  await answer(call, STATISTICS, (context) => {
    requireCurrent(context, text(call, '@table_qualifier', 2));
    const fitsIndex = fits(text(call, '@index_name', 3), context);
    return named(context, text(call, '@table_name', 0), text(call, '@table_owner', 1)).flatMap((table) => {
      const whose = [table.database.name, table.schema.name, table.name];
      const count = table.store.count;
      const indexes = table.indexes
        .filter((index) => fitsIndex(index.name) && (index.unique || !onlyUnique))
        .flatMap((index) =>
          index.columns.map(({ columnId, descending }, place): SqlValue[] => [
            ...whose,
            index.unique ? 0 : 1,
            table.name,
            index.name,
            index.clustered ? 1 : 3,
            place + 1,
            nameOf(table, columnId),
            descending ? 'D' : 'A',
            index.clustered ? count : null,
            null,
            null,
          ]),
        );
      return [[...whose, null, null, null, 0, null, null, null, count, null, null], ...indexes].toSorted(byText(3, 6, 4, 5, 7));
    });
  });
}

/** Without user procedures there are none to tell of; what drivers ask all the same. */
const PROCEDURES = resultColumns(
  ['PROCEDURE_QUALIFIER', 'name?'],
  ['PROCEDURE_OWNER', 'name?'],
  ['PROCEDURE_NAME', 'name'],
  ['NUM_INPUT_PARAMS', 'int'],
  ['NUM_OUTPUT_PARAMS', 'int'],
  ['NUM_RESULT_SETS', 'int'],
  ['REMARKS', 'text?'],
  ['PROCEDURE_TYPE', 'smallint'],
);

export const catalogProcedures: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  ['sp_tables', tables],
  ['sp_columns', columns(true)],
  ['sp_columns_90', columns(true)],
  ['sp_columns_100', columns(false)],
  ['sp_pkeys', primaryKeys],
  ['sp_fkeys', foreignKeys],
  ['sp_statistics', statistics],
  ['sp_statistics_100', statistics],
  ['sp_stored_procedures', (call) => answer(call, PROCEDURES, () => [])],
]);
