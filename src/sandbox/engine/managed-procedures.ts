/**
 * The procedures behind the schema collections of .NET clients (SqlConnection.GetSchema): sp_columns_managed, sp_indexes_managed and
 * sp_indexcolumns_managed. Source of the columns: learn.microsoft.com, ".NET: SQL Server schema collections".
 */
import type { SqlType } from '../sql-types.ts';
import { DEFAULT_COLLATION } from '../sql-types.ts';
import { declareVariable } from './declarations.ts';
import type { Procedure, ProcedureCall } from './procedure-call.ts';
import { textArgument } from './procedure-call.ts';
import { createFrame } from './statement-context.ts';

const NAME: SqlType = { name: 'nvarchar', length: 128, collation: DEFAULT_COLLATION };

/** A condition of a parameter: NULL asks for everything. */
function matches(column: string, parameter: string): string {
  return `(${column} = ${parameter} OR ${parameter} IS NULL)`;
}

/** Runs a query with the call's arguments, all of them names, as its variables. */
async function query(call: ProcedureCall, parameters: readonly string[], text: string): Promise<void> {
  const frame = createFrame();
  parameters.forEach((name, index) => declareVariable(frame, name, NAME, textArgument(call.get(name, index))));
  await call.runner.nested(text, frame);
}

async function columns(call: ProcedureCall): Promise<void> {
  // 0: columns that are in no column set; 1: all; 2: those of column sets, which there are none of.
  const mode = Number(call.get('@ColumnSet', 4)?.value ?? 0);
  const where = [matches('TABLE_CATALOG', '@Catalog'), matches('TABLE_SCHEMA', '@Owner'), matches('TABLE_NAME', '@Table')];
  await query(
    call,
    ['@Catalog', '@Owner', '@Table', '@Column'],
    `SELECT TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_DEFAULT, IS_NULLABLE, DATA_TYPE,
      CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, NUMERIC_PRECISION_RADIX, NUMERIC_SCALE, DATETIME_PRECISION,
      CHARACTER_SET_CATALOG, CHARACTER_SET_SCHEMA, CHARACTER_SET_NAME, COLLATION_CATALOG,
      CAST('NO' AS varchar(3)) AS IS_FILESTREAM, CAST('NO' AS varchar(3)) AS IS_SPARSE, CAST('NO' AS varchar(3)) AS IS_COLUMN_SET
    FROM INFORMATION_SCHEMA.COLUMNS
    WHERE ${where.join(' AND ')} AND ${matches('COLUMN_NAME', '@Column')}${mode === 2 ? ' AND 1 = 0' : ''}
    ORDER BY TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME`,
  );
}

const INDEXED =
  'FROM sys.tables AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id JOIN sys.indexes AS i ON i.object_id = o.object_id';
const INDEX_NAMES = `DB_NAME() AS constraint_catalog, s.name AS constraint_schema, i.name AS constraint_name,
  DB_NAME() AS table_catalog, s.name AS table_schema, o.name AS table_name`;

async function indexes(call: ProcedureCall): Promise<void> {
  const where = [matches('DB_NAME()', '@Catalog'), matches('s.name', '@Owner'), matches('o.name', '@Table'), matches('i.name', '@Name')];
  await query(
    call,
    ['@Catalog', '@Owner', '@Table', '@Name'],
    `SELECT ${INDEX_NAMES}, i.name AS index_name, i.type_desc ${INDEXED} WHERE i.index_id > 0 AND ${where.join(' AND ')} ORDER BY o.name, i.name`,
  );
}

async function indexColumns(call: ProcedureCall): Promise<void> {
  const where = [
    matches('DB_NAME()', '@Catalog'),
    matches('s.name', '@Owner'),
    matches('o.name', '@Table'),
    matches('i.name', '@ConstraintName'),
    matches('c.name', '@Column'),
  ];
  await query(
    call,
    ['@Catalog', '@Owner', '@Table', '@ConstraintName', '@Column'],
    `SELECT ${INDEX_NAMES}, c.name AS column_name, CAST(k.key_ordinal AS int) AS ordinal_position, c.system_type_id AS KeyType, i.name AS index_name
    ${INDEXED} JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
      JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
    WHERE k.key_ordinal > 0 AND ${where.join(' AND ')} ORDER BY o.name, i.name, k.key_ordinal`,
  );
}

export const managedProcedures: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  ['sp_columns_managed', columns],
  ['sp_indexes_managed', indexes],
  ['sp_indexcolumns_managed', indexColumns],
]);
