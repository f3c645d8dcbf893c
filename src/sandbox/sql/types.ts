/**
 * The type system: types as declared, their precedence, the type of a choice between two types (CASE, UNION) and of an operator's result.
 * Values are not touched here.
 */
import { SqlError } from '../session.ts';
import type { SqlType, SqlTypeName } from '../sql-types.ts';
import type { BinaryOperator, TypeName } from './ast-expression.ts';
import { UnsupportedError } from './unsupported.ts';

export const BIT: SqlType = { name: 'bit' };
export const INT: SqlType = { name: 'int' };
export const BIGINT: SqlType = { name: 'bigint' };
export const FLOAT: SqlType = { name: 'float' };
export const DATETIME: SqlType = { name: 'datetime' };

export type CharacterType = Extract<SqlType, { collation: string }>;
export type DecimalType = Extract<SqlType, { precision: number }>;

export function decimalType(precision: number, scale: number): DecimalType {
  return { name: 'decimal', precision, scale };
}

/** varchar or nvarchar of a length that is clamped to what fits: beyond it is (max). */
export function textType(national: boolean, length: number | 'max', collation: string): SqlType {
  const limit = national ? 4000 : 8000;
  return { name: national ? 'nvarchar' : 'varchar', length: length === 'max' || length > limit ? 'max' : Math.max(1, length), collation };
}

export function isCharacter(type: SqlType): type is CharacterType {
  return 'collation' in type;
}

export function isNational(type: SqlType): boolean {
  return type.name === 'nchar' || type.name === 'nvarchar' || type.name === 'ntext';
}

export function isDecimal(type: SqlType): type is DecimalType {
  return type.name === 'decimal' || type.name === 'numeric';
}

export function isMoney(type: SqlType): boolean {
  return type.name === 'money' || type.name === 'smallmoney';
}

export function isFloat(type: SqlType): boolean {
  return type.name === 'float' || type.name === 'real';
}

/** bit is not among them. */
export function isInteger(type: SqlType): boolean {
  return type.name === 'tinyint' || type.name === 'smallint' || type.name === 'int' || type.name === 'bigint';
}

export function isNumber(type: SqlType): boolean {
  return isInteger(type) || type.name === 'bit' || isDecimal(type) || isMoney(type) || isFloat(type);
}

export function isBinary(type: SqlType): boolean {
  return type.name === 'binary' || type.name === 'varbinary' || type.name === 'image' || type.name === 'rowversion';
}

const DATE_TIMES: ReadonlySet<SqlTypeName> = new Set(['date', 'time', 'datetime', 'smalldatetime', 'datetime2', 'datetimeoffset']);

export function isDateTime(type: SqlType): boolean {
  return DATE_TIMES.has(type.name);
}

/** From weak to strong. Source: learn.microsoft.com "Data type precedence (Transact-SQL)". */
const PRECEDENCE: readonly SqlTypeName[] = [
  'binary',
  'varbinary',
  'char',
  'varchar',
  'nchar',
  'nvarchar',
  'uniqueidentifier',
  'rowversion',
  'image',
  'text',
  'ntext',
  'bit',
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'smallmoney',
  'money',
  'numeric',
  'decimal',
  'real',
  'float',
  'time',
  'date',
  'smalldatetime',
  'datetime',
  'datetime2',
  'datetimeoffset',
  'xml',
  'sql_variant',
];

/** A greater number wins when two types meet. */
export function precedence(type: SqlType): number {
  return PRECEDENCE.indexOf(type.name);
}

const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['integer', 'int'],
  ['dec', 'decimal'],
  ['character', 'char'],
  ['ncharacter', 'nchar'],
  ['timestamp', 'rowversion'],
  ['double', 'float'],
]);

/** Types of SQL Server that the sandbox has not. */
const ABSENT = new Set(['hierarchyid', 'geography', 'geometry', 'cursor', 'table', 'json', 'vector']);

/**
 * The type that a declaration means.
 * @param collation that of character types.
 * @param cast in CAST and CONVERT a length left out is 30, elsewhere 1.
 * @throws SqlError 243 (no such type), 131 (too long), 1001 (length 0), 1002 (scale), 2750 (precision), 2716 (no length possible);
 *   UnsupportedError.
 */
