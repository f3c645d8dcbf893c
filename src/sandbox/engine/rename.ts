/** sp_rename of tables and columns. Object ids and column ids stay. */
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { Table } from './catalog.ts';
import { columnByName, objectKey, sameName } from './catalog.ts';
import { logUndo } from './definition-log.ts';
import { findObject, objectNameOf, splitName } from './object-names.ts';
import { requireOwner } from './permissions.ts';
import { draftOf, redefine } from './redefine-table.ts';
import type { StatementContext } from './statement-context.ts';

export function rename(context: StatementContext, from: string, to: string, kind: string | null): void {
  switch (kind?.toUpperCase() ?? null) {
    case 'COLUMN':
      renameColumn(context, from, to);
      return;
    case null:
    case 'OBJECT':
      renameTable(context, from, to);
      return;
    default:
      throw new UnsupportedError(`sp_rename of a ${kind ?? ''}`);
  }
}

function unknown(from: string): SqlError {
  return new SqlError(
    15225,
    `No item by the name of '${from}' could be found in the current database, given that @itemtype was input as '(null)'.`,
    { class: 11 },
  );
}

function lock(context: StatementContext, table: Table): void {
  requireOwner(context.session, table.database, 'ALTER');
  table.locks.hold(context.transaction, 'schema modification');
}

function renameTable(context: StatementContext, from: string, to: string): void {
  const name = objectNameOf(from);
  const table = name === null ? undefined : findObject(context.session, name);
  if (table?.kind !== 'table' || table.temporary) {
    throw unknown(from);
  }
  lock(context, table);
  const { database } = table;
  const before = table.name;
  const oldKey = objectKey(table.schema.name, before);
  const newKey = objectKey(table.schema.name, to);
  if (newKey !== oldKey && database.objects.has(newKey)) {
    throw new SqlError(
      15335,
      `Error: The new name '${to}' is already in use as a OBJECT name and would cause a duplicate that is not permitted.`,
      { class: 11 },
    );
  }
  const move = (remove: string, add: string, called: string): void => {
    database.objects.delete(remove);
    table.name = called;
    database.objects.set(add, table);
  };
  move(oldKey, newKey, to);
  logUndo(
    context.transaction,
    () => {
      move(newKey, oldKey, before);
    },
    (seq) => {
      table.definedSeq = seq;
    },
  );
}

function renameColumn(context: StatementContext, from: string, to: string): void {
  const parts = splitName(from) ?? [];
  const column = parts.at(-1) ?? '';
  const [name = '', schema = null, database = null] = parts.slice(0, -1).toReversed();
  const table = findObject(context.session, { name, schema, database, server: null, line: 0, position: 0 });
  const found = table?.kind === 'table' ? columnByName(table, column) : undefined;
  if (table?.kind !== 'table' || found === undefined) {
    throw new SqlError(15248, 'Either the parameter @objname is ambiguous or the claimed @objtype (COLUMN) is wrong.', { class: 11 });
  }
  if (table.columns.some((each) => each !== found && sameName(each.name, to))) {
    throw new SqlError(
      15335,
      `Error: The new name '${to}' is already in use as a COLUMN name and would cause a duplicate that is not permitted.`,
      { class: 11 },
    );
  }
  lock(context, table);
  const draft = draftOf(table);
  draft.columns = draft.columns.map((each) => (each === found ? { ...each, name: to } : each));
  redefine(context, table, draft, null);
}
