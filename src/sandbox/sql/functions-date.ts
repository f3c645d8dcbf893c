/** Functions of dates and times. The clock is the context's: one time for a whole statement. */
import { SqlError } from '../session.ts';
import type { DateTimeValue, SqlType, SqlValue } from '../sql-types.ts';
import {
  DAY_1753,
  DAY_1900,
  LAST_DAY,
  LAST_SMALL_DAY,
  TICKS_PER_DAY,
  TICKS_PER_MINUTE,
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  normalize,
  roundTicks,
  roundToDatetime,
  totalTicks,
  weekday,
} from './calendar.ts';
import type { CompiledExpression, Compiler } from './compiled.ts';
import { coerce, compiled } from './compiled.ts';
import type { EvalContext } from './context.ts';
import { compileConversion, convert } from './convert.ts';
import { arithmeticOverflow } from './convert-number.ts';
import { formatOffset } from './date-format.ts';
import { addPart, countParts, datePart, readPart } from './date-parts.ts';
import type { CallExpression } from './ast-expression.ts';
import { OFFSET_FUNCTIONS, dateArgument } from './functions-date-offset.ts';
import type { FunctionDefinition, FunctionTable } from './function-call.ts';
import { argument, argumentAs, defined, strict } from './function-call.ts';
import { BIGINT, DATETIME, INT, isCharacter, textType } from './types.ts';
import { asBigint, asDateTime, asNumber, asOffset, asText } from './values.ts';

type ScaledType = { readonly name: 'datetime2' | 'datetimeoffset'; readonly scale: number };

const DATETIME2: ScaledType = { name: 'datetime2', scale: 7 };
const OFFSET: ScaledType = { name: 'datetimeoffset', scale: 7 };
const DATE: SqlType = { name: 'date' };
const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

function localNow(ctx: EvalContext): DateTimeValue {
  const now = ctx.system.utcNow();
  return normalize(now.days, now.ticks + BigInt(ctx.system.offsetMinutes()) * TICKS_PER_MINUTE);
}

function clock(type: SqlType, read: (ctx: EvalContext) => SqlValue): FunctionDefinition {
  return defined(0, 0, () => compiled(type, read, { nullable: false }));
}

function rounded({ days, ticks }: DateTimeValue): DateTimeValue {
  return normalize(days, roundToDatetime(ticks));
}

/** Local time of any date value, with its offset. */
function local(value: SqlValue): DateTimeValue & { readonly offset: number } {
  const date = asDateTime(value);
  if ('offset' in date) {
    const { offset } = asOffset(date);
    return { ...normalize(date.days, date.ticks + BigInt(offset) * TICKS_PER_MINUTE), offset };
  }
  return { days: date.days, ticks: date.ticks, offset: 0 };
}

function compileDateAdd(name: string, args: readonly CompiledExpression[], option: string): CompiledExpression {
  const part = datePart(option, 'dateadd');
  const [count, source] = [args[0], args[1]];
  if (count === undefined || source === undefined) {
    throw wrongCount(name, 3);
  }
  const date = dateArgument(source, DATETIME);
  const { type } = date;
  const number = wholeNumber(coerce(count, INT, { explicit: true }));
  return strict(type, [number, date], ([many = null, value = null]) => {
    const utc = asDateTime(value);
    // Whole months move in local time, so that a datetimeoffset keeps its day.
    const offset = 'offset' in utc ? asOffset(utc).offset : null;
    const start = offset === null ? utc : local(utc);
    const moved = addPart(part, BigInt(asNumber(many)), start);
    const result = offset === null ? moved : normalize(moved.days, moved.ticks - BigInt(offset) * TICKS_PER_MINUTE);
    if (type.name !== 'time' && (result.days < firstDay(type) || result.days > lastDay(type))) {
      throw overflow(type);
    }
    if (type.name === 'time') {
      return { days: 0, ticks: result.ticks };
    }
    if (type.name === 'datetime' || type.name === 'smalldatetime') {
      return convert(result, DATETIME2, type);
    }
    const scaled: DateTimeValue =
      type.name === 'date'
        ? { days: result.days, ticks: 0n }
        : normalize(result.days, roundTicks(result.ticks, 'scale' in type ? type.scale : 7));
    return offset === null ? scaled : { ...scaled, offset };
  });
}

