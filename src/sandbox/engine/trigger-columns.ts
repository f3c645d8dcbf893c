/** UPDATE(column) and COLUMNS_UPDATED(): what the statement that fired a trigger has set. Source: learn.microsoft.com, pages of both functions. */
import { SqlError } from '../session.ts';
import { columnByName } from './catalog.ts';
import { invalidColumn } from './errors.ts';
import type { Frame } from './statement-context.ts';

/** @throws SqlError 140 outside a trigger, 207 */
export function isUpdated(frame: Frame, name: string): 0 | 1 {
  const { trigger } = frame;
  if (trigger === null) {
    throw new SqlError(140, 'Can only use IF UPDATE within a CREATE TRIGGER statement.', { class: 15 });
  }
  const column = columnByName(trigger.table, name);
  if (column === undefined) {
    throw invalidColumn(name);
  }
  return trigger.updated.has(column.id) ? 1 : 0;
}

/** A bit for each column id, the lowest of the first byte for id 1; null outside a trigger, empty for a DELETE. */
export function columnsUpdated(frame: Frame): Buffer | null {
  const { trigger } = frame;
  if (trigger === null) {
    return null;
  }
  if (trigger.updated.size === 0) {
    return Buffer.alloc(0);
  }
  const mask = Buffer.alloc(Math.ceil(trigger.table.lastColumnId / 8));
  for (const id of trigger.updated) {
    const at = (id - 1) >> 3;
    mask.writeUInt8(mask.readUInt8(at) | (1 << ((id - 1) & 7)), at);
  }
  return mask;
}
