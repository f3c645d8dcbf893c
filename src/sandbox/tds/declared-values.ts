/**
 * A sent value as its declared type has it: cut or padded text, rescaled decimals, wider integers. Only conversions inside a family are
 * made here; between families (text to date and the like) the value keeps the type that it was sent with and the language converts it.
 */
import { SqlError } from '../session.ts';
import type { DateTimeValue, SqlType, SqlValue } from '../sql-types.ts';

/** A value with its type. */
export interface TypedValue {
  readonly type: SqlType;
  readonly value: SqlValue;
}

const INTEGER_LIMITS: ReadonlyMap<string, bigint> = new Map([
  ['tinyint', 8n],
  ['smallint', 16n],
  ['int', 32n],
  ['bigint', 64n],
]);

/** Brings a sent value to its declared type. @throws SqlError 8114 when it does not fit. */
export function asDeclared(sent: TypedValue, declared: SqlType | null): TypedValue {
  if (declared === null) {
    return sent;
  }
  if (sent.value === null) {
    return { type: declared, value: null };
  }
  const value = convert(sent, declared);
  return value === undefined ? sent : { type: declared, value };
}

function convert({ type, value }: TypedValue, declared: SqlType): SqlValue | undefined {
  switch (declared.name) {
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return INTEGER_LIMITS.has(type.name) ? toInteger(BigInt(value as number | bigint), type, declared) : undefined;
    case 'decimal':
    case 'numeric':
      return toDecimal({ type, value }, declared);
    case 'float':
    case 'real':
      return typeof value === 'number' ? (declared.name === 'real' ? Math.fround(value) : value) : undefined;
    case 'char':
    case 'nchar':
    case 'varchar':
    case 'nvarchar':
      return isText(type) ? fitText(value as string, declared.length, declared.name.endsWith('varchar')) : undefined;
    case 'text':
    case 'ntext':
      return isText(type) ? value : undefined;
    case 'binary':
    case 'varbinary':
      return Buffer.isBuffer(value) ? fitBinary(value, declared.length, declared.name === 'varbinary') : undefined;
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return type.name === declared.name ? roundTicks(value as DateTimeValue, declared.scale, declared.name === 'time') : undefined;
    case 'bit':
    case 'money':
    case 'smallmoney':
    case 'date':
    case 'datetime':
    case 'smalldatetime':
    case 'uniqueidentifier':
    case 'xml':
    case 'image':
    case 'rowversion':
    case 'sql_variant':
      return type.name === declared.name ? value : undefined;
    default:
      return declared satisfies never;
  }
}

function isText(type: SqlType): boolean {
  return type.name.endsWith('char') || type.name.endsWith('text');
}

function overflow(from: SqlType, to: SqlType): SqlError {
  return new SqlError(8114, `Error converting data type ${from.name} to ${to.name}.`, { state: 5 });
}

function toInteger(value: bigint, from: SqlType, to: SqlType): number | bigint {
  const bits = INTEGER_LIMITS.get(to.name) ?? 64n;
  const low = to.name === 'tinyint' ? 0n : -(1n << (bits - 1n));
  const high = to.name === 'tinyint' ? 255n : (1n << (bits - 1n)) - 1n;
  if (value < low || value > high) {
    throw overflow(from, to);
  }
  return to.name === 'bigint' ? value : Number(value);
}

function toDecimal(
  { type, value }: TypedValue,
  declared: SqlType & { readonly precision: number; readonly scale: number },
): bigint | undefined {
  const from = scaleOf(type);
  if (from === null) {
    return undefined;
  }
  const unscaled = rescale(BigInt(value as number | bigint), from, declared.scale);
  const limit = 10n ** BigInt(declared.precision);
  if (unscaled >= limit || unscaled <= -limit) {
    throw overflow(type, declared);
  }
  return unscaled;
}

function scaleOf(type: SqlType): number | null {
  if (INTEGER_LIMITS.has(type.name)) {
    return 0;
  }
  if (type.name === 'money' || type.name === 'smallmoney') {
    return 4;
  }
  return type.name === 'decimal' || type.name === 'numeric' ? type.scale : null;
}

/** Half goes away from zero, as SQL Server rounds. */
function rescale(value: bigint, from: number, to: number): bigint {
  if (to >= from) {
    return value * 10n ** BigInt(to - from);
  }
  const divisor = 10n ** BigInt(from - to);
  const half = divisor / 2n;
  return (value + (value < 0n ? -half : half)) / divisor;
}

function fitText(value: string, length: number | 'max', varying: boolean): string {
  if (length === 'max') {
    return value;
  }
  const cut = value.slice(0, length);
  return varying ? cut : cut.padEnd(length, ' ');
}

function fitBinary(value: Buffer, length: number | 'max', varying: boolean): Buffer {
  if (length === 'max') {
    return value;
  }
  const cut = value.subarray(0, length);
  return varying || cut.length === length ? cut : Buffer.concat([cut, Buffer.alloc(length - cut.length)]);
}

const TICKS_OF_DAY = 864_000_000_000n;

function roundTicks<T extends DateTimeValue>(value: T, scale: number, onlyTime: boolean): T {
  const step = 10n ** BigInt(7 - scale);
  const ticks = ((value.ticks + step / 2n) / step) * step;
  if (ticks < TICKS_OF_DAY) {
    return { ...value, ticks };
  }
  return { ...value, ticks: ticks - TICKS_OF_DAY, days: onlyTime ? 0 : value.days + 1 };
}
