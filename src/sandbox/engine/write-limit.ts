/** TOP of INSERT, UPDATE, DELETE and MERGE: how many of the rows that it finds a statement writes. */
import type { Top } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { emptyScope } from './bind-source.ts';
import { compileExpression } from './expressions.ts';
import { negativeTop } from './sorting.ts';

export interface WriteLimit {
  /** Rows after which nothing more needs to be found; Infinity when only all of them tell the limit. */
  readonly most: number;
  /** How many of the rows that were found are written. */
  of(found: number): number;
}

/** @throws SqlError 127, 1060, 1062 */
export function writeLimit(env: PlanEnvironment, top: Top | null): WriteLimit {
  if (top === null) {
    return { most: Infinity, of: (found) => found };
  }
  if (top.withTies) {
    throw new SqlError(1062, 'The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.', { class: 15 });
  }
  const compiled = compileExpression(top.expression, emptyScope(env));
  if (env.context.binding) {
    return { most: Infinity, of: (found) => found };
  }
  const value = compiled.evaluate(env.context.eval);
  if (value !== null && Number(value) < 0) {
    throw negativeTop();
  }
  if (value === null || typeof value === 'object') {
    throw new SqlError(1060, 'The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.', {
      class: 15,
    });
  }
  const count = Number(value);
  if (!top.percent) {
    return { most: count, of: (found) => Math.min(found, count) };
  }
  if (count > 100) {
    throw new SqlError(1031, 'Percent values must be between 0 and 100.', { class: 15 });
  }
  return { most: count === 0 ? 0 : Infinity, of: (found) => Math.ceil((found * count) / 100) };
}
