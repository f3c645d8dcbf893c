/**
 * Dates and times from text: ISO 8601, ODBC canonical, numeric dates in the order of the style or of SET DATEFORMAT, month names, am and pm,
 * offsets. The answer is civil time and says what was missing; which type it must fit is the caller's business.
 */
import { DAY_1900, daysFromCivil, isDate, ticksFromClock } from './calendar.ts';

export type DateOrder = 'mdy' | 'dmy' | 'ymd' | 'ydm' | 'myd' | 'dym';

/** Local time, with the offset in minutes when the text had one. */
export interface ParsedDate {
  readonly days: number;
  /** May reach one day when the fraction has more digits than 100 ns and rounds up. */
  readonly ticks: bigint;
  readonly offset: number | null;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const LONG_MONTHS = 'january february march april may june july august september october november december'.split(' ');

/** The order that a style asks of a numeric date; null leaves it to SET DATEFORMAT. */
const ORDERS: ReadonlyMap<number, DateOrder> = new Map<number, DateOrder>([
  [1, 'mdy'],
  [2, 'ymd'],
  [3, 'dmy'],
  [4, 'dmy'],
  [5, 'dmy'],
  [10, 'mdy'],
  [11, 'ymd'],
  [12, 'ymd'],
  [101, 'mdy'],
  [102, 'ymd'],
  [103, 'dmy'],
  [104, 'dmy'],
  [105, 'dmy'],
  [110, 'mdy'],
  [111, 'ymd'],
  [112, 'ymd'],
  [20, 'ymd'],
  [21, 'ymd'],
  [120, 'ymd'],
  [121, 'ymd'],
]);

const TIME = /^(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.:](\d{1,9}))?)?)?\s*(am|pm)?$/i;
const OFFSET = /\s*(?:(z)|([+-])(\d{1,2}):(\d{2}))$/i;

/**
 * Reads a date, a time or both.
 * @param style that of CONVERT, or null.
 * @param order SET DATEFORMAT's.
 * @returns null when the text is none; 'range' when it has the form of one but there is no such day or time.
 */
export function parseDate(text: string, style: number | null, order: DateOrder): ParsedDate | 'range' | null {
  let rest = text.trim();
  if (rest === '') {
    return { days: DAY_1900, ticks: 0n, offset: null };
  }
  let offset: number | null = null;
  const zone = OFFSET.exec(rest);
  if (zone !== null && /[:T]/.test(rest.slice(0, zone.index))) {
    const minutes = Number(zone[3] ?? 0) * 60 + Number(zone[4] ?? 0);
    if (minutes > 840) {
      return 'range';
    }
    offset = zone[2] === '-' ? -minutes : minutes;
    rest = rest.slice(0, zone.index);
  }
  const iso = /^(\d{4})-(\d{2})-(\d{2})T(.*)$/i.exec(rest);
  if (iso !== null) {
    return combine({ year: Number(iso[1]), month: Number(iso[2]), day: Number(iso[3]) }, parseTime(iso[4] ?? ''), offset);
  }
  const split = splitTime(rest);
  const time = split.time === '' ? 0n : parseTime(split.time);
  if (split.date === '') {
    return combine({ year: 1900, month: 1, day: 1 }, time, offset);
  }
  const date = parseDay(split.date, (style === null ? undefined : ORDERS.get(style)) ?? order);
  return date === null ? null : combine(date, time, offset);
}

