/** The grammar of a type as declared. Which names are types is resolveType()'s business. */
import { SqlError } from '../session.ts';
import type { TypeName } from './ast-expression.ts';
import type { Cursor } from './cursor.ts';

/** A type as declared. Names of two words become their short ones. */
export function parseType(cursor: Cursor): TypeName {
  const at = cursor.here();
  const national = cursor.takeWord('NATIONAL');
  const double = !national && cursor.takeWord('DOUBLE');
  if (double) {
    cursor.expectWord('PRECISION');
    return { ...at, schema: null, name: 'float', args: [] };
  }
  const first = cursor.name();
  const second = cursor.takeSymbol('.') ? cursor.name() : null;
  let name = (second ?? first).toLowerCase();
  if ((name === 'char' || name === 'character' || name === 'nchar' || name === 'binary') && cursor.takeWord('VARYING')) {
    name = name === 'binary' ? 'varbinary' : name === 'nchar' ? 'nvarchar' : 'varchar';
  }
  const args: (number | 'max')[] = [];
  if (cursor.takeSymbol('(')) {
    args.push(...cursor.list((): number | 'max' => (cursor.takeWord('MAX') ? 'max' : cursor.integer())));
    cursor.expectSymbol(')');
  }
  if (name.length > 128) {
    throw new SqlError(103, `The identifier that starts with '${name.slice(0, 128)}' is too long. Maximum length is 128.`, {
      class: 15,
      line: at.line,
    });
  }
  return { ...at, schema: second === null ? null : first, name: national ? `n${name === 'character' ? 'char' : name}` : name, args };
}
