/**
 * The catalog procedures that are not about keys: databases, types, what identifies a row, parameters of procedures, collations of a table.
 * Source of the result sets: learn.microsoft.com, "Catalog stored procedures"; sp_tablecollations is what bulk copy clients ask.
 */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { answer, resultColumns, text } from './catalog-procedures.ts';
import { indexPositions, primaryKey, sameName } from './catalog.ts';
import type { Column, Table } from './catalog.ts';
import { odbcType } from './describe-odbc-type.ts';
import { findTable, objectNameOf } from './object-names.ts';
import { seesDefinition } from './permissions.ts';
import type { Procedure, ProcedureCall } from './procedure-call.ts';
import { shownTables } from './shown-objects.ts';

const DATABASES = resultColumns(['DATABASE_NAME', 'name?'], ['DATABASE_SIZE', 'int?'], ['REMARKS', 'text?']);

/** Sizes are NULL, as for databases of 2 TB and more: everything is in memory. */
async function databases(call: ProcedureCall): Promise<void> {
  await answer(call, DATABASES, (context) =>
    [...context.instance.databases.values()]
      .map(({ name }) => name)
      .toSorted()
      .map((name): SqlValue[] => [name, null, null]),
  );
}

const TYPE_INFO = resultColumns(
  ['TYPE_NAME', 'name'],
  ['DATA_TYPE', 'smallint'],
  ['PRECISION', 'int?'],
  ['LITERAL_PREFIX', 'text?'],
  ['LITERAL_SUFFIX', 'text?'],
  ['CREATE_PARAMS', 'text?'],
  ['NULLABLE', 'smallint'],
  ['CASE_SENSITIVE', 'smallint'],
  ['SEARCHABLE', 'smallint'],
  ['UNSIGNED_ATTRIBUTE', 'smallint?'],
  ['MONEY', 'smallint'],
  ['AUTO_INCREMENT', 'smallint?'],
  ['LOCAL_TYPE_NAME', 'name?'],
  ['MINIMUM_SCALE', 'smallint?'],
  ['MAXIMUM_SCALE', 'smallint?'],
  ['SQL_DATA_TYPE', 'smallint'],
  ['SQL_DATETIME_SUB', 'smallint?'],
  ['NUM_PREC_RADIX', 'int?'],
  ['INTERVAL_PRECISION', 'smallint?'],
  ['USERTYPE', 'smallint?'],
);

const COLLATION = 'SQL_Latin1_General_CP1_CI_AS';
/** Each type at its largest, with its old user type number. */
const TYPES: readonly (readonly [SqlType, usertype: number])[] = [
  [{ name: 'bit' }, 16],
  [{ name: 'tinyint' }, 5],
  [{ name: 'smallint' }, 6],
  [{ name: 'int' }, 7],
  [{ name: 'bigint' }, 0],
  [{ name: 'numeric', precision: 38, scale: 38 }, 10],
  [{ name: 'decimal', precision: 38, scale: 38 }, 24],
  [{ name: 'money' }, 11],
  [{ name: 'smallmoney' }, 21],
  [{ name: 'float' }, 8],
  [{ name: 'real' }, 23],
  [{ name: 'char', length: 8000, collation: COLLATION }, 1],
  [{ name: 'varchar', length: 8000, collation: COLLATION }, 2],
  [{ name: 'text', collation: COLLATION }, 19],
  [{ name: 'nchar', length: 4000, collation: COLLATION }, 0],
  [{ name: 'nvarchar', length: 4000, collation: COLLATION }, 0],
  [{ name: 'ntext', collation: COLLATION }, 0],
  [{ name: 'binary', length: 8000 }, 3],
  [{ name: 'varbinary', length: 8000 }, 4],
  [{ name: 'image' }, 20],
  [{ name: 'rowversion' }, 80],
  [{ name: 'date' }, 0],
  [{ name: 'time', scale: 7 }, 0],
  [{ name: 'datetime2', scale: 7 }, 0],
  [{ name: 'datetimeoffset', scale: 7 }, 0],
  [{ name: 'datetime' }, 12],
  [{ name: 'smalldatetime' }, 22],
  [{ name: 'uniqueidentifier' }, 0],
  [{ name: 'xml' }, 0],
  [{ name: 'sql_variant' }, 0],
];

/** SQL_PRED_CHAR: LIKE only; SQL_PRED_BASIC: all but LIKE; SQL_SEARCHABLE. */
const SEARCH = { like: 1, basic: 2, all: 3 } as const;

