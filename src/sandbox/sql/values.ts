/** Reads a SqlValue as what its type says that it is. A wrong kind of value is a bug of the sandbox, not an error of the batch. */
import type { DateTimeValue, OffsetValue, SqlType, SqlValue, VariantValue } from '../sql-types.ts';
import { inLatin } from './code-page.ts';
import { isCharacter } from './types.ts';

function wrong(value: SqlValue, expected: string): never {
  throw new TypeError(`a value of kind ${typeof value} stands where ${expected} was expected`);
}

export function asNumber(value: SqlValue): number {
  return typeof value === 'number' ? value : wrong(value, 'a number');
}

export function asBigint(value: SqlValue): bigint {
  return typeof value === 'bigint' ? value : wrong(value, 'a bigint');
}

export function asText(value: SqlValue): string {
  return typeof value === 'string' ? value : wrong(value, 'a text');
}

export function asBoolean(value: SqlValue): boolean {
  return typeof value === 'boolean' ? value : wrong(value, 'a bit');
}

export function asBytes(value: SqlValue): Buffer {
  return Buffer.isBuffer(value) ? value : wrong(value, 'a binary');
}

export function asDateTime(value: SqlValue): DateTimeValue {
  return typeof value === 'object' && value !== null && 'days' in value ? value : wrong(value, 'a date');
}

export function asOffset(value: SqlValue): OffsetValue {
  return typeof value === 'object' && value !== null && 'offset' in value && 'days' in value ? value : wrong(value, 'a datetimeoffset');
}

export function asVariant(value: SqlValue): VariantValue {
  return typeof value === 'object' && value !== null && 'variant' in value ? value : wrong(value, 'a sql_variant');
}

/** An integer of any size as a bigint. */
export function integerOf(value: SqlValue): bigint {
  return typeof value === 'number' ? BigInt(value) : typeof value === 'boolean' ? (value ? 1n : 0n) : asBigint(value);
}

/** Replaces by '?' what code page 1252 has not, as a conversion to char and varchar does. Other code pages keep every character. */
export function toCodePage(text: string, type: SqlType): string {
  if (!/[^\0-\u007f]/.test(text) || !isCharacter(type) || !usesCodePage1252(type.collation)) {
    return text;
  }
  return text.replaceAll(/[^\0-\u007f]/g, (char) => (inLatin(char) ? char : '?'));
}

const OTHER_CODE_PAGES =
  /UTF8|JAPANESE|CHINESE|KOREAN|CYRILLIC|GREEK|TURKISH|HEBREW|ARABIC|THAI|VIETNAM|POLISH|CZECH|HUNGARIAN|CROATIAN|ROMANIAN|SLOVAK|SLOVENIAN|BALTIC|LATVIAN|LITHUANIAN|ESTONIAN|CP(?!1_)\d/i;

function usesCodePage1252(collation: string): boolean {
  return !OTHER_CODE_PAGES.test(collation);
}

/** How many bytes a text has in its type, as DATALENGTH counts. */
export function textBytes(text: string, type: SqlType): number {
  if (type.name === 'char' || type.name === 'varchar' || type.name === 'text') {
    return /UTF8/i.test(type.collation) ? Buffer.byteLength(text, 'utf8') : text.length;
  }
  return text.length * 2;
}
