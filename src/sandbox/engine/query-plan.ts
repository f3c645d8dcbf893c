/**
 * Plans a query: its sources, conditions, groups, select list, order. One function for each step; the result yields rows when it is run.
 * What it cannot do it refuses by name.
 */
import type { Expression, OrderItem } from '../sql/ast-expression.ts';
import type { Query, QuerySpecification, SelectItem } from '../sql/ast.ts';
import { isJsonExpression } from '../sql/json-text.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { bindSource } from './bind-source.ts';
import { conjunctsOf } from './conjuncts.ts';
import { expressionKey } from './expression-key.ts';
import type { Compiled } from './expressions.ts';
import { compileExpression, rowHasher } from './expressions.ts';
import { forJsonPlan } from './for-json.ts';
import { groupRows } from './group-rows.ts';
import type { PlanColumn, QueryPlan, Rows, Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { createQueryScope, recordingScope, tablesOfStar } from './query-scope.ts';
import { planSetOperation } from './set-operation.ts';
import type { Bounds, SortKey } from './sorting.ts';
import { limitRows, orderedBySource, orderedOutput, sortKeys, sortRows } from './sorting.ts';
import { windowRows } from './window-rows.ts';

/** What a select list gives for a row; `assign` writes a variable. */
export interface OutputItem {
  readonly column: PlanColumn;
  readonly value: Compiled;
  readonly expression: Expression | null;
}

export function planQuery(env: PlanEnvironment, query: Query, parent: QueryScope | null): QueryPlan {
  if (query.forJson !== null) {
    return forJsonPlan(planQuery(env, { ...query, forJson: null }, parent), query.forJson, env.context);
  }
  if (query.body.kind === 'setOperation') {
    return planSetOperation(env, query, parent);
  }
  return planSpecification(env, query.body, query, parent);
}

/** Where the outer queries' rows stand: every slot handed out before this query's own. */
export function knownSlots(env: PlanEnvironment): Set<number> {
  const next = env.context.slotCount;
  return new Set(Array.from({ length: next }, (_, slot) => slot));
}

export function planSpecification(env: PlanEnvironment, spec: QuerySpecification, query: Query, parent: QueryScope | null): QueryPlan {
  const { context } = env;
  const ctx = context.eval;
  const known = knownSlots(env);
  const source = spec.from === null ? null : bindSource(env, spec.from, parent);
  const tables = source?.tables ?? [];
  const scope = createQueryScope({ context, tables, parent, plan: env.plan });
  const where = conjunctsOf(spec.where, scope);
  const expressions = [...spec.items.flatMap(expressionOf), ...query.orderBy.map((item) => item.expression)];

  const grouped = groupRows(env, { spec, expressions, source, scope });
  const inner = grouped?.scope ?? scope;
  const windows = windowRows(env, { expressions, scope: inner, slots: grouped?.slots ?? source?.slots ?? [] });
  const final = windows?.scope ?? inner;

  const output = outputItems(spec.items, source, final, grouped !== null);
  const columns = output.map((item) => item.column);
  if (spec.distinct) {
    requireSelected(query.orderBy, output);
  }
  grouped?.enterOrderBy();
  const keys = sortKeys(query.orderBy, output, final);
  const having = grouped === null ? null : grouped.having;
  const baseRows: Rows = source === null ? () => (where.every((each) => each.test(ctx)) ? [undefined] : []) : source.prepare(where, known);
  let rows: Rows = grouped === null ? baseRows : grouped.rows(baseRows);
  if (having !== null) {
    rows = filtered(rows, () => having(ctx));
  }
  if (windows !== null) {
    rows = windows.rows(rows);
  }
  const limit = limitRows(env, spec.top, query, parent);
  const streams =
    keys.length === 0 || (grouped === null && windows === null && !spec.distinct && orderedBySource(query.orderBy, source, final, output));
  const produced = env.target?.specification === spec ? env.target.produced : undefined;
  const produce = (): SqlValue[] => {
    const values = output.map((item) => item.value.evaluate(ctx));
    produced?.(values);
    return values;
  };
  const hash = spec.distinct ? rowHasher(columns.map((column) => column.type)) : null;

  return {
    columns,
    // How many rows are left of DISTINCT only its values tell.
    ...(spec.distinct && query.offset !== null ? {} : { exists: () => reaches(rows, limit()) }),
    *run() {
      const bounds = limit();
      if (bounds.to <= 0) {
        return;
      }
      const all = hash === null ? producing(rows, produce, streams ? [] : keys) : distinct(producing(rows, produce, keys), hash);
      if (streams && bounds.percent === null && !bounds.withTies) {
        let index = 0;
        for (const { values } of all) {
          index += 1;
          if (index > bounds.from) {
            yield values;
          }
          if (index >= bounds.to) {
            return;
          }
        }
        return;
      }
      yield* bounds.cut(sortRows([...all], keys), keys);
    },
  };
}

export interface ProducedRow {
  readonly values: SqlValue[];
  /** Values of ORDER BY. */
  readonly order: readonly SqlValue[];
}

function* producing(rows: Rows, produce: () => SqlValue[], keys: readonly SortKey[]): Generator<ProducedRow, void, undefined> {
  for (const _ of rows()) {
    const values = produce();
    yield { values, order: keys.length === 0 ? [] : keys.map((key) => key.value(values)) };
  }
}

function* distinct(rows: Iterable<ProducedRow>, hash: (values: readonly SqlValue[]) => string): Generator<ProducedRow, void, undefined> {
  const seen = new Set<string>();
  for (const row of rows) {
    const key = hash(row.values);
    if (!seen.has(key)) {
      seen.add(key);
      yield row;
    }
  }
}

/** Whether a row stands within the bounds. */
function reaches(rows: Rows, { from, to, percent }: Bounds): boolean {
  let index = 0;
  if (to <= from || percent === 0) {
    return false;
  }
  for (const _ of rows()) {
    index += 1;
    if (index > from) {
      return true;
    }
  }
  return false;
}

function filtered(rows: Rows, test: () => boolean): Rows {
  return function* pass() {
    for (const _ of rows()) {
      if (test()) {
        yield;
      }
    }
  };
}

function expressionOf(item: SelectItem): Expression[] {
  return item.kind === 'star' ? [] : [item.expression];
}

/** @throws SqlError 145 when SELECT DISTINCT is sorted by what it does not select */
function requireSelected(orderBy: readonly OrderItem[], output: readonly OutputItem[]): void {
  const columns = output.map((item) => item.column);
  const selected = new Set(output.flatMap((item) => (item.expression === null ? [] : [expressionKey(item.expression)])));
  const names = new Set(output.flatMap(({ expression }) => (expression?.kind === 'column' ? [expression.name.toLowerCase()] : [])));
  for (const item of orderBy) {
    const { expression } = item;
    const isColumn = expression.kind === 'column' && names.has(expression.name.toLowerCase());
    if (orderedOutput(item, columns) < 0 && !isColumn && !selected.has(expressionKey(expression))) {
      throw new SqlError(145, 'ORDER BY items must appear in the select list if SELECT DISTINCT is specified.', {
        class: 15,
        line: item.line,
      });
    }
  }
}

/** The select list with its stars written out. @throws SqlError 107, 141, 263, 8120 */
function outputItems(items: readonly SelectItem[], source: Source | null, scope: QueryScope, grouped: boolean): OutputItem[] {
  const assigns = items.filter((item) => item.kind === 'assign').length;
  if (assigns > 0 && assigns < items.length) {
    throw new SqlError(141, 'A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.', {
      class: 15,
    });
  }
  return items.flatMap((item): OutputItem[] => {
    if (item.kind !== 'star') {
      const value = compileExpression(item.expression, scope);
      const column = item.expression.kind === 'column' ? sourceColumn(item.expression, source, scope) : null;
      const name =
        item.kind === 'expression' && item.alias !== null
          ? item.alias
          : item.expression.kind === 'column'
            ? (column?.name ?? item.expression.name)
            : '';
      const { table, origin } = column ?? {};
      return [
        {
          column: {
            ...flagsOf(column),
            name,
            type: value.type,
            nullable: value.nullable,
            json: column?.json ?? isJsonExpression(item.expression),
            ...(table === undefined ? {} : { table }),
            ...(origin === undefined ? {} : { origin }),
          },
          value,
          expression: item.expression,
        },
      ];
    }
    if (source === null) {
      throw new SqlError(263, 'Must specify table to select from.', { line: item.line });
    }
    return tablesOfStar(source.tables, item.qualifier, item).flatMap((table) =>
      table.columns.map((column) => {
        if (column.denied !== undefined) {
          throw column.denied();
        }
        const expression: Expression = {
          kind: 'column',
          qualifier: [...(table.qualifiers.length > 0 ? table.qualifiers : []), table.name],
          name: column.name,
          line: item.line,
          position: item.position,
        };
        const value = grouped ? compileExpression(expression, scope) : slotValue(table.slot, table.columns.indexOf(column), column);
        return { column: { ...column, table: table.name }, value, expression };
      }),
    );
  });
}

function slotValue(slot: number, index: number, column: PlanColumn): Compiled {
  return { type: column.type, nullable: column.nullable, evaluate: (ctx) => ctx.rows[slot]?.[index] ?? null };
}

function sourceColumn(expression: Extract<Expression, { kind: 'column' }>, source: Source | null, scope: QueryScope): PlanColumn | null {
  if (scope.substitute(expression) !== null) {
    return null;
  }
  const found = scope.resolveColumn(expression.qualifier, expression.name, expression);
  const table = source?.tables.find((each) => each.slot === found.slot);
  const column = table?.columns[found.index];
  return table === undefined || column === undefined ? null : { ...column, table: table.name };
}

function flagsOf(column: PlanColumn | null): Partial<PlanColumn> {
  return column === null ? {} : { identity: column.identity ?? false, computed: column.computed ?? false };
}

/** Plans a subquery of an expression. One that looks at no outer row is run once and kept. */
export function planSubquery(env: PlanEnvironment, query: Query, outer: QueryScope): ReturnType<QueryScope['plan']> {
  const recording = recordingScope(outer);
  const plan = planQuery(env, query, recording.scope);
  let kept: (readonly SqlValue[])[] | null = null;
  let known: boolean | null = null;
  const { exists } = plan;
  return {
    columns: plan.columns,
    ...(exists === undefined ? {} : { exists: () => (recording.slots.size > 0 ? exists() : (known ??= exists())) }),
    run: () => {
      if (recording.slots.size > 0) {
        return plan.run();
      }
      kept ??= [...plan.run()];
      return kept;
    },
  };
}
