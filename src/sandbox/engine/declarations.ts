/** Variables of a frame. */
import type { DeclareStatement } from '../sql/ast-control.ts';
import { resolveType } from '../sql/types.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Frame } from './statement-context.ts';

export function declareVariable(frame: Frame, name: string, type: SqlType, value: SqlValue): void {
  const key = name.toLowerCase();
  if (!frame.variables.has(key)) {
    frame.variables.set(key, { index: frame.values.length, type });
    frame.values.push(value);
  }
}

/** Makes the variables of a DECLARE known, without a value; those that are stay. */
export function declareVariables(frame: Frame, statement: DeclareStatement, collation: string): void {
  for (const variable of statement.variables) {
    declareVariable(frame, variable.name, resolveType(variable.type, collation), null);
  }
}
