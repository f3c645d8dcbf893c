/** UNION, EXCEPT and INTERSECT, and recursive CTEs, which are a UNION ALL that names itself. */
import type { CommonTable, Query, QueryBody, SetOperation } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { NamedRows, PlanEnvironment } from './bind-source.ts';
import { converter, rowHasher, unify, valueOrder } from './expressions.ts';
import type { PlanColumn, QueryPlan } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { membersOf, requireSameTypes } from './recursive-table.ts';
import { renamed } from './source-columns.ts';
import type { SortKey } from './sorting.ts';
import { limitRows, orderedOutput, sortRows } from './sorting.ts';

function bodyQuery(body: QueryBody): Query {
  return { kind: 'query', body, orderBy: [], offset: null, fetch: null, forJson: null, line: body.line, position: body.position };
}

export function planSetOperation(env: PlanEnvironment, query: Query, parent: QueryScope | null): QueryPlan {
  const { body } = query;
  if (body.kind !== 'setOperation') {
    return env.planQuery(env, query, parent);
  }
  const plan = combined(env, body, parent);
  if (query.orderBy.length === 0 && query.offset === null) {
    return plan;
  }
  const keys = query.orderBy.map((item): SortKey => {
    const index = orderedOutput(item, plan.columns);
    const column = plan.columns[index];
    if (column === undefined) {
      throw new SqlError(
        104,
        'ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.',
        { line: item.line },
      );
    }
    return { value: (values) => values[index] ?? null, compare: valueOrder(column.type), descending: item.descending };
  });
  const limit = limitRows(env, null, query, parent);
  return {
    columns: plan.columns,
    *run() {
      const rows = [...plan.run()].map((values) => ({ values: [...values], order: keys.map((key) => key.value(values)) }));
      yield* limit().cut(sortRows(rows, keys), keys);
    },
  };
}

function combined(env: PlanEnvironment, operation: SetOperation, parent: QueryScope | null): QueryPlan {
  const left = env.planQuery(env, bodyQuery(operation.left), parent);
  const right = env.planQuery(env, bodyQuery(operation.right), parent);
  if (left.columns.length !== right.columns.length) {
    throw new SqlError(
      205,
      'All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.',
      { line: operation.line },
    );
  }
  const columns = left.columns.map((column, index): PlanColumn => {
    const other = right.columns[index] ?? column;
    const evaluate = (): SqlValue => null;
    const { type } = unify([
      { ...column, evaluate },
      { ...other, evaluate },
    ]);
    return { name: column.name, type, nullable: column.nullable || other.nullable };
  });
  const hash = rowHasher(columns.map((column) => column.type));
  const fromLeft = converted(left, columns);
  const fromRight = converted(right, columns);
  return {
    columns,
    *run() {
      switch (operation.operator) {
        case 'unionAll':
          yield* fromLeft();
          yield* fromRight();
          return;
        case 'union': {
          const seen = new Set<string>();
          for (const rows of [fromLeft, fromRight]) {
            yield* unseen(rows(), seen, hash);
          }
          return;
        }
        case 'except':
        case 'intersect': {
          const others = new Set<string>();
          for (const row of fromRight()) {
            others.add(hash(row));
          }
          const wanted = operation.operator === 'intersect';
          const seen = new Set<string>();
          for (const row of unseen(fromLeft(), seen, hash)) {
            if (others.has(hash(row)) === wanted) {
              yield row;
            }
          }
        }
      }
    },
  };
}

function* unseen(
  rows: Iterable<readonly SqlValue[]>,
  seen: Set<string>,
  hash: (row: readonly SqlValue[]) => string,
): Generator<readonly SqlValue[]> {
  for (const row of rows) {
    const key = hash(row);
    if (!seen.has(key)) {
      seen.add(key);
      yield row;
    }
  }
}

/** The rows of a plan as the types of other columns. */
function converted(plan: QueryPlan, columns: readonly PlanColumn[]): () => Iterable<readonly SqlValue[]> {
  const converters = plan.columns.map((column, index) => converter(column.type, columns[index]?.type ?? column.type));
  return function* rows() {
    for (const row of plan.run()) {
      yield row.map((value, index) => converters[index]?.(value) ?? null);
    }
  };
}

/** The environment in which a statement's CTEs are known. @param maxRecursion 0 is no limit */
export function withCommonTables(
  env: PlanEnvironment,
  tables: readonly CommonTable[],
  refine: (env: PlanEnvironment, ctes: PlanEnvironment['ctes']) => PlanEnvironment,
  maxRecursion = 100,
): PlanEnvironment {
  let known = env;
  for (const table of tables) {
    const before = known;
    const ctes = new Map(before.ctes);
    ctes.set(table.name.toLowerCase(), () => commonTable(before, table, refine, maxRecursion));
    known = refine(before, ctes);
  }
  return known;
}

function commonTable(
  env: PlanEnvironment,
  table: CommonTable,
  refine: (env: PlanEnvironment, ctes: PlanEnvironment['ctes']) => PlanEnvironment,
  maxRecursion: number,
): NamedRows {
  const members = membersOf(table);
  if (members.recursive.length === 0) {
    const plan = env.planQuery(env, table.query, null);
    return { columns: renamed(plan.columns, table.columns, table.name), rows: () => plan.run() };
  }
  const anchor = env.planQuery(env, bodyQuery(members.anchor), null);
  const columns = renamed(anchor.columns, table.columns, table.name).map((column) => ({ ...column, nullable: true }));
  let working: (readonly SqlValue[])[] = [];
  const ctes = new Map(env.ctes);
  ctes.set(table.name.toLowerCase(), () => ({ columns, rows: () => working }));
  const refined = refine(env, ctes);
  const steps = members.recursive.map((member) => {
    const step = env.planQuery(refined, bodyQuery(member), null);
    requireSameTypes(columns, step.columns, member, table.name);
    return converted(step, columns);
  });
  return {
    columns,
    *rows() {
      let found = [...anchor.run()];
      for (let depth = 0; found.length > 0; depth += 1) {
        if (maxRecursion > 0 && depth > maxRecursion) {
          throw new SqlError(
            530,
            `The statement terminated. The maximum recursion ${maxRecursion} has been exhausted before statement completion.`,
          );
        }
        yield* found;
        working = found;
        found = steps.flatMap((next) => [...next()]);
      }
    },
  };
}
