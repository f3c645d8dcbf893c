/**
 * Key values as parameters: typed exactly like the key's column, so that no digit is lost and the index is used. Where the driver's own
 * parameter would lose something (decimals, dates with seven digits) the canonical text is sent and CONVERTed at the server, once.
 */
import mssql from 'mssql';
import type { KeyColumn } from '../../model/table.ts';
import { collationName } from './quote.ts';
import { columnCodec, declaredType, type ColumnCodec } from './values.ts';

type ParameterType = mssql.ISqlType | (() => mssql.ISqlType);

export interface KeyPlan {
  readonly column: KeyColumn;
  readonly codec: ColumnCodec;
  /** native: the parameter has the column's type; text: the canonical text is converted; narrow: varchar under the column's code page. */
  readonly passing: 'native' | 'text' | 'narrow';
  /** The driver's type and value for a canonical text. @throws RangeError when the text is no value of the column */
  readonly parameter: (text: string) => { readonly type: ParameterType; readonly value: unknown };
}

const INTEGERS: ReadonlyMap<string, ParameterType> = new Map<string, ParameterType>([
  ['tinyint', mssql.TinyInt],
  ['smallint', mssql.SmallInt],
  ['int', mssql.Int],
]);

/** ISO texts that style 126 reads; date, time and datetimeoffset read theirs without a style. Source: learn.microsoft.com, CAST and CONVERT. */
const STYLE_126 = new Set(['datetime', 'datetime2', 'smalldatetime']);

export function keyPlan(column: KeyColumn): KeyPlan {
  const codec = columnCodec(column);
  const integer = INTEGERS.get(column.type);
  if (integer !== undefined) {
    return { column, codec, passing: 'native', parameter: (text) => ({ type: integer, value: integerOf(text) }) };
  }
  switch (column.type) {
    case 'bigint':
      return { column, codec, passing: 'native', parameter: (text) => ({ type: mssql.BigInt, value: String(integerOf(text, true)) }) };
    case 'bit':
      return { column, codec, passing: 'native', parameter: (text) => ({ type: mssql.Bit, value: text === 'true' }) };
    case 'float':
    case 'real': {
      const type = column.type === 'float' ? mssql.Float : mssql.Real;
      return { column, codec, passing: 'native', parameter: (text) => ({ type, value: Number(text) }) };
    }
    case 'binary':
    case 'varbinary':
      return {
        column,
        codec,
        passing: 'native',
        parameter: (text) => ({ type: mssql.VarBinary(column.maxLength), value: Buffer.from(text, 'base64') }),
      };
    case 'nchar':
    case 'nvarchar':
      return { column, codec, passing: 'native', parameter: (text) => ({ type: mssql.NVarChar(column.maxLength / 2), value: text }) };
    case 'char':
    case 'varchar':
      return {
        column,
        codec,
        passing: 'narrow',
        parameter: (text) => ({ type: mssql.NVarChar(Math.min(column.maxLength, 4000)), value: text }),
      };
    default:
      return { column, codec, passing: 'text', parameter: (text) => ({ type: mssql.NVarChar(64), value: text }) };
  }
}

/** The statement that converts the cursor's text once, where it must be: @k0t becomes @k0. */
export function keyDeclaration(part: KeyPlan, i: number): string[] {
  return part.passing === 'text' ? [`DECLARE @k${i} ${declaredType(part.column)} = ${keyExpression(part, `@k${i}t`)};`] : [];
}

/** The name of the cursor's parameter. */
export function cursorParameter(part: KeyPlan, i: number): string {
  return part.passing === 'text' ? `k${i}t` : `k${i}`;
}

/** The cursor's value as it stands in a comparison. */
export function keyOperand(part: KeyPlan, i: number): string {
  return part.passing === 'narrow' ? keyExpression(part, `@k${i}`) : `@k${i}`;
}

/**
 * The typed value of a parameter or column that holds what `parameter` sends. A varchar is converted under its column's collation: a
 * variable would have the database's, whose code page may lack the characters.
 */
export function keyExpression(part: KeyPlan, source: string): string {
  const type = declaredType(part.column);
  switch (part.passing) {
    case 'native':
      return source;
    case 'narrow':
      return `CONVERT(${type}, ${source}${part.column.collation === null ? '' : ` COLLATE ${collationName(part.column.collation)}`})`;
    case 'text':
      return `CONVERT(${type}, ${source}${STYLE_126.has(part.column.type) ? ', 126' : ''})`;
  }
}

function integerOf(text: string): number;
function integerOf(text: string, big: true): bigint;
function integerOf(text: string, big = false): number | bigint {
  if (!/^-?\d{1,19}$/.test(text)) {
    throw new RangeError(`not an integer key: ${JSON.stringify(text)}`);
  }
  return big ? BigInt(text) : Number(text);
}
