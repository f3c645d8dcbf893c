/**
 * sp_describe_first_result_set: the columns of the first statement of a text that has any, without running it.
 * Source: learn.microsoft.com, "sp_describe_first_result_set". What SQL Server tells of source tables, order and XML is NULL here.
 */
import { parse } from '../sql/parser.ts';
import { formatType, resolveType } from '../sql/types.ts';
import { SqlError } from '../session.ts';
import type { ResultColumn, SqlType, SqlValue } from '../sql-types.ts';
import { declareVariable } from './declarations.ts';
import { columnsOf, innermost } from './describe-statement.ts';
import { odbcType } from './describe-odbc-type.ts';
import { catalogTypeName, describeType } from './metadata-functions.ts';
import type { PlanColumn } from './plan.ts';
import type { Procedure, ProcedureCall } from './procedure-call.ts';
import { StatementContext, createFrame } from './statement-context.ts';
import { sendResult } from './send-result.ts';

const COLLATION = 'SQL_Latin1_General_CP1_CI_AS';
const INT: SqlType = { name: 'int' };
const SMALLINT: SqlType = { name: 'smallint' };
const TINYINT: SqlType = { name: 'tinyint' };
const BIT: SqlType = { name: 'bit' };
const SYSNAME: SqlType = { name: 'nvarchar', length: 128, collation: COLLATION };
const LONG: SqlType = { name: 'nvarchar', length: 4000, collation: COLLATION };

const DESCRIPTION: readonly ResultColumn[] = (
  [
    ['is_hidden', BIT, false],
    ['column_ordinal', INT, false],
    ['name', SYSNAME, true],
    ['is_nullable', BIT, false],
    ['system_type_id', INT, false],
    ['system_type_name', { name: 'nvarchar', length: 256, collation: COLLATION }, true],
    ['max_length', SMALLINT, false],
    ['precision', TINYINT, false],
    ['scale', TINYINT, false],
    ['collation_name', SYSNAME, true],
    ['user_type_id', INT, true],
    ['user_type_database', SYSNAME, true],
    ['user_type_schema', SYSNAME, true],
    ['user_type_name', SYSNAME, true],
    ['assembly_qualified_type_name', LONG, true],
    ['xml_collection_id', INT, true],
    ['xml_collection_database', SYSNAME, true],
    ['xml_collection_schema', SYSNAME, true],
    ['xml_collection_name', SYSNAME, true],
    ['is_xml_document', BIT, false],
    ['is_case_sensitive', BIT, false],
    ['is_fixed_length_clr_type', BIT, false],
    ['source_server', SYSNAME, true],
    ['source_database', SYSNAME, true],
    ['source_schema', SYSNAME, true],
    ['source_table', SYSNAME, true],
    ['source_column', SYSNAME, true],
    ['is_identity_column', BIT, true],
    ['is_part_of_unique_key', BIT, true],
    ['is_updateable', BIT, true],
    ['is_computed_column', BIT, true],
    ['is_sparse_column_set', BIT, true],
    ['ordinal_in_order_by_list', SMALLINT, true],
    ['order_by_list_length', SMALLINT, true],
    ['order_by_is_descending', SMALLINT, true],
    ['tds_type_id', INT, false],
    ['tds_length', INT, false],
    ['tds_collation_id', INT, true],
    ['tds_collation_sort_id', TINYINT, true],
  ] as const
).map(([name, type, nullable]) => ({ name, type, nullable }));

/** The protocol's ids and lengths of types that can be NULL. Source: MS-TDS 2.2.5.4. */
function wireOf(type: SqlType): readonly [id: number, length: number] {
  const { length } = describeType(type);
  switch (type.name) {
    case 'char':
    case 'nchar':
    case 'varchar':
    case 'nvarchar':
    case 'binary':
    case 'varbinary':
      return [
        { char: 175, nchar: 239, varchar: 167, nvarchar: 231, binary: 173, varbinary: 165 }[type.name],
        length === -1 ? 65_535 : length,
      ];
    case 'bit':
      return [104, 1];
    case 'bigint':
      return [38, 8];
    case 'decimal':
    case 'numeric':
      return [type.name === 'decimal' ? 106 : 108, 17];
    case 'date':
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return [{ date: 40, time: 41, datetime2: 42, datetimeoffset: 43 }[type.name], length];
    case 'uniqueidentifier':
      return [36, 16];
    case 'rowversion':
      return [173, 8];
    case 'text':
    case 'ntext':
    case 'image':
      return [{ text: 35, ntext: 99, image: 34 }[type.name], 2_147_483_647];
    case 'xml':
      return [241, 8100];
    case 'sql_variant':
      return [98, 8009];
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'float':
    case 'real':
    case 'money':
    case 'smallmoney':
    case 'datetime':
    case 'smalldatetime':
      return [odbcType(type).wire, length];
  }
}

function describe(column: PlanColumn, ordinal: number): SqlValue[] {
  const { type } = column;
  const about = describeType(type);
  const [wire, wireLength] = wireOf(type);
  const sized = type.name === 'rowversion' ? catalogTypeName(type.name) : formatType(type);
  return [
    false,
    ordinal,
    column.name === '' ? null : column.name,
    column.nullable,
    about.systemTypeId,
    sized,
    about.length,
    about.precision,
    about.scale,
    about.collation,
    ...Array.from({ length: 9 }, () => null),
    false,
    about.collation !== null && /_CS_|_BIN/i.test(about.collation),
    false,
    ...Array.from({ length: 5 }, () => null),
    column.identity === true,
    null,
    column.identity !== true && column.computed !== true,
    column.computed === true,
    false,
    null,
    null,
    null,
    wire,
    wireLength,
    null,
    null,
  ];
}

async function describeFirst(call: ProcedureCall): Promise<void> {
  const sql = call.get('@tsql', 0)?.value;
  const declared = call.get('@params', 1)?.value;
  if (typeof sql !== 'string') {
    throw new SqlError(214, "Procedure expects parameter '@tsql' of type 'nvarchar(max)'.", { state: 2 });
  }
  const { statements } = parse(sql);
  const frame = createFrame();
  const parameters = typeof declared === 'string' && declared.trim() !== '' ? parse(`DECLARE ${declared}`).statements : [];
  for (const statement of [...parameters, ...statements.flatMap((each) => [...innermost(each)])]) {
    for (const variable of statement.kind === 'declare' ? statement.variables : []) {
      declareVariable(frame, variable.name, resolveType(variable.type, call.runner.session.database.collation), null);
    }
  }
  const found = await call.runner.atomic(({ session, transaction }) => {
    const context = new StatementContext(session, transaction, frame);
    for (const statement of statements.flatMap((each) => [...innermost(each)])) {
      const columns = columnsOf(context, statement);
      if (columns.length > 0) {
        return columns;
      }
    }
    return [];
  });
  const rows = found.map((column, index) => describe(column, index + 1));
  await sendResult(call.runner, { count: rows.length, columns: DESCRIPTION, rows, select: true });
}

export const resultSetProcedures: ReadonlyMap<string, Procedure> = new Map<string, Procedure>([
  ['sp_describe_first_result_set', describeFirst],
]);
