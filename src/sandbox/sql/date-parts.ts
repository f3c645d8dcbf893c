/** The parts of a date: their names, reading them, adding to them, counting their boundaries between two dates. */
import { SqlError } from '../session.ts';
import type { DateTimeValue } from '../sql-types.ts';
import {
  TICKS_PER_MINUTE,
  TICKS_PER_SECOND,
  civilFromDays,
  clockFromTicks,
  daysFromCivil,
  daysInMonth,
  normalize,
  totalTicks,
  weekday,
} from './calendar.ts';

export type DatePart =
  | 'year'
  | 'quarter'
  | 'month'
  | 'dayofyear'
  | 'day'
  | 'week'
  | 'weekday'
  | 'hour'
  | 'minute'
  | 'second'
  | 'millisecond'
  | 'microsecond'
  | 'nanosecond'
  | 'tzoffset'
  | 'iso_week';

const NAMES: ReadonlyMap<string, DatePart> = new Map<string, DatePart>([
  ...(['yy', 'yyyy', 'year'] as const).map((name) => [name, 'year'] as const),
  ...(['qq', 'q', 'quarter'] as const).map((name) => [name, 'quarter'] as const),
  ...(['mm', 'm', 'month'] as const).map((name) => [name, 'month'] as const),
  ...(['dy', 'y', 'dayofyear'] as const).map((name) => [name, 'dayofyear'] as const),
  ...(['dd', 'd', 'day'] as const).map((name) => [name, 'day'] as const),
  ...(['wk', 'ww', 'week'] as const).map((name) => [name, 'week'] as const),
  ...(['dw', 'w', 'weekday'] as const).map((name) => [name, 'weekday'] as const),
  ...(['hh', 'hour'] as const).map((name) => [name, 'hour'] as const),
  ...(['mi', 'n', 'minute'] as const).map((name) => [name, 'minute'] as const),
  ...(['ss', 's', 'second'] as const).map((name) => [name, 'second'] as const),
  ...(['ms', 'millisecond'] as const).map((name) => [name, 'millisecond'] as const),
  ...(['mcs', 'microsecond'] as const).map((name) => [name, 'microsecond'] as const),
  ...(['ns', 'nanosecond'] as const).map((name) => [name, 'nanosecond'] as const),
  ...(['tz', 'tzoffset'] as const).map((name) => [name, 'tzoffset'] as const),
  ...(['isowk', 'isoww', 'iso_week'] as const).map((name) => [name, 'iso_week'] as const),
]);

/** @throws SqlError 155 when there is no such part. */
export function datePart(name: string, functionName: string): DatePart {
  const part = NAMES.get(name.toLowerCase());
  if (part === undefined) {
    throw new SqlError(155, `'${name}' is not a recognized ${functionName} option.`, { class: 15 });
  }
  return part;
}

/** A part of local time. `first` is SET DATEFIRST, `offset` that of a datetimeoffset in minutes. */
export function readPart(part: DatePart, { days, ticks }: DateTimeValue, first: number, offset: number): number {
  const { year, month, day } = civilFromDays(days);
  const clock = clockFromTicks(ticks);
  switch (part) {
    case 'year':
      return year;
    case 'quarter':
      return Math.ceil(month / 3);
    case 'month':
      return month;
    case 'day':
      return day;
    case 'dayofyear':
      return days - daysFromCivil(year, 1, 1) + 1;
    case 'week': {
      const start = daysFromCivil(year, 1, 1);
      return Math.floor((days - start + weekdayFrom(start, first) - 1) / 7) + 1;
    }
    case 'weekday':
      return weekdayFrom(days, first);
    case 'hour':
      return clock.hour;
    case 'minute':
      return clock.minute;
    case 'second':
      return clock.second;
    case 'millisecond':
      return Math.floor(clock.fraction / 10_000);
    case 'microsecond':
      return Math.floor(clock.fraction / 10);
    case 'nanosecond':
      return clock.fraction * 100;
    case 'tzoffset':
      return offset;
    case 'iso_week': {
      const thursday = days - ((weekday(days) + 6) % 7) + 3;
      return Math.floor((thursday - daysFromCivil(civilFromDays(thursday).year, 1, 1)) / 7) + 1;
    }
  }
}

/** 1 is the day that SET DATEFIRST names (7: Sunday). */
function weekdayFrom(days: number, first: number): number {
  return ((weekday(days) - first + 14) % 7) + 1;
}

const TICKS: ReadonlyMap<DatePart, bigint> = new Map<DatePart, bigint>([
  ['hour', 60n * TICKS_PER_MINUTE],
  ['minute', TICKS_PER_MINUTE],
  ['second', TICKS_PER_SECOND],
  ['millisecond', 10_000n],
  ['microsecond', 10n],
]);

/** Adds a count of parts. A day beyond the end of the new month becomes its last. The result may lie outside of every range. */
export function addPart(part: DatePart, count: bigint, value: DateTimeValue): DateTimeValue {
  const unit = TICKS.get(part);
  if (unit !== undefined) {
    return normalize(value.days, value.ticks + count * unit);
  }
  if (part === 'nanosecond') {
    // 50 ns round up.
    return normalize(value.days, value.ticks + (count >= 0n ? (count + 50n) / 100n : (count - 49n) / 100n));
  }
  if (part === 'year' || part === 'quarter' || part === 'month') {
    const { year, month, day } = civilFromDays(value.days);
    const months = BigInt(year) * 12n + BigInt(month - 1) + count * (part === 'year' ? 12n : part === 'quarter' ? 3n : 1n);
    const newYear = Number(months / 12n);
    const newMonth = Number(months % 12n) + 1;
    if (newYear < 1 || newYear > 9999 || months < 0n) {
      return { days: -1, ticks: 0n };
    }
    return { days: daysFromCivil(newYear, newMonth, Math.min(day, daysInMonth(newYear, newMonth))), ticks: value.ticks };
  }
  return { days: value.days + Number(count) * (part === 'week' ? 7 : 1), ticks: value.ticks };
}

/** How many boundaries of the part lie between two dates. Weeks begin on Sunday, whatever SET DATEFIRST says. */
export function countParts(part: DatePart, from: DateTimeValue, to: DateTimeValue): bigint {
  const unit = TICKS.get(part);
  if (unit !== undefined) {
    return totalTicks(to) / unit - totalTicks(from) / unit;
  }
  if (part === 'nanosecond') {
    return (totalTicks(to) - totalTicks(from)) * 100n;
  }
  const [a, b] = [civilFromDays(from.days), civilFromDays(to.days)];
  if (part === 'year') {
    return BigInt(b.year - a.year);
  }
  if (part === 'quarter') {
    return BigInt((b.year - a.year) * 4 + Math.ceil(b.month / 3) - Math.ceil(a.month / 3));
  }
  if (part === 'month') {
    return BigInt((b.year - a.year) * 12 + b.month - a.month);
  }
  if (part === 'week') {
    return BigInt(Math.floor((to.days + 1) / 7) - Math.floor((from.days + 1) / 7));
  }
  return BigInt(to.days - from.days);
}
