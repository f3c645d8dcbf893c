/** ALTER TABLE: columns and constraints added, dropped, switched on and off. Altered columns are in alter-column.ts. */
import type { AlterTableAction } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { alterColumn } from './alter-column.ts';
import { assignTo } from './assign-value.ts';
import type { CheckConstraint, Column, ForeignKey, Table } from './catalog.ts';
import { columnIndex, sameName } from './catalog.ts';
import { columnInUse, dependentsOf } from './column-dependents.ts';
import { fillDraft } from './define-table.ts';
import type { TableDraft } from './define-table.ts';
import { duplicateInIndex, notCreated } from './definition-rules.ts';
import { compileOver, conditionOver } from './environment.ts';
import { checkReferences } from './foreign-keys.ts';
import { draftOf, redefine } from './redefine-table.ts';
import type { Row, RowChain } from './row-store.ts';
import { checkedColumn } from './table-writer.ts';
import type { StatementContext } from './statement-context.ts';

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
    case 'dropSeveral': {
      const constraints = action.actions.filter((each) => each.kind === 'dropConstraints');
      for (const each of [...constraints, ...action.actions.filter((other) => other.kind === 'dropColumns')]) {
        alterTable(context, table, each, line);
      }
      return;
    }
    case 'alterColumn':
      alterColumn(context, table, action, line);
      return;
    case 'checkConstraints':
      switchConstraints(context, table, action, line);
  }
}

function add(context: StatementContext, table: Table, action: Extract<Altering, { kind: 'add' }>, line: number): void {
  const draft = draftOf(table);
  const nullableBefore = new Set(table.columns.filter((column) => column.nullable).map((column) => column.id));
  fillDraft(context, draft, action.columns, action.constraints, table);
  for (const index of draft.indexes) {
    if (index.kind === 'primary key' && index.columns.some((each) => nullableBefore.has(each.columnId))) {
      throw notCreated(new SqlError(8111, `Cannot define PRIMARY KEY constraint on nullable column in table '${table.name}'.`, { line }));
    }
  }
  const added = draft.columns.slice(table.columns.length);
  const reshaped = added.length > 0 || draft.indexes.length > table.indexes.length;
  const fillers = added.map((column) => filler(context, draft, column, action.withValues, table, line));
  const checks = draft.checks.slice(table.checks.length);
  const foreignKeys = draft.foreignKeys.slice(table.foreignKeys.length);
  try {
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
  } catch (error) {
    throw notCreated(duplicateInIndex(error, table));
  }
  if (action.unchecked) {
    for (const constraint of [...checks, ...foreignKeys]) {
      constraint.trusted = false;
    }
  } else {
    testRows(context, table, checks, foreignKeys);
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
  if (!column.nullable && rowsOf(table).length > 0) {
    throw new SqlError(
      4901,
      `ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the column being added is an identity or timestamp column, or alternatively if none of the previous conditions are satisfied the table must be empty to allow addition of this column. Column '${column.name}' cannot be added to non-empty table '${table.name}' because it does not satisfy these conditions.`,
      { line },
    );
  }
  return () => null;
}

/** Tests every row against some of the table's constraints. @throws SqlError 547 */
function testRows(context: StatementContext, table: Table, checks: readonly CheckConstraint[], foreignKeys: readonly ForeignKey[]): void {
  if (checks.length === 0 && foreignKeys.length === 0) {
    return;
  }
  const rows = rowsOf(table);
  for (const check of checks) {
    const test = conditionOver(context, table, check.expression);
    if (rows.some((row) => test(row) === false)) {
      throw new SqlError(
        547,
        `The ALTER TABLE statement conflicted with the CHECK constraint "${check.name}". The conflict occurred in database "${table.database.name}", table "${table.schema.name}.${table.name}"${checkedColumn(table, check)}.`,
        { state: 0 },
      );
    }
  }
  checkReferences(context, { table: { ...table, foreignKeys }, written: rows, removed: [], verb: 'ALTER TABLE' });
}

/** @throws SqlError 4917, 547 */
function switchConstraints(
  context: StatementContext,
  table: Table,
  action: Extract<Altering, { kind: 'checkConstraints' }>,
  line: number,
): void {
  for (const name of action.names) {
    if (![...table.checks, ...table.foreignKeys].some((each) => sameName(each.name, name))) {
      const preceding = new SqlError(4917, `Constraint '${name}' does not exist.`, { line, state: 0 });
      throw new SqlError(4916, 'Could not enable or disable the constraint. See previous errors.', { line, state: 0, preceding });
    }
  }
  const draft = draftOf(table);
  const switched = <Constraint extends CheckConstraint | ForeignKey>(constraint: Constraint): Constraint =>
    action.names.length === 0 || action.names.some((each) => sameName(each, constraint.name))
      ? { ...constraint, enabled: action.enable, trusted: action.enable && (action.test || constraint.trusted) }
      : constraint;
  draft.checks = draft.checks.map(switched);
  draft.foreignKeys = draft.foreignKeys.map(switched);
  redefine(context, table, draft, null);
  if (action.test) {
    const changed = (constraint: CheckConstraint | ForeignKey): boolean =>
      action.names.length === 0 || action.names.some((each) => sameName(each, constraint.name));
    testRows(context, table, draft.checks.filter(changed), draft.foreignKeys.filter(changed));
  }
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
    // Computed columns that go with it do not hold it.
    const users = dependentsOf({ ...table, ...draft }, column).filter(
      (user) => user.kind !== 'computed' || !action.names.some((each) => sameName(each, user.name)),
    );
    if (users.length > 0) {
      throw columnInUse('DROP COLUMN', column, users, line);
    }
    if (!draft.columns.some((each) => each !== column && each.computed === null)) {
      throw new SqlError(
        4923,
        `ALTER TABLE DROP COLUMN failed because '${column.name}' is the only data column in table '${table.name}'. A table must have at least one data column.`,
        { line },
      );
    }
    draft.columns = draft.columns.filter((each) => each !== column);
  }
  const kept = draft.columns.map((column) => columnIndex(table, column.id));
  redefine(context, table, draft, (row) => kept.map((index) => row[index] ?? null));
}

