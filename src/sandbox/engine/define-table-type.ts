/**
 * Table types: CREATE TYPE … AS TABLE, DROP TYPE, and the table variables that are made of them, those of parameters included. Alias types and
 * CLR types are not here. Source: learn.microsoft.com, "CREATE TYPE", "Use table-valued parameters (Database Engine)".
 */
import type { CreateTypeStatement, DropTypeStatement, TypeStatement } from '../sql/ast-definition.ts';
import type { ObjectName } from '../sql/ast-expression.ts';
import type { TableValue } from '../session.ts';
import { SqlError } from '../session.ts';
import type { Table } from './catalog.ts';
import { objectKey } from './catalog.ts';
import { createDraft, fillDraft, placeFor, tableOf } from './define-table.ts';
import { logUndo } from './definition-log.ts';
import { createEnvironment } from './environment.ts';
import { insertInto } from './insert-rows.ts';
import { databaseOf, describeName, objectNameOf } from './object-names.ts';
import { requireOwner } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';
import type { TableType } from './table-types.ts';
import { tableTypesOf } from './table-types.ts';

function find(context: StatementContext, name: ObjectName): TableType | undefined {
  return tableTypesOf(databaseOf(context.session, name)).get(objectKey(name.schema ?? 'dbo', name.name));
}

/** Ids of user types begin with 257. Source: learn.microsoft.com, sys.types. */
const FIRST_ID = 257;

export function runTableType(context: StatementContext, statement: TypeStatement): void {
  if (statement.kind === 'createType') {
    createType(context, statement);
  } else {
    dropType(context, statement);
  }
}

function createType(context: StatementContext, statement: CreateTypeStatement): void {
  const { name, columns, constraints, line } = statement;
  const { database, schema } = placeFor(context, name);
  requireOwner(context.session, database, 'CREATE TYPE');
  const known = tableTypesOf(database);
  const key = objectKey(schema.name, name.name);
  if (known.has(key)) {
    throw new SqlError(219, `The type '${schema.name}.${name.name}' already exists, or you do not have permission to create it.`, { line });
  }
  if ([...columns.flatMap((column) => column.constraints), ...constraints].some((each) => each.kind !== 'index' && each.name !== null)) {
    throw new SqlError(156, "Incorrect syntax near the keyword 'CONSTRAINT'.", { line, class: 15 });
  }
  const userTypeId = Math.max(FIRST_ID - 1, ...[...known.values()].map((each) => each.userTypeId)) + 1;
  const draft = createDraft(database, schema, `TT_${name.name.slice(0, 9)}`, true);
  fillDraft(context, draft, columns, constraints, null);
  known.set(key, { userTypeId, schema, name: name.name, columns, constraints, shape: tableOf(context, draft) });
  logUndo(context.transaction, () => known.delete(key));
}

function dropType(context: StatementContext, { name, ifExists, line }: DropTypeStatement): void {
  const database = databaseOf(context.session, name);
  const type = find(context, name);
  if (type === undefined) {
    if (ifExists) {
      return;
    }
    throw new SqlError(
      218,
      `Could not find the type '${describeName(name)}'. Either it does not exist or you do not have the necessary permission.`,
      { line },
    );
  }
  requireOwner(context.session, database, 'DROP TYPE');
  const known = tableTypesOf(database);
  const key = objectKey(type.schema.name, type.name);
  known.delete(key);
  logUndo(context.transaction, () => known.set(key, type));
}

/** An empty table of a type. @param ordinal of the variable or parameter. @throws SqlError 2715 */
export function tableOfType(
  context: StatementContext,
  typeName: ObjectName,
  name: string,
  options: { ordinal: number; readOnly: boolean },
): Table {
  const type = find(context, typeName);
  if (type === undefined) {
    throw new SqlError(2715, `Column, parameter, or variable #${options.ordinal}: Cannot find data type ${describeName(typeName)}.`, {
      line: typeName.line,
      state: options.readOnly ? 3 : 6,
    });
  }
  const tempdb = context.instance.database('tempdb') ?? context.database;
  const draft = createDraft(tempdb, { id: 1, name: 'dbo' }, name, true);
  fillDraft(context, draft, type.columns, type.constraints, null);
  const table: Table = { ...tableOf(context, draft), readOnly: options.readOnly, typeId: type.userTypeId };
  table.store.lasting = true;
  return table;
}

/**
 * Makes the table of a table-valued parameter and puts its rows in.
 * @throws SqlError 352, 500, 2715, and what its rows break: 515, 547, 2627, 2628, 8152
 */
export function declareTableParameter(context: StatementContext, name: string, ordinal: number, value: TableValue): void {
  const typeName = objectNameOf(value.typeName);
  if (typeName === null) {
    throw new SqlError(2715, `Column, parameter, or variable #${ordinal}: Cannot find data type ${value.typeName}.`, { state: 3 });
  }
  const table = tableOfType(context, typeName, name, { ordinal, readOnly: true });
  if (!value.readOnly) {
    throw new SqlError(352, `The table-valued parameter "${name}" must be declared with the READONLY option.`, { class: 15 });
  }
  context.frame.tables.set(name.toLowerCase(), table);
  const { columns, rows } = value;
  if (columns === null) {
    return;
  }
  if (columns.length !== table.columns.length) {
    throw new SqlError(
      500,
      `Trying to pass a table-valued parameter with ${columns.length} column(s) where the corresponding user-defined table type requires ${table.columns.length} column(s).`,
    );
  }
  const given = table.columns.filter((_, index) => columns[index]?.byDefault === false);
  const described = columns.filter((column) => !column.byDefault).map(({ type }) => ({ name: '', type, nullable: true }));
  insertInto(createEnvironment(context), table, { names: given.map((column) => column.name), described, rows, line: 1 });
}
