/** How a value becomes a column's: converted, refused when it would be cut (2628), padded when the column has a fixed length. */
import type { CompiledExpression } from '../sql/compiled.ts';
import { coerce } from '../sql/compiled.ts';
import type { EvalContext } from '../sql/context.ts';
import { isBinary, isCharacter } from '../sql/types.ts';
import { textBytes } from '../sql/values.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Column, Table } from './catalog.ts';
import { threePartName } from './object-names.ts';

/** The value of an expression as a column stores it. @throws SqlError when the types do not allow it; the function 2628 and conversion errors */
export function assignTo(table: Table, column: Column, value: CompiledExpression): (ctx: EvalContext) => SqlValue {
  const { type } = column;
  const limit = 'length' in type && type.length !== 'max' ? type.length : null;
  const fits = isCharacter(type) ? isCharacter(value.type) : isBinary(type) && isBinary(value.type);
  if (limit === null || !fits || value.untyped) {
    return coerce(value, type).evaluate;
  }
  const wide: SqlType = isCharacter(type)
    ? { name: type.name.startsWith('n') ? 'nvarchar' : 'varchar', length: 'max', collation: type.collation }
    : { name: 'varbinary', length: 'max' };
  const { evaluate } = coerce(value, wide);
  const fixed = type.name === 'char' || type.name === 'nchar' || type.name === 'binary';
  return (ctx) => {
    const whole = evaluate(ctx);
    if (typeof whole === 'string') {
      const length = type.name.startsWith('n') ? whole.length : textBytes(whole, type);
      if (length <= limit) {
        return fixed ? whole.padEnd(limit) : whole;
      }
      const cut = whole.slice(0, limit);
      if (/^ *$/.test(whole.slice(limit))) {
        return cut;
      }
      throw truncated(table, column, cut);
    }
    if (Buffer.isBuffer(whole)) {
      if (whole.length > limit) {
        throw truncated(table, column, '');
      }
      return fixed && whole.length < limit ? Buffer.concat([whole, Buffer.alloc(limit - whole.length)]) : whole;
    }
    return whole;
  };
}

function truncated(table: Table, column: Column, cut: string): SqlError {
  return new SqlError(
    2628,
    `String or binary data would be truncated in table '${threePartName(table)}', column '${column.name}'. Truncated value: '${cut}'.`,
  );
}
