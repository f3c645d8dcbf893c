/** UPDATE and DELETE, with FROM, TOP and OUTPUT. */
import type { Expression } from '../sql/ast-expression.ts';
import type { Assignment, DeleteStatement, Query, TableSource, UpdateStatement } from '../sql/ast.ts';
import type { EvalContext } from '../sql/context.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { bindSource, emptyScope } from './bind-source.ts';
import type { Column, Table } from './catalog.ts';
import { columnByName, sameName } from './catalog.ts';
import { requireSelect } from './column-permissions.ts';
import { conjunctsOf } from './conjuncts.ts';
import { targetTable, writeMode } from './dml-target.ts';
import { invalidColumn } from './errors.ts';
import { coerce, compileExpression } from './expressions.ts';
import type { OutputRows } from './output-clause.ts';
import { outputRows } from './output-clause.ts';
import type { Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { createQueryScope } from './query-scope.ts';
import { knownSlots } from './query-plan.ts';
import type { Row, RowChain } from './row-store.ts';
import { joinSource } from './source-join.ts';
import type { StoredSource } from './source-table.ts';
import { storedSource } from './source-table.ts';
import type { StatementResult } from './statement-result.ts';
import { TableWriter } from './table-writer.ts';
import { updatableQuery } from './updatable-query.ts';
import { writeInto } from './write-clause.ts';
import type { WriteLimit } from './write-limit.ts';
import { writeLimit } from './write-limit.ts';

interface BoundTarget {
  readonly table: Table;
  readonly source: Source;
  readonly stored: StoredSource;
  /** The table's column behind a name of SET, where a query is written through. */
  readonly columnOf?: (name: string, line: number) => string;
}

/** The rows that an UPDATE or DELETE goes over, with its target among them. */
function bindTarget(env: PlanEnvironment, statement: UpdateStatement | DeleteStatement): BoundTarget {
  const { context } = env;
  const permission = statement.kind === 'update' ? 'UPDATE' : 'DELETE';
  const { target } = statement;
  const through = queryNamed(statement);
  if (through !== null) {
    const { alias: name, columns, query, node } = through;
    const updatable = updatableQuery(env, query, { name, columns, permission, line: statement.line });
    const source =
      statement.from === null
        ? updatable.source
        : bindSource({ ...env, instead: { node, source: updatable.source } }, statement.from, null);
    return { ...updatable, source };
  }
  const aliased = statement.from === null || target.kind !== 'table' ? null : tableNamed(env, statement.from, target.name.name);
  if (aliased !== null && statement.from !== null) {
    let stored: StoredSource | null = null;
    const table = targetTable(env, { ...aliased, alias: null }, permission);
    const source = bindSource(
      {
        ...env,
        target: {
          node: aliased,
          mode: () => writeMode(context, table, aliased.hints),
          found: (each) => {
            stored = each;
          },
        },
      },
      statement.from,
      null,
    );
    if (stored === null) {
      throw new UnsupportedError(`a target of ${permission} that is not a table of the FROM clause`, statement.line);
    }
    return { table, source, stored };
  }
  const table = targetTable(env, target, permission);
  const hints = target.kind === 'table' ? target.hints : [];
  const stored = storedSource(context, table, {
    name: target.kind === 'table' ? (target.alias ?? target.name.name) : target.name,
    qualifiers: [table.database.name, table.schema.name],
    keepsChains: statement.from !== null,
    mode: () => writeMode(context, table, hints),
  });
  if (statement.from === null) {
    return { table, source: stored, stored };
  }
  const other = bindSource(env, statement.from, null);
  return { table, source: joinSource(context, { type: 'cross', left: stored, right: other, on: [] }), stored };
}

/** The CTE or derived table that a target's name means; null when it is a table. */
function queryNamed(
  statement: UpdateStatement | DeleteStatement,
): { readonly node: TableSource; readonly query: Query; readonly alias: string; readonly columns: readonly string[] } | null {
  const { target, from, ctes } = statement;
  if (target.kind !== 'table' || target.name.schema !== null) {
    return null;
  }
  const name = target.name.name;
  const find = (source: TableSource): TableSource | null => {
    if (source.kind === 'join' || source.kind === 'apply') {
      return find(source.left) ?? find(source.right);
    }
    const exposed = source.kind === 'table' ? (source.alias ?? source.name.name) : source.kind === 'derived' ? source.alias : '';
    return sameName(exposed, name) ? source : null;
  };
  const node = from === null ? target : (find(from) ?? target);
  if (node.kind === 'derived') {
    return { node, query: node.query, alias: node.alias, columns: node.columns };
  }
  const cte = node.kind === 'table' && node.name.schema === null ? ctes.find((each) => sameName(each.name, node.name.name)) : undefined;
  return cte === undefined || node.kind !== 'table'
    ? null
    : { node, query: cte.query, alias: node.alias ?? node.name.name, columns: cte.columns };
}

/** The table of a FROM clause that a target's name means: by alias, else by the table's own name. */
function tableNamed(env: PlanEnvironment, source: TableSource, name: string): Extract<TableSource, { kind: 'table' }> | null {
  if (source.kind === 'join' || source.kind === 'apply') {
    return tableNamed(env, source.left, name) ?? tableNamed(env, source.right, name);
  }
  return source.kind === 'table' && sameName(source.alias ?? source.name.name, name) && !env.ctes.has(source.name.name.toLowerCase())
    ? source
    : null;
}

interface Targeted {
  readonly chain: RowChain;
  readonly before: Row;
  readonly others: readonly Row[];
}

/** Visits each row of the target once, at its first match. @param visit is called while the row is current @returns what of them is written */
function eachTarget(
  env: PlanEnvironment,
  bound: BoundTarget,
  statement: UpdateStatement | DeleteStatement,
  visit: (row: Targeted) => void,
): WriteLimit {
  const ctx = env.context.eval;
  const scope = targetScope(env, bound);
  const where = conjunctsOf(statement.where, scope);
  const known = knownSlots(env);
  for (const slot of bound.source.slots) {
    known.delete(slot);
  }
  const limit = writeLimit(env, statement.top);
  const rows = bound.source.prepare(where, known);
  const seen = new Set<RowChain>();
  const slot = bound.stored.slots[0] ?? 0;
  const single = bound.source === bound.stored;
  if (limit.most <= 0 || env.context.binding) {
    return limit;
  }
  for (const _ of rows()) {
    const before = ctx.rows[slot] ?? [];
    const chain = single ? bound.stored.current() : bound.stored.chainOf(before);
    if (chain === null || seen.has(chain)) {
      continue;
    }
    seen.add(chain);
    visit({ chain, before, others: bound.source.slots.map((each) => ctx.rows[each] ?? []) });
    if (seen.size >= limit.most) {
      return limit;
    }
  }
  return limit;
}

function targetScope(env: PlanEnvironment, bound: BoundTarget): QueryScope {
  return createQueryScope({ context: env.context, tables: bound.source.tables, parent: null, plan: env.plan });
}

/** With WHERE a write reads. Source: learn.microsoft.com, UPDATE and DELETE, Permissions. @throws SqlError 229 */
function selectToo({ context }: PlanEnvironment, table: Table, statement: UpdateStatement | DeleteStatement): void {
  if (statement.where !== null) {
    requireSelect(context.session, table);
  }
}

export function runDelete(env: PlanEnvironment, statement: DeleteStatement): StatementResult {
  const bound = bindTarget(env, statement);
  env.context.triggerEvents.expect(bound.table, 'DELETE', statement.output);
  selectToo(env, bound.table, statement);
  const writer = new TableWriter(env, bound.table);
  const output = statement.output === null ? null : outputRows(env, statement.output, bound.table, 'delete', othersOf(bound));
  const rows: Targeted[] = [];
  const limit = eachTarget(env, bound, statement, (row) => rows.push(row));
  rows.length = limit.of(rows.length);
  for (const row of rows) {
    writer.delete(row.chain, row.before);
    emit(env, bound, output, row, null);
  }
  writer.finish();
  return { count: rows.length, columns: output?.columns ?? [], rows: output?.finish() ?? [], select: false };
}

function othersOf(bound: BoundTarget): Source['tables'] {
  return bound.source.tables.filter((table) => table.slot !== bound.stored.slots[0]);
}

function emit(env: PlanEnvironment, bound: BoundTarget, output: OutputRows | null, row: Targeted, after: Row | null): void {
  if (output === null) {
    return;
  }
  bound.source.slots.forEach((slot, index) => {
    env.context.eval.rows[slot] = row.others[index] ?? [];
  });
  output.add(after, row.before);
}

/** One item of SET, ready: writes its value into the new row, or into a variable. */
export type Setter = (ctx: EvalContext, after: SqlValue[]) => void;

export interface SetList {
  readonly columnIds: readonly number[];
  readonly setters: readonly Setter[];
}

/** @throws SqlError 207, 264, 271, 272, 8102 */
export function setList(
  env: PlanEnvironment,
  table: Table,
  assignments: readonly Assignment[],
  scope: QueryScope,
  qualifier: string,
): SetList {
  const columnIds: number[] = [];
  const setters = assignments.map((assignment): Setter => {
    const name = assignment.column?.at(-1);
    const column = name === undefined ? null : settable(table, name, assignment.line);
    if (column !== null) {
      if (columnIds.includes(column.id)) {
        throw new SqlError(
          264,
          `The column name '${column.name}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once. If this statement updates or inserts columns into a view, column aliasing can conceal the duplication in your code.`,
          { line: assignment.line },
        );
      }
      columnIds.push(column.id);
    }
    const variable = assignment.variable === null ? null : scope.resolveVariable(assignment.variable, assignment);
    const own: Expression =
      column === null
        ? { kind: 'variable', name: assignment.variable ?? '', line: assignment.line, position: assignment.position }
        : { kind: 'column', qualifier: [qualifier], name: column.name, line: assignment.line, position: assignment.position };
    const value = valueOf(env, table, column, assignment, own, scope);
    const index = column === null ? -1 : table.columns.indexOf(column);
    const toVariable = variable === null || column === null ? null : coerceColumn(column, variable);
    return (ctx, after) => {
      const result = value(ctx);
      if (index >= 0) {
        after[index] = result;
      }
      if (variable !== null) {
        ctx.variables[variable.index] = toVariable === null ? result : toVariable(ctx, result);
      }
    };
  });
  return { columnIds, setters };
}

function coerceColumn(column: Column, variable: { readonly type: Column['type'] }): (ctx: EvalContext, value: SqlValue) => SqlValue {
  let current: SqlValue = null;
  const converted = coerce(
    { type: column.type, nullable: true, evaluate: () => current, label: 'implicit', constant: false, untyped: false, digits: null },
    variable.type,
  );
  return (ctx, value) => {
    current = value;
    return converted.evaluate(ctx);
  };
}

function valueOf(
  env: PlanEnvironment,
  table: Table,
  column: Column | null,
  assignment: Assignment,
  own: Expression,
  scope: QueryScope,
): (ctx: EvalContext) => SqlValue {
  if (assignment.write !== null && column !== null) {
    const parts = { ...assignment.write, expression: assignment.expression, line: assignment.line };
    return writeInto(column, compileExpression(own, scope), parts, scope);
  }
  if (column === null) {
    const variable = scope.resolveVariable(assignment.variable ?? '', assignment);
    return coerce(compileExpression(compound(assignment, own), scope), variable.type).evaluate;
  }
  if (assignment.expression.kind === 'default') {
    return column.default === null ? () => null : assignTo(table, column, compileExpression(column.default.expression, emptyScope(env)));
  }
  return assignTo(table, column, compileExpression(compound(assignment, own), scope));
}

function compound(assignment: Assignment, own: Expression): Expression {
  const { operator, expression, line, position } = assignment;
  if (operator === '=') {
    return expression;
  }
  const binary = operator.slice(0, -1) as '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^';
  return { kind: 'binary', operator: binary, left: own, right: expression, line, position };
}

function settable(table: Table, name: string, line: number): Column {
  const column = columnByName(table, name);
  if (column === undefined) {
    throw invalidColumn(name, line);
  }
  if (column.identity !== null) {
    throw new SqlError(8102, `Cannot update identity column '${column.name}'.`, { line });
  }
  if (column.computed !== null) {
    throw new SqlError(
      271,
      `The column "${column.name}" cannot be modified because it is either a computed column or is the result of a UNION operator.`,
      { line },
    );
  }
  if (column.type.name === 'rowversion') {
    throw new SqlError(272, 'Cannot update a timestamp column.', { line });
  }
  return column;
}

/** SET as the table's columns, where it names those of a query. */
function namedAssignments(statement: UpdateStatement, { columnOf }: BoundTarget): readonly Assignment[] {
  if (columnOf === undefined) {
    return statement.assignments;
  }
  return statement.assignments.map((assignment) => {
    const name = assignment.column?.at(-1);
    if (name === undefined) {
      return assignment;
    }
    if (assignment.operator !== '=' || assignment.write !== null) {
      throw new UnsupportedError(`SET with ${assignment.operator} through a query`, assignment.line);
    }
    return { ...assignment, column: [columnOf(name, assignment.line)] };
  });
}

export function runUpdate(env: PlanEnvironment, statement: UpdateStatement): StatementResult {
  const bound = bindTarget(env, statement);
  const { table } = bound;
  env.context.triggerEvents.expect(table, 'UPDATE', statement.output);
  selectToo(env, table, statement);
  const writer = new TableWriter(env, table);
  const output = statement.output === null ? null : outputRows(env, statement.output, table, 'update', othersOf(bound));
  const set = setList(env, table, namedAssignments(statement, bound), targetScope(env, bound), bound.stored.tables[0]?.name ?? table.name);
  const ctx = env.context.eval;
  const rows: (Targeted & { readonly after: SqlValue[] })[] = [];
  const limit = eachTarget(env, bound, statement, (row) => {
    const after = [...row.before];
    for (const setter of set.setters) {
      setter(ctx, after);
    }
    rows.push({ ...row, after });
  });
  rows.length = limit.of(rows.length);
  writer.update(rows, set.columnIds);
  for (const row of rows) {
    emit(env, bound, output, row, row.after);
  }
  writer.finish();
  return { count: rows.length, columns: output?.columns ?? [], rows: output?.finish() ?? [], select: false };
}
