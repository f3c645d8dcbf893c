/** Conversions to numbers. Exact numbers go through bigints; what is cut and what is rounded follows SQL Server's table. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlTypeName, SqlValue } from '../sql-types.ts';
import { DAY_1900, TICKS_PER_DAY } from './calendar.ts';
import { decimalToNumber, fitsPrecision, numberToDecimal, parseDecimal, rescale, truncateScale } from './decimal.ts';
import type { DecimalType } from './types.ts';
import { isBinary, isCharacter, isDateTime, isDecimal, isFloat, isInteger, isMoney } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asBigint, asBoolean, asBytes, asDateTime, asNumber, asText, integerOf } from './values.ts';

type Value = Exclude<SqlValue, null>;
type Converter = (value: Value) => SqlValue;

const LIMITS: ReadonlyMap<string, readonly [bigint, bigint]> = new Map([
  ['tinyint', [0n, 255n]],
  ['smallint', [-32_768n, 32_767n]],
  ['int', [-2_147_483_648n, 2_147_483_647n]],
  ['bigint', [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n]],
  ['smallmoney', [-2_147_483_648n, 2_147_483_647n]],
  ['money', [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n]],
]);

/** From narrow to wide. */
const WIDTHS: readonly SqlTypeName[] = ['tinyint', 'smallint', 'int', 'bigint'];

/** Whether a value is within the range of an integer or money type. */
export function inRange(value: bigint, type: SqlType): boolean {
  const [low, high] = LIMITS.get(type.name) ?? [0n, 0n];
  return value >= low && value <= high;
}

/** An exact number as unscaled bigint; only for the types that asDecimal() knows. */
export function exactReader(from: SqlType): { readonly scale: number; readonly read: (value: Value) => bigint } | null {
  if (isInteger(from) || from.name === 'bit') {
    return { scale: 0, read: integerOf };
  }
  if (isDecimal(from)) {
    return { scale: from.scale, read: asBigint };
  }
  return isMoney(from) ? { scale: 4, read: asBigint } : null;
}

export function arithmeticOverflow(what: string, type: SqlType): SqlError {
  return new SqlError(8115, `Arithmetic overflow error converting ${what} to data type ${shown(type)}.`, { state: 2 });
}

/** decimal is called numeric in messages. */
export function shown(type: SqlType): string {
  return type.name === 'decimal' ? 'numeric' : type.name === 'rowversion' ? 'timestamp' : type.name;
}

export function toBit(from: SqlType): Converter {
  const exact = exactReader(from);
  if (exact !== null) {
    return (value) => exact.read(value) !== 0n;
  }
  if (isFloat(from)) {
    return (value) => asNumber(value) !== 0;
  }
  if (isBinary(from)) {
    return (value) => asBytes(value).at(-1) !== undefined && asBytes(value).some((byte) => byte !== 0);
  }
  if (isDateTime(from)) {
    return (value) => datetimeDays(value) !== 0;
  }
  return (value) => {
    const text = asText(value).trim().toLowerCase();
    if (text === 'true' || text === 'false') {
      return text === 'true';
    }
    if (!/^[+-]?\d*$/.test(text)) {
      throw new SqlError(245, `Conversion failed when converting the ${from.name} value '${asText(value)}' to data type bit.`);
    }
    return /[1-9]/.test(text);
  };
}