export function resolveType(declared: TypeName, collation: string, cast = false): SqlType {
  const name = SYNONYMS.get(declared.name) ?? declared.name;
  const { line, args } = declared;
  switch (name) {
    case 'bit':
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'money':
    case 'smallmoney':
    case 'real':
    case 'xml':
    case 'image':
    case 'rowversion':
    case 'date':
    case 'datetime':
    case 'smalldatetime':
    case 'uniqueidentifier':
    case 'sql_variant':
      return noArgs(declared, { name });
    case 'text':
    case 'ntext':
      return noArgs(declared, { name, collation });
    case 'float':
      return typeof args[0] === 'number' && args[0] <= 24 ? { name: 'real' } : FLOAT;
    case 'decimal':
    case 'numeric':
      return decimalFrom(name, declared);
    case 'time':
    case 'datetime2':
    case 'datetimeoffset': {
      const scale = args[0] ?? 7;
      if (scale === 'max' || scale > 7) {
        throw new SqlError(1002, `Line ${line}: Specified scale ${scale} is invalid.`, { class: 15, line });
      }
      return { name, scale };
    }
    case 'char':
    case 'nchar':
      return { name, length: fixedLength(declared, name === 'char' ? 8000 : 4000, cast), collation };
    case 'varchar':
    case 'nvarchar':
      return { name, length: length(declared, name === 'varchar' ? 8000 : 4000, cast), collation };
    case 'binary':
      return { name, length: fixedLength(declared, 8000, cast) };
    case 'varbinary':
      return { name, length: length(declared, 8000, cast) };
    case 'sysname':
      return { name: 'nvarchar', length: 128, collation };
    default:
      if (ABSENT.has(name)) {
        throw new UnsupportedError(`the type ${name}`, line);
      }
      throw new SqlError(243, `Type ${declared.name} is not a defined system type.`, { line });
  }
}

function noArgs(declared: TypeName, type: SqlType): SqlType {
  if (declared.args.length > 0) {
    throw new SqlError(2716, `Column, parameter, or variable #1: Cannot specify a column width on data type ${declared.name}.`, {
      line: declared.line,
    });
  }
  return type;
}

function decimalFrom(name: 'decimal' | 'numeric', { args, line }: TypeName): SqlType {
  const [precision = 18, scale = 0] = args;
  if (precision === 'max' || scale === 'max' || precision > 38 || precision < 1) {
    throw new SqlError(
      2750,
      `Column or parameter #1: Specified column precision ${precision} is greater than the maximum precision of 38.`,
      { line },
    );
  }
  if (scale > precision) {
    throw new SqlError(192, 'The scale must be less than or equal to the precision.', { class: 15, line });
  }
  return { name, precision, scale };
}

function length(declared: TypeName, limit: number, cast: boolean): number | 'max' {
  const [size = cast ? 30 : 1] = declared.args;
  return size === 'max' ? size : checkedLength(declared, size, limit);
}

function fixedLength(declared: TypeName, limit: number, cast: boolean): number {
  const [size = cast ? 30 : 1] = declared.args;
  return size === 'max' ? checkedLength(declared, limit + 1, limit) : checkedLength(declared, size, limit);
}

function checkedLength(declared: TypeName, size: number, limit: number): number {
  if (size > limit) {
    throw new SqlError(131, `The size (${size}) given to the type '${declared.name}' exceeds the maximum allowed (${limit}).`, {
      class: 15,
      state: 2,
      line: declared.line,
    });
  }
  if (size < 1) {
    throw new SqlError(1001, `Line ${declared.line}: Length or precision specification ${size} is invalid.`, {
      class: 15,
      line: declared.line,
    });
  }
  return size;
}

/** A type as T-SQL declares it: decimal(18,4), nvarchar(max), datetime2(7). */
export function formatType(type: SqlType): string {
  if (isDecimal(type)) {
    return `${type.name}(${type.precision},${type.scale})`;
  }
  if ('length' in type) {
    return `${type.name}(${type.length})`;
  }
  return 'scale' in type ? `${type.name}(${type.scale})` : type.name;
}

