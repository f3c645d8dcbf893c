/** column.WRITE ( expression, offset, length ) of UPDATE: replaces a part of a (max) value. Source: learn.microsoft.com, UPDATE. */
import type { Expression } from '../sql/ast-expression.ts';
import type { EvalContext } from '../sql/context.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Column } from './catalog.ts';
import type { CompiledExpression } from './expressions.ts';
import { coerce, compileExpression } from './expressions.ts';
import type { QueryScope } from './query-scope.ts';

const BIGINT: SqlType = { name: 'bigint' };

/** @throws SqlError 258 for a column that is not of a (max) type; the function 7135 for a column that is NULL, 7116 outside the value */
export function writeInto(
  column: Column,
  own: CompiledExpression,
  parts: { readonly expression: Expression; readonly offset: Expression; readonly length: Expression; readonly line: number },
  scope: QueryScope,
): (ctx: EvalContext) => SqlValue {
  const { type } = column;
  if (!('length' in type) || type.length !== 'max') {
    throw new SqlError(258, `Cannot call methods on ${type.name}.`, { line: parts.line });
  }
  const piece = coerce(compileExpression(parts.expression, scope), type);
  const from = coerce(compileExpression(parts.offset, scope), BIGINT);
  const count = coerce(compileExpression(parts.length, scope), BIGINT);
  return (ctx) => {
    const whole = own.evaluate(ctx);
    if (typeof whole !== 'string' && !Buffer.isBuffer(whole)) {
      throw new SqlError(7135, 'Deletion length is not in the range of available text, ntext, or image data: the column is NULL.');
    }
    const added = piece.evaluate(ctx);
    const offset = from.evaluate(ctx) === null ? whole.length : Number(from.evaluate(ctx));
    // With a NULL expression the length counts for nothing: the value ends at the offset.
    const length = added === null || count.evaluate(ctx) === null ? whole.length - offset : Number(count.evaluate(ctx));
    if (offset < 0 || offset > whole.length || length < 0) {
      throw new SqlError(7116, `Offset ${offset} is not in the range of available LOB data.`);
    }
    return typeof whole === 'string'
      ? whole.slice(0, offset) + (typeof added === 'string' ? added : '') + whole.slice(offset + length)
      : Buffer.concat([whole.subarray(0, offset), Buffer.isBuffer(added) ? added : Buffer.alloc(0), whole.subarray(offset + length)]);
  };
}
