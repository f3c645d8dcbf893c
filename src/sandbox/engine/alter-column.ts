/** ALTER TABLE … ALTER COLUMN: a new type, collation or nullability, with the values that are there. Source: learn.microsoft.com, ALTER TABLE. */
import type { AlterTableAction } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { Column, Table } from './catalog.ts';
import { sameName } from './catalog.ts';
import type { Dependent } from './column-dependents.ts';
import { columnInUse, dependentsOf } from './column-dependents.ts';
import { declaredType } from './declarations.ts';
import { notNull } from './errors.ts';
import { threePartName } from './object-names.ts';
import { draftOf, redefine } from './redefine-table.ts';
import type { StatementContext } from './statement-context.ts';

type Action = Extract<AlterTableAction, { kind: 'alterColumn' }>;

/** @throws SqlError 4924, 4928, 4922, 515, 2628 and what the conversion of a value throws */
export function alterColumn(context: StatementContext, table: Table, action: Action, line: number): void {
  const draft = draftOf(table);
  const column = draft.columns.find((each) => sameName(each.name, action.name));
  if (column === undefined) {
    throw new SqlError(4924, `ALTER TABLE ALTER COLUMN failed because column '${action.name}' does not exist in table '${table.name}'.`, {
      line,
    });
  }
  if (column.computed !== null || column.type.name === 'rowversion') {
    const what = column.computed === null ? 'timestamp' : 'COMPUTED';
    throw new SqlError(4928, `Cannot alter column '${column.name}' because it is '${what}'.`, { line });
  }
  const type = declaredType(action.type, action.collation ?? table.database.collation, 1);
  const nullable = (action.nullable ?? true) && column.identity === null;
  const next: Column = { ...column, type, nullable };
  const blocking = dependentsOf(table, column).filter((each) => blocks(each, column, next));
  if (blocking.length > 0) {
    throw columnInUse('ALTER COLUMN', column, blocking, line);
  }
  draft.columns = draft.columns.map((each) => (each === column ? next : each));
  const index = table.columns.indexOf(column);
  let current: SqlValue = null;
  const convert = assignTo(table, next, {
    type: column.type,
    nullable: true,
    evaluate: () => current,
    label: 'implicit',
    constant: false,
    untyped: false,
    digits: null,
  });
  redefine(context, table, draft, (row) => {
    current = row[index] ?? null;
    if (current === null && !next.nullable) {
      throw notNull(next.name, threePartName(table), 'UPDATE');
    }
    return row.with(index, convert(context.eval));
  });
}

/** A default stands in the way of another type, an index or check of more than a longer text. */
function blocks(dependent: Dependent, before: Column, after: Column): boolean {
  const sameCollation = collationOf(before.type) === collationOf(after.type);
  switch (dependent.kind) {
    case 'default':
      return before.type.name !== after.type.name;
    case 'check':
    case 'unique':
    case 'index':
      return !(isVariable(before.type) && before.type.name === after.type.name && sameCollation && grows(before.type, after.type));
    case 'primary key':
    case 'foreign key':
    case 'computed':
    case 'view':
      return true;
  }
}

function collationOf(type: SqlType): string | null {
  return 'collation' in type ? type.collation : null;
}

function isVariable(type: SqlType): boolean {
  return type.name === 'varchar' || type.name === 'nvarchar' || type.name === 'varbinary';
}

function grows(before: SqlType, after: SqlType): boolean {
  const size = (type: SqlType): number => ('length' in type ? (type.length === 'max' ? Infinity : type.length) : 0);
  return size(after) >= size(before);
}
