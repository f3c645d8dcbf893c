/**
 * Message 3621, "The statement has been terminated.": it follows an error that undid a statement while it was writing, and the batch goes on.
 * Errors that refuse a statement before it writes anything, end its batch or are caught by TRY are not followed by it; nor is any under
 * SET XACT_ABORT ON, but for those inside a trigger, where that is always on.
 * Sources: outputs printed in Microsoft's documentation (Entity Framework "Cascade delete": 515, "CLR triggers": 3991) and by its clients:
 * 547, 2601, 2627 of INSERT, UPDATE, DELETE and MERGE, 515 inside a trigger, 1222 of UPDATE, 242 of UPDATE; level 0, state 1, the line of the error.
 */
import type { Statement } from '../sql/ast.ts';
import type { SqlError } from '../session.ts';
import type { SqlMessage } from '../sql-types.ts';
import type { SessionState } from './session-state.ts';

/** Constraints, values that do not fit, arithmetic, and locks that were not given. */
const WHILE_WRITING: ReadonlySet<number> = new Set([220, 242, 244, 248, 512, 515, 547, 1222, 2601, 2627, 2628, 8115, 8134, 8152]);

/** What a definition meets when it goes through the rows; 547 of ALTER TABLE stands alone. */
const WHILE_DEFINING: ReadonlySet<number> = new Set([515, 1505, 2628, 8115, 8152]);

const WRITES: ReadonlySet<Statement['kind']> = new Set<Statement['kind']>(['insert', 'insertBulk', 'update', 'delete', 'merge']);
const DEFINES: ReadonlySet<Statement['kind']> = new Set<Statement['kind']>(['createIndex', 'alterTable', 'alterIndex']);

/** The message that follows an error of a statement outside TRY; null: none does. */
export function terminationOf(session: SessionState, statement: Statement, error: SqlError): SqlMessage | null {
  const numbers = DEFINES.has(statement.kind) ? WHILE_DEFINING : writes(statement) ? WHILE_WRITING : null;
  if (numbers === null || (session.options.xactAbort && session.triggers.length === 0) || !told(error).some((each) => numbers.has(each))) {
    return null;
  }
  const line = Math.max(1, error.line);
  return { number: 3621, state: 1, class: 0, message: 'The statement has been terminated.', procedure: error.procedure ?? '', line };
}

function writes(statement: Statement): boolean {
  return (
    WRITES.has(statement.kind) ||
    (statement.kind === 'select' && statement.query.body.kind === 'specification' && statement.query.body.into !== null)
  );
}

/** The numbers of an error and of those told before it. */
function told(error: SqlError): number[] {
  return error.preceding === null ? [error.number] : [...told(error.preceding), error.number];
}
