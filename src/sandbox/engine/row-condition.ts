/** A condition of constants and a row's own columns, outside any statement: the filter of an index. */
import type { Expression } from '../sql/ast-expression.ts';
import type { EvalContext, SystemFunctions } from '../sql/context.ts';
import { compilePredicate } from '../sql/expression.ts';
import { DEFAULT_COLLATION } from '../sql-types.ts';
import type { SqlValue } from '../sql-types.ts';
import type { Column } from './catalog.ts';
import { sameName } from './catalog.ts';
import { invalidColumn } from './errors.ts';

/** What a constant's conversion may ask for. */
const SYSTEM = { dateFormat: () => 'mdy' } as unknown as SystemFunctions;

/** @throws SqlError 207 and what the types refuse; TypeError for anything that looks beyond the row, which CREATE INDEX has refused */
export function rowCondition(columns: readonly Column[], condition: Expression): (row: readonly SqlValue[]) => boolean | null {
  const beyond = (): never => {
    throw new TypeError('a filter looks at its row alone');
  };
  const test = compilePredicate(condition, {
    collation: DEFAULT_COLLATION,
    resolveColumn: (_, name, node) => {
      const index = columns.findIndex((column) => sameName(column.name, name));
      const column = columns[index];
      if (column === undefined) {
        throw invalidColumn(name, node.line);
      }
      return { slot: 0, index, type: column.type, nullable: column.nullable };
    },
    resolveVariable: beyond,
    compileSubquery: beyond,
    substitute: () => null,
    refuseAggregate: beyond,
  });
  const rows: (readonly SqlValue[])[] = [];
  const context: EvalContext = { rows, variables: [], system: SYSTEM };
  return (row) => {
    rows[0] = row;
    return test(context);
  };
}
