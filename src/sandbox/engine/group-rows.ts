/** GROUP BY and aggregates: one row for each group, in a slot of its own that the select list and HAVING read. */
import type { CallExpression, Expression } from '../sql/ast-expression.ts';
import type { QuerySpecification } from '../sql/ast.ts';
import type { EvalContext } from '../sql/context.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Aggregate, Accumulator } from './aggregates.ts';
import { compileAggregate, isAggregateCall } from './aggregates.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { eachCall, expressionKey } from './expression-key.ts';
import type { CompiledExpression } from './expressions.ts';
import { compileCondition, compileExpression, rowHasher } from './expressions.ts';
import type { Rows, Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { refineScope } from './query-scope.ts';
import { rowWasRead } from './turn.ts';

export interface Grouping {
  readonly scope: QueryScope;
  readonly slots: readonly number[];
  readonly having: ((ctx: EvalContext) => boolean) | null;
  rows(base: Rows): Rows;
  /** What is compiled from now on stands in ORDER BY: its errors say so. */
  enterOrderBy(): void;
}

/** null when the query neither groups nor aggregates. @throws SqlError 130, 144, 164, 8120, 8121, 8127 */
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
  const groupingCalls = new Map<string, CallExpression>();
  const places = new Map<string, number>();
  for (const expression of [...query.expressions, ...(spec.having === null ? [] : [spec.having])]) {
    eachCall(expression, (call) => {
      const key = expressionKey(call);
      if (isGroupingCall(call)) {
        groupingCalls.set(key, call);
        return false;
      }
      if (call.over !== null || !isAggregateCall(call)) {
        return true;
      }
      if (!calls.has(key)) {
        calls.set(key, compileAggregate(call, scope));
      }
      return false;
    });
  }
  if (spec.groupBy.length === 0 && spec.groupingSets === null && calls.size + groupingCalls.size === 0 && spec.having === null) {
    return null;
  }
  for (const expression of spec.groupBy) {
    checkGrouped(expression);
  }
  const { groups, sets } = distinctGroups(spec, scope);
  groups.forEach(({ expression }, index) => places.set(expressionKey(expression), index));
  const aggregates = [...calls.entries()];
  aggregates.forEach(([key], index) => places.set(key, groups.length + index));
  const marks = [...groupingCalls.values()].map((call) => groupingMark(call, groups, scope));
  [...groupingCalls.keys()].forEach((key, index) => places.set(key, groups.length + aggregates.length + index));

  const slot = env.context.newSlot();
  const nulls = spec.groupingSets !== null;
  const typed = [
    ...groups.map(({ compiled }) => ({ type: compiled.type, nullable: compiled.nullable || nulls })),
    ...aggregates.map(([, aggregate]) => aggregate),
    ...marks,
  ];
  const own = new Set(source?.slots ?? []);
  const plain = groups.flatMap(({ expression }, index) => {
    if (expression.kind !== 'column') {
      return [];
    }
    const column = scope.resolveColumn(expression.qualifier, expression.name, expression);
    return [{ slot: column.slot, index: column.index, place: index }];
  });
  let clause: Clause = 'select';
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
        return { slot, index: found.place, type: column.type, nullable: column.nullable || nulls };
      }
      if (own.has(column.slot)) {
        const table = source?.tables.find((each) => each.slot === column.slot)?.name ?? '';
        throw ungrouped(clause, table === '' ? name : `${table}.${name}`, node.line);
      }
      return column;
    },
  });
  clause = 'having';
  const condition = spec.having === null ? null : compileCondition(spec.having, grouped);
  clause = 'select';
  const hash = rowHasher(groups.map(({ compiled }) => compiled.type));

  return {
    scope: grouped,
    slots: [slot],
    enterOrderBy: () => {
      clause = 'order';
    },
    having: condition === null ? null : (ctx) => condition(ctx) === true,
    rows: (base) =>
      function* rows() {
        const ctx = env.context.eval;
        const found = new Map<string, Group>();
        const start = (keys: SqlValue[], set: number): Group => ({
          keys,
          set,
          states: aggregates.map(([, aggregate]) => aggregate.start()),
        });
        for (const _ of base()) {
          const all = groups.map(({ compiled }) => compiled.evaluate(ctx));
          for (const [number, set] of sets.entries()) {
            rowWasRead();
            const keys = set === null ? all : all.map((value, index) => (set.has(index) ? value : null));
            const key = `${number}/${hash(keys)}`;
            let group = found.get(key);
            if (group === undefined) {
              group = start(keys, number);
              found.set(key, group);
            }
            for (const state of group.states) {
              state.add(ctx);
            }
          }
        }
        // No rows are one group where nothing is grouped by.
        for (const [number, set] of sets.entries()) {
          if (
            set === null
              ? groups.length === 0 && found.size === 0
              : set.size === 0 && !found.has(`${number}/${hash(groups.map(() => null))}`)
          ) {
            found.set(
              `${number}/`,
              start(
                groups.map(() => null),
                number,
              ),
            );
          }
        }
        const inSets = [...found.values()].sort((a, b) => a.set - b.set);
        for (const { keys, states, set } of inSets) {
          ctx.rows[slot] = [...keys, ...states.map((state) => state.result()), ...marks.map((mark) => mark.of(sets[set] ?? null))];
          yield;
        }
      },
  };
}

