/** The order of values of one type. NULL is the caller's business; what two types have in common is commonType()'s. */
import type { DateTimeValue, SqlType, SqlValue } from '../sql-types.ts';
import { collationOf } from './collation.ts';
import { convert } from './convert.ts';
import { commonType, isBinary, isCharacter, isDateTime } from './types.ts';
import { asBoolean, asBytes, asDateTime, asText, asVariant } from './values.ts';

export type Comparator = (a: SqlValue, b: SqlValue) => number;

/** Below 0, 0 or above 0. Neither value is NULL; both are of the type. Comparing many: comparator() once. */
export function compareValues(a: SqlValue, b: SqlValue, type: SqlType): number {
  return comparator(type)(a, b);
}

export function comparator(type: SqlType): Comparator {
  if (isCharacter(type)) {
    const collation = collationOf(type.collation);
    return (a, b) => collation.compare(asText(a), asText(b));
  }
  if (isDateTime(type)) {
    return (a, b) => compareDates(asDateTime(a), asDateTime(b));
  }
  if (isBinary(type)) {
    return (a, b) => compareBytes(asBytes(a), asBytes(b));
  }
  if (type.name === 'bit') {
    return (a, b) => Number(asBoolean(a)) - Number(asBoolean(b));
  }
  if (type.name === 'uniqueidentifier') {
    return (a, b) => compareText(guidOrder(asText(a)), guidOrder(asText(b)));
  }
  if (type.name === 'sql_variant') {
    return compareVariants;
  }
  if (type.name === 'xml') {
    return (a, b) => compareText(asText(a), asText(b));
  }
  return compareNumbers;
}

/** number with number or bigint with bigint. */
function compareNumbers(a: SqlValue, b: SqlValue): number {
  if ((typeof a === 'number' && typeof b === 'number') || (typeof a === 'bigint' && typeof b === 'bigint')) {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  throw new TypeError('two numbers of one kind were expected');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareDates(a: DateTimeValue, b: DateTimeValue): number {
  return a.days - b.days || (a.ticks < b.ticks ? -1 : a.ticks > b.ticks ? 1 : 0);
}

/** The shorter is padded with zero bytes. */
function compareBytes(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  const order = a.subarray(0, length).compare(b.subarray(0, length));
  if (order !== 0 || a.length === b.length) {
    return order;
  }
  const longer = a.length > b.length ? a : b;
  const rest = longer.subarray(length).some((byte) => byte !== 0);
  return rest ? (longer === a ? 1 : -1) : 0;
}

/** The last six bytes count first, then the groups before them, each as it is stored. Source: .NET's SqlGuid, its order of bytes. */
function guidOrder(guid: string): string {
  const [a = '', b = '', c = '', d = '', e = ''] = guid.split('-');
  return e + d + swapped(c) + swapped(b) + swapped(a);
}

function swapped(hex: string): string {
  let text = '';
  for (let at = hex.length - 2; at >= 0; at -= 2) {
    text += hex.slice(at, at + 2);
  }
  return text;
}

function compareVariants(a: SqlValue, b: SqlValue): number {
  const left = asVariant(a);
  const right = asVariant(b);
  const type = commonType(left.type, right.type);
  return compareValues(convert(left.variant, left.type, type), convert(right.variant, right.type, type), type);
}
