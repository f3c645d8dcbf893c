/** INSERT: which columns get which values, where identities and defaults come from. */
import type { DmlTarget, InsertStatement } from '../sql/ast.ts';
import type { EvalContext } from '../sql/context.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { emptyScope } from './bind-source.ts';
import type { Column, Table } from './catalog.ts';
import { columnByName } from './catalog.ts';
import { targetTable } from './dml-target.ts';
import { invalidColumn } from './errors.ts';
import type { CompiledExpression } from './expressions.ts';
import { compileExpression } from './expressions.ts';
import type { OutputRows } from './output-clause.ts';
import type { PlanColumn } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import type { StatementResult } from './statement-result.ts';
import { NO_RESULT } from './statement-result.ts';
import { cellValue, valueRows } from './insert-values.ts';
import { TableWriter } from './table-writer.ts';
import type { WriteLimit } from './write-limit.ts';
import { writeLimit } from './write-limit.ts';

type Assign = (ctx: EvalContext) => SqlValue;

/** What is needed to make whole rows of the values of some columns. */
export interface RowBuilder {
  readonly writer: TableWriter;
  /** The columns that values are given for, in the order of the values. */
  readonly columns: readonly Column[];
  /** `values[i]` belongs to `columns[i]`; undefined asks for the default. */
  insert(values: readonly (SqlValue | undefined)[]): ReturnType<TableWriter['insert']>;
}

/** How the rows of a bulk load are taken. Where it has the identity column, its values are kept, whatever IDENTITY_INSERT is. */
export interface BulkRules {
  /** Whether CHECK and FOREIGN KEY constraints are tested. */
  readonly tests: boolean;
}

/** @throws SqlError 207, 264, 271, 273, 544, 545, 8101 */
export function rowBuilder(
  env: PlanEnvironment,
  table: Table,
  names: readonly string[],
  line: number,
  bulk: BulkRules | null = null,
): RowBuilder {
  const { context } = env;
  const { session } = context;
  const writer = new TableWriter(env, table, bulk?.tests ?? true);
  const identityAt = table.columns.findIndex((column) => column.identity !== null);
  const identityColumn = table.columns[identityAt];
  const explicit = session.identityInsert === table;
  const columns =
    names.length === 0 && bulk === null
      ? implicitColumns(table, explicit && !context.binding, line)
      : names.map((name) => namedColumn(table, name, line));
  // Whether IDENTITY_INSERT is on shows when the statement runs.
  refuseColumns(table, columns, context.binding || bulk !== null ? null : explicit, line);
  if (bulk !== null) {
    columns.forEach((column) => refuseRowVersion(column, line));
  }
  const scope = emptyScope(env);
  const defaults = table.columns.map((column) => defaultOf(table, column, scope));
  /** Where the value of each of the table's columns is found. */
  const source = table.columns.map((column) => columns.indexOf(column));
  const givesIdentity = identityColumn !== undefined && columns.includes(identityColumn);
  const ctx = context.eval;
  return {
    writer,
    columns,
    insert: (values) => {
      const row: SqlValue[] = [];
      for (let place = 0; place < source.length; place += 1) {
        const value = values[source[place] ?? -1];
        row.push(value === undefined ? (defaults[place]?.(ctx) ?? null) : value);
      }
      if (identityColumn !== undefined) {
        if (givesIdentity) {
          noteIdentity(identityColumn, row[identityAt] ?? null);
        } else {
          const next = writer.nextIdentity(identityColumn);
          row[identityAt] = identityValue(identityColumn, next);
        }
        const value = row[identityAt] ?? null;
        if (value !== null) {
          context.frame.scopeIdentity = exactInteger(value);
          session.lastIdentity = context.frame.scopeIdentity;
        }
      }
      return writer.insert(row);
    },
  };
}

/** An integer of any type, without passing a bigint through a number. */
function exactInteger(value: SqlValue): bigint {
  return typeof value === 'bigint' ? value : BigInt(Number(value));
}