interface Civil {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

function combine(date: Civil, time: bigint | 'range' | null, offset: number | null): ParsedDate | 'range' | null {
  if (time === null) {
    return null;
  }
  if (time === 'range' || !isDate(date.year, date.month, date.day)) {
    return 'range';
  }
  return { days: daysFromCivil(date.year, date.month, date.day), ticks: time, offset };
}

/** Where the time begins: at the last word with a colon, or with am or pm. */
function splitTime(text: string): { readonly date: string; readonly time: string } {
  const match = /(?:^|\s)(\d{1,2}(?::\d{1,2}){1,2}(?:[.:]\d+)?\s*(?:am|pm)?|\d{1,2}\s*(?:am|pm))$/i.exec(text);
  return match === null ? { date: text, time: '' } : { date: text.slice(0, match.index).trim(), time: (match[1] ?? '').trim() };
}

function parseTime(text: string): bigint | 'range' | null {
  const match = TIME.exec(text.trim());
  if (match === null) {
    return null;
  }
  const [, hours = '', minutes = '0', seconds = '0', fraction = '', half] = match;
  let hour = Number(hours);
  if (half !== undefined) {
    if (hour < 1 || hour > 12) {
      return 'range';
    }
    hour = (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
  }
  const minute = Number(minutes);
  const second = Number(seconds);
  if (hour > 23 || minute > 59 || second > 59) {
    return 'range';
  }
  // After a colon the digits are milliseconds, after a point they are a fraction.
  const afterColon = /:\d+:\d+:\d+/.test(text);
  const digits = afterColon ? fraction.padStart(3, '0') : fraction;
  const ticks = Math.round(Number(`0.${digits || '0'}`) * 10_000_000);
  return ticksFromClock(hour, minute, second, 0) + BigInt(ticks);
}

function parseDay(text: string, order: DateOrder): Civil | null {
  if (/^\d{8}$/.test(text)) {
    return { year: Number(text.slice(0, 4)), month: Number(text.slice(4, 6)), day: Number(text.slice(6)) };
  }
  if (/^\d{6}$/.test(text)) {
    return { year: fullYear(Number(text.slice(0, 2))), month: Number(text.slice(2, 4)), day: Number(text.slice(4)) };
  }
  if (/^\d{4}$/.test(text)) {
    return { year: Number(text), month: 1, day: 1 };
  }
  const numeric = /^(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})$/.exec(text);
  if (numeric !== null) {
    return ordered(numeric[1] ?? '', numeric[2] ?? '', numeric[3] ?? '', order);
  }
  return parseNamedMonth(text);
}

function fullYear(year: number): number {
  return year < 50 ? 2000 + year : year < 100 ? 1900 + year : year;
}

function ordered(first: string, second: string, third: string, order: DateOrder): Civil | null {
  const [a, b, c] = [Number(first), Number(second), Number(third)];
  if (first.length === 4) {
    const dayFirst = order === 'dmy' || order === 'ydm' || order === 'dym';
    return dayFirst ? { year: a, month: c, day: b } : { year: a, month: b, day: c };
  }
  if (first.length > 2) {
    return null;
  }
  switch (order) {
    case 'mdy':
      return third.length === 3 ? null : { year: fullYear(c), month: a, day: b };
    case 'dmy':
      return third.length === 3 ? null : { year: fullYear(c), month: b, day: a };
    case 'ymd':
      return third.length === 4 ? { year: c, month: a, day: b } : { year: fullYear(a), month: b, day: c };
    case 'ydm':
      return third.length === 4 ? { year: c, month: b, day: a } : { year: fullYear(a), month: c, day: b };
    case 'myd':
      return third.length === 4 ? { year: c, month: a, day: b } : { year: fullYear(b), month: a, day: c };
    case 'dym':
      return third.length === 4 ? { year: c, month: b, day: a } : { year: fullYear(b), month: c, day: a };
  }
}

/** Apr 5 2003, 5 April 2003, 5-Apr-2003, April 5, 03, Apr 2003. */
function parseNamedMonth(text: string): Civil | null {
  const words = text
    .toLowerCase()
    .split(/[\s,./-]+/)
    .filter((word) => word !== '');
  const at = words.findIndex((word) => MONTHS.includes(word) || LONG_MONTHS.includes(word));
  if (at < 0 || words.length > 3) {
    return null;
  }
  const month = MONTHS.indexOf((words[at] ?? '').slice(0, 3)) + 1;
  const numbers = words.filter((_, index) => index !== at);
  if (numbers.length === 0 || !numbers.every((word) => /^\d{1,4}$/.test(word))) {
    return null;
  }
  const [first = '', second] = numbers;
  if (second === undefined) {
    return first.length === 4 ? { year: Number(first), month, day: 1 } : null;
  }
  const [year, day] = first.length === 4 ? [first, second] : [second, first];
  return { year: fullYear(Number(year)), month, day: Number(day) };
}
