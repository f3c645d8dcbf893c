/** Sends what a statement returns to the client: columns, rows as fast as it takes them, warnings, the count. */
import type { BatchRunner } from './batch-runner.ts';
import type { StatementResult } from './statement-result.ts';
import { textCutter } from './text-size.ts';

/** Source: learn.microsoft.com "SET ANSI_WARNINGS (Transact-SQL)". */
const NULLS_ELIMINATED = {
  number: 8153,
  state: 1,
  class: 0,
  message: 'Warning: Null value is eliminated by an aggregate or other SET operation.',
  procedure: '',
};

/** @throws the signal's reason at an attention while the client takes no rows */
export async function sendResult(runner: BatchRunner, result: StatementResult, line = 1): Promise<void> {
  const { sink } = runner;
  if (result.columns.length > 0) {
    sink.columns(result.columns);
    const cut = result.select ? textCutter(result.columns, runner.session.options.textSize) : null;
    for (const row of result.rows) {
      const pending = sink.row(cut === null ? row : cut(row));
      if (pending !== undefined) {
        await pending;
        runner.signal.throwIfAborted();
      }
    }
  }
  if (result.nullsEliminated === true) {
    sink.message({ ...NULLS_ELIMINATED, line });
  }
  const counted = result.count === null || result.silent === true || runner.session.options.nocount ? null : result.count;
  runner.done({ rowCount: result.columns.length > 0 ? (counted ?? null) : counted, select: result.select });
}
