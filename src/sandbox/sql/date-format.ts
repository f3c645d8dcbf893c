/** Dates and times as text in the styles of CONVERT. Source: learn.microsoft.com "CAST and CONVERT", date and time styles. */
import { SqlError } from '../session.ts';
import type { DateTimeValue, OffsetValue, SqlType } from '../sql-types.ts';
import { TICKS_PER_MINUTE, civilFromDays, clockFromTicks, normalize } from './calendar.ts';
import { UnsupportedError } from './unsupported.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

interface Parts {
  readonly yyyy: string;
  readonly yy: string;
  readonly mm: string;
  readonly dd: string;
  readonly mon: string;
  readonly day: string;
  readonly hms: string;
  /** Hour 1 to 12, padded with a space. */
  readonly hour12: string;
  readonly minute: string;
  readonly second: string;
  readonly half: 'AM' | 'PM';
  /** '.1234567' by the type's scale, '' at scale 0. */
  readonly fraction: string;
  /** ':123' for datetime, '.1234567' for the types with a scale. */
  readonly millis: string;
}

type Pattern = (parts: Parts) => { readonly date?: string; readonly time?: string };

const PATTERNS: ReadonlyMap<number, Pattern> = new Map<number, Pattern>([
  [0, (p) => ({ date: `${p.mon} ${p.day} ${p.yyyy}`, time: `${p.hour12}:${p.minute}${p.half}` })],
  [1, (p) => ({ date: `${p.mm}/${p.dd}/${p.yy}` })],
  [2, (p) => ({ date: `${p.yy}.${p.mm}.${p.dd}` })],
  [3, (p) => ({ date: `${p.dd}/${p.mm}/${p.yy}` })],
  [4, (p) => ({ date: `${p.dd}.${p.mm}.${p.yy}` })],
  [5, (p) => ({ date: `${p.dd}-${p.mm}-${p.yy}` })],
  [6, (p) => ({ date: `${p.dd} ${p.mon} ${p.yy}` })],
  [7, (p) => ({ date: `${p.mon} ${p.dd}, ${p.yy}` })],
  [8, (p) => ({ time: p.hms })],
  [9, (p) => ({ date: `${p.mon} ${p.day} ${p.yyyy}`, time: `${p.hour12}:${p.minute}:${p.second}${p.millis}${p.half}` })],
  [10, (p) => ({ date: `${p.mm}-${p.dd}-${p.yy}` })],
  [11, (p) => ({ date: `${p.yy}/${p.mm}/${p.dd}` })],
  [12, (p) => ({ date: `${p.yy}${p.mm}${p.dd}` })],
  [13, (p) => ({ date: `${p.dd} ${p.mon} ${p.yyyy}`, time: `${p.hms}${p.millis}` })],
  [14, (p) => ({ time: `${p.hms}${p.millis}` })],
  [20, (p) => ({ date: `${p.yyyy}-${p.mm}-${p.dd}`, time: p.hms })],
  [21, (p) => ({ date: `${p.yyyy}-${p.mm}-${p.dd}`, time: `${p.hms}${p.fraction}` })],
  [22, (p) => ({ date: `${p.mm}/${p.dd}/${p.yy}`, time: `${p.hour12}:${p.minute}:${p.second} ${p.half}` })],
  [23, (p) => ({ date: `${p.yyyy}-${p.mm}-${p.dd}` })],
  [101, (p) => ({ date: `${p.mm}/${p.dd}/${p.yyyy}` })],
  [102, (p) => ({ date: `${p.yyyy}.${p.mm}.${p.dd}` })],
  [103, (p) => ({ date: `${p.dd}/${p.mm}/${p.yyyy}` })],
  [104, (p) => ({ date: `${p.dd}.${p.mm}.${p.yyyy}` })],
  [105, (p) => ({ date: `${p.dd}-${p.mm}-${p.yyyy}` })],
  [106, (p) => ({ date: `${p.dd} ${p.mon} ${p.yyyy}` })],
  [107, (p) => ({ date: `${p.mon} ${p.dd}, ${p.yyyy}` })],
  [110, (p) => ({ date: `${p.mm}-${p.dd}-${p.yyyy}` })],
  [111, (p) => ({ date: `${p.yyyy}/${p.mm}/${p.dd}` })],
  [112, (p) => ({ date: `${p.yyyy}${p.mm}${p.dd}` })],
]);

