/** Days since 0001-01-01 and 100 ns ticks of the day: to and from years, months and clock time. Proleptic Gregorian, years 1 to 9999. */

export const TICKS_PER_SECOND = 10_000_000n;
export const TICKS_PER_MINUTE = 600_000_000n;
export const TICKS_PER_DAY = 864_000_000_000n;
/** 1900-01-01, day 0 of datetime. */
export const DAY_1900 = 693_595;
/** 1753-01-01, the first day of datetime. */
export const DAY_1753 = 639_905;
/** 9999-12-31. */
export const LAST_DAY = 3_652_058;
/** 2079-06-06, the last day of smalldatetime. */
export const LAST_SMALL_DAY = 759_130;

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const EPOCH_DAYS = 719_162;
const MS_PER_DAY = 86_400_000;

export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : (MONTH_DAYS[month - 1] ?? 0);
}

export function isDate(year: number, month: number, day: number): boolean {
  return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

/** Days since 0001-01-01 of a date that exists. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return Math.round(date.getTime() / MS_PER_DAY) + EPOCH_DAYS;
}

export function civilFromDays(days: number): CivilDate {
  const date = new Date((days - EPOCH_DAYS) * MS_PER_DAY);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** 0 is Sunday. 0001-01-01 was a Monday. */
export function weekday(days: number): number {
  return (days + 1) % 7;
}

export interface ClockTime {
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 100 ns ticks of the second. */
  readonly fraction: number;
}

export function clockFromTicks(ticks: bigint): ClockTime {
  const seconds = Number(ticks / TICKS_PER_SECOND);
  return {
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
    fraction: Number(ticks % TICKS_PER_SECOND),
  };
}

export function ticksFromClock(hour: number, minute: number, second: number, fraction: number): bigint {
  return BigInt(hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND + BigInt(fraction);
}

/** Moves ticks that left their day into the day before or after. */
export function normalize(days: number, ticks: bigint): { readonly days: number; readonly ticks: bigint } {
  let whole = ticks / TICKS_PER_DAY;
  let rest = ticks % TICKS_PER_DAY;
  if (rest < 0n) {
    rest += TICKS_PER_DAY;
    whole -= 1n;
  }
  return { days: days + Number(whole), ticks: rest };
}

/** Ticks since 0001-01-01. */
export function totalTicks(value: { readonly days: number; readonly ticks: bigint }): bigint {
  return BigInt(value.days) * TICKS_PER_DAY + value.ticks;
}

/** Ticks rounded to `scale` digits of a second, half up; may reach the next day. */
export function roundTicks(ticks: bigint, scale: number): bigint {
  const unit = 10n ** BigInt(7 - scale);
  return ((ticks + unit / 2n) / unit) * unit;
}

/** Ticks of the nearest 1/300 s, datetime's unit; may reach the next day. */
export function roundToDatetime(ticks: bigint): bigint {
  return datetimeUnitsToTicks(ticksToDatetimeUnits(ticks));
}

/** 1/300 s units, rounded to the nearest. */
export function ticksToDatetimeUnits(ticks: bigint): bigint {
  return (ticks * 300n + TICKS_PER_SECOND / 2n) / TICKS_PER_SECOND;
}

function datetimeUnitsToTicks(units: bigint): bigint {
  return (units * TICKS_PER_SECOND + 150n) / 300n;
}

/** Ticks of the nearest minute: from 29.999 s up, as smalldatetime rounds. */
export function roundToMinute(ticks: bigint): bigint {
  return ((ticks + 300_010_000n) / TICKS_PER_MINUTE) * TICKS_PER_MINUTE;
}