type Clause = 'select' | 'having' | 'order';

function ungrouped(clause: Clause, column: string, line: number): SqlError {
  if (clause === 'order') {
    return new SqlError(
      8127,
      `Column "${column}" is invalid in the ORDER BY clause because it is not contained in either an aggregate function or the GROUP BY clause.`,
      { line },
    );
  }
  const place = clause === 'having' ? 'HAVING clause' : 'select list';
  return new SqlError(
    clause === 'having' ? 8121 : 8120,
    `Column '${column}' is invalid in the ${place} because it is not contained in either an aggregate function or the GROUP BY clause.`,
    { line },
  );
}

/** @throws SqlError 144, 164 */
function checkGrouped(expression: Expression): void {
  const refuse = ({ line }: Expression): void => {
    throw new SqlError(144, 'Cannot use an aggregate or a subquery in an expression used for the group by list of a GROUP BY clause.', {
      class: 15,
      line,
    });
  };
  eachCall(
    expression,
    (call) => {
      if (isAggregateCall(call)) {
        refuse(call);
      }
      return true;
    },
    refuse,
  );
  if (!namesColumn(expression)) {
    throw new SqlError(164, 'Each GROUP BY expression must contain at least one column that is not an outer reference.', {
      class: 15,
      line: expression.line,
    });
  }
}

function namesColumn(node: unknown): boolean {
  return typeof node === 'object' && node !== null && (('kind' in node && node.kind === 'column') || Object.values(node).some(namesColumn));
}

interface Group {
  readonly keys: SqlValue[];
  readonly states: Accumulator[];
  /** The number of its grouping set. */
  readonly set: number;
}

interface GroupItem {
  readonly expression: Expression;
  readonly compiled: CompiledExpression;
}

/** What identifies an expression of GROUP BY: a column however it is qualified, any other by its text. */
function identityOf(expression: Expression, scope: QueryScope): string {
  if (expression.kind !== 'column') {
    return expressionKey(expression);
  }
  const column = scope.resolveColumn(expression.qualifier, expression.name, expression);
  return `column ${column.slot}.${column.index}`;
}

/** The expressions of GROUP BY, each once, and the sets as their positions; a plain GROUP BY is the one set null. */
function distinctGroups(
  spec: QuerySpecification,
  scope: QueryScope,
): { readonly groups: readonly GroupItem[]; readonly sets: readonly (ReadonlySet<number> | null)[] } {
  if (spec.groupingSets === null) {
    return { groups: spec.groupBy.map((expression) => ({ expression, compiled: compileExpression(expression, scope) })), sets: [null] };
  }
  const identities: string[] = [];
  const groups: GroupItem[] = [];
  const places = spec.groupBy.map((expression) => {
    const compiled = compileExpression(expression, scope);
    const identity = identityOf(expression, scope);
    if (!identities.includes(identity)) {
      identities.push(identity);
      groups.push({ expression, compiled });
    }
    return identities.indexOf(identity);
  });
  return { groups, sets: spec.groupingSets.map((set) => new Set(set.map((index) => places[index] ?? 0))) };
}

function isGroupingCall(call: CallExpression): boolean {
  return call.name.schema === null && ['GROUPING', 'GROUPING_ID'].includes(call.name.name.toUpperCase());
}

/** GROUPING and GROUPING_ID: a bit for each argument, 1 where the row's set leaves it out. @throws SqlError 174, 8161 */
function groupingMark(
  call: CallExpression,
  groups: readonly GroupItem[],
  scope: QueryScope,
): { readonly type: SqlType; readonly nullable: boolean; of(set: ReadonlySet<number> | null): SqlValue } {
  const name = call.name.name.toUpperCase();
  if (call.args.length === 0 || (name === 'GROUPING' && call.args.length > 1)) {
    throw new SqlError(174, `The ${name.toLowerCase()} function requires 1 argument(s).`, { line: call.line, class: 15 });
  }
  const identities = groups.map(({ expression }) => identityOf(expression, scope));
  const places = call.args.map((arg, index) => {
    const place = identities.indexOf(identityOf(arg, scope));
    if (place < 0) {
      throw new SqlError(
        8161,
        `Argument ${index + 1} of the ${name} function does not match any of the expressions in the GROUP BY clause.`,
        {
          line: call.line,
        },
      );
    }
    return place;
  });
  return {
    type: { name: name === 'GROUPING' ? 'tinyint' : 'int' },
    nullable: false,
    of: (set) => places.reduce((bits, place) => bits * 2 + (set === null || set.has(place) ? 0 : 1), 0),
  };
}
