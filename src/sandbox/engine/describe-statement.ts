/**
 * What a statement would answer, without running it: SET FMTONLY ON, and the procedures that describe result sets. A statement is bound as
 * for running; its rows are neither read nor written. Source: learn.microsoft.com, SET FMTONLY.
 */
import type { Statement } from '../sql/ast.ts';
import type { BatchRunner } from './batch-runner.ts';
import { bindStatement, partsOf } from './bind-batch.ts';
import type { PlanColumn } from './plan.ts';
import { isAtomic, runStatement } from './run-statement.ts';
import { StatementContext } from './statement-context.ts';

/** The columns of a statement's result set; none: it has none. @throws SqlError of its binding, WaitSignal */
export function columnsOf({ session, transaction, frame }: StatementContext, statement: Statement): readonly PlanColumn[] {
  if (!isAtomic(statement) || !ANSWERING.has(statement.kind)) {
    bindStatement(session, transaction, frame, statement);
    return [];
  }
  const context = new StatementContext(session, transaction, frame);
  context.binding = true;
  const { columns } = runStatement(context, statement);
  const into = statement.kind === 'select' && statement.query.body.kind === 'specification' ? statement.query.body.into : null;
  return into === null ? columns : [];
}

const ANSWERING: ReadonlySet<Statement['kind']> = new Set<Statement['kind']>(['select', 'insert', 'update', 'delete', 'merge']);

/** Statements inside others, in the order of the text: conditions decide nothing here, every branch is described. */
export function* innermost(statement: Statement): Generator<Statement> {
  const parts = partsOf(statement);
  if (parts.length === 0) {
    yield statement;
  }
  for (const part of parts) {
    yield* innermost(part);
  }
}

/** What runs all the same under FMTONLY; the text of EXECUTE is described in its turn. */
const RUNS: ReadonlySet<Statement['kind']> = new Set<Statement['kind']>(['setOption', 'setVariable', 'declare', 'execute', 'executeText']);

/** FMTONLY ON: answers a statement with its columns and no rows. @returns false for what runs all the same */
export async function describeInstead(runner: BatchRunner, statement: Statement): Promise<boolean> {
  if (RUNS.has(statement.kind)) {
    return false;
  }
  const parts = partsOf(statement);
  for (const part of parts) {
    await runner.step(part);
  }
  if (parts.length > 0) {
    return true;
  }
  const columns = await runner.atomic((context) => columnsOf(context, statement));
  if (columns.length > 0) {
    runner.sink.columns(columns);
  }
  runner.done({ select: columns.length > 0 });
  return true;
}
