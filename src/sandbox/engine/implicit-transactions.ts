/**
 * SET IMPLICIT_TRANSACTIONS ON: the statements that begin a transaction where none is open. Drivers switch it on for "auto-commit off".
 * Source: learn.microsoft.com, "SET IMPLICIT_TRANSACTIONS (Transact-SQL)".
 */
import type { Statement, TableSource } from '../sql/ast.ts';
import type { BatchRunner } from './batch-runner.ts';

const BEGINNING: ReadonlySet<Statement['kind']> = new Set<Statement['kind']>([
  'insert',
  'insertBulk',
  'update',
  'delete',
  'merge',
  'truncate',
  'createSchema',
  'createTable',
  'alterTable',
  'createIndex',
  'createView',
  'createSynonym',
  'drop',
  'dropIndex',
  'permission',
  // It counts one deeper than the transaction that it begins.
  'beginTransaction',
]);

/** Begins a transaction before a statement that wants one. */
export function beginImplicitly(runner: BatchRunner, statement: Statement): void {
  const { session } = runner;
  if (!session.options.implicitTransactions || session.transaction !== null || !(BEGINNING.has(statement.kind) || readsTable(statement))) {
    return;
  }
  const change = session.begin();
  if (change !== null) {
    runner.sink.environment(change);
  }
}

/** A SELECT that reads no table begins nothing. */
function readsTable(statement: Statement): boolean {
  if (statement.kind !== 'select') {
    return false;
  }
  const { body } = statement.query;
  return body.kind !== 'specification' || (body.from !== null && !isFunction(body.from));
}

function isFunction(source: TableSource): boolean {
  return source.kind === 'function' || source.kind === 'openJson' || source.kind === 'tableVariable';
}
