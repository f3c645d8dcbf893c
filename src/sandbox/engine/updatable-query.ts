/**
 * A query that UPDATE and DELETE write through: a CTE or a derived table over one table, whose rows stay the table's. Window functions, TOP
 * and ORDER BY may stand in it; what groups or combines rows may not.
 */
import type { Query, QuerySpecification, TableSource } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { PlanEnvironment } from './bind-source.ts';
import type { Table } from './catalog.ts';
import { targetTable, writeMode } from './dml-target.ts';
import type { Source } from './plan.ts';
import { passes } from './plan.ts';
import type { Row } from './row-store.ts';
import { renamed } from './source-columns.ts';
import type { StoredSource } from './source-table.ts';

type Base = Extract<TableSource, { kind: 'table' }>;

export interface UpdatableQuery {
  readonly table: Table;
  readonly source: Source;
  readonly stored: StoredSource;
  /** The table's column that a column of the query is. @throws SqlError 4406 when it is none */
  columnOf(name: string, line: number): string;
}

/** The tables of a FROM clause. */
function tablesIn(env: PlanEnvironment, source: TableSource): Base[] {
  if (source.kind === 'join' || source.kind === 'apply') {
    return [...tablesIn(env, source.left), ...tablesIn(env, source.right)];
  }
  return source.kind === 'table' && !(source.name.schema === null && env.ctes.has(source.name.name.toLowerCase())) ? [source] : [];
}

/** @throws SqlError 4403 for a query that groups; UnsupportedError for one whose table cannot be told */
export function updatableQuery(
  env: PlanEnvironment,
  query: Query,
  target: { readonly name: string; readonly columns: readonly string[]; readonly permission: 'UPDATE' | 'DELETE'; readonly line: number },
): UpdatableQuery {
  const { context } = env;
  const { body } = query;
  if (body.kind !== 'specification' || body.distinct || body.groupBy.length > 0 || body.groupingSets !== null || query.forJson !== null) {
    throw new SqlError(
      4403,
      `Cannot update the view or function '${target.name}' because it contains aggregates, or a DISTINCT or GROUP BY clause, or PIVOT or UNPIVOT operator.`,
      { line: target.line },
    );
  }
  const [base, ...more] = body.from === null ? [] : tablesIn(env, body.from);
  if (base === undefined || more.length > 0) {
    throw new UnsupportedError(`${target.permission} through a query of several tables`, target.line);
  }
  const table = targetTable(env, { ...base, alias: null }, target.permission);
  const rowOf = new WeakMap<readonly SqlValue[], Row>();
  const found: { stored: StoredSource | null } = { stored: null };
  const ctx = context.eval;
  const plan = env.planQuery(
    {
      ...env,
      target: {
        node: base,
        mode: () => writeMode(context, table, base.hints),
        found: (each) => {
          found.stored = each;
        },
        specification: body,
        produced: (values) => {
          rowOf.set(values, ctx.rows[found.stored?.slots[0] ?? 0] ?? []);
        },
      },
    },
    query,
    null,
  );
  const { stored } = found;
  if (stored === null) {
    throw new UnsupportedError(`${target.permission} through this query`, target.line);
  }
  const columns = renamed(plan.columns, target.columns, target.name);
  const slot = context.newSlot();
  const [baseSlot = 0] = stored.slots;
  const source: Source = {
    tables: [{ name: target.name, qualifiers: [], slot, columns }],
    // The table's own row goes with the query's, so that a join puts both back.
    slots: [slot, baseSlot],
    lateral: false,
    seeks: () => false,
    order: [],
    prepare: (conjuncts) =>
      function* rows() {
        for (const values of plan.run()) {
          ctx.rows[slot] = values;
          ctx.rows[baseSlot] = rowOf.get(values) ?? [];
          if (passes(conjuncts, ctx)) {
            yield;
          }
        }
      },
  };
  const origins = originsOf(
    body,
    plan.columns.map((column) => column.name),
  );
  return {
    table,
    source,
    stored,
    columnOf: (name, line) => {
      const index = columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase());
      const origin = origins[index];
      if (index >= 0 && origin === null) {
        throw new SqlError(
          4406,
          `Update or insert of view or function '${target.name}' failed because it contains a derived or constant field.`,
          {
            line,
          },
        );
      }
      return origin ?? name;
    },
  };
}

/** The column that each column of the select list shows; null for an expression. */
function originsOf(body: QuerySpecification, names: readonly string[]): (string | null)[] {
  const written = body.items.filter((item) => item.kind !== 'star').length;
  const starred = body.items.filter((item) => item.kind === 'star').length;
  const each = starred === 0 ? 0 : (names.length - written) / starred;
  let at = 0;
  return body.items.flatMap((item): (string | null)[] => {
    if (item.kind === 'star') {
      at += each;
      return names.slice(at - each, at);
    }
    at += 1;
    return [item.expression.kind === 'column' ? item.expression.name : null];
  });
}
