/** SELECT as a statement: its rows for the client, into variables, or into a new table. */
import type { QuerySpecification, SelectStatement } from '../sql/ast.ts';
import type { SqlValue } from '../sql-types.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { planBrowsed } from './browse-query.ts';
import type { IdentityCounter } from './catalog.ts';
import { tableForInto } from './define-table.ts';
import { insertInto } from './insert-rows.ts';
import { planAssignment } from './plan-assignment.ts';
import { findObject } from './object-names.ts';
import type { PlanColumn } from './plan.ts';
import type { StatementResult } from './statement-result.ts';

export function runSelect(env: PlanEnvironment, statement: SelectStatement): StatementResult {
  const { query } = statement;
  const body = query.body.kind === 'specification' ? query.body : null;
  if (body?.items.some((item) => item.kind === 'assign') === true) {
    const assign = planAssignment(env, query, body);
    return {
      count: env.context.binding ? 0 : assign(),
      columns: [],
      rows: [],
      select: true,
      silent: true,
      nullsEliminated: env.context.nullsEliminated,
    };
  }
  const browsed = env.context.session.options.browse && (body === null || body.into === null) && query.forJson === null;
  const plan = browsed ? planBrowsed(env, query) : env.planQuery(env, query, null);
  if (env.context.binding) {
    return { count: 0, columns: plan.columns, rows: [], select: true };
  }
  if (body !== null && body.into !== null) {
    const table = tableForInto(env.context, body.into, plan.columns, inheritedIdentity(env, body, plan.columns));
    const rows = [...plan.run()];
    const { session } = env.context;
    const before = session.identityInsert;
    // The values of an inherited identity come with the rows.
    session.identityInsert = table.columns.some((column) => column.identity !== null) ? table : before;
    try {
      const names = table.columns.map((column) => column.name);
      return insertedCount(insertInto(env, table, { names, described: plan.columns, rows, line: statement.line }));
    } finally {
      session.identityInsert = before;
    }
  }
  const limit = env.context.session.options.rowCount;
  const rows: (readonly SqlValue[])[] = [];
  for (const row of plan.run()) {
    rows.push(row);
    if (limit > 0 && rows.length >= limit) {
      break;
    }
  }
  const shared = { count: rows.length, columns: plan.columns, select: true, nullsEliminated: env.context.nullsEliminated };
  return { ...shared, rows: query.forJson === null ? rows : rows.flatMap((row) => pieces(row[0] ?? null)) };
}

/** A long text of FOR JSON comes in several rows. Source: learn.microsoft.com "Use FOR JSON output in SQL Server and in client apps". */
const PIECE = 2033;

function pieces(value: SqlValue): SqlValue[][] {
  const text = typeof value === 'string' ? value : '';
  const count = Math.max(1, Math.ceil(text.length / PIECE));
  return Array.from({ length: count }, (_, index) => [text.slice(index * PIECE, (index + 1) * PIECE)]);
}

/**
 * The identity column of a SELECT from one table stays one in the table of INTO, unless it stands there twice or in an expression.
 * Source: learn.microsoft.com, "SELECT - INTO clause".
 */
function inheritedIdentity(env: PlanEnvironment, body: QuerySpecification, columns: readonly PlanColumn[]): Map<number, IdentityCounter> {
  const found = columns.flatMap((column, index) => (column.identity === true ? [index] : []));
  const [only] = found;
  if (body.from?.kind !== 'table' || found.length !== 1 || only === undefined || body.groupBy.length > 0 || body.distinct) {
    return new Map();
  }
  const source = findObject(env.context.session, body.from.name);
  const identity = source?.kind === 'table' ? source.columns.find((column) => column.identity !== null)?.identity : undefined;
  return identity === undefined || identity === null ? new Map() : new Map([[only, identity]]);
}

function insertedCount(count: number): StatementResult {
  return { count, columns: [], rows: [], select: false };
}
