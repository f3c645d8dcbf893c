/** Variables of a frame, and types as a declaration names them. */
import type { DeclareStatement } from '../sql/ast-control.ts';
import type { TypeName } from '../sql/ast-expression.ts';
import { resolveType } from '../sql/types.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Frame } from './statement-context.ts';

/** The type of a column or variable. @param ordinal its place in the list, from 1. @throws SqlError 2715 and what resolveType() throws */
export function declaredType(type: TypeName, collation: string, ordinal: number): SqlType {
  try {
    return resolveType(type, collation);
  } catch (error) {
    throw error instanceof SqlError && error.number === 243
      ? new SqlError(2715, `Column, parameter, or variable #${ordinal}: Cannot find data type ${type.name}.`, { line: type.line, state: 6 })
      : error;
  }
}

export function declareVariable(frame: Frame, name: string, type: SqlType, value: SqlValue): void {
  const key = name.toLowerCase();
  if (!frame.variables.has(key)) {
    frame.variables.set(key, { index: frame.values.length, type });
    frame.values.push(value);
  }
}

/** Makes the variables of a DECLARE known, without a value; those that are stay. */
export function declareVariables(frame: Frame, statement: DeclareStatement, collation: string): void {
  for (const [index, variable] of statement.variables.entries()) {
    declareVariable(frame, variable.name, declaredType(variable.type, collation, index + 1), null);
  }
}
