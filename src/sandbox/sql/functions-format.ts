/**
 * FORMAT with the patterns of .NET that people use, for the culture en-US. Source: learn.microsoft.com "FORMAT (Transact-SQL)", "Standard
 * numeric format strings", "Custom numeric format strings" and their kin for dates and TimeSpan. Other cultures and patterns are refused by
 * name; a pattern that .NET refuses gives NULL.
 */
import type { DateTimeValue, SqlType, SqlValue } from '../sql-types.ts';
import { TICKS_PER_MINUTE, civilFromDays, clockFromTicks, normalize, weekday } from './calendar.ts';
import type { CompiledExpression } from './compiled.ts';
import { formatOffset } from './date-format.ts';
import type { FunctionCall, FunctionTable } from './function-call.ts';
import { argument, defined, refuseArgument, strict, textArgument } from './function-call.ts';
import { formatNumber } from './number-pattern.ts';
import { isDateTime, isDecimal, isFloat, isInteger, isMoney, textType } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asDateTime, asText } from './values.ts';

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

function compileFormat(call: FunctionCall): CompiledExpression {
  const source = argument(call, 0);
  const pattern = textArgument(call, 1);
  const culture = call.args.length > 2 ? textArgument(call, 2) : null;
  const format = formatter(call, source.type);
  return strict(
    textType(true, 4000, call.compiler.scope.collation),
    culture === null ? [source, pattern] : [source, pattern, culture],
    ([value = null, form = null, name = null]) => {
      if (name !== null && asText(name).toLowerCase() !== 'en-us') {
        throw new UnsupportedError(`FORMAT with the culture ${asText(name)}`);
      }
      return format(value, asText(form));
    },
  );
}

function formatter(call: FunctionCall, type: SqlType): (value: SqlValue, pattern: string) => string | null {
  if (type.name === 'time') {
    return (value, pattern) => formatTime(asDateTime(value).ticks, pattern);
  }
  if (isDateTime(type)) {
    return (value, pattern) => {
      const date = asDateTime(value);
      const offset = 'offset' in date && typeof date.offset === 'number' ? date.offset : null;
      return formatDate(offset === null ? date : normalize(date.days, date.ticks + BigInt(offset) * TICKS_PER_MINUTE), offset, pattern);
    };
  }
  if (isFloat(type)) {
    const digits = type.name === 'real' ? 7 : 15;
    return (value, pattern) => formatNumber(plainText(Number(value), digits), pattern, false);
  }
  const scale = isDecimal(type) ? type.scale : isMoney(type) ? 4 : isInteger(type) ? 0 : refuseArgument(call, 0);
  return (value, pattern) =>
    formatNumber(decimalText(BigInt(typeof value === 'bigint' ? value : Number(value)), scale), pattern, isInteger(type));
}

function decimalText(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A float in plain digits. */
function plainText(value: number, digits: number): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(Number(value.toPrecision(digits)))) ?? [];
  const point = whole.length + Number(exponent);
  const all = (whole + fraction).padEnd(point, '0');
  const shown = point <= 0 ? `0.${'0'.repeat(-point)}${all}` : `${all.slice(0, point)}.${all.slice(point)}`;
  return sign + shown.replace(/\.$/, '');
}

/** What a letter alone stands for. */
const STANDARD: Readonly<Record<string, string>> = {
  d: 'M/d/yyyy',
  D: 'dddd, MMMM d, yyyy',
  f: 'dddd, MMMM d, yyyy h:mm tt',
  F: 'dddd, MMMM d, yyyy h:mm:ss tt',
  g: 'M/d/yyyy h:mm tt',
  G: 'M/d/yyyy h:mm:ss tt',
  s: "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
  t: 'h:mm tt',
  T: 'h:mm:ss tt',
  u: "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
};

const DATE_TOKEN = /\\(.)|'([^']*)'|"([^"]*)"|%?(d{1,4}|f{1,7}|F{1,7}|h{1,2}|H{1,2}|m{1,2}|M{1,4}|s{1,2}|t{1,2}|y{1,5}|z{1,3}|K)|([^])/g;

function formatDate(at: DateTimeValue, offset: number | null, given: string): string {
  if (given.length === 1 && STANDARD[given] === undefined) {
    throw new UnsupportedError(`FORMAT of a date with the pattern ${given}`);
  }
  const pattern = STANDARD[given] ?? given;
  const { year, month, day } = civilFromDays(at.days);
  const clock = clockFromTicks(at.ticks);
  const number = (value: number, token: string): string => String(value).padStart(token.length, '0');
  const write = (token: string): string => {
    switch (token.charAt(0)) {
      case 'd':
        return token.length > 2 ? (DAYS[weekday(at.days)] ?? '').slice(0, token.length === 3 ? 3 : undefined) : number(day, token);
      case 'M':
        return token.length > 2 ? (MONTHS[month - 1] ?? '').slice(0, token.length === 3 ? 3 : undefined) : number(month, token);
      case 'y':
        return token.length > 2 ? number(year, token) : number(year % 100, token);
      case 'H':
        return number(clock.hour, token);
      case 'h':
        return number(clock.hour % 12 === 0 ? 12 : clock.hour % 12, token);
      case 'm':
        return number(clock.minute, token);
      case 's':
        return number(clock.second, token);
      case 't':
        return (clock.hour < 12 ? 'AM' : 'PM').slice(0, token.length);
      case 'f':
      case 'F':
        return fraction(clock.fraction, token);
      default:
        if (offset === null) {
          throw new UnsupportedError(`FORMAT of a date without an offset with the pattern ${token}`);
        }
        return token === 'z' || token === 'zz' ? formatOffset(offset).slice(0, 3) : formatOffset(offset);
    }
  };
  return pattern.replace(
    DATE_TOKEN,
    (
      _all,
      escaped: string | undefined,
      single: string | undefined,
      double: string | undefined,
      token: string | undefined,
      other: string | undefined,
    ) => (token === undefined ? (escaped ?? single ?? double ?? other ?? '') : write(token)),
  );
}

/** f gives as many digits as letters, F leaves zeros at the end out. */
function fraction(ticks: number, token: string): string {
  const digits = String(ticks).padStart(7, '0').slice(0, token.length);
  return token.startsWith('F') ? digits.replace(/0+$/, '') : digits;
}

/** A time is a TimeSpan to .NET: whatever is no letter of a part must be escaped, else the result is NULL. */
function formatTime(ticks: bigint, pattern: string): string | null {
  const clock = clockFromTicks(ticks);
  if (pattern.length === 1) {
    throw new UnsupportedError(`FORMAT of a time with the pattern ${pattern}`);
  }
  let valid = true;
  const result = pattern.replace(
    /\\(.)|'([^']*)'|%?(h{1,2}|m{1,2}|s{1,2}|f{1,7}|F{1,7})|([^])/g,
    (_all, escaped: string | undefined, quoted: string | undefined, token: string | undefined, other: string | undefined) => {
      valid &&= other === undefined;
      switch (token?.charAt(0)) {
        case undefined:
          return escaped ?? quoted ?? '';
        case 'h':
          return String(clock.hour).padStart(token?.length ?? 1, '0');
        case 'm':
          return String(clock.minute).padStart(token?.length ?? 1, '0');
        case 's':
          return String(clock.second).padStart(token?.length ?? 1, '0');
        default:
          return fraction(clock.fraction, token ?? '');
      }
    },
  );
  return valid ? result : null;
}

export const FORMAT_FUNCTIONS: FunctionTable = new Map([['FORMAT', defined(2, 3, compileFormat)]]);