/** A number that is no int is told without its own type. Source: learn.microsoft.com, DATEADD, "number argument". */
function wholeNumber(number: CompiledExpression): CompiledExpression {
  return compiled(
    INT,
    (ctx) => {
      try {
        return number.evaluate(ctx);
      } catch (error) {
        throw error instanceof SqlError && error.number === 8115 ? arithmeticOverflow('expression', INT) : error;
      }
    },
    { nullable: number.nullable },
  );
}

function firstDay({ name }: SqlType): number {
  return name === 'datetime' ? DAY_1753 : name === 'smalldatetime' ? DAY_1900 : 0;
}

function lastDay({ name }: SqlType): number {
  return name === 'smalldatetime' ? LAST_SMALL_DAY : LAST_DAY;
}

function overflow({ name }: SqlType): SqlError {
  return new SqlError(517, `Adding a value to a '${name}' column caused an overflow.`);
}

function compileDateDiff(name: string, args: readonly CompiledExpression[], option: string, big: boolean): CompiledExpression {
  const part = datePart(option, name);
  const [first, second] = [args[0], args[1]];
  if (first === undefined || second === undefined) {
    throw wrongCount(name, 3);
  }
  const [from, to] = [dateArgument(first, OFFSET), dateArgument(second, OFFSET)];
  return strict(big ? BIGINT : INT, [from, to], ([a = null, b = null]) => {
    const count = countParts(part, asDateTime(a), asDateTime(b));
    if (big) {
      return count;
    }
    if (count > 2_147_483_647n || count < -2_147_483_648n) {
      throw new SqlError(
        535,
        'The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.',
      );
    }
    return Number(count);
  });
}

function compileDatePart(name: string, args: readonly CompiledExpression[], option: string, collation: string): CompiledExpression {
  const part = datePart(option, name);
  const [source] = args;
  if (source === undefined) {
    throw wrongCount(name, 2);
  }
  const date = dateArgument(source, OFFSET);
  if (name === 'datepart') {
    return strict(INT, [date], ([value = null], ctx) => {
      const at = local(value);
      return readPart(part, at, ctx.system.dateFirst(), at.offset);
    });
  }
  return strict(textType(true, 30, collation), [date], ([value = null], ctx) => {
    const at = local(value);
    const number = readPart(part, at, ctx.system.dateFirst(), at.offset);
    if (part === 'month') {
      return MONTHS[number - 1] ?? '';
    }
    return part === 'weekday' ? (DAYS[weekday(at.days)] ?? '') : part === 'tzoffset' ? formatOffset(number) : String(number);
  });
}

function wrongCount(name: string, count: number): SqlError {
  return new SqlError(174, `The ${name} function requires ${count} argument(s).`, { class: 15 });
}

/** Functions whose first argument is the name of a part: it is not compiled. null for any other function. */
export function compilePartFunction(call: CallExpression, compiler: Compiler): CompiledExpression | null {
  const name = call.name.name.toLowerCase();
  if (!['dateadd', 'datediff', 'datediff_big', 'datepart', 'datename', 'datetrunc', 'date_bucket'].includes(name)) {
    return null;
  }
  const [first, ...rest] = call.args;
  if (first === undefined) {
    throw wrongCount(name, name.startsWith('datepart') || name === 'datename' ? 2 : 3);
  }
  if (first.kind !== 'column' || first.qualifier.length > 0) {
    throw new SqlError(1023, `Invalid parameter 1 specified for ${name}.`, { class: 15 });
  }
  const args = rest.map((arg) => compiler.value(arg));
  switch (name) {
    case 'dateadd':
      return compileDateAdd(name, args, first.name);
    case 'datediff':
    case 'datediff_big':
      return compileDateDiff(name, args, first.name, name === 'datediff_big');
    case 'datetrunc':
      return compileTruncate(args, first.name);
    case 'date_bucket':
      return compileBucket(args, first.name);
    default:
      return compileDatePart(name, args, first.name, compiler.scope.collation);
  }
}