/** An identity value as its column stores it. @throws SqlError 8115 when the type is exhausted */
function identityValue(column: Column, value: bigint): SqlValue {
  const limits: Record<string, bigint> = { tinyint: 255n, smallint: 32_767n, int: 2_147_483_647n };
  const limit = limits[column.type.name];
  if (limit !== undefined && value > limit) {
    throw new SqlError(8115, `Arithmetic overflow error converting IDENTITY to data type ${column.type.name}.`);
  }
  return limit === undefined ? value : Number(value);
}

function noteIdentity(column: Column, value: SqlValue): void {
  const { identity } = column;
  if (identity !== null && value !== null) {
    const given = exactInteger(value);
    const ahead = identity.last === null || (identity.increment > 0n ? given > identity.last : given < identity.last);
    if (ahead) {
      identity.last = given;
    }
  }
}

function explicitIdentity(table: Table, line: number): SqlError {
  return new SqlError(
    8101,
    `An explicit value for the identity column in table '${table.name}' can only be specified when a column list is used and IDENTITY_INSERT is ON.`,
    { line },
  );
}

function implicitColumns(table: Table, explicit: boolean, line: number): Column[] {
  if (explicit) {
    throw explicitIdentity(table, line);
  }
  // A rowversion counts: its place takes DEFAULT alone. Source: the text of error 273, whose other way out is a column list.
  return table.columns.filter((column) => column.identity === null && column.computed === null);
}

function namedColumn(table: Table, name: string, line: number): Column {
  const column = columnByName(table, name);
  if (column === undefined) {
    throw invalidColumn(name, line);
  }
  return column;
}

/** @param explicit IDENTITY_INSERT; null: not known yet */
function refuseColumns(table: Table, columns: readonly Column[], explicit: boolean | null, line: number): void {
  columns.forEach((column, index) => {
    if (columns.indexOf(column) !== index) {
      throw new SqlError(
        264,
        `The column name '${column.name}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once. If this statement updates or inserts columns into a view, column aliasing can conceal the duplication in your code.`,
        { line },
      );
    }
    if (column.computed !== null) {
      throw new SqlError(
        271,
        `The column "${column.name}" cannot be modified because it is either a computed column or is the result of a UNION operator.`,
        { line },
      );
    }
    if (column.identity !== null && explicit === false) {
      throw new SqlError(
        544,
        `Cannot insert explicit value for identity column in table '${table.name}' when IDENTITY_INSERT is set to OFF.`,
        { line },
      );
    }
  });
  const identity = table.columns.find((column) => column.identity !== null);
  if (explicit === true && identity !== undefined && !columns.includes(identity)) {
    throw new SqlError(
      545,
      `Explicit value must be specified for identity column in table '${table.name}' either when IDENTITY_INSERT is set to ON or when a replication user is inserting into a NOT FOR REPLICATION identity column.`,
      { line },
    );
  }
}

function defaultOf(table: Table, column: Column, scope: QueryScope): Assign | null {
  return column.default === null ? null : assignTo(table, column, compileExpression(column.default.expression, scope));
}

/** INSERT of rows that another statement made (OUTPUT … INTO, INSERT … EXEC, SELECT INTO). */
export function insertRows(
  env: PlanEnvironment,
  target: DmlTarget,
  names: readonly string[],
  described: readonly PlanColumn[],
  rows: Iterable<readonly SqlValue[]>,
): number {
  const table = targetTable(env, target, 'INSERT');
  return insertInto(env, table, { names, described, rows, line: target.line });
}

export function insertInto(
  env: PlanEnvironment,
  table: Table,
  source: {
    readonly names: readonly string[];
    readonly described: readonly PlanColumn[];
    readonly rows: Iterable<readonly SqlValue[]>;
    readonly line: number;
  },
  output: OutputRows | null = null,
): number {
  const builder = rowBuilder(env, table, source.names, source.line);
  refuseCount(builder, source.described.length, source.names.length > 0, 'query', source.line);
  const ctx = env.context.eval;
  let current: readonly SqlValue[] = [];
  const convert = builder.columns.map((column, index) => {
    const from = source.described[index];
    refuseRowVersion(column, source.line);
    const value: CompiledExpression = {
      type: from?.type ?? column.type,
      nullable: true,
      evaluate: () => current[index] ?? null,
      label: 'implicit',
      constant: false,
      untyped: false,
      digits: null,
    };
    return assignTo(table, column, value);
  });
  let count = 0;
  if (env.context.binding) {
    return count;
  }
  // The source may read the table itself: all its rows come before the first is written.
  const rows = Array.isArray(source.rows) ? source.rows : [...source.rows];
  for (const row of rows) {
    current = row as readonly SqlValue[];
    const written = builder.insert(convert.map((each) => each(ctx)));
    output?.add(written.row, null);
    count += 1;
  }
  builder.writer.finish();
  return count;
}