const AS_DECIMAL: ReadonlyMap<SqlTypeName, DecimalType> = new Map([
  ['bit', decimalType(1, 0)],
  ['tinyint', decimalType(3, 0)],
  ['smallint', decimalType(5, 0)],
  ['int', decimalType(10, 0)],
  ['bigint', decimalType(19, 0)],
  ['smallmoney', decimalType(10, 4)],
  ['money', decimalType(19, 4)],
]);

/** How a number stands as a decimal; null for what is no exact number. */
export function asDecimal(type: SqlType): DecimalType | null {
  return isDecimal(type) ? decimalType(type.precision, type.scale) : (AS_DECIMAL.get(type.name) ?? null);
}

/**
 * The type that holds a value of either: of the branches of CASE, of the columns of UNION, of the sides of a comparison.
 * @throws SqlError 206 when one cannot become the other without CONVERT.
 */
export function commonType(left: SqlType, right: SqlType): SqlType {
  const [weak, strong] = precedence(left) <= precedence(right) ? [left, right] : [right, left];
  if (isDecimal(strong)) {
    const other = asDecimal(weak);
    return other === null ? strong : mergeDecimals(strong, other);
  }
  if (isCharacter(weak) && isCharacter(strong)) {
    return mergeTexts(weak, strong);
  }
  if ('length' in weak && 'length' in strong && !isCharacter(weak) && !isCharacter(strong)) {
    const size = longer(weak.length, strong.length);
    return { name: strong.name, length: size };
  }
  if (isCharacter(strong) && 'length' in strong && isBinary(weak)) {
    return strong;
  }
  if ('scale' in strong && 'scale' in weak && !isDecimal(weak)) {
    return { ...strong, scale: Math.max(strong.scale, weak.scale) };
  }
  return strong;
}

function mergeDecimals(a: DecimalType, b: DecimalType): DecimalType {
  const scale = Math.max(a.scale, b.scale);
  const whole = Math.max(a.precision - a.scale, b.precision - b.scale);
  return decimalType(Math.min(38, whole + scale), whole + scale > 38 ? Math.max(0, 38 - whole) : scale);
}

function longer(a: number | 'max', b: number | 'max'): number | 'max' {
  return a === 'max' || b === 'max' ? 'max' : Math.max(a, b);
}

function mergeTexts(weak: CharacterType, strong: CharacterType): SqlType {
  if (!('length' in weak) || !('length' in strong)) {
    return strong;
  }
  const national = isNational(strong);
  const size = longer(weak.length, strong.length);
  const fixed = (weak.name === 'char' || weak.name === 'nchar') && (strong.name === 'char' || strong.name === 'nchar');
  if (fixed && size !== 'max') {
    return { name: national ? 'nchar' : 'char', length: Math.min(size, national ? 4000 : 8000), collation: strong.collation };
  }
  return {
    name: national ? 'nvarchar' : 'varchar',
    length: size === 'max' ? size : Math.min(size, national ? 4000 : 8000),
    collation: strong.collation,
  };
}

/** The decimal type of a result: what exceeds 38 digits gives up scale. Source: learn.microsoft.com "Precision, scale, and length". */
export function decimalResult(operator: BinaryOperator, a: DecimalType, b: DecimalType): DecimalType {
  const wholeA = a.precision - a.scale;
  const wholeB = b.precision - b.scale;
  if (operator === '*') {
    return limitProduct(a.precision + b.precision + 1, a.scale + b.scale);
  }
  if (operator === '/') {
    const scale = Math.max(6, a.scale + b.precision + 1);
    return limitProduct(wholeA + b.scale + scale, scale);
  }
  const scale = Math.max(a.scale, b.scale);
  if (operator === '%') {
    return limitSum(Math.min(wholeA, wholeB) + scale, scale, Math.min(wholeA, wholeB));
  }
  const whole = Math.max(wholeA, wholeB);
  return limitSum(whole + scale + 1, scale, whole);
}

function limitProduct(precision: number, scale: number): DecimalType {
  if (precision <= 38) {
    return decimalType(precision, scale);
  }
  const whole = precision - scale;
  return decimalType(38, whole < 32 ? Math.min(scale, 38 - whole) : Math.min(scale, 6));
}

function limitSum(precision: number, scale: number, whole: number): DecimalType {
  if (precision <= 38) {
    return decimalType(precision, scale);
  }
  return decimalType(38, Math.max(0, Math.min(scale, 38 - whole)));
}
