/** ALTER TABLE: columns and constraints added, changed, dropped, switched on and off. */
import type { AlterTableAction } from '../sql/ast-definition.ts';
import { resolveType } from '../sql/types.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { Column, Table } from './catalog.ts';
import { columnIndex, sameName } from './catalog.ts';
import { fillDraft } from './define-table.ts';
import type { TableDraft } from './define-table.ts';
import { invalidColumn, notNull } from './errors.ts';
import { compileOver, createEnvironment } from './environment.ts';
import { checkReferences } from './foreign-keys.ts';
import { threePartName } from './object-names.ts';
import { draftOf, redefine } from './redefine-table.ts';
import type { Row, RowChain } from './row-store.ts';
import type { StatementContext } from './statement-context.ts';
import { TableWriter } from './table-writer.ts';

type Altering = Exclude<AlterTableAction, { kind: 'enableChangeTracking' | 'disableChangeTracking' | 'rebuild' | 'switch' }>;

export function alterTable(context: StatementContext, table: Table, action: Altering, line: number): void {
  switch (action.kind) {
    case 'add':
      add(context, table, action, line);
      return;
    case 'dropColumns':
      dropColumns(context, table, action, line);
      return;
    case 'dropConstraints':
      dropConstraints(context, table, action, line);
      return;
    case 'alterColumn':
      alterColumn(context, table, action, line);
      return;
    case 'checkConstraints': {
      const draft = draftOf(table);
      const named = (name: string): boolean => action.names.length === 0 || action.names.some((each) => sameName(each, name));
      draft.checks = draft.checks.map((check) => (named(check.name) ? { ...check, enabled: action.enable } : check));
      draft.foreignKeys = draft.foreignKeys.map((key) => (named(key.name) ? { ...key, enabled: action.enable } : key));
      redefine(context, table, draft, null);
    }
  }
}

function add(context: StatementContext, table: Table, action: Extract<Altering, { kind: 'add' }>, line: number): void {
  const draft = draftOf(table);
  const nullableBefore = new Set(table.columns.filter((column) => column.nullable).map((column) => column.id));
  fillDraft(context, draft, action.columns, action.constraints, table);
  for (const index of draft.indexes) {
    if (index.kind === 'primary key' && index.columns.some((each) => nullableBefore.has(each.columnId))) {
      throw new SqlError(8111, `Cannot define PRIMARY KEY constraint on nullable column in table '${table.name}'.`, { line });
    }
  }
  const added = draft.columns.slice(table.columns.length);
  const reshaped = added.length > 0 || draft.indexes.length > table.indexes.length;
  const fillers = added.map((column) => filler(context, draft, column, action.withValues, table, line));
  redefine(
    context,
    table,
    draft,
    reshaped
      ? (row) => {
          const next: SqlValue[] = [...row];
          for (const fill of fillers) {
            next.push(fill(next));
          }
          return next;
        }
      : null,
  );
  if (action.constraints.some((constraint) => constraint.kind === 'check' || constraint.kind === 'foreignKey')) {
    checkExisting(context, table);
  }
}

/** What an added column holds in the rows that are there. @throws SqlError 4901 for NOT NULL without a default */
function filler(
  context: StatementContext,
  draft: TableDraft,
  column: Column,
  withValues: boolean,
  table: Table,
  line: number,
): (row: Row) => SqlValue {
  const ctx = context.eval;
  if (column.computed !== null) {
    const slot = context.slotCount;
    const value = assignTo(table, column, compileOver(context, draft, column.computed.expression));
    return (row) => {
      ctx.rows[slot] = row;
      return value(ctx);
    };
  }
  if (column.identity !== null) {
    const { identity } = column;
    return () => {
      identity.last = identity.last === null ? identity.seed : identity.last + identity.increment;
      return column.type.name === 'bigint' || 'precision' in column.type ? identity.last : Number(identity.last);
    };
  }
  if (column.type.name === 'rowversion') {
    return () => {
      table.database.lastRowVersion += 1n;
      const version = Buffer.alloc(8);
      version.writeBigUInt64BE(table.database.lastRowVersion);
      return version;
    };
  }
  if (column.default !== null && (withValues || !column.nullable)) {
    const value = assignTo(table, column, compileOver(context, draft, column.default.expression));
    return () => value(ctx);
  }
  if (!column.nullable && [...table.store.walk()].some((chain) => rowOf(chain).length > 0)) {
    throw new SqlError(
      4901,
      `ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the column being added is an identity or timestamp column, or alternatively if none of the previous conditions are satisfied the table must be empty to allow addition of this column. Column '${column.name}' cannot be added to non-empty table '${table.name}' because it does not satisfy these conditions.`,
      { line },
    );
  }
  return () => null;
}

