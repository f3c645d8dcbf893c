/** Names of the columns of a source. */
import { SqlError } from '../session.ts';
import type { PlanColumn } from './plan.ts';

/** Columns under the names of a column list, where one was written. @throws SqlError 8158, 8159 when the counts differ */
export function renamed(columns: readonly PlanColumn[], names: readonly string[], alias: string): PlanColumn[] {
  if (names.length === 0) {
    return [...columns];
  }
  if (names.length < columns.length) {
    throw new SqlError(8158, `'${alias}' has more columns than were specified in the column list.`);
  }
  if (names.length > columns.length) {
    throw new SqlError(8159, `'${alias}' has fewer columns than were specified in the column list.`);
  }
  return columns.map((column, index) => ({ ...column, name: names[index] ?? column.name }));
}
