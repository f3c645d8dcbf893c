/** Replaces a table's definition: by a draft that was edited, with its rows carried over where their form changed; undone with the transaction. */
import type { Table } from './catalog.ts';
import type { TableDraft } from './define-table.ts';
import { logUndo } from './definition-log.ts';
import type { Row } from './row-store.ts';
import type { StatementContext } from './statement-context.ts';
import { rewriteRows } from './table-shape.ts';

export function draftOf(table: Table): TableDraft {
  return {
    database: table.database,
    objectId: table.objectId,
    name: table.name,
    schema: table.schema,
    temporary: table.temporary,
    columns: [...table.columns],
    indexes: [...table.indexes],
    checks: [...table.checks],
    foreignKeys: [...table.foreignKeys],
    lastColumnId: table.lastColumnId,
  };
}

/** @param convert makes a new row of an old one; null: rows and keys stay as they are. */
export function redefine(context: StatementContext, table: Table, draft: TableDraft, convert: ((row: Row) => Row) | null): void {
  const { columns, indexes, checks, foreignKeys, lastColumnId, store, name, schema, modifiedAt } = table;
  const next = convert === null ? store : rewriteRows(context, table, draft, convert);
  Object.assign(table, {
    columns: draft.columns,
    indexes: draft.indexes,
    checks: draft.checks,
    foreignKeys: draft.foreignKeys,
    lastColumnId: draft.lastColumnId,
    store: next,
    modifiedAt: context.now,
  });
  logUndo(
    context.transaction,
    () => {
      Object.assign(table, { columns, indexes, checks, foreignKeys, lastColumnId, store, name, schema, modifiedAt });
    },
    (seq) => {
      table.definedSeq = seq;
    },
  );
}
