/** DBCC CHECKIDENT: tells and sets the identity value of a table. Source: learn.microsoft.com, DBCC CHECKIDENT. */
import type { CheckIdentityStatement } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import type { BatchRunner } from './batch-runner.ts';
import { emptyScope } from './bind-source.ts';
import { logUndo } from './definition-log.ts';
import { createEnvironment } from './environment.ts';
import { compileExpression } from './expressions.ts';
import { findObject, objectNameOf } from './object-names.ts';
import { requireOwner } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';

/** @returns its messages. @throws SqlError 2501, 7997 */
function check(context: StatementContext, statement: CheckIdentityStatement): string[] {
  const { line } = statement;
  const name = objectNameOf(statement.table);
  const table = name === null ? undefined : findObject(context.session, name);
  if (table?.kind !== 'table') {
    throw new SqlError(2501, `Cannot find a table or object with the name "${statement.table}". Check the system catalog.`, {
      line,
      state: 45,
    });
  }
  requireOwner(context.session, table.database, 'DBCC CHECKIDENT');
  const position = table.columns.findIndex((column) => column.identity !== null);
  const identity = table.columns[position]?.identity ?? null;
  if (identity === null) {
    throw new SqlError(7997, `'${table.name}' does not contain an identity column.`, { line });
  }
  const before = identity.last;
  let greatest: bigint | null = null;
  for (const { head } of table.store.walk()) {
    const value = head === null || head.row === null ? null : (head.row[position] ?? null);
    const number = value === null || typeof value === 'object' ? null : BigInt(value);
    if (number !== null && (greatest === null || (identity.increment > 0n ? number > greatest : number < greatest))) {
      greatest = number;
    }
  }
  const shown = before === null ? 'NULL' : String(before);
  const told = `Checking identity information: current identity value '${shown}'${
    statement.value === null ? `, current column value '${greatest === null ? 'NULL' : String(greatest)}'` : ''
  }.`;
  if (statement.value !== null) {
    const value = compileExpression(statement.value, emptyScope(createEnvironment(context))).evaluate(context.eval);
    const next = value === null || typeof value === 'object' ? null : BigInt(String(value).split('.')[0] ?? '0');
    if (next !== null) {
      // A table that never had a row, or was truncated, begins with the value itself.
      identity.last = before === null ? next - identity.increment : next;
    }
  } else if (
    statement.reseed &&
    greatest !== null &&
    (before === null || (identity.increment > 0n ? before < greatest : before > greatest))
  ) {
    identity.last = greatest;
  }
  logUndo(context.transaction, () => {
    identity.last = before;
  });
  return statement.silent ? [] : [told, 'DBCC execution completed. If DBCC printed error messages, contact your system administrator.'];
}

export async function checkIdentity(runner: BatchRunner, statement: CheckIdentityStatement): Promise<void> {
  const messages = await runner.atomic((context) => check(context, statement));
  for (const [index, message] of messages.entries()) {
    const { line } = statement;
    runner.sink.message({ number: index === 0 ? 7998 : 2528, state: 1, class: 0, message, procedure: '', line });
  }
  runner.done();
}
