/**
 * Runs one statement as a whole: it happens completely or not at all. Where it meets another transaction's lock it is undone, waits, and
 * begins anew. Outside a transaction it is one of its own, committed before its result leaves.
 */
import type { Frame } from './statement-context.ts';
import { StatementContext } from './statement-context.ts';
import { SqlError } from '../session.ts';
import { runOverflow } from '../sql/nesting.ts';
import type { SessionState } from './session-state.ts';
import type { Transaction } from './transaction.ts';
import { WaitSignal } from './transaction.ts';
import { beginsToRun } from './turn.ts';
import { waitFor } from './wait-graph.ts';

/**
 * @param after what belongs to the statement and waits on its own: it runs once, before the commit. With an error of it everything is undone.
 * @throws SqlError of the statement; the signal's reason at an attention, with the statement undone.
 */
export async function atomically<T>(
  session: SessionState,
  frame: Frame,
  signal: AbortSignal,
  run: (context: StatementContext) => T,
  after?: (transaction: Transaction, result: T) => Promise<void> | undefined,
): Promise<T> {
  const { instance } = session;
  const own = session.transaction === null;
  const transaction = session.transaction ?? session.beginTransaction();
  const mark = transaction.log.length;
  session.current = transaction;
  const variables = [...frame.values];
  for (;;) {
    try {
      signal.throwIfAborted();
      if (session.closed) {
        throw new Error('the session has been ended');
      }
      beginsToRun();
      const result = run(new StatementContext(session, transaction, frame));
      if (!own && session.doomed && transaction.log.length > mark) {
        throw new SqlError(
          3930,
          'The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.',
        );
      }
      const following = after?.(transaction, result);
      if (following !== undefined) {
        await following;
      }
      if (!own) {
        transaction.settle(mark, instance.manager.seq);
      }
      if (own) {
        const committed = instance.manager.commit(transaction);
        if (committed !== undefined) {
          await committed;
        }
      }
      return result;
    } catch (error) {
      transaction.undoTo(mark);
      frame.values.splice(0, frame.values.length, ...variables);
      if (!(error instanceof WaitSignal)) {
        if (own) {
          instance.manager.rollback(transaction);
        }
        throw runOverflow(error);
      }
      try {
        await waitFor(transaction, error.blockers, {
          spid: session.id,
          timeoutMs: session.options.lockTimeoutMs,
          signal,
          clock: instance.clock,
        });
      } catch (failure) {
        if (own) {
          instance.manager.rollback(transaction);
        }
        throw failure;
      }
    }
  }
}
