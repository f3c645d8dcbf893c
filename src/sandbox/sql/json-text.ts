/** How values become JSON text: for FOR JSON, JSON_MODIFY, JSON_OBJECT and JSON_ARRAY. */
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Expression } from './ast-expression.ts';
import { compileConversion } from './convert.ts';
import { jsonString } from './json.ts';
import { isBinary, isCharacter, isDateTime } from './types.ts';
import { UnsupportedError } from './unsupported.ts';

const MAKERS = new Set(['JSON_QUERY', 'JSON_MODIFY', 'JSON_OBJECT', 'JSON_ARRAY']);

/** Whether what an expression gives is JSON, which goes in unescaped. Source: learn.microsoft.com "JSON_QUERY (Transact-SQL)", remarks. */
export function isJsonExpression(expression: Expression): boolean {
  if (expression.kind === 'subquery') {
    return expression.query.forJson?.withoutArrayWrapper === false;
  }
  return expression.kind === 'call' && expression.name.schema === null && MAKERS.has(expression.name.name.toUpperCase());
}

/**
 * The JSON text of values of a type that are not NULL. Source: learn.microsoft.com "How FOR JSON converts SQL Server data types to JSON data
 * types"; money is a number, as in the examples of "Format query results as JSON with FOR JSON".
 */
export function jsonWriter(type: SqlType): (value: SqlValue) => string {
  if (isCharacter(type) || type.name === 'uniqueidentifier' || type.name === 'xml') {
    return (value) => jsonString(typeof value === 'string' ? value : '');
  }
  if (isBinary(type)) {
    return (value) => jsonString(Buffer.isBuffer(value) ? value.toString('base64') : '');
  }
  if (type.name === 'bit') {
    return (value) => (value === true ? 'true' : 'false');
  }
  if (type.name === 'sql_variant') {
    return (value) => {
      if (typeof value !== 'object' || value === null || !('variant' in value)) {
        throw new UnsupportedError('this sql_variant as JSON');
      }
      return jsonWriter(value.type)(value.variant);
    };
  }
  const style = styleOf(type);
  const text: SqlType = { name: 'varchar', length: 60, collation: 'Latin1_General_BIN2' };
  const convert = compileConversion(type, text, style === null ? { explicit: true } : { explicit: true, style });
  const quoted = isDateTime(type);
  return (value) => {
    const written = value === null ? null : convert(value, 'mdy');
    return typeof written !== 'string' ? 'null' : quoted ? jsonString(written) : written;
  };
}

/** The style of CONVERT that says all of a value. */
function styleOf(type: SqlType): number | null {
  if (isDateTime(type)) {
    return 126;
  }
  return type.name === 'float' || type.name === 'money' || type.name === 'smallmoney' ? 2 : type.name === 'real' ? 1 : null;
}