/** @throws SqlError 3727 after 3725, 3728 or 3735 */
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
        throw notDropped(
          new SqlError(
            3735,
            `The primary key constraint '${index.name}' on table '${table.name}' cannot be dropped because change tracking is enabled on the table. Change tracking requires a primary key constraint on the table. Disable change tracking before dropping the constraint.`,
            { line },
          ),
        );
      }
      const user = referencing(
        table,
        index.columns.map((each) => each.columnId),
      );
      if (user !== null) {
        throw notDropped(
          new SqlError(
            3725,
            `The constraint '${index.name}' is being referenced by table '${user.table.name}', foreign key constraint '${user.key.name}'.`,
            { line, state: 0 },
          ),
        );
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
      throw notDropped(new SqlError(3728, `'${name}' is not a constraint.`, { line }));
    }
  }
  redefine(context, table, draft, reshaped ? (row) => row : null);
}

function notDropped(preceding: SqlError): SqlError {
  return new SqlError(3727, 'Could not drop constraint. See previous errors.', { line: preceding.line, state: 0, preceding });
}

/** A foreign key that points to these columns of a table. */
function referencing(table: Table, ids: readonly number[]): { readonly table: Table; readonly key: ForeignKey } | null {
  for (const other of table.database.tables()) {
    const key = other.foreignKeys.find((each) => each.references === table && each.referencedIds.every((id) => ids.includes(id)));
    if (key !== undefined) {
      return { table: other, key };
    }
  }
  return null;
}

function rowsOf(table: Table): Row[] {
  return [...table.store.walk()].flatMap((chain: RowChain) => (chain.head === null || chain.head.row === null ? [] : [chain.head.row]));
}