/** Ticks of the parts of a fixed length. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['week', 7n * TICKS_PER_DAY],
  ['day', TICKS_PER_DAY],
  ['hour', 60n * TICKS_PER_MINUTE],
  ['minute', TICKS_PER_MINUTE],
  ['second', 10_000_000n],
  ['millisecond', 10_000n],
]);
const MONTHS_OF: ReadonlyMap<string, bigint> = new Map([
  ['month', 1n],
  ['quarter', 3n],
  ['year', 12n],
]);

/**
 * DATE_BUCKET(part, number, date [, origin]): the start of the bucket, counted from 1900-01-01 or the origin. Source: learn.microsoft.com
 * "DATE_BUCKET (Transact-SQL)".
 * @throws SqlError 9834 for a width that is not positive
 */
function compileBucket(args: readonly CompiledExpression[], option: string): CompiledExpression {
  const part = datePart(option, 'date_bucket');
  const [count, source, from] = args;
  const unit = UNITS.get(part);
  const months = MONTHS_OF.get(part);
  if (count === undefined || source === undefined || args.length > 3) {
    throw new SqlError(189, 'The date_bucket function requires 3 to 4 arguments.', { class: 15 });
  }
  if (unit === undefined && months === undefined) {
    throw new SqlError(9810, `The datepart ${part} is not supported by date function date_bucket for data type ${source.type.name}.`);
  }
  const date = dateArgument(source, DATETIME2);
  const { type } = date;
  const start = from === undefined ? compiled(DATETIME2, () => ({ days: DAY_1900, ticks: 0n }), { nullable: false }) : coerce(from, type);
  return strict(type, [coerce(count, BIGINT), date, start], ([width = null, value = null, first = null]) => {
    const wide = asBigint(width);
    if (wide <= 0n) {
      throw new SqlError(9834, 'Invalid bucket width value passed to date_bucket function. Only positive values are allowed.');
    }
    const at = local(value);
    const origin = local(first);
    const zero = type.name === 'time' ? { days: 0, ticks: origin.ticks } : origin;
    const bucket =
      unit === undefined
        ? bucketOfMonths(at, zero, wide * (months ?? 1n))
        : normalize(0, floorTo(totalTicks(at) - totalTicks(zero), wide * unit) + totalTicks(zero));
    const given = asDateTime(value);
    return 'offset' in given
      ? { ...normalize(bucket.days, bucket.ticks - BigInt(at.offset) * TICKS_PER_MINUTE), offset: at.offset }
      : bucket;
  });
}

function floorTo(value: bigint, unit: bigint): bigint {
  const rest = value % unit;
  return value - rest - (rest < 0n ? unit : 0n);
}

function bucketOfMonths(at: DateTimeValue, origin: DateTimeValue, width: bigint): DateTimeValue {
  const passed = floorTo(countParts('month', origin, at), width);
  const start = addPart('month', passed, origin);
  return totalTicks(start) > totalTicks(at) ? addPart('month', passed - width, origin) : start;
}

/** Days since the beginning of the week that a part means; none for a day. */
function daysBefore(part: string, days: number, first: number): number {
  return part === 'week' ? (weekday(days) - first + 7) % 7 : part === 'iso_week' ? (weekday(days) + 6) % 7 : 0;
}

