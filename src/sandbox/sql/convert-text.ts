/** Conversions to char, varchar, nchar, nvarchar, text and ntext. What is too long is cut, but for numbers and uniqueidentifiers. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { decodeLatin } from './code-page.ts';
import { formatDate, defaultDateStyle } from './date-format.ts';
import { formatDecimal } from './decimal.ts';
import { formatFloat, formatMoney } from './number-format.ts';
import type { CharacterType } from './types.ts';
import { isBinary, isCharacter, isDateTime, isDecimal, isFloat, isInteger, isMoney, isNational } from './types.ts';
import { asBigint, asBoolean, asBytes, asDateTime, asNumber, asText, integerOf, textBytes, toCodePage } from './values.ts';

type Converter = (value: Exclude<SqlValue, null>) => SqlValue;

export function toText(from: SqlType, to: CharacterType, style: number | null): Converter {
  const fit = fitter(to);
  if (isCharacter(from)) {
    const convertsCodePage = isNational(from) && !isNational(to);
    return convertsCodePage ? (value) => fit(toCodePage(asText(value), to)) : (value) => fit(asText(value));
  }
  if (isInteger(from)) {
    // An int that does not fit is a star in char and varchar, an error elsewhere.
    const starred = from.name !== 'bigint' && !isNational(to);
    return (value) => fitNumber(integerOf(value).toString(), to, starred ? null : 'expression');
  }
  if (from.name === 'bit') {
    return (value) => fit(asBoolean(value) ? '1' : '0');
  }
  if (isDecimal(from)) {
    const { scale } = from;
    return (value) => fitNumber(formatDecimal(asBigint(value), scale), to, 'numeric');
  }
  if (isFloat(from)) {
    const digits = style ?? 0;
    return (value) => fitNumber(formatFloat(asNumber(value), digits), to, 'expression');
  }
  if (isMoney(from)) {
    return moneyToText(from, to, style ?? 0);
  }
  if (isDateTime(from)) {
    const dateStyle = style ?? defaultDateStyle(from);
    return (value) => fit(formatDate(asDateTime(value), from, dateStyle));
  }
  if (isBinary(from)) {
    return binaryToText(to, style ?? 0, fit);
  }
  if (from.name === 'uniqueidentifier') {
    return (value) => {
      if ('length' in to && to.length !== 'max' && to.length < 36) {
        throw new SqlError(8170, 'Insufficient result space to convert uniqueidentifier value to char.', { state: 2 });
      }
      return fit(asText(value));
    };
  }
  return (value) => fit(asText(value));
}

/** Cuts to the length, and pads char and nchar. */
function fitter(to: CharacterType): (text: string) => string {
  if (!('length' in to) || to.length === 'max') {
    return (text) => text;
  }
  const { length } = to;
  const fixed = to.name === 'char' || to.name === 'nchar';
  if (to.name === 'varchar' && /UTF8/i.test(to.collation)) {
    return (text) => cutBytes(text, to, length);
  }
  return (text) => (text.length > length ? text.slice(0, length) : fixed ? text.padEnd(length) : text);
}

function cutBytes(text: string, to: SqlType, length: number): string {
  let cut = text;
  while (textBytes(cut, to) > length) {
    cut = cut.slice(0, -1);
  }
  return cut;
}

/** A number that does not fit: a star when `what` is null, else error 8115. */
function fitNumber(text: string, to: CharacterType, what: 'expression' | 'numeric' | null): string {
  if (!('length' in to) || to.length === 'max') {
    return text;
  }
  let fitted = text;
  if (text.length > to.length) {
    if (what !== null) {
      throw new SqlError(8115, `Arithmetic overflow error converting ${what} to data type ${to.name}.`, { state: 5 });
    }
    fitted = '*';
  }
  return to.name === 'char' || to.name === 'nchar' ? fitted.padEnd(to.length) : fitted;
}

function moneyToText(from: SqlType, to: CharacterType, style: number): Converter {
  return (value) => {
    const text = formatMoney(asBigint(value), style);
    if (text === null) {
      throw new SqlError(281, `${style} is not a valid style number when converting from ${from.name} to a character string.`);
    }
    if ('length' in to && to.length !== 'max' && text.length > to.length) {
      throw new SqlError(234, `There is insufficient result space to convert a money value to ${to.name}.`, { state: 2 });
    }
    return 'length' in to && to.length !== 'max' && (to.name === 'char' || to.name === 'nchar') ? text.padEnd(to.length) : text;
  };
}

/** Style 0: the bytes are the characters; 1: hex with 0x; 2: hex without. */
function binaryToText(to: CharacterType, style: number, fit: (text: string) => string): Converter {
  if (style === 1 || style === 2) {
    const prefix = style === 1 ? '0x' : '';
    return (value) => {
      const text = prefix + asBytes(value).toString('hex').toUpperCase();
      // A hex digit without its pair is cut off too.
      return 'length' in to && to.length !== 'max' && text.length > to.length ? fit(text.slice(0, to.length - (to.length % 2))) : fit(text);
    };
  }
  if (style !== 0) {
    throw new SqlError(281, `${style} is not a valid style number when converting from varbinary to a character string.`);
  }
  if (isNational(to)) {
    return (value) => {
      const bytes = asBytes(value);
      return fit((bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.of(0)])).toString('utf16le'));
    };
  }
  return (value) => fit(decodeLatin(asBytes(value)));
}
