/**
 * SET TEXTSIZE: how many bytes of a (max), text, ntext or image value a SELECT returns. Clients set it when they connect, most of them to no limit.
 * Source: learn.microsoft.com, "SET TEXTSIZE (Transact-SQL)".
 */
import type { SqlType, SqlValue } from '../sql-types.ts';

export const UNLIMITED_TEXT = 2_147_483_647;
/** What 0 asks for. */
const DEFAULT_TEXT = 4096;

/** The limit that SET TEXTSIZE with a number sets, in bytes. */
export function textSizeOf(size: number): number {
  return size === 0 ? DEFAULT_TEXT : size < 0 ? UNLIMITED_TEXT : size;
}

/** Cuts the values of rows with these columns; null: there is nothing to cut. */
export function textCutter(
  columns: readonly { readonly type: SqlType }[],
  size: number,
): ((row: readonly SqlValue[]) => readonly SqlValue[]) | null {
  if (size === UNLIMITED_TEXT || !columns.some(({ type }) => isCut(type))) {
    return null;
  }
  const limits = columns.map(({ type }) => (isCut(type) ? (type.name.startsWith('n') ? size >>> 1 : size) : null));
  return (row) =>
    row.map((value, index) => {
      const limit = limits[index] ?? null;
      if (limit === null) {
        return value;
      }
      return typeof value === 'string' ? value.slice(0, limit) : Buffer.isBuffer(value) ? value.subarray(0, limit) : value;
    });
}

function isCut(type: SqlType): boolean {
  return type.name === 'text' || type.name === 'ntext' || type.name === 'image' || ('length' in type && type.length === 'max');
}