/** DATETRUNC(part, date). @throws SqlError 9810, 9837 */
function compileTruncate(args: readonly CompiledExpression[], option: string): CompiledExpression {
  const part = datePart(option, 'datetrunc');
  const [source] = args;
  if (source === undefined) {
    throw wrongCount('datetrunc', 2);
  }
  const date = dateArgument(source, DATETIME2);
  if (['weekday', 'nanosecond', 'tzoffset'].includes(part)) {
    throw new SqlError(9810, `The datepart ${part} is not supported by date function datetrunc for data type ${date.type.name}.`);
  }
  return strict(date.type, [date], ([value = null], ctx) => {
    const at = local(value);
    const { year, month } = civilFromDays(at.days);
    const units = new Map<string, bigint>([
      ['hour', 60n * TICKS_PER_MINUTE],
      ['minute', TICKS_PER_MINUTE],
      ['second', 10_000_000n],
      ['millisecond', 10_000n],
      ['microsecond', 10n],
    ]);
    const unit = units.get(part);
    const start: DateTimeValue =
      unit !== undefined
        ? { days: at.days, ticks: (at.ticks / unit) * unit }
        : part === 'year'
          ? { days: daysFromCivil(year, 1, 1), ticks: 0n }
          : part === 'quarter'
            ? { days: daysFromCivil(year, month - ((month - 1) % 3), 1), ticks: 0n }
            : part === 'month'
              ? { days: daysFromCivil(year, month, 1), ticks: 0n }
              : { days: at.days - daysBefore(part, at.days, ctx.system.dateFirst()), ticks: 0n };
    if (start.days < firstDay(date.type)) {
      throw new SqlError(
        9837,
        'An invalid date value was encountered: The date value is less than the minimum date value allowed for the data type.',
        { state: 3 },
      );
    }
    const original = asDateTime(value);
    return 'offset' in original
      ? { ...normalize(start.days, start.ticks - BigInt(at.offset) * TICKS_PER_MINUTE), offset: at.offset }
      : start;
  });
}

export const DATE_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['GETDATE', clock(DATETIME, (ctx) => rounded(localNow(ctx)))],
  ['CURRENT_TIMESTAMP', clock(DATETIME, (ctx) => rounded(localNow(ctx)))],
  ['GETUTCDATE', clock(DATETIME, (ctx) => rounded(ctx.system.utcNow()))],
  ['SYSDATETIME', clock(DATETIME2, localNow)],
  ['SYSUTCDATETIME', clock(DATETIME2, (ctx) => ctx.system.utcNow())],
  ['SYSDATETIMEOFFSET', clock(OFFSET, (ctx) => ({ ...ctx.system.utcNow(), offset: ctx.system.offsetMinutes() }))],
  ...(['year', 'month', 'day'] as const).map((part): [string, FunctionDefinition] => [
    part.toUpperCase(),
    defined(1, 1, (call) => strict(INT, [dateArgument(argument(call, 0), OFFSET)], ([value = null]) => readPart(part, local(value), 7, 0))),
  ]),
  [
    'EOMONTH',
    defined(1, 2, (call) => {
      const months = call.args.length > 1 ? argumentAs(call, 1, INT) : compiled(INT, () => 0, { nullable: false });
      return strict(DATE, [dateArgument(argument(call, 0), DATE), months], ([value = null, count = null]) => {
        const { year, month } = civilFromDays(addPart('month', BigInt(asNumber(count)), local(value)).days);
        return { days: daysFromCivil(year, month, daysInMonth(year, month)), ticks: 0n };
      });
    }),
  ],
  [
    'ISDATE',
    defined(1, 1, (call) => {
      const source = argument(call, 0);
      const test = compileConversion(
        isCharacter(source.type) ? source.type : textType(false, 8000, call.compiler.scope.collation),
        DATETIME,
      );
      const text = coerce(source, textType(false, 8000, call.compiler.scope.collation), { explicit: true });
      return compiled(INT, (ctx) => {
        const value = text.evaluate(ctx);
        if (value === null) {
          return 0;
        }
        try {
          test(value, ctx.system.dateFormat());
          return asText(value).trim() === '' ? 0 : 1;
        } catch (error) {
          if (error instanceof SqlError) {
            return 0;
          }
          throw error;
        }
      });
    }),
  ],
  ...OFFSET_FUNCTIONS,
]);