export function refuseRowVersion(column: Column, line: number): void {
  if (column.type.name === 'rowversion') {
    throw new SqlError(
      273,
      'Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.',
      { line },
    );
  }
}

function refuseCount(builder: RowBuilder, given: number, named: boolean, source: 'values' | 'query', line: number): void {
  const wanted = builder.columns.length;
  if (wanted === given) {
    return;
  }
  if (!named) {
    const { table } = builder.writer;
    if (given === wanted + 1 && table.columns.some((column) => column.identity !== null)) {
      throw explicitIdentity(table, line);
    }
    throw new SqlError(213, 'Column name or number of supplied values does not match table definition.', { line });
  }
  const more = wanted > given;
  const clause = source === 'values' ? 'VALUES' : 'SELECT';
  throw new SqlError(
    source === 'values' ? (more ? 109 : 110) : more ? 120 : 121,
    source === 'values'
      ? `There are ${more ? 'more' : 'fewer'} columns in the INSERT statement than values specified in the ${clause} clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.`
      : `The select list for the INSERT statement contains ${more ? 'fewer' : 'more'} items than the insert list. The number of SELECT values must match the number of INSERT columns.`,
    { line, class: 15 },
  );
}

/** The rows that TOP leaves. */
function limited<Row>(rows: Iterable<Row>, limit: WriteLimit): Iterable<Row> {
  if (limit.most === Infinity && limit.of(2) === 2) {
    return rows;
  }
  const all = [...rows];
  return all.slice(0, limit.of(all.length));
}

export function runInsert(env: PlanEnvironment, statement: InsertStatement, output: OutputRows | null): StatementResult {
  const { source, line } = statement;
  const table = targetTable(env, statement.target, 'INSERT');
  env.context.triggerEvents.expect(table, 'INSERT', statement.output);
  if (source.kind === 'execute') {
    if (env.context.binding) {
      return { ...NO_RESULT, count: 0 };
    }
    throw new UnsupportedError('INSERT … EXEC here', line);
  }
  const limit = writeLimit(env, statement.top);
  let count = 0;
  if (source.kind === 'query') {
    const plan = env.planQuery(env, source.query, null);
    count = insertInto(
      env,
      table,
      { names: statement.columns, described: plan.columns, rows: env.context.binding ? [] : limited(plan.run(), limit), line },
      output,
    );
  } else {
    const builder = rowBuilder(env, table, statement.columns, line);
    const scope = emptyScope(env);
    const ctx = env.context.eval;
    const rows = source.kind === 'values' ? source.rows : [builder.columns.map(() => ({ kind: 'default', line, position: 0 }) as const)];
    for (const row of rows) {
      refuseCount(builder, row.length, statement.columns.length > 0, 'values', line);
    }
    builder.columns.forEach((column, index) => {
      if (rows.some((row) => row[index]?.kind !== 'default')) {
        refuseRowVersion(column, line);
      }
    });
    if (env.context.binding) {
      // Constants are like each other: those of the first row stand for all.
      const told = rows.filter((row, index) => index === 0 || row.some((value) => value.kind !== 'literal'));
      valueRows(table, builder.columns, told, scope);
      return { count, columns: [], rows: output?.finish() ?? [], select: false };
    }
    for (const row of limited(valueRows(table, builder.columns, rows, scope), limit)) {
      const written = builder.insert(row.map((cell) => cellValue(cell, ctx)));
      output?.add(written.row, null);
      count += 1;
    }
    builder.writer.finish();
  }
  return { count, columns: output?.columns ?? [], rows: output?.finish() ?? [], select: false };
}
