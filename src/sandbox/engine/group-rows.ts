/** GROUP BY and aggregates: one row for each group, in a slot of its own that the select list and HAVING read. */
import type { Expression } from '../sql/ast-expression.ts';
import type { QuerySpecification } from '../sql/ast.ts';
import type { EvalContext } from '../sql/context.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { Aggregate, Accumulator } from './aggregates.ts';
import { compileAggregate, isAggregateCall } from './aggregates.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { eachCall, expressionKey } from './expression-key.ts';
import { compileCondition, compileExpression, rowHasher } from './expressions.ts';
import type { Rows, Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { refineScope } from './query-scope.ts';

export interface Grouping {
  readonly scope: QueryScope;
  readonly slots: readonly number[];
  readonly having: ((ctx: EvalContext) => boolean) | null;
  rows(base: Rows): Rows;
}

/** null when the query neither groups nor aggregates. @throws SqlError 130, 144, 8120 */
export function groupRows(
  env: PlanEnvironment,
  query: {
    readonly spec: QuerySpecification;
    readonly expressions: readonly Expression[];
    readonly source: Source | null;
    readonly scope: QueryScope;
  },
): Grouping | null {
  const { spec, scope, source } = query;
  const calls = new Map<string, Aggregate>();
  const places = new Map<string, number>();
  for (const expression of [...query.expressions, ...(spec.having === null ? [] : [spec.having])]) {
    eachCall(expression, (call) => {
      if (call.over !== null || !isAggregateCall(call)) {
        return true;
      }
      const key = expressionKey(call);
      if (!calls.has(key)) {
        calls.set(key, compileAggregate(call, scope));
      }
      return false;
    });
  }
  if (spec.groupBy.length === 0 && calls.size === 0 && spec.having === null) {
    return null;
  }
  const groups = spec.groupBy.map((expression) => ({ expression, compiled: compileExpression(expression, scope) }));
  groups.forEach(({ expression }, index) => places.set(expressionKey(expression), index));
  const aggregates = [...calls.entries()];
  aggregates.forEach(([key], index) => places.set(key, groups.length + index));

  const slot = env.context.newSlot();
  const typed = [...groups.map(({ compiled }) => compiled), ...aggregates.map(([, aggregate]) => aggregate)];
  const own = new Set(source?.slots ?? []);
  const plain = groups.flatMap(({ expression }, index) => {
    if (expression.kind !== 'column') {
      return [];
    }
    const column = scope.resolveColumn(expression.qualifier, expression.name, expression);
    return [{ slot: column.slot, index: column.index, place: index }];
  });
  const grouped = refineScope(scope, {
    substitute: (expression) => {
      const place = places.get(expressionKey(expression));
      const of = place === undefined ? undefined : typed[place];
      return place === undefined || of === undefined
        ? scope.substitute(expression)
        : { slot, index: place, type: of.type, nullable: of.nullable };
    },
    resolveColumn: (qualifier, name, node) => {
      const column = scope.resolveColumn(qualifier, name, node);
      const found = plain.find((each) => each.slot === column.slot && each.index === column.index);
      if (found !== undefined) {
        return { slot, index: found.place, type: column.type, nullable: column.nullable };
      }
      if (own.has(column.slot)) {
        throw new SqlError(
          8120,
          `Column '${[...qualifier, name].join('.')}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.`,
          { line: node.line },
        );
      }
      return column;
    },
  });
  const condition = spec.having === null ? null : compileCondition(spec.having, grouped);
  const hash = rowHasher(groups.map(({ compiled }) => compiled.type));

  return {
    scope: grouped,
    slots: [slot],
    having: condition === null ? null : (ctx) => condition(ctx) === true,
    rows: (base) =>
      function* rows() {
        const ctx = env.context.eval;
        const found = new Map<string, { readonly keys: SqlValue[]; readonly states: Accumulator[] }>();
        const start = (keys: SqlValue[]): { keys: SqlValue[]; states: Accumulator[] } => ({
          keys,
          states: aggregates.map(([, aggregate]) => aggregate.start()),
        });
        for (const _ of base()) {
          const keys = groups.map(({ compiled }) => compiled.evaluate(ctx));
          const key = hash(keys);
          let group = found.get(key);
          if (group === undefined) {
            group = start(keys);
            found.set(key, group);
          }
          for (const state of group.states) {
            state.add(ctx);
          }
        }
        if (found.size === 0 && groups.length === 0) {
          found.set('', start([]));
        }
        for (const { keys, states } of found.values()) {
          ctx.rows[slot] = [...keys, ...states.map((state) => state.result())];
          yield;
        }
      },
  };
}
