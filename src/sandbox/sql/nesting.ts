/**
 * Batches that are nested deeper than the stack of this process reaches. It finds them by their overflow: how deep a tree may be depends on
 * what stands in it. Nobody documents SQL Server's own limits.
 */
import { SqlError } from '../session.ts';

/** @returns error 191 for an overflow of the parser, anything else as it is */
export function parserOverflow(error: unknown): unknown {
  return isOverflow(error)
    ? new SqlError(191, 'Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.', {
        class: 15,
        line: 1,
      })
    : error;
}

/** @returns error 8631 for an overflow of what binds or evaluates a statement, anything else as it is */
export function runOverflow(error: unknown): unknown {
  return isOverflow(error)
    ? new SqlError(
        8631,
        'Internal error: Server stack limit has been reached. Please look for potentially deep nesting in your query, and try to simplify it.',
        { class: 17 },
      )
    : error;
}

/** V8 names an overflow of its stack only so. */
function isOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message === 'Maximum call stack size exceeded';
}
