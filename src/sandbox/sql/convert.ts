/**
 * Conversion of values between types: which pairs there are, and the way for each. What happens within a family is in convert-number.ts,
 * convert-text.ts, convert-date.ts and convert-binary.ts. Truncation of a text that an INSERT does not fit is the executor's (2628, 8152):
 * a conversion cuts it silently, as CAST does.
 */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { toBinary } from './convert-binary.ts';
import { toDateTime } from './convert-date.ts';
import { toBit, toDecimal, toFloat, toInteger, toMoney } from './convert-number.ts';
import { toText } from './convert-text.ts';
import type { DateOrder } from './date-parse.ts';
import { isBinary, isCharacter, isDateTime, isDecimal, isFloat, isInteger, isMoney, isNumber } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asBytes, asText, asVariant } from './values.ts';

/** Converts one value that is not NULL. `order` is SET DATEFORMAT's. */
export type Converter = (value: Exclude<SqlValue, null>, order: DateOrder) => SqlValue;

export interface ConversionOptions {
  /** CONVERT's third argument; null without one. */
  readonly style?: number | null;
  /** CAST and CONVERT: some pairs are refused otherwise. */
  readonly explicit?: boolean;
}

/**
 * Converts a value. Conversions of many values: compileConversion() once.
 * @throws SqlError 206, 257, 529 (no such conversion), 241, 242, 245, 8114, 8115, 220, 232, 235, 244, 248, 281, 8169 (this value does not convert).
 */
export function convert(value: SqlValue, from: SqlType, to: SqlType, style: number | null = null): SqlValue {
  return value === null ? null : compileConversion(from, to, { style, explicit: true })(value, 'mdy');
}

/**
 * The way from one type to another, null included.
 * @throws SqlError 206, 257 or 529 when there is none.
 */
export function compileConversion(from: SqlType, to: SqlType, options: ConversionOptions = {}): Converter {
  const { style = null, explicit = false } = options;
  if (to.name === 'sql_variant') {
    return from.name === 'sql_variant' ? (value) => value : (value) => ({ type: from, variant: value });
  }
  if (from.name === 'sql_variant') {
    return (value, order) => {
      const inner = asVariant(value);
      return inner.variant === null ? null : compileConversion(inner.type, to, { style, explicit: true })(inner.variant, order);
    };
  }
  refuse(from, to, explicit);
  if (isSame(from, to)) {
    return (value) => value;
  }
  if (isInteger(to)) {
    return toInteger(from, to);
  }
  if (isDecimal(to)) {
    return toDecimal(from, to);
  }
  if (isMoney(to)) {
    return toMoney(from, to);
  }
  if (isFloat(to)) {
    return toFloat(from, to);
  }
  if (isCharacter(to)) {
    return toText(from, to, style);
  }
  if (isBinary(to)) {
    return toBinary(from, to, style);
  }
  if (isDateTime(to)) {
    return toDateTime(from, to, style);
  }
  if (to.name === 'bit') {
    return toBit(from);
  }
  if (to.name === 'uniqueidentifier') {
    return toGuid(from);
  }
  if (to.name === 'xml' && !isBinary(from)) {
    // A byte order mark is no part of the document: clients send one in front.
    return (value) => asText(value).replace(/^\uFEFF/, '');
  }
  throw new UnsupportedError(`conversion from ${from.name} to ${to.name}`);
}

/** Whether a value of one type is a value of the other as it stands. */
function isSame(from: SqlType, to: SqlType): boolean {
  if (from.name !== to.name) {
    return isDecimal(from) && isDecimal(to) && from.precision === to.precision && from.scale === to.scale;
  }
  if (isDecimal(from) && isDecimal(to)) {
    return from.precision === to.precision && from.scale === to.scale;
  }
  if ('length' in from && 'length' in to) {
    return from.length === to.length;
  }
  return 'scale' in from && 'scale' in to ? from.scale === to.scale : true;
}

