/**
 * Bulk loads. INSERT BULK says which columns come and how they are to be taken; the rows follow in a message of their own and are inserted
 * by one statement. CHECK and FOREIGN KEY constraints are tested only where CHECK_CONSTRAINTS asks for it, and are not trusted otherwise.
 * Source: learn.microsoft.com "BULK INSERT (Transact-SQL)" and "bcp utility", for what the options do.
 */
import type { InsertBulkStatement } from '../sql/ast.ts';
import { isDecimal, resolveType } from '../sql/types.ts';
import type { BulkRows } from '../session.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { PlanEnvironment } from './bind-source.ts';
import type { Column, IndexDefinition, Table } from './catalog.ts';
import { columnByName, indexPositions } from './catalog.ts';
import { logUndo } from './definition-log.ts';
import { targetTable } from './dml-target.ts';
import { createEnvironment } from './environment.ts';
import { invalidColumn } from './errors.ts';
import type { CompiledExpression } from './expressions.ts';
import { rowBuilder } from './insert-rows.ts';
import { describeName } from './object-names.ts';
import { isMemberOf } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';
import { compareKeysOf } from './table-shape.ts';

/** An INSERT BULK whose rows have not come yet. */
export interface PendingBulk {
  readonly statement: InsertBulkStatement;
  readonly table: Table;
  /** The table's columns when the statement was executed: another definition refuses the rows (4891). */
  readonly tableColumns: readonly Column[];
  readonly columns: readonly { readonly column: Column; readonly type: SqlType }[];
}

/** Looks whether the load is possible; nothing is locked and nothing written. @throws SqlError 207, 208, 229, 264, 271, 273, 1088, 4816 */
export function prepareBulk(context: StatementContext, statement: InsertBulkStatement): PendingBulk {
  const env = createEnvironment(context);
  const table = bulkTarget(env, statement);
  const columns = statement.columns.map((each, index) => {
    const column = columnByName(table, each.name);
    if (column === undefined) {
      throw invalidColumn(each.name, each.line);
    }
    const type = resolveType(each.type, context.database.collation);
    if (isMax(type) !== isMax(column.type)) {
      throw invalidColumnType(index);
    }
    return { column, type };
  });
  const names = columns.map(({ column }) => column.name);
  // For its refusals: computed and doubled columns, rowversions.
  rowBuilder(env, table, names, statement.line, { tests: false });
  requireAlter(
    context,
    table,
    statement,
    columns.some(({ column }) => column.identity !== null),
  );
  for (const { column } of statement.order) {
    if (columnByName(table, column) === undefined) {
      throw invalidColumn(column, statement.line);
    }
  }
  return { statement, table, tableColumns: table.columns, columns };
}

function bulkTarget(env: PlanEnvironment, { table, line, position }: InsertBulkStatement): Table {
  return targetTable(env, { kind: 'table', name: table, alias: null, hints: [], line, position }, 'INSERT');
}

/** A value that is sent in chunks goes only where values are stored in chunks, and the other way round. */
function isMax(type: SqlType): boolean {
  return 'length' in type && type.length === 'max';
}

function invalidColumnType(index: number): SqlError {
  return new SqlError(4816, `Invalid column type from bcp client for colid ${index + 1}.`);
}

/** What leaves constraints behind, or sets identities, takes more than INSERT. Source: learn.microsoft.com "BULK INSERT", Permissions. */
function requireAlter(context: StatementContext, table: Table, statement: InsertBulkStatement, setsIdentity: boolean): void {
  const bypasses =
    (!statement.checkConstraints && (table.checks.length > 0 || table.foreignKeys.length > 0)) ||
    (!statement.fireTriggers && table.triggers.length > 0);
  if ((bypasses || setsIdentity) && !table.temporary && !isMemberOf(context.session, table.database, 'db_owner')) {
    throw new SqlError(
      1088,
      `Cannot find the object "${describeName(statement.table)}" because it does not exist or you do not have permissions.`,
      { state: 12 },
    );
  }
}

/**
 * Inserts the rows. An identity column that is among the columns takes the values of the stream: clients that want new ones leave it out.
 * @returns their number. @throws SqlError 245, 515, 547, 2601, 2627, 2628, 4816, 4819, 4891; what the rows' iterator throws
 */
