/** ORDER BY, TOP, OFFSET and FETCH. NULLs come first, as in SQL Server. */
import type { OrderItem } from '../sql/ast-expression.ts';
import type { Query, Top } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { emptyScope } from './bind-source.ts';
import { sameName } from './catalog.ts';
import type { Compiled, ValueOrder } from './expressions.ts';
import { ambiguousColumn } from './errors.ts';
import { expressionKey } from './expression-key.ts';
import { compileExpression, valueOrder } from './expressions.ts';
import type { PlanColumn, Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';

export interface SortKey {
  /** The key of the current row; its output values are given. */
  value(values: readonly SqlValue[]): SqlValue;
  readonly compare: ValueOrder;
  readonly descending: boolean;
}

export interface Sortable {
  readonly values: SqlValue[];
  readonly order: readonly SqlValue[];
}

interface Output {
  readonly column: PlanColumn;
  readonly value: Compiled;
  readonly expression: unknown;
}

/** Which output column an item of ORDER BY names, by its number or its alias; -1 for an expression. @throws SqlError 108 */
export function orderedOutput(item: OrderItem, columns: readonly PlanColumn[]): number {
  const { expression } = item;
  if (expression.kind === 'literal' && expression.literal === 'integer') {
    const index = Number(expression.text) - 1;
    if (columns[index] === undefined) {
      throw new SqlError(
        108,
        `The ORDER BY position number ${expression.text} is out of range of the number of items in the select list.`,
        {
          line: item.line,
        },
      );
    }
    return index;
  }
  return expression.kind === 'column' && expression.qualifier.length === 0
    ? columns.findIndex((column) => sameName(column.name, expression.name))
    : -1;
}

export function sortKeys(orderBy: readonly OrderItem[], output: readonly Output[], scope: QueryScope): SortKey[] {
  const columns = output.map((item) => item.column);
  const seen = new Set<string>();
  return orderBy.map((item) => {
    const index = orderedOutput(item, columns);
    const named = columns[index];
    const { expression } = item;
    if (expression.kind === 'column' && named !== undefined && columns.filter(({ name }) => sameName(name, expression.name)).length > 1) {
      throw ambiguousColumn(expression.name, item.line);
    }
    requireOnce(seen, expressionKey(expression), item.line);
    if (isConstant(expression)) {
      throw new SqlError(408, `A constant expression was encountered in the ORDER BY list, position ${seen.size}.`, { line: item.line });
    }
    if (named !== undefined) {
      return { value: (values) => values[index] ?? null, compare: valueOrder(named.type), descending: item.descending };
    }
    const compiled = compileExpression(item.expression, scope);
    return { value: () => compiled.evaluate(scope.context.eval), compare: valueOrder(compiled.type), descending: item.descending };
  });
}

/** @throws SqlError 169 */
function requireOnce(seen: Set<string>, key: string, line: number): void {
  if (seen.has(key)) {
    throw new SqlError(
      169,
      'A column has been specified more than once in the order by list. Columns in the order by list must be unique.',
      {
        class: 15,
        line,
      },
    );
  }
  seen.add(key);
}

/** A literal that is no position, or one with a sign. */
function isConstant(expression: OrderItem['expression']): boolean {
  return expression.kind === 'unary'
    ? expression.operand.kind === 'literal'
    : expression.kind === 'literal' && expression.literal !== 'integer';
}

export function compareSortable(a: Sortable, b: Sortable, keys: readonly SortKey[]): number {
  for (const [index, key] of keys.entries()) {
    const order = key.compare(a.order[index] ?? null, b.order[index] ?? null);
    if (order !== 0) {
      return key.descending ? -order : order;
    }
  }
  return 0;
}

export function sortRows<T extends Sortable>(rows: T[], keys: readonly SortKey[]): T[] {
  return keys.length === 0 ? rows : rows.sort((a, b) => compareSortable(a, b, keys));
}

/** Whether the source yields its rows in the order that ORDER BY asks for. */
export function orderedBySource(
  orderBy: readonly OrderItem[],
  source: Source | null,
  scope: QueryScope,
  output: readonly Output[],
): boolean {
  const given = source?.order ?? [];
  return (
    given.length > 0 &&
    orderBy.every((item, depth) => {
      const place = given[depth];
      if (place === undefined) {
        return depth >= given.length;
      }
      let { expression } = item;
      const aliased =
        output[
          orderedOutput(
            item,
            output.map((each) => each.column),
          )
        ]?.expression;
      if (aliased !== undefined && aliased !== null) {
        expression = aliased as typeof expression;
      }
      if (item.descending || expression.kind !== 'column') {
        return false;
      }
      const column = scope.resolveColumn(expression.qualifier, expression.name, expression);
      return column.slot === place.slot && column.index === place.index;
    })
  );
}

export interface Bounds {
  /** Rows to leave out, and the number of the last row to give. */
  readonly from: number;
  readonly to: number;
  readonly percent: number | null;
  readonly withTies: boolean;
  cut(rows: Sortable[], keys: readonly SortKey[]): Iterable<SqlValue[]>;
}

/** How many rows come out, evaluated when the query runs. @throws SqlError 127, 1060, 1062, 10742, 10744 */
export function limitRows(env: PlanEnvironment, top: Top | null, query: Query, parent: QueryScope | null): () => Bounds {
  const scope = parent ?? emptyScope(env);
  const count = top === null ? null : countOf(top.expression, scope, negativeTop);
  const offset = query.offset === null ? null : countOf(query.offset, scope, negativeOffset);
  const fetch = query.fetch === null ? null : countOf(query.fetch, scope, noFetch, 1);
  if (top !== null && query.offset !== null) {
    throw new SqlError(10_741, 'A TOP can not be used in the same query or sub-query as a OFFSET.', {
      class: 15,
      state: 2,
      line: query.line,
    });
  }
  if (top?.withTies === true && query.orderBy.length === 0) {
    throw new SqlError(1062, 'The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.', { class: 15 });
  }
  return () => {
    const first = offset === null ? 0 : offset();
    const last = fetch === null ? Infinity : first + fetch();
    const limit = count === null ? Infinity : count();
    const percent = top?.percent === true ? limit : null;
    if (percent !== null && percent > 100) {
      throw new SqlError(1031, 'Percent values must be between 0 and 100.', { class: 15, line: query.line });
    }
    const withTies = top?.withTies ?? false;
    return {
      from: first,
      to: percent === null ? Math.min(last, limit) : Infinity,
      percent,
      withTies,
      *cut(rows, keys) {
        let end = percent === null ? Math.min(last, limit) : Math.ceil((rows.length * Math.min(percent, 100)) / 100);
        const lastRow = rows[end - 1];
        if (withTies && lastRow !== undefined) {
          for (let next = rows[end]; next !== undefined && compareSortable(next, lastRow, keys) === 0; next = rows[end]) {
            end += 1;
          }
        }
        for (const row of rows.slice(first, Math.min(end, rows.length))) {
          yield row.values;
        }
      },
    };
  };
}

/** A number below zero for TOP, which writes take too. */
export function negativeTop(): SqlError {
  return new SqlError(127, 'A TOP N or FETCH rowcount value may not be negative.', { class: 15 });
}

function negativeOffset(): SqlError {
  return new SqlError(10_742, 'The offset specified in a OFFSET clause may not be negative.', { class: 15 });
}

function noFetch(): SqlError {
  return new SqlError(10_744, 'The number of rows provided for a FETCH clause must be greater then zero.', { class: 15 });
}

function countOf(expression: Top['expression'], scope: QueryScope, tooSmall: () => SqlError, least = 0): () => number {
  const compiled = compileExpression(expression, scope);
  return () => {
    const value = compiled.evaluate(scope.context.eval);
    if (value === null || typeof value === 'object') {
      throw new SqlError(1060, 'The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.', {
        class: 15,
      });
    }
    if (Number(value) < least) {
      throw tooSmall();
    }
    return Number(value);
  };
}
