/** Foreign keys: what is written must point to a row, what is removed must not be pointed to. What keys do of their own is in cascades.ts. */
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { ForeignKey, Table } from './catalog.ts';
import { columnIndex, indexPositions, primaryKey } from './catalog.ts';
import { rowHasher } from './expressions.ts';
import type { Row } from './row-store.ts';
import type { StatementContext } from './statement-context.ts';
import { WaitSignal } from './transaction.ts';

export function referencesFrom(table: Table): ForeignKey[] {
  return table.foreignKeys.filter((key) => key.enabled);
}

export function referencesTo(table: Table): { readonly from: Table; readonly key: ForeignKey }[] {
  if (table.temporary) {
    return [];
  }
  return table.database
    .tables()
    .flatMap((from) => from.foreignKeys.filter((key) => key.enabled && key.references === table).map((key) => ({ from, key })));
}

/** @throws SqlError 547; WaitSignal when the other row is being written */
export function checkReferences(
  context: StatementContext,
  change: { readonly table: Table; readonly written: readonly Row[]; readonly removed: readonly Row[]; readonly verb?: string },
): void {
  const { table } = change;
  if (change.written.length > 0) {
    for (const key of referencesFrom(table)) {
      const own = key.columnIds.map((id) => columnIndex(table, id));
      for (const row of change.written) {
        const values = own.map((position) => row[position] ?? null);
        if (!values.includes(null) && !hasRow(context, key.references, key.referencedIds, values)) {
          throw conflict(change.verb ?? 'INSERT', 'FOREIGN KEY', key, key.references, key.referencedIds);
        }
      }
    }
  }
  if (change.removed.length > 0) {
    for (const { from, key } of referencesTo(table)) {
      const positions = key.referencedIds.map((id) => columnIndex(table, id));
      for (const row of change.removed) {
        const values = positions.map((position) => row[position] ?? null);
        if (!values.includes(null) && !hasRow(context, table, key.referencedIds, values) && hasRow(context, from, key.columnIds, values)) {
          throw conflict('DELETE', 'REFERENCE', key, from, key.columnIds);
        }
      }
    }
  }
}

function conflict(verb: string, kind: string, key: ForeignKey, other: Table, ids: readonly number[]): SqlError {
  const columns = ids.map((id) => other.columns[columnIndex(other, id)]?.name ?? '').join(', ');
  return new SqlError(
    547,
    `The ${verb} statement conflicted with the ${kind} constraint "${key.name}". The conflict occurred in database "${other.database.name}", table "${other.schema.name}.${other.name}"${ids.length === 1 ? `, column '${columns}'` : ''}.`,
    { state: 0 },
  );
}

/** Whether a table has a row with these values, as it is now; another transaction's unfinished write is waited for. */
function hasRow(context: StatementContext, table: Table, ids: readonly number[], values: readonly SqlValue[]): boolean {
  const positions = ids.map((id) => columnIndex(table, id));
  const types = positions.flatMap((position) => table.columns[position]?.type ?? []);
  const key = primaryKey(table);
  const seen = (row: Row | null, writer: unknown, owner: WaitSignal | null): boolean => {
    if (owner !== null && writer !== null && writer !== context.transaction) {
      throw owner;
    }
    return row !== null;
  };
  if (
    key !== null &&
    positions.length === key.columns.length &&
    indexPositions(table, key).every((position, index) => position === positions[index])
  ) {
    const head = table.store.get(values)?.head ?? null;
    return head !== null && seen(head.row, head.writer, head.writer === null ? null : new WaitSignal(head.writer));
  }
  const hash = rowHasher(types);
  const wanted = hash(values);
  for (const { head } of table.store.walk()) {
    const row = head?.row ?? head?.prev?.row ?? null;
    if (head !== null && row !== null && hash(positions.map((position) => row[position] ?? null)) === wanted) {
      if (seen(head.row, head.writer, head.writer === null ? null : new WaitSignal(head.writer))) {
        return true;
      }
    }
  }
  return false;
}
