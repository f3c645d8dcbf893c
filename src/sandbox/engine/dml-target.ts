/** What INSERT, UPDATE, DELETE and MERGE write to, and how its rows are looked at by a write. */
import type { DmlTarget } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { Table } from './catalog.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { findTable } from './object-names.ts';
import { requirePermission } from './permissions.ts';
import type { ReadMode } from './row-store.ts';
import type { StatementContext } from './statement-context.ts';
import * as errors from './errors.ts';

/** @throws SqlError 208, 229, 1087, 10700 */
export function targetTable(env: PlanEnvironment, target: DmlTarget, permission: 'INSERT' | 'UPDATE' | 'DELETE'): Table {
  const { context } = env;
  if (target.kind === 'tableVariable') {
    const table = context.frame.tables.get(target.name.toLowerCase());
    if (table === undefined) {
      throw new SqlError(1087, `Must declare the table variable "${target.name}".`, { line: target.line, state: 2, class: 15 });
    }
    if (table.readOnly === true) {
      throw new SqlError(10_700, `The table-valued parameter "${target.name}" is READONLY and cannot be modified.`, { line: target.line });
    }
    return table;
  }
  const table = findTable(context.session, target.name);
  if (!table.temporary) {
    table.locks.pass(context.transaction, 'schema stability');
    if (context.binding) {
      return table;
    }
    if (context.isSnapshot && table.definedSeq > context.view(table.database)) {
      throw errors.definitionChanged(table.database.name);
    }
  }
  requirePermission(context.session, table, permission);
  return table;
}

/** A write looks at the newest rows and locks them, but for SNAPSHOT, which looks at its view and conflicts with what is newer. */
export function writeMode(context: StatementContext, table: Table, hints: readonly string[]): ReadMode {
  if (table.temporary || context.binding) {
    return { kind: 'locking' };
  }
  if (context.isSnapshot) {
    return { kind: 'view', seq: context.view(table.database) };
  }
  const { isolation } = context.session;
  if (hints.includes('TABLOCKX') || hints.includes('XLOCK')) {
    table.locks.hold(context.transaction, 'exclusive');
  }
  if (isolation === 'repeatable read' || isolation === 'serializable' || hints.includes('HOLDLOCK') || hints.includes('SERIALIZABLE')) {
    table.locks.hold(context.transaction, 'shared');
  }
  return hints.includes('READPAST') ? { kind: 'past locks' } : { kind: 'locking' };
}
