/** sp_rename of tables, views, constraints, columns and indexes. Ids stay. Source: learn.microsoft.com, sp_rename. */
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { Table } from './catalog.ts';
import { columnByName, objectKey, sameName } from './catalog.ts';
import { moveObject } from './move-object.ts';
import { findObject, objectNameOf, splitName } from './object-names.ts';
import { requireOwner } from './permissions.ts';
import { draftOf, redefine } from './redefine-table.ts';
import type { StatementContext } from './statement-context.ts';

export function rename(context: StatementContext, from: string, to: string, kind: string | null): void {
  switch (kind?.toUpperCase() ?? null) {
    case 'COLUMN':
      renameColumn(context, from, to);
      return;
    case 'INDEX':
      renameIndex(context, from, to);
      return;
    case null:
    case 'OBJECT':
      renameObject(context, from, to, kind);
      return;
    default:
      throw new UnsupportedError(`sp_rename of a ${kind ?? ''}`);
  }
}

function unknown(from: string, kind: string | null, database: string): SqlError {
  return new SqlError(
    15_225,
    `No item by the name of '${from}' could be found in the current database '${database}', given that @itemtype was input as '${kind ?? '(null)'}'.`,
    { class: 11 },
  );
}

function nameInUse(to: string, kind: string): SqlError {
  return new SqlError(
    15335,
    `Error: The new name '${to}' is already in use as a ${kind} name and would cause a duplicate that is not permitted.`,
    { class: 11 },
  );
}

function lock(context: StatementContext, table: Table): void {
  requireOwner(context.session, table.database, 'ALTER');
  table.locks.hold(context.transaction, 'schema modification');
}

function renameObject(context: StatementContext, from: string, to: string, kind: string | null): void {
  const name = objectNameOf(from);
  const database = context.database;
  const object = name === null ? undefined : name.name.startsWith('#') ? undefined : database.find(name.schema, name.name);
  if (object === undefined) {
    renameConstraint(context, from, to, kind);
    return;
  }
  if (object.kind === 'table') {
    lock(context, object);
  } else {
    requireOwner(context.session, database, 'ALTER');
  }
  const oldKey = objectKey(object.schema.name, object.name);
  const newKey = objectKey(object.schema.name, to);
  if (newKey !== oldKey && database.objects.has(newKey)) {
    throw nameInUse(to, 'OBJECT');
  }
  moveObject(context, object, { schema: object.schema, name: to });
}

/** A constraint by its own name, which is an object's: [schema.]constraint. */
function renameConstraint(context: StatementContext, from: string, to: string, kind: string | null): void {
  const parts = splitName(from) ?? [];
  const name = parts.at(-1) ?? '';
  const schema = parts.at(-2) ?? 'dbo';
  for (const table of context.database.tables()) {
    const draft = draftOf(table);
    const named = (each: { readonly name: string }): boolean => sameName(each.name, name) && sameName(table.schema.name, schema);
    const given = <Part extends { readonly name: string }>(each: Part): Part => (named(each) ? { ...each, name: to } : each);
    draft.indexes = draft.indexes.map((each) => (each.kind === 'index' ? each : given(each)));
    draft.checks = draft.checks.map(given);
    draft.foreignKeys = draft.foreignKeys.map(given);
    draft.columns = draft.columns.map((each) =>
      each.default !== null && named(each.default) ? { ...each, default: given(each.default) } : each,
    );
    const [index] = [...draft.indexes.keys()].filter((at) => draft.indexes[at] !== table.indexes[at]);
    const other = [...draft.checks, ...draft.foreignKeys, ...draft.columns].some(
      (each) => ![...table.checks, ...table.foreignKeys, ...table.columns].some((old) => old === each),
    );
    if (index !== undefined || other) {
      lock(context, table);
      // The names of keys stand in the store's messages.
      redefine(context, table, draft, index === undefined ? null : (row) => row);
      return;
    }
  }
  throw unknown(from, kind, context.database.name);
}

/** table.index */
function renameIndex(context: StatementContext, from: string, to: string): void {
  const parts = splitName(from) ?? [];
  const name = parts.at(-1) ?? '';
  const [table = '', schema = null, database = null] = parts.slice(0, -1).toReversed();
  const owner = findObject(context.session, { name: table, schema, database, server: null, line: 0, position: 0 });
  const index = owner?.kind === 'table' ? owner.indexes.find((each) => sameName(each.name, name)) : undefined;
  if (owner?.kind !== 'table' || index === undefined) {
    throw new SqlError(15_248, 'Either the parameter @objname is ambiguous or the claimed @objtype (INDEX) is wrong.', { class: 11 });
  }
  if (owner.indexes.some((each) => each !== index && sameName(each.name, to))) {
    throw nameInUse(to, 'INDEX');
  }
  lock(context, owner);
  const draft = draftOf(owner);
  draft.indexes = draft.indexes.map((each) => (each === index ? { ...each, name: to } : each));
  redefine(context, owner, draft, index.unique ? (row) => row : null);
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
    throw nameInUse(to, 'COLUMN');
  }
  lock(context, table);
  const draft = draftOf(table);
  draft.columns = draft.columns.map((each) => (each === found ? { ...each, name: to } : each));
  redefine(context, table, draft, null);
}