function typeRow([type, usertype]: (typeof TYPES)[number]): SqlValue[] {
  const odbc = odbcType(type);
  const numeric = odbc.radix !== null;
  const isText = 'collation' in type;
  const isBinary = type.name === 'binary' || type.name === 'varbinary' || type.name === 'image';
  const quoted = isText || type.name === 'uniqueidentifier' || odbc.verbose === 9 || type.name === 'time' || type.name === 'datetimeoffset';
  const money = type.name === 'money' || type.name === 'smallmoney';
  const isLob = type.name === 'text' || type.name === 'ntext' || type.name === 'image' || type.name === 'xml';
  const sized = 'length' in type;
  return [
    odbc.name,
    odbc.code,
    odbc.precision,
    quoted ? (type.name.startsWith('n') && isText ? "N'" : "'") : isBinary ? '0x' : money ? '$' : null,
    quoted ? "'" : null,
    'precision' in type
      ? 'precision,scale'
      : sized
        ? type.name.includes('var')
          ? 'max length'
          : 'length'
        : 'scale' in type
          ? 'scale'
          : null,
    type.name === 'rowversion' ? 0 : 1,
    0,
    isLob ? SEARCH.like : isText ? SEARCH.all : SEARCH.basic,
    numeric ? (type.name === 'tinyint' ? 1 : 0) : null,
    money ? 1 : 0,
    numeric ? 0 : null,
    odbc.name,
    numeric && odbc.scale !== null ? ('precision' in type ? 0 : odbc.scale) : 'scale' in type ? 0 : null,
    odbc.scale,
    odbc.verbose,
    odbc.dateKind,
    odbc.radix,
    null,
    usertype,
  ];
}

async function typeInfo(call: ProcedureCall): Promise<void> {
  const given = call.get('@data_type', 0)?.value;
  const wanted = typeof given === 'number' ? given : 0;
  await answer(call, TYPE_INFO, () =>
    TYPES.map(typeRow)
      .filter((row) => wanted === 0 || row[1] === wanted)
      .toSorted((a, b) => Number(a[1]) - Number(b[1])),
  );
}

const SPECIAL = resultColumns(
  ['SCOPE', 'smallint?'],
  ['COLUMN_NAME', 'name?'],
  ['DATA_TYPE', 'smallint'],
  ['TYPE_NAME', 'name?'],
  ['PRECISION', 'int?'],
  ['LENGTH', 'int?'],
  ['SCALE', 'smallint?'],
  ['PSEUDO_COLUMN', 'smallint?'],
);

/** Columns that identify a row (the primary key, else the first unique key), or with @col_type 'V' those that change with it. */
async function specialColumns(call: ProcedureCall): Promise<void> {
  const [name, owner] = [text(call, '@table_name', 0), text(call, '@table_owner', 1)];
  const changing = text(call, '@col_type', 3)?.toUpperCase() === 'V';
  await answer(call, SPECIAL, (context) =>
    shownTables(context, context.database)
      .filter((table) => sameName(table.name, name ?? '') && (owner === null || sameName(table.schema.name, owner)))
      .flatMap((table) => (changing ? table.columns.filter((column) => column.type.name === 'rowversion') : identifying(table)))
      .map((column) => {
        const type = odbcType(column.type);
        const typeName = column.identity === null ? type.name : `${type.name} identity`;
        return [changing ? null : 0, column.name, type.code, typeName, type.precision, type.length, type.scale, 1];
      }),
  );
}

function identifying(table: Table): Column[] {
  const key = primaryKey(table) ?? table.indexes.find((index) => index.unique);
  return key === undefined ? [] : indexPositions(table, key).flatMap((position) => table.columns[position] ?? []);
}

/** There are no procedures of the user, so there are no parameters. */
const PROCEDURE_COLUMNS = resultColumns(
  ['PROCEDURE_QUALIFIER', 'name?'],
  ['PROCEDURE_OWNER', 'name?'],
  ['PROCEDURE_NAME', 'name'],
  ['COLUMN_NAME', 'name'],
  ['COLUMN_TYPE', 'smallint'],
  ['DATA_TYPE', 'smallint'],
  ['TYPE_NAME', 'name'],
  ['PRECISION', 'int'],
  ['LENGTH', 'int'],
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
);

const TABLE_COLLATIONS = [
  ...resultColumns(['colid', 'int'], ['name', 'name?']),
  { name: 'tds_collation', type: { name: 'varbinary', length: 5 }, nullable: true } as const,
  ...resultColumns(['collation', 'name?']),
];

/** The collations of a table's columns. The second form of the collation, as the protocol has it, is not told. */
async function tableCollations(call: ProcedureCall): Promise<void> {
  const name = objectNameOf(text(call, '@object', 0) ?? '');
  if (name === null) {
    throw new SqlError(15253, 'Syntax error parsing SQL identifier.');
  }
  await answer(call, TABLE_COLLATIONS, (context) => {
    const table = findTable(context.session, name);
    return (seesDefinition(context.session, table) ? table.columns : []).map((column) => [
      column.id,
      column.name,
      null,
      'collation' in column.type ? column.type.collation : null,
    ]);
  });
}

export const typeProcedures: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  ['sp_databases', databases],
  ['sp_datatype_info', typeInfo],
  ['sp_datatype_info_90', typeInfo],
  ['sp_datatype_info_100', typeInfo],
  ['sp_special_columns', specialColumns],
  ['sp_special_columns_90', specialColumns],
  ['sp_special_columns_100', specialColumns],
  ['sp_sproc_columns', (call) => answer(call, PROCEDURE_COLUMNS, () => [])],
  ['sp_sproc_columns_90', (call) => answer(call, PROCEDURE_COLUMNS, () => [])],
  ['sp_sproc_columns_100', (call) => answer(call, PROCEDURE_COLUMNS, () => [])],
  ['sp_tablecollations', tableCollations],
  ['sp_tablecollations_90', tableCollations],
  ['sp_tablecollations_100', tableCollations],
]);
