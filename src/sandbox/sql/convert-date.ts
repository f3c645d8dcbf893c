/** Conversions to the date and time types, with the rounding of each: 1/300 s, a minute, or the digits of its scale. */
import { SqlError } from '../session.ts';
import type { DateTimeValue, OffsetValue, SqlType, SqlValue } from '../sql-types.ts';
import {
  DAY_1753,
  DAY_1900,
  LAST_DAY,
  LAST_SMALL_DAY,
  TICKS_PER_DAY,
  TICKS_PER_MINUTE,
  normalize,
  roundTicks,
  roundToDatetime,
  roundToMinute,
} from './calendar.ts';
import { refuseHijri } from './date-format.ts';
import { exactReader } from './convert-number.ts';
import { decimalToNumber } from './decimal.ts';
import type { DateOrder, ParsedDate } from './date-parse.ts';
import { parseDate } from './date-parse.ts';
import { isBinary, isCharacter, isDateTime, isFloat, isNational } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asDateTime, asNumber, asOffset, asText } from './values.ts';

type Converter = (value: Exclude<SqlValue, null>, order: DateOrder) => SqlValue;

/** Local time with an offset: what every date and time type can be read as. */
type Local = ParsedDate;

export function toDateTime(from: SqlType, to: SqlType, style: number | null): Converter {
  if (isCharacter(from)) {
    return fromText(from, to, style);
  }
  if (isBinary(from)) {
    throw new UnsupportedError(`conversion from ${from.name} to ${to.name}`);
  }
  const read = localReader(from);
  return (value) => finish(read(value), from, to);
}

function localReader(from: SqlType): (value: Exclude<SqlValue, null>) => Local {
  if (from.name === 'datetimeoffset') {
    return (value) => {
      const utc = asOffset(value);
      return { ...normalize(utc.days, utc.ticks + BigInt(utc.offset) * TICKS_PER_MINUTE), offset: utc.offset };
    };
  }
  if (from.name === 'time') {
    return (value) => ({ days: DAY_1900, ticks: asDateTime(value).ticks, offset: null });
  }
  const exact = exactReader(from);
  if (exact !== null || isFloat(from)) {
    return (value) => {
      const number = exact === null ? asNumber(value) : decimalToNumber(exact.read(value), exact.scale);
      const whole = Math.floor(number);
      return { ...normalize(DAY_1900 + whole, BigInt(Math.round((number - whole) * Number(TICKS_PER_DAY)))), offset: null };
    };
  }
  return (value) => {
    const { days, ticks } = asDateTime(value);
    return { days, ticks, offset: null };
  };
}

function fromText(from: SqlType, to: SqlType, style: number | null): Converter {
  const old = to.name === 'datetime' || to.name === 'smalldatetime';
  return (value, order) => {
    const text = asText(value);
    refuseHijri(style);
    // The newer types read 2026-05-13 as year, month, day whatever SET DATEFORMAT says.
    const parsed = parseDate(text, style, style === null && !old && /^\s*\d{4}\D/.test(text) ? 'ymd' : order);
    if (parsed === null || (old && parsed !== 'range' && isTooExact(text, parsed))) {
      throw conversionFailed();
    }
    if (parsed === 'range') {
      throw old ? outOfRange(from, to) : conversionFailed();
    }
    return finish(parsed, from, to);
  };
}

/** datetime and smalldatetime know no offset but Z, and at most three digits of a second. */
function isTooExact(text: string, parsed: ParsedDate): boolean {
  return (parsed.offset !== null && !/z\s*$/i.test(text)) || /:\d{1,2}:\d{1,2}\.\d{4,}/.test(text);
}

function conversionFailed(): SqlError {
  return new SqlError(241, 'Conversion failed when converting date and/or time from character string.');
}

function outOfRange(from: SqlType, to: SqlType): SqlError {
  const article = isNational(from) ? 'an' : 'a';
  return new SqlError(
    242,
    `The conversion of ${article} ${from.name} data type to a ${to.name} data type resulted in an out-of-range value.`,
    { state: 3 },
  );
}

/** Rounds local time to the target type and checks its range. */
function finish(local: Local, from: SqlType, to: SqlType): DateTimeValue | OffsetValue {
  if (to.name === 'date') {
    return within({ days: local.days, ticks: 0n }, 0, LAST_DAY, from, to);
  }
  if (to.name === 'time') {
    // A time that rounds up to midnight starts over.
    return { days: 0, ticks: roundTicks(local.ticks, to.scale) % TICKS_PER_DAY };
  }
  if (to.name === 'datetime') {
    return within(normalize(local.days, roundToDatetime(local.ticks)), DAY_1753, LAST_DAY, from, to);
  }
  if (to.name === 'smalldatetime') {
    return within(normalize(local.days, roundToMinute(local.ticks)), DAY_1900, LAST_SMALL_DAY, from, to);
  }
  const rounded = roundedLocal(local, 'scale' in to ? to.scale : 7);
  if (to.name === 'datetime2') {
    return rounded;
  }
  const offset = local.offset ?? 0;
  const utc = normalize(rounded.days, rounded.ticks - BigInt(offset) * TICKS_PER_MINUTE);
  return { ...within(utc, 0, LAST_DAY, from, to), offset };
}

/** The last instant of 9999 is cut instead of rounded: there is no day after it. */
function roundedLocal(local: Local, scale: number): DateTimeValue {
  const rounded = normalize(local.days, roundTicks(local.ticks, scale));
  if (rounded.days > LAST_DAY) {
    const unit = 10n ** BigInt(7 - scale);
    return { days: local.days, ticks: (local.ticks / unit) * unit };
  }
  return rounded;
}

function within(value: DateTimeValue, first: number, last: number, from: SqlType, to: SqlType): DateTimeValue {
  if (value.days < first || value.days > last) {
    throw isCharacter(from) || isDateTime(from)
      ? outOfRange(from, to)
      : new SqlError(8115, `Arithmetic overflow error converting expression to data type ${to.name}.`, { state: 2 });
  }
  return value;
}
