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

/** The type of the parameter, the least and the greatest value. Source: learn.microsoft.com, "int, bigint, smallint, and tinyint". */
const INTEGERS: ReadonlyMap<string, readonly [ParameterType, bigint, bigint]> = new Map<string, readonly [ParameterType, bigint, bigint]>([
  ['tinyint', [mssql.TinyInt, 0n, 255n]],
  ['smallint', [mssql.SmallInt, -32_768n, 32_767n]],
  ['int', [mssql.Int, -(2n ** 31n), 2n ** 31n - 1n]],
  ['bigint', [mssql.BigInt, -(2n ** 63n), 2n ** 63n - 1n]],
]);

const BITS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
]);

/** Characters of the longest text that is converted at the server. */
const MOST_TEXT = 64;
/** Source: learn.microsoft.com, "float and real". */
const GREATEST_REAL = 3.402_823_466_385_288_6e38;

/** ISO texts that style 126 reads; date, time and datetimeoffset read theirs without a style. Source: learn.microsoft.com, CAST and CONVERT. */
const STYLE_126 = new Set(['datetime', 'datetime2', 'smalldatetime']);

export function keyPlan(column: KeyColumn): KeyPlan {
  const codec = columnCodec(column);
  const integer = INTEGERS.get(column.type);
  if (integer !== undefined) {
    const [type, least, greatest] = integer;
    return {
      column,
      codec,
      passing: 'native',
      parameter(text) {
        const value = /^-?\d{1,19}$/.test(text) ? BigInt(text) : null;
        if (value === null || value < least || value > greatest) {
          throw noValue(column, text);
        }
        return { type, value: column.type === 'bigint' ? String(value) : Number(value) };
      },
    };
  }
  switch (column.type) {
    case 'bit':
      return {
        column,
        codec,
        passing: 'native',
        parameter: (text) => ({ type: mssql.Bit, value: BITS.get(text) ?? refuse(column, text) }),
      };
    case 'float':
    case 'real': {
      const [type, greatest] = column.type === 'float' ? [mssql.Float, Number.MAX_VALUE] : [mssql.Real, GREATEST_REAL];
      return {
        column,
        codec,
        passing: 'native',
        parameter(text) {
          const value = text.trim() === '' ? Number.NaN : Number(text);
          return { type, value: Math.abs(value) <= greatest ? value : refuse(column, text) };
        },
      };
    }
    case 'binary':
    case 'varbinary':
      return {
        column,
        codec,
        passing: 'native',
        parameter(text) {
          const value = Buffer.from(text, 'base64');
          return { type: mssql.VarBinary(column.maxLength), value: value.length <= column.maxLength ? value : refuse(column, text) };
        },
      };
    case 'nchar':
    case 'nvarchar':
      return {
        column,
        codec,
        passing: 'native',
        parameter: (text) => ({ type: mssql.NVarChar(column.maxLength / 2), value: within(column, text, column.maxLength / 2) }),
      };
    case 'char':
    case 'varchar':
      return {
        column,
        codec,
        passing: 'narrow',
        parameter: (text) => ({ type: mssql.NVarChar(Math.min(column.maxLength, 4000)), value: within(column, text, column.maxLength) }),
      };
    default:
      return {
        column,
        codec,
        passing: 'text',
        parameter: (text) => ({ type: mssql.NVarChar(MOST_TEXT), value: within(column, text, MOST_TEXT) }),
      };
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
      return `CONVERT(${type}, ${underCollation(part, source)})`;
    case 'text':
      return `CONVERT(${type}, ${source}${STYLE_126.has(part.column.type) ? ', 126' : ''})`;
  }
}

/**
 * The same, but NULL for a text that is no value of the column's type. TRY_CAST, which every compatibility level knows, and TRY_CONVERT only
 * those from 110 on; ISO texts need no style. Source: learn.microsoft.com, TRY_CAST, TRY_CONVERT, datetime ("ISO 8601").
 */
export function triedKeyExpression(part: KeyPlan, source: string): string {
  return part.passing === 'native' ? source : `TRY_CAST(${underCollation(part, source)} AS ${declaredType(part.column)})`;
}

function underCollation({ column: { collation } }: KeyPlan, source: string): string {
  return collation === null ? source : `${source} COLLATE ${collationName(collation)}`;
}

function within(column: KeyColumn, text: string, most: number): string {
  return text.length <= most ? text : refuse(column, text);
}

function refuse(column: KeyColumn, text: string): never {
  throw noValue(column, text);
}

function noValue({ name, type }: KeyColumn, text: string): RangeError {
  return new RangeError(`no value of the key column ${name} (${type}): ${JSON.stringify(text)}`);
}
