/**
 * What a foreign key does of its own to the rows that point to a removed or rewritten one: CASCADE, SET NULL, SET DEFAULT. Its writes are
 * writes like any other, so change tracking sees them. Cycles and several paths to one table (1785) are refused when keys are declared.
 */
import type { EvalContext } from '../sql/context.ts';
import type { SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { emptyScope } from './bind-source.ts';
import type { ForeignKey, Table } from './catalog.ts';
import { columnIndex } from './catalog.ts';
import { compileExpression, rowHasher } from './expressions.ts';
import { referencesTo } from './foreign-keys.ts';
import type { Row, RowChain } from './row-store.ts';
import type { PendingUpdate, TableWriter } from './table-writer.ts';
import { WaitSignal } from './transaction.ts';

/** A row that is no longer what it was; `after` null: deleted. */
export interface RemovedRow {
  readonly before: Row;
  readonly after: Row | null;
}

/** @throws WaitSignal; whatever the writes to the other tables throw */
export function cascade(env: PlanEnvironment, table: Table, removed: readonly RemovedRow[], writerOf: (table: Table) => TableWriter): void {
  if (removed.length === 0) {
    return;
  }
  for (const { from, key } of referencesTo(table)) {
    if (key.onDelete !== 'noAction' || key.onUpdate !== 'noAction') {
      follow(env, { table, from, key, removed }, writerOf);
    }
  }
}

interface Followed {
  readonly table: Table;
  readonly from: Table;
  readonly key: ForeignKey;
  readonly removed: readonly RemovedRow[];
}

function follow(env: PlanEnvironment, { table, from, key, removed }: Followed, writerOf: (table: Table) => TableWriter): void {
  const referenced = key.referencedIds.map((id) => columnIndex(table, id));
  const own = key.columnIds.map((id) => columnIndex(from, id));
  const hash = rowHasher(referenced.flatMap((position) => table.columns[position]?.type ?? []));
  const valuesAt = (row: Row, positions: readonly number[]): SqlValue[] => positions.map((position) => row[position] ?? null);
  const gone = new Map<string, RemovedRow>();
  for (const change of removed) {
    const before = hash(valuesAt(change.before, referenced));
    const rule = change.after === null ? key.onDelete : key.onUpdate;
    if (rule !== 'noAction' && (change.after === null || hash(valuesAt(change.after, referenced)) !== before)) {
      gone.set(before, change);
    }
  }
  if (gone.size === 0) {
    return;
  }
  const deleted: { chain: RowChain; row: Row }[] = [];
  const updated: PendingUpdate[] = [];
  const defaults = defaultsOf(env, from, own);
  for (const chain of from.store.walk()) {
    const row = visible(env, chain);
    const values = row === null ? [] : valuesAt(row, own);
    const change = row === null || values.includes(null) ? undefined : gone.get(hash(values));
    if (row === null || change === undefined) {
      continue;
    }
    const rule = change.after === null ? key.onDelete : key.onUpdate;
    if (rule === 'cascade' && change.after === null) {
      deleted.push({ chain, row });
      continue;
    }
    const after = [...row];
    own.forEach((position, index) => {
      const followed = change.after?.[referenced[index] ?? -1] ?? null;
      after[position] = rule === 'cascade' ? followed : rule === 'setDefault' ? (defaults[index]?.(env.context.eval) ?? null) : null;
    });
    updated.push({ chain, before: row, after });
  }
  const writer = writerOf(from);
  for (const { chain, row } of deleted) {
    writer.delete(chain, row);
  }
  if (updated.length > 0) {
    writer.update(updated, key.columnIds);
  }
  writer.finish();
}

/** The row as this transaction finds it. @throws WaitSignal for one that another transaction is writing */
function visible(env: PlanEnvironment, chain: RowChain): Row | null {
  const { head } = chain;
  if (head !== null && head.writer !== null && head.writer !== env.context.transaction) {
    throw new WaitSignal(head.writer);
  }
  return head?.row ?? null;
}

function defaultsOf(env: PlanEnvironment, table: Table, positions: readonly number[]): (((ctx: EvalContext) => SqlValue) | null)[] {
  const scope = emptyScope(env);
  return positions.map((position) => {
    const column = table.columns[position];
    return column === undefined || column.default === null
      ? null
      : assignTo(table, column, compileExpression(column.default.expression, scope));
  });
}
