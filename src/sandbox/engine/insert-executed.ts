/**
 * INSERT … EXEC: what a text or a procedure sends as result sets becomes rows of the target; its messages go to the client. It is one
 * transaction with what was executed. Source: learn.microsoft.com "INSERT (Transact-SQL)", execute_statement.
 */
import type { InsertStatement } from '../sql/ast.ts';
import type { ResultSink } from '../session.ts';
import { SqlError } from '../session.ts';
import type { ResultColumn, SqlValue } from '../sql-types.ts';
import type { BatchRunner } from './batch-runner.ts';
import { targetTable } from './dml-target.ts';
import type { StatementContext } from './statement-context.ts';
import { withTriggers } from './fire-triggers.ts';
import { createEnvironment } from './environment.ts';
import { insertInto } from './insert-rows.ts';
import { writeLimit } from './write-limit.ts';

interface ResultSet {
  readonly columns: readonly ResultColumn[];
  readonly rows: (readonly SqlValue[])[];
}

/** Keeps result sets and counts nothing. */
class CapturingSink implements ResultSink {
  readonly sets: ResultSet[] = [];
  readonly #outer: ResultSink;

  constructor(outer: ResultSink) {
    this.#outer = outer;
  }

  columns(columns: readonly ResultColumn[]): void {
    this.sets.push({ columns, rows: [] });
  }

  row(values: readonly SqlValue[]): void {
    this.sets.at(-1)?.rows.push(values);
  }

  done(): void {
    // The one count is that of the INSERT.
  }

  message(message: Parameters<ResultSink['message']>[0]): void {
    this.#outer.message(message);
  }

  environment(change: Parameters<ResultSink['environment']>[0]): void {
    this.#outer.environment(change);
  }
}

/**
 * @param execute runs the source's EXEC with a runner that has the given sink.
 * @throws SqlError 8164 inside another INSERT … EXEC, and whatever the text or the rows raise
 * @returns the number of rows
 */
export async function insertExecuted(
  runner: BatchRunner,
  statement: InsertStatement,
  execute: (sink: ResultSink) => Promise<void>,
): Promise<number> {
  if (runner.sink instanceof CapturingSink) {
    throw new SqlError(8164, 'An INSERT EXEC statement cannot be nested.', { line: statement.line });
  }
  const { session } = runner;
  const own = session.transaction === null;
  if (own) {
    session.begin();
  }
  const captured = new CapturingSink(runner.sink);
  try {
    await execute(captured);
    const write = (context: StatementContext): number => {
      const env = createEnvironment(context);
      const table = targetTable(env, statement.target, 'INSERT');
      context.triggerEvents.expect(table, 'INSERT', statement.output);
      const limit = writeLimit(env, statement.top);
      return captured.sets.reduce((sum, set) => {
        const rows = set.rows.slice(0, limit.of(set.rows.length));
        return sum + insertInto(env, table, { names: statement.columns, described: set.columns, rows, line: statement.line });
      }, 0);
    };
    const count = await withTriggers(runner, write, (rows) => rows);
    if (own && session.transaction !== null) {
      await session.commit();
    }
    return count;
  } catch (error) {
    if (own && session.transaction !== null) {
      session.rollback(null);
    }
    throw error;
  }
}
