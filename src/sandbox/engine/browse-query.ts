/**
 * A query under SET NO_BROWSETABLE ON: it tells which tables and columns its columns come from, and the keys of its tables that it does not
 * select follow as hidden columns. Clients ask for it to write changes back (CommandBehavior.KeyInfo of .NET).
 * Sources: MS-TDS 2.2.7.24 (TABNAME) and 2.2.7.3 (COLINFO); learn.microsoft.com, sp_describe_first_result_set, browse information mode 1.
 * Hidden keys are those of tables in the query's own FROM: a view or a derived table adds none.
 */
import type { Expression } from '../sql/ast-expression.ts';
import { isAggregateCall } from '../sql/aggregate-names.ts';
import type { NamedTable, Query, QuerySpecification, SelectItem, TableSource } from '../sql/ast.ts';
import type { PlanEnvironment } from './bind-source.ts';
import type { Column, IndexDefinition, Table } from './catalog.ts';
import { columnByName } from './catalog.ts';
import { findObject } from './object-names.ts';
import type { PlanColumn, QueryPlan } from './plan.ts';

/** Plans a query so that its columns say where they come from. */
export function planBrowsed(env: PlanEnvironment, query: Query): QueryPlan {
  const plan = env.planQuery(env, query, null);
  const { body } = query;
  if (body.kind !== 'specification' || body.distinct || groups(body)) {
    return { ...plan, columns: described(plan.columns, plan.columns.length) };
  }
  const hidden = tablesOf(body.from).flatMap((node) => missingKey(env, node, plan.columns));
  const whole = hidden.length === 0 ? plan : env.planQuery(env, { ...query, body: { ...body, items: [...body.items, ...hidden] } }, null);
  return { ...whole, columns: described(whole.columns, plan.columns.length) };
}

/** The tables of a FROM clause that stand there by name. */
function tablesOf(source: TableSource | null): NamedTable[] {
  if (source?.kind === 'table') {
    return [source];
  }
  return source?.kind === 'join' || source?.kind === 'apply' ? [...tablesOf(source.left), ...tablesOf(source.right)] : [];
}

/** What a row of a table is known by: its primary key, or its first unique index over all rows. */
function keyOf(table: Table): IndexDefinition | null {
  const whole = table.indexes.filter((index) => index.unique && index.filter === null);
  return whole.find((index) => index.kind === 'primary key') ?? whole[0] ?? null;
}

function keyColumns(table: Table): Column[] {
  return (keyOf(table)?.columns ?? []).flatMap(({ columnId }) => table.columns.find((column) => column.id === columnId) ?? []);
}

function missingKey(env: PlanEnvironment, node: NamedTable, columns: readonly PlanColumn[]): SelectItem[] {
  const { name, line, position } = node;
  const { context } = env;
  if (name.schema === null && env.ctes.has(name.name.toLowerCase())) {
    return [];
  }
  const table = findObject(context.session, name);
  if (table?.kind !== 'table') {
    return [];
  }
  const selected = new Set(columns.flatMap(({ origin }) => (origin?.node === node ? [origin.column] : [])));
  const qualifier = node.alias === null ? [name.database ?? context.database.name, name.schema ?? 'dbo', name.name] : [node.alias];
  return keyColumns(table)
    .filter((column) => !selected.has(column.name))
    .map((column) => {
      const expression: Expression = { kind: 'column', qualifier, name: column.name, line, position };
      return { kind: 'expression', expression, alias: null, line, position };
    });
}

/** @param visible how many of the columns were asked for */
function described(columns: readonly PlanColumn[], visible: number): PlanColumn[] {
  const nodes = [...new Set(columns.flatMap(({ origin }) => origin?.node ?? []))];
  return columns.map((column, index) => {
    const { origin } = column;
    if (origin === undefined) {
      return { ...column, browse: null };
    }
    const { node, table } = origin;
    const { server, database, schema, name } = node.name;
    const selected = columns.flatMap((each) => (each.origin?.node === node ? [each.origin.column] : []));
    const key = keyColumns(table).map((each) => each.name);
    const browse = {
      table: [server, database, schema, name].flatMap((part) => part ?? []),
      number: nodes.indexOf(node) + 1,
      column: columnByName(table, origin.column)?.name ?? origin.column,
      key: key.includes(origin.column) && key.every((each) => selected.includes(each)),
      hidden: index >= visible,
    };
    return { ...column, browse };
  });
}

/** Whether its rows are groups, which have no key. */
function groups(body: QuerySpecification): boolean {
  return body.groupBy.length > 0 || body.groupingSets !== null || body.having !== null || body.items.some((item) => aggregates(item));
}

function aggregates(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) {
    return false;
  }
  if ('kind' in node && (node.kind === 'query' || node.kind === 'specification')) {
    return false;
  }
  const expression = node as Expression;
  if (expression.kind === 'call' && expression.over === null && isAggregateCall(expression)) {
    return true;
  }
  return Object.values(node).some((each) => aggregates(each));
}