/** Styles that are others by another number. */
const SAME: ReadonlyMap<number, number> = new Map([
  [24, 8],
  [25, 21],
  [100, 0],
  [108, 8],
  [109, 9],
  [113, 13],
  [114, 14],
  [120, 20],
  [121, 21],
]);

const ISO = new Set([126, 127]);

/** The style of CAST, and of CONVERT without one: 0 for the old types, 121 for the others. */
export function defaultDateStyle(type: SqlType): number {
  return type.name === 'datetime' || type.name === 'smalldatetime' ? 0 : 121;
}

/** @throws UnsupportedError for the styles of the Hijri calendar */
export function refuseHijri(style: number | null): void {
  if (style === 130 || style === 131) {
    throw new UnsupportedError(`style ${style} of CONVERT (the Hijri calendar)`);
  }
}

/**
 * A date or time as text.
 * @throws SqlError 281 when there is no such style.
 */
export function formatDate(value: DateTimeValue | OffsetValue, type: SqlType, style: number): string {
  const offset = 'offset' in value ? value.offset : null;
  const local = offset === null || style === 127 ? value : normalize(value.days, value.ticks + BigInt(offset) * TICKS_PER_MINUTE);
  const parts = partsOf(local, type);
  if (ISO.has(style)) {
    return formatIso(parts, type, style, offset);
  }
  const pattern = PATTERNS.get(SAME.get(style) ?? style);
  refuseHijri(style);
  if (pattern === undefined) {
    throw new SqlError(281, `${style} is not a valid style number when converting from ${type.name} to a character string.`);
  }
  const { date, time } = pattern(parts);
  const pieces: string[] = [];
  if (date !== undefined && type.name !== 'time') {
    pieces.push(date);
  }
  if (time !== undefined && type.name !== 'date') {
    // A time alone is not padded, but for style 22.
    pieces.push(pieces.length === 0 && style !== 22 ? time.trimStart() : time);
    if (offset !== null) {
      pieces.push(formatOffset(offset));
    }
  }
  if (pieces.length === 0) {
    throw new SqlError(281, `${style} is not a valid style number when converting from ${type.name} to a character string.`);
  }
  return pieces.join(' ');
}

/** Style 126 and 127. The old types show no fraction when it is zero; the others always show all their digits. */
function formatIso(parts: Parts, type: SqlType, style: number, offset: number | null): string {
  const date = `${parts.yyyy}-${parts.mm}-${parts.dd}`;
  const fraction = (type.name === 'datetime' || type.name === 'smalldatetime') && parts.fraction === '.000' ? '' : parts.fraction;
  const time = parts.hms + fraction;
  if (type.name === 'date') {
    return date;
  }
  if (type.name === 'time') {
    return time;
  }
  return `${date}T${time}${offset === null ? '' : style === 127 ? 'Z' : formatOffset(offset)}`;
}

/** +05:30 */
export function formatOffset(minutes: number): string {
  const absolute = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(absolute / 60))}:${two(absolute % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function partsOf(value: DateTimeValue, type: SqlType): Parts {
  const { year, month, day } = civilFromDays(value.days);
  const { hour, minute, second, fraction } = clockFromTicks(value.ticks);
  const old = type.name === 'datetime' || type.name === 'smalldatetime';
  const digits = String(fraction).padStart(7, '0');
  const scale = 'scale' in type ? type.scale : 0;
  const shown = old ? `.${String(Math.round(fraction / 10_000)).padStart(3, '0')}` : scale === 0 ? '' : `.${digits.slice(0, scale)}`;
  const yyyy = String(year).padStart(4, '0');
  return {
    yyyy,
    yy: yyyy.slice(2),
    mm: two(month),
    dd: two(day),
    mon: MONTHS[month - 1] ?? '',
    day: String(day).padStart(2, ' '),
    hms: `${two(hour)}:${two(minute)}:${two(second)}`,
    hour12: String(hour % 12 === 0 ? 12 : hour % 12).padStart(2, ' '),
    minute: two(minute),
    second: two(second),
    half: hour < 12 ? 'AM' : 'PM',
    fraction: shown,
    millis: old ? `:${shown.slice(1)}` : shown,
  };
}