/**
 * Pairs that SQL Server does not convert, or not without CONVERT.
 * Source: learn.microsoft.com "Data type conversion (Database Engine)", the chart of implicit and explicit conversions.
 */
function refuse(from: SqlType, to: SqlType, explicit: boolean): void {
  if (isForbidden(from, to)) {
    throw explicit
      ? new SqlError(529, `Explicit conversion from data type ${shown(from)} to ${shown(to)} is not allowed.`, { state: 2 })
      : new SqlError(206, `Operand type clash: ${shown(from)} is incompatible with ${shown(to)}`, { state: 2 });
  }
  if (!explicit && needsConvert(from, to)) {
    throw new SqlError(
      257,
      `Implicit conversion from data type ${shown(from)} to ${shown(to)} is not allowed. Use the CONVERT function to run this query.`,
      { state: 3 },
    );
  }
}

function shown(type: SqlType): string {
  return type.name === 'rowversion' ? 'timestamp' : type.name;
}

function isOldDate(type: SqlType): boolean {
  return type.name === 'datetime' || type.name === 'smalldatetime';
}

function isForbidden(from: SqlType, to: SqlType): boolean {
  if (from.name === 'uniqueidentifier' || to.name === 'uniqueidentifier') {
    const other = from.name === 'uniqueidentifier' ? to : from;
    return isNumber(other) || isDateTime(other) || other.name === 'xml' || other.name === 'rowversion' || other.name === 'image';
  }
  if (from.name === 'xml' || to.name === 'xml') {
    const other = from.name === 'xml' ? to : from;
    return isNumber(other) || isDateTime(other);
  }
  if (isDateTime(from) && isDateTime(to)) {
    return (from.name === 'date' && to.name === 'time') || (from.name === 'time' && to.name === 'date');
  }
  if (isDateTime(from) || isDateTime(to)) {
    const [date, other] = isDateTime(from) ? [from, to] : [to, from];
    return isNumber(other) && !isOldDate(date);
  }
  if (isFloat(from) || isFloat(to)) {
    const other = isFloat(from) ? to : from;
    return isFloat(to) && isBinary(other);
  }
  const lob = [from, to].find((type) => type.name === 'text' || type.name === 'ntext' || type.name === 'image');
  if (lob !== undefined) {
    const other = lob === from ? to : from;
    return isNumber(other) || (lob.name !== 'image' && isBinary(other)) || (lob.name === 'image' && isCharacter(other));
  }
  return false;
}

function needsConvert(from: SqlType, to: SqlType): boolean {
  if (isOldDate(from)) {
    return isNumber(to) || isBinary(to);
  }
  if (isDateTime(from) && isBinary(to)) {
    return true;
  }
  if (isCharacter(from)) {
    return isBinary(to);
  }
  if (isMoney(from)) {
    return isCharacter(to);
  }
  return from.name === 'xml' && isCharacter(to);
}

const GUID = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/i;

function toGuid(from: SqlType): Converter {
  if (isBinary(from)) {
    return (value) => guidFromBytes(asBytes(value));
  }
  return (value) => {
    const match = GUID.exec(asText(value).trimStart());
    if (match?.[1] === undefined) {
      throw new SqlError(8169, 'Conversion failed when converting from a character string to uniqueidentifier.', { state: 2 });
    }
    return match[1].toUpperCase();
  };
}

/** The first three groups are little-endian. Source: MS-DTYP 2.3.4. */
function guidFromBytes(bytes: Buffer): string {
  const padded = Buffer.alloc(16);
  bytes.copy(padded, 0, 0, 16);
  const hex = (from: number, to: number): string => padded.subarray(from, to).toString('hex');
  const reversed = (from: number, to: number): string => Buffer.from(padded.subarray(from, to)).reverse().toString('hex');
  return [reversed(0, 4), reversed(4, 6), reversed(6, 8), hex(8, 10), hex(10, 16)].join('-').toUpperCase();
}