export function bulkInsert(context: StatementContext, pending: PendingBulk, load: BulkRows): number {
  const { statement, table } = pending;
  const env = createEnvironment(context);
  if (bulkTarget(env, statement) !== table || table.columns !== pending.tableColumns) {
    throw new SqlError(4891, 'Insert bulk failed due to a schema change of the target table.');
  }
  if (statement.lockTable && !table.temporary) {
    table.locks.hold(context.transaction, 'exclusive');
  }
  pending.columns.forEach(({ column, type }, index) => {
    refuseStream(pending.columns.length, load, index, column, type);
  });
  const builder = rowBuilder(
    env,
    table,
    pending.columns.map(({ column }) => column.name),
    statement.line,
    { tests: statement.checkConstraints },
  );
  const ctx = context.eval;
  let current: readonly SqlValue[] = [];
  const values = pending.columns.map(({ column }, index) => {
    const sent: CompiledExpression = {
      type: load.columns[index]?.type ?? column.type,
      nullable: true,
      evaluate: () => current[index] ?? null,
      label: 'implicit',
      constant: false,
      untyped: false,
      digits: null,
    };
    const assign = assignTo(table, column, sent);
    const defaults = !statement.keepNulls && column.default !== null;
    return (): SqlValue | undefined => {
      const value = assign(ctx);
      return value === null && defaults ? undefined : value;
    };
  });
  const inOrder = orderCheck(table, statement);
  let count = 0;
  for (const row of load.rows) {
    current = row;
    const written = builder.insert(values.map((value) => value()));
    inOrder?.(written.row);
    count += 1;
  }
  builder.writer.finish();
  if (!statement.checkConstraints && count > 0) {
    distrust(context, table);
  }
  return count;
}

/**
 * The stream must be as INSERT BULK announced it. A client that calls a nullable column NOT NULL is refused too: undocumented, but reported
 * by users of several clients.
 */
function refuseStream(count: number, load: BulkRows, index: number, column: Column, announced: SqlType): void {
  const sent = load.columns[index];
  if (
    load.columns.length !== count ||
    sent === undefined ||
    !streamsAs(sent.type, announced) ||
    (sent.nullable === false && column.nullable)
  ) {
    throw invalidColumnType(index);
  }
}

function streamsAs(sent: SqlType, announced: SqlType): boolean {
  if (announced.name === 'xml') {
    // MS-TDS 2.2.6.1: XML goes as nvarchar.
    return sent.name === 'nvarchar';
  }
  if (isDecimal(announced)) {
    return isDecimal(sent);
  }
  return sent.name === announced.name && isMax(sent) === isMax(announced);
}

/** ORDER is believed only where it is the clustered key's; then rows that break it are refused. Source: the page of BULK INSERT, ORDER. */
function orderCheck(table: Table, { order }: InsertBulkStatement): ((row: readonly SqlValue[]) => void) | null {
  const key = table.indexes.find((index) => index.clustered);
  if (order.length === 0 || key === undefined || !isKeyOrder(table, key, order)) {
    return null;
  }
  const positions = indexPositions(table, key);
  const compare = compareKeysOf(
    positions.flatMap((position) => table.columns[position]?.type ?? []),
    key.columns.map(({ descending }) => descending),
  );
  let before: readonly SqlValue[] | null = null;
  return (row) => {
    const values = positions.map((position) => row[position] ?? null);
    if (before !== null && compare([...before], values) > 0) {
      throw new SqlError(
        4819,
        'Cannot bulk load. The bulk data stream was incorrectly specified as sorted or the data violates the uniqueness constraint imposed by the target table.',
      );
    }
    before = values;
  };
}

function isKeyOrder(table: Table, key: IndexDefinition, order: InsertBulkStatement['order']): boolean {
  return (
    key.columns.length === order.length &&
    key.columns.every(({ columnId, descending }, index) => {
      const named = order[index];
      return named !== undefined && columnByName(table, named.column)?.id === columnId && named.descending === descending;
    })
  );
}

/** Constraints that rows have passed by unseen are not trusted any more (is_not_trusted), until they are checked again. */
function distrust(context: StatementContext, table: Table): void {
  const trusting = [...table.checks, ...table.foreignKeys].filter((constraint) => constraint.enabled && constraint.trusted);
  for (const constraint of trusting) {
    constraint.trusted = false;
  }
  if (trusting.length > 0) {
    logUndo(context.transaction, () => {
      for (const constraint of trusting) {
        constraint.trusted = true;
      }
    });
  }
}
