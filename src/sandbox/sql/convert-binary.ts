/** Conversions to binary, varbinary, image and rowversion. Numbers are big-endian and keep their last bytes, texts keep their first. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { DAY_1900, ticksToDatetimeUnits } from './calendar.ts';
import { encodeLatin } from './code-page.ts';
import { isBinary, isCharacter, isDecimal, isInteger, isMoney, isNational } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asBigint, asBoolean, asBytes, asDateTime, asNumber, asText, integerOf } from './values.ts';

type Converter = (value: Exclude<SqlValue, null>) => SqlValue;

export function toBinary(from: SqlType, to: SqlType, style: number | null): Converter {
  const length = to.name === 'rowversion' ? 8 : 'length' in to ? to.length : 'max';
  const fixed = to.name === 'binary' || to.name === 'rowversion';
  const keepFirst = (bytes: Buffer): Buffer => (length === 'max' ? bytes : fitEnd(bytes, length, fixed));
  const keepLast = (bytes: Buffer): Buffer => (length === 'max' ? bytes : fitStart(bytes, length, fixed));
  if (isBinary(from)) {
    return (value) => keepFirst(asBytes(value));
  }
  if (isCharacter(from)) {
    return (value) => keepFirst(textToBytes(asText(value), from, style ?? 0));
  }
  if (isInteger(from)) {
    const size = from.name === 'tinyint' ? 1 : from.name === 'smallint' ? 2 : from.name === 'int' ? 4 : 8;
    return (value) => keepLast(bigEndian(integerOf(value), size));
  }
  if (from.name === 'bit') {
    return (value) => keepLast(Buffer.of(asBoolean(value) ? 1 : 0));
  }
  if (isMoney(from)) {
    const size = from.name === 'money' ? 8 : 4;
    return (value) => keepLast(bigEndian(asBigint(value), size));
  }
  if (isDecimal(from)) {
    return (value) => keepFirst(decimalBytes(asBigint(value), from.precision, from.scale));
  }
  if (from.name === 'float' || from.name === 'real') {
    return (value) => keepLast(floatBytes(asNumber(value), from.name === 'float'));
  }
  if (from.name === 'uniqueidentifier') {
    return (value) => keepFirst(guidBytes(asText(value)));
  }
  if (from.name === 'datetime') {
    return (value) => {
      const { days, ticks } = asDateTime(value);
      return keepLast(Buffer.concat([bigEndian(BigInt(days - DAY_1900), 4), bigEndian(ticksToDatetimeUnits(ticks), 4)]));
    };
  }
  throw new UnsupportedError(`conversion from ${from.name} to ${to.name}`);
}

function fitEnd(bytes: Buffer, length: number, fixed: boolean): Buffer {
  if (bytes.length > length) {
    return bytes.subarray(0, length);
  }
  return fixed && bytes.length < length ? Buffer.concat([bytes, Buffer.alloc(length - bytes.length)]) : bytes;
}

function fitStart(bytes: Buffer, length: number, fixed: boolean): Buffer {
  if (bytes.length > length) {
    return bytes.subarray(bytes.length - length);
  }
  return fixed && bytes.length < length ? Buffer.concat([Buffer.alloc(length - bytes.length), bytes]) : bytes;
}

function bigEndian(value: bigint, size: number): Buffer {
  return Buffer.from(
    BigInt.asUintN(size * 8, value)
      .toString(16)
      .padStart(size * 2, '0'),
    'hex',
  );
}

/** Precision, scale, sign, then the unscaled number in groups of four bytes, little-endian. */
function decimalBytes(value: bigint, precision: number, scale: number): Buffer {
  const size = precision <= 9 ? 4 : precision <= 19 ? 8 : precision <= 28 ? 12 : 16;
  const number = bigEndian(value < 0n ? -value : value, size).reverse();
  return Buffer.concat([Buffer.of(precision, scale, 0, value < 0n ? 0 : 1), number]);
}

function floatBytes(value: number, double: boolean): Buffer {
  const bytes = Buffer.alloc(double ? 8 : 4);
  if (double) {
    bytes.writeDoubleBE(value);
  } else {
    bytes.writeFloatBE(value);
  }
  return bytes;
}

/** The first three groups are little-endian. Source: MS-DTYP 2.3.4. */
function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

function narrowBytes(text: string, type: SqlType): Buffer {
  return isCharacter(type) && /UTF8/i.test(type.collation) ? Buffer.from(text, 'utf8') : encodeLatin(text);
}

/** Style 0: the characters' bytes; 1: hex with 0x; 2: hex without. */
function textToBytes(text: string, from: SqlType, style: number): Buffer {
  if (style === 0) {
    return isNational(from) ? Buffer.from(text, 'utf16le') : narrowBytes(text, from);
  }
  const trimmed = text.trimEnd();
  const hex = style === 1 ? trimmed.slice(2) : trimmed;
  const valid = (style === 2 || (style === 1 && /^0x/i.test(trimmed))) && hex.length % 2 === 0 && /^[0-9a-f]*$/i.test(hex);
  if (!valid) {
    throw new SqlError(8114, `Error converting data type ${from.name} to varbinary.`, { state: 5 });
  }
  return Buffer.from(hex, 'hex');
}
