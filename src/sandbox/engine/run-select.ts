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
    return { count: planAssignment(env, query, body)(), columns: [], rows: [], select: true };
  }
  const plan = env.planQuery(env, query, null);
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
  return { count: rows.length, columns: plan.columns, rows, select: true };
}

function insertedCount(count: number): StatementResult {
  return { count, columns: [], rows: [], select: false };
}
