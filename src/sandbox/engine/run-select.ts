/** SELECT as a statement: its rows for the client, into variables, or into a new table. */
import type { SelectStatement } from '../sql/ast.ts';
import type { SqlValue } from '../sql-types.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { tableForInto } from './define-table.ts';
import { insertInto } from './insert-rows.ts';
import { planAssignment } from './plan-assignment.ts';
import type { StatementResult } from './statement-result.ts';

export function runSelect(env: PlanEnvironment, statement: SelectStatement): StatementResult {
  const { query } = statement;
  const body = query.body.kind === 'specification' ? query.body : null;
  if (body?.items.some((item) => item.kind === 'assign') === true) {
    const assign = planAssignment(env, query, body);
    return { count: env.context.binding ? 0 : assign(), columns: [], rows: [], select: true };
  }
  const plan = env.planQuery(env, query, null);
  if (env.context.binding) {
    return { count: 0, columns: plan.columns, rows: [], select: true };
  }
  if (body !== null && body.into !== null) {
    const table = tableForInto(env.context, body.into, plan.columns);
    const rows = [...plan.run()];
    const writable = table.columns.filter((column) => column.computed === null).map((column) => column.name);
    return { ...insertedCount(insertInto(env, table, { names: writable, described: plan.columns, rows, line: statement.line })) };
  }
  const limit = env.context.session.options.rowCount;
  const rows: (readonly SqlValue[])[] = [];
  for (const row of plan.run()) {
    rows.push(row);
    if (limit > 0 && rows.length >= limit) {
      break;
    }
  }
  if (query.forJson !== null) {
    return { count: rows.length, columns: plan.columns, rows: rows.flatMap((row) => pieces(row[0] ?? null)), select: true };
  }
  return { count: rows.length, columns: plan.columns, rows, select: true };
}

/** A long text of FOR JSON comes in several rows. Source: learn.microsoft.com "Use FOR JSON output in SQL Server and in client apps". */
const PIECE = 2033;

function pieces(value: SqlValue): SqlValue[][] {
  const text = typeof value === 'string' ? value : '';
  const count = Math.max(1, Math.ceil(text.length / PIECE));
  return Array.from({ length: count }, (_, index) => [text.slice(index * PIECE, (index + 1) * PIECE)]);
}

function insertedCount(count: number): StatementResult {
  return { count, columns: [], rows: [], select: false };
}