export function toInteger(from: SqlType, to: SqlType): Converter {
  const wide = to.name === 'bigint';
  const finish = (value: bigint): SqlValue => (wide ? value : Number(value));
  if (WIDTHS.indexOf(from.name) >= 0 && WIDTHS.indexOf(from.name) <= WIDTHS.indexOf(to.name)) {
    // Every value fits: the way of most comparisons.
    return wide && from.name !== 'bigint' ? (value) => BigInt(asNumber(value)) : (value) => value;
  }
  if (isInteger(from) || from.name === 'bit') {
    return (value) => {
      const number = integerOf(value);
      if (!inRange(number, to)) {
        throw from.name === 'bigint' || to.name === 'int'
          ? arithmeticOverflow('expression', to)
          : new SqlError(220, `Arithmetic overflow error for data type ${to.name}, value = ${number}.`, {
              state: to.name === 'tinyint' ? 2 : 1,
            });
      }
      return finish(number);
    };
  }
  const exact = exactReader(from);
  if (exact !== null) {
    // decimal is cut, money is rounded.
    const shift = isMoney(from) ? rescale : truncateScale;
    return (value) => {
      const number = shift(exact.read(value), exact.scale, 0);
      if (!inRange(number, to)) {
        throw arithmeticOverflow(isMoney(from) ? 'expression' : 'numeric', to);
      }
      return finish(number);
    };
  }
  if (isFloat(from)) {
    return (value) => {
      const whole = Math.trunc(asNumber(value));
      if (!Number.isFinite(whole) || !inRange(BigInt(whole), to)) {
        throw wide
          ? arithmeticOverflow('expression', to)
          : new SqlError(232, `Arithmetic overflow error for type ${to.name}, value = ${asNumber(value).toFixed(6)}.`, { state: 3 });
      }
      return finish(BigInt(whole));
    };
  }
  if (isBinary(from)) {
    const bytes = to.name === 'tinyint' ? 1 : to.name === 'smallint' ? 2 : to.name === 'int' ? 4 : 8;
    return (value) => finish(bigEndian(asBytes(value), bytes, to.name !== 'tinyint'));
  }
  if (isDateTime(from)) {
    return (value) => {
      const days = BigInt(Math.round(datetimeDays(value)));
      return inRange(days, to) ? finish(days) : fail(arithmeticOverflow('expression', to));
    };
  }
  return (value) => finish(integerFromText(asText(value), from, to));
}

function fail(error: SqlError): never {
  throw error;
}

function integerFromText(text: string, from: SqlType, to: SqlType): bigint {
  const trimmed = text.trim();
  if (!/^[+-]?\s*\d+$/.test(trimmed) && trimmed !== '') {
    throw to.name === 'bigint'
      ? new SqlError(8114, `Error converting data type ${from.name} to bigint.`, { state: 5 })
      : new SqlError(245, `Conversion failed when converting the ${from.name} value '${text}' to data type ${to.name}.`);
  }
  const number = trimmed === '' ? 0n : signed(trimmed);
  if (!inRange(number, to)) {
    if (to.name === 'bigint') {
      throw arithmeticOverflow('expression', to);
    }
    if (to.name === 'int') {
      throw new SqlError(248, `The conversion of the ${from.name} value '${text}' overflowed an int column.`);
    }
    const column = to.name === 'tinyint' ? 'INT1' : 'INT2';
    throw new SqlError(
      244,
      `The conversion of the ${from.name} value '${text}' overflowed an ${column} column. Use a larger integer column.`,
      {
        state: to.name === 'tinyint' ? 1 : 2,
      },
    );
  }
  return number;
}

function signed(text: string): bigint {
  const digits = BigInt(text.replace(/^[+-]\s*/, ''));
  return text.startsWith('-') ? -digits : digits;
}

/** The last bytes of a binary as a number. */
function bigEndian(bytes: Buffer, size: number, isSigned: boolean): bigint {
  const tail = bytes.subarray(Math.max(0, bytes.length - size));
  const number = tail.length === 0 ? 0n : BigInt(`0x${tail.toString('hex')}`);
  return isSigned ? BigInt.asIntN(size * 8, number) : number;
}

/** datetime as days since 1900, with a fraction. */
function datetimeDays(value: Value): number {
  const { days, ticks } = asDateTime(value);
  return days - DAY_1900 + Number(ticks) / Number(TICKS_PER_DAY);
}

