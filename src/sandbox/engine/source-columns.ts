/** Names of the columns of a source. */
import { SqlError } from '../session.ts';
import type { PlanColumn } from './plan.ts';

/**
 * Columns under the names of a column list, where one was written.
 * @throws SqlError 8158, 8159 when the counts differ, 8155 for a column without a name, 8156 for a name that two have
 */
export function renamed(columns: readonly PlanColumn[], names: readonly string[], alias: string, line = 0): PlanColumn[] {
  const all = relabelled(columns, names, alias);
  const seen = new Set<string>();
  all.forEach(({ name }, index) => {
    if (name === '') {
      throw new SqlError(8155, `No column name was specified for column ${index + 1} of '${alias}'.`, { line, state: 2 });
    }
    if (seen.has(name.toLowerCase())) {
      throw new SqlError(8156, `The column '${name}' was specified multiple times for '${alias}'.`, { line });
    }
    seen.add(name.toLowerCase());
  });
  return all;
}

/** The same where others check the names. @throws SqlError 8158, 8159 */
export function relabelled(columns: readonly PlanColumn[], names: readonly string[], alias: string): PlanColumn[] {
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
