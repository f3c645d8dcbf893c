/**
 * Runs what a statement fires: each trigger once per statement, after its rows are written and before it is committed, in its transaction.
 * XACT_ABORT is on inside. An error that is not RAISERROR's takes the transaction with it, as does ROLLBACK: 3609, and the batch ends.
 * Sources: learn.microsoft.com, CREATE TRIGGER; "Specify first and last triggers"; SET XACT_ABORT; errors 217, 3609, 3616.
 */
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { BatchRunner } from './batch-runner.ts';
import type { NamedRows } from './bind-source.ts';
import type { Table, Trigger } from './catalog.ts';
import { endsTransactionToo } from './errors.ts';
import type { Row } from './row-store.ts';
import type { AtomicStatement } from './run-statement.ts';
import { runStatement } from './run-statement.ts';
import { planColumns } from './source-table.ts';
import type { StatementContext } from './statement-context.ts';
import { createFrame } from './statement-context.ts';
import type { StatementResult } from './statement-result.ts';
import type { Transaction } from './transaction.ts';
import type { TriggerEvent } from './trigger-events.ts';
import { triggersFor } from './trigger-events.ts';

/** Runs a statement that reads, writes or defines, with the triggers it fires. */
export async function runAtomicStatement(runner: BatchRunner, statement: AtomicStatement): Promise<StatementResult> {
  return await withTriggers(
    runner,
    (context) => runStatement(context, statement),
    (result) => result.count,
  );
}

/** Runs a part of a statement as a whole, with the triggers that its writes fire. @param countOf what @@ROWCOUNT is inside them */
export async function withTriggers<T>(
  runner: BatchRunner,
  run: (context: StatementContext) => T,
  countOf: (result: T) => number | bigint | null,
): Promise<T> {
  let events: readonly TriggerEvent[] = [];
  return await runner.atomic(
    (context) => {
      const result = run(context);
      events = context.triggerEvents.all;
      return result;
    },
    (transaction, result) => (events.length === 0 ? undefined : fire(runner, transaction, events, BigInt(countOf(result) ?? 0))),
  );
}

async function fire(runner: BatchRunner, transaction: Transaction, events: readonly TriggerEvent[], count: bigint): Promise<void> {
  const { session } = runner;
  const own = session.transaction === null;
  if (own) {
    session.adopt(transaction);
  }
  try {
    for (const event of events) {
      for (const trigger of triggersFor(event.table, event.action)) {
        if (!isDirectRecursion(runner, event.table, trigger)) {
          session.rowCount = count;
          await runTrigger(runner, trigger, event, transaction);
        }
      }
    }
  } catch (error) {
    throw error instanceof SqlError ? endsTransactionToo(error) : error;
  } finally {
    if (own && session.transaction === transaction) {
      session.release();
    }
  }
}

/** A trigger does not fire itself, unless the database says so. */
function isDirectRecursion({ session }: BatchRunner, table: Table, trigger: Trigger): boolean {
  return session.triggers.at(-1) === trigger.objectId && table.database.options.get('RECURSIVE_TRIGGERS') !== 'ON';
}

async function runTrigger(runner: BatchRunner, trigger: Trigger, event: TriggerEvent, transaction: Transaction): Promise<void> {
  const { session } = runner;
  const { table } = event;
  const frame = createFrame();
  frame.trigger = {
    name: `${table.schema.name}.${trigger.name}`,
    table,
    updated: event.updated,
    rows: new Map([
      ['inserted', image(table, event.inserted, transaction)],
      ['deleted', image(table, event.deleted, transaction)],
    ]),
  };
  const { database } = session;
  const endScope = session.scopeOptions();
  session.options.xactAbort = true;
  session.database = table.database;
  session.triggers.push(trigger.objectId);
  session.ownersRights += 1;
  try {
    await runner.trigger(trigger.body, frame);
  } catch (error) {
    if (error instanceof SqlError) {
      error.procedure ??= frame.trigger.name;
    }
    throw error;
  } finally {
    session.ownersRights -= 1;
    session.triggers.pop();
    session.database = database;
    endScope();
  }
  if (session.transaction !== transaction) {
    throw new SqlError(3609, 'The transaction ended in the trigger. The batch has been aborted.');
  }
  if (session.doomed) {
    throw new SqlError(
      3616,
      'An error was raised during trigger execution. The batch has been aborted and the user transaction, if any, has been rolled back.',
    );
  }
}

/** `inserted` or `deleted`; empty once the trigger has rolled the transaction back. */
function image(table: Table, rows: readonly Row[], transaction: Transaction): NamedRows {
  return {
    columns: planColumns(table),
    rows: (): readonly (readonly SqlValue[])[] => (transaction.state === 'active' ? rows : []),
  };
}