export function toDecimal(from: SqlType, to: DecimalType): Converter {
  const { precision, scale } = to;
  const check = (value: bigint, what: string): bigint => {
    if (!fitsPrecision(value, precision)) {
      throw new SqlError(8115, `Arithmetic overflow error converting ${what} to data type numeric.`, { state: 8 });
    }
    return value;
  };
  const exact = exactReader(from);
  if (exact !== null) {
    const what = shown(from);
    return (value) => check(rescale(exact.read(value), exact.scale, scale), what);
  }
  if (isFloat(from) || isDateTime(from)) {
    const read = isFloat(from) ? asNumber : datetimeDays;
    return (value) => {
      const number = read(value);
      if (Math.abs(number) >= 1e39) {
        throw new SqlError(8115, 'Arithmetic overflow error converting float to data type numeric.', { state: 6 });
      }
      return check(numberToDecimal(number, scale), 'float');
    };
  }
  if (isBinary(from)) {
    throw new UnsupportedError(`conversion from ${from.name} to ${to.name}`);
  }
  return (value) => {
    const text = asText(value).trim();
    const parsed = /[eE]/.test(text) ? null : parseDecimal(text);
    if (parsed === null) {
      throw new SqlError(8114, `Error converting data type ${from.name} to numeric.`, { state: 5 });
    }
    return check(rescale(parsed.value, parsed.scale, scale), from.name);
  };
}

export function toMoney(from: SqlType, to: SqlType): Converter {
  const check = (value: bigint, what: string): bigint => (inRange(value, to) ? value : fail(arithmeticOverflow(what, to)));
  const exact = exactReader(from);
  if (exact !== null) {
    return (value) => check(rescale(exact.read(value), exact.scale, 4), isDecimal(from) ? 'numeric' : 'expression');
  }
  if (isFloat(from) || isDateTime(from)) {
    const read = isFloat(from) ? asNumber : datetimeDays;
    return (value) =>
      Math.abs(read(value)) < 1e16 ? check(numberToDecimal(read(value), 4), 'expression') : fail(arithmeticOverflow('expression', to));
  }
  if (isBinary(from)) {
    return (value) => bigEndian(asBytes(value), to.name === 'money' ? 8 : 4, true);
  }
  return (value) => {
    const text = asText(value).trim();
    const bare = text.replace(/^([+-]?)\s*[$£€¥]?\s*/, '$1').replaceAll(',', '');
    const parsed = bare === '' ? { value: 0n, scale: 0 } : /[eE]/.test(bare) ? null : parseDecimal(bare);
    if (parsed === null) {
      throw new SqlError(
        235,
        `Cannot convert a ${isCharacter(from) && from.name.startsWith('n') ? 'nchar' : 'char'} value to money. The ${isCharacter(from) && from.name.startsWith('n') ? 'nchar' : 'char'} value has incorrect syntax.`,
        { state: 0 },
      );
    }
    return check(rescale(parsed.value, parsed.scale, 4), 'expression');
  };
}

export function toFloat(from: SqlType, to: SqlType): Converter {
  const finish = (value: number): number => {
    const number = to.name === 'real' ? Math.fround(value) : value;
    return Number.isFinite(number) ? number : fail(arithmeticOverflow('expression', to));
  };
  const exact = exactReader(from);
  if (exact !== null) {
    return (value) => (typeof value === 'number' ? finish(value) : finish(decimalToNumber(exact.read(value), exact.scale)));
  }
  if (isFloat(from)) {
    return (value) => finish(asNumber(value));
  }
  if (isDateTime(from)) {
    return (value) => finish(datetimeDays(value));
  }
  if (from.name === 'bit') {
    return (value) => (asBoolean(value) ? 1 : 0);
  }
  return (value) => {
    const text = asText(value).trim();
    if (text !== '' && !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?$/.test(text)) {
      throw new SqlError(8114, `Error converting data type ${from.name} to ${to.name}.`, { state: 5 });
    }
    return finish(Number(text.replace(/[dD]/, 'e')));
  };
}