/** Tests every row against the table's checks and foreign keys. @throws SqlError 547 */
function checkExisting(context: StatementContext, table: Table): void {
  const writer = new TableWriter(createEnvironment(context), table);
  const rows = [...table.store.walk()].flatMap((chain) => rowOf(chain));
  for (const row of rows) {
    writer.check(row, 'ALTER TABLE');
  }
  checkReferences(context, { table, written: rows, removed: [] });
}

function dropColumns(context: StatementContext, table: Table, action: Extract<Altering, { kind: 'dropColumns' }>, line: number): void {
  const draft = draftOf(table);
  for (const name of action.names) {
    const column = draft.columns.find((each) => sameName(each.name, name));
    if (column === undefined) {
      if (action.ifExists) {
        continue;
      }
      throw new SqlError(4924, `ALTER TABLE DROP COLUMN failed because column '${name}' does not exist in table '${table.name}'.`, {
        line,
      });
    }
    const user =
      draft.indexes.find((index) => index.columns.some((each) => each.columnId === column.id) || index.include.includes(column.id))?.name ??
      draft.foreignKeys.find((key) => key.columnIds.includes(column.id))?.name ??
      column.default?.name;
    if (user !== undefined) {
      throw new SqlError(4922, `ALTER TABLE DROP COLUMN ${column.name} failed because one or more objects access this column.`, {
        line,
        state: 9,
      });
    }
    draft.columns = draft.columns.filter((each) => each !== column);
  }
  const kept = draft.columns.map((column) => columnIndex(table, column.id));
  redefine(context, table, draft, (row) => kept.map((index) => row[index] ?? null));
}

function dropConstraints(
  context: StatementContext,
  table: Table,
  action: Extract<Altering, { kind: 'dropConstraints' }>,
  line: number,
): void {
  const draft = draftOf(table);
  let reshaped = false;
  for (const name of action.names) {
    const index = draft.indexes.find((each) => each.kind !== 'index' && sameName(each.name, name));
    const column = draft.columns.find((each) => each.default !== null && sameName(each.default.name, name));
    if (index !== undefined) {
      if (index.kind === 'primary key' && table.tracker !== null) {
        throw new SqlError(
          3735,
          `The primary key constraint '${index.name}' on table '${table.name}' cannot be dropped because change tracking is enabled on the table. Change tracking requires a primary key constraint on the table. Disable change tracking before dropping the constraint.`,
          { line },
        );
      }
      const user = table.database
        .tables()
        .find((other) =>
          other.foreignKeys.some(
            (key) => key.references === table && key.referencedIds.every((id) => index.columns.some((each) => each.columnId === id)),
          ),
        );
      if (user !== undefined) {
        throw new SqlError(3725, `The constraint '${index.name}' is being referenced by table '${user.name}'.`, { line, state: 0 });
      }
      draft.indexes = draft.indexes.filter((each) => each !== index);
      reshaped = true;
    } else if (column !== undefined) {
      draft.columns = draft.columns.map((each) => (each === column ? { ...each, default: null } : each));
    } else if (draft.checks.some((each) => sameName(each.name, name))) {
      draft.checks = draft.checks.filter((each) => !sameName(each.name, name));
    } else if (draft.foreignKeys.some((each) => sameName(each.name, name))) {
      draft.foreignKeys = draft.foreignKeys.filter((each) => !sameName(each.name, name));
    } else if (!action.ifExists) {
      throw new SqlError(3728, `'${name}' is not a constraint.`, { line });
    }
  }
  redefine(context, table, draft, reshaped ? (row) => row : null);
}

function alterColumn(context: StatementContext, table: Table, action: Extract<Altering, { kind: 'alterColumn' }>, line: number): void {
  const draft = draftOf(table);
  const column = draft.columns.find((each) => sameName(each.name, action.name));
  if (column === undefined) {
    throw invalidColumn(action.name, line);
  }
  const inKey = draft.indexes.some((index) => index.kind === 'primary key' && index.columns.some((each) => each.columnId === column.id));
  if (column.computed !== null || inKey || column.type.name === 'rowversion') {
    throw new SqlError(4922, `ALTER TABLE ALTER COLUMN ${column.name} failed because one or more objects access this column.`, {
      line,
      state: 9,
    });
  }
  const collation = action.collation ?? ('collation' in column.type ? column.type.collation : table.database.collation);
  const next: Column = { ...column, type: resolveType(action.type, collation), nullable: action.nullable ?? true };
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

function rowOf(chain: RowChain): Row[] {
  const row = chain.head === null ? null : chain.head.row;
  return row === null ? [] : [row];
}
