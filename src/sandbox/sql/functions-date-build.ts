/** Dates and times made of numbers: DATEFROMPARTS and its kin. Source: learn.microsoft.com, "DATEFROMPARTS (Transact-SQL)" and the others. */
import { SqlError } from '../session.ts';
import type { DateTimeValue, OffsetValue, SqlType } from '../sql-types.ts';
import { TICKS_PER_MINUTE, daysFromCivil, isDate, normalize, roundToDatetime, ticksFromClock } from './calendar.ts';
import type { CompiledExpression } from './compiled.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { argumentAs, defined, strict } from './function-call.ts';
import { DATETIME, INT } from './types.ts';
import { asNumber } from './values.ts';

const DATE: SqlType = { name: 'date' };
const SMALL: SqlType = { name: 'smalldatetime' };

function numbers(call: FunctionCall, count: number): CompiledExpression[] {
  return Array.from({ length: count }, (_, index) => argumentAs(call, index, INT));
}

function fromParts(
  type: SqlType,
  name: string,
  count: number,
  build: (parts: readonly number[]) => DateTimeValue | OffsetValue | null,
): FunctionDefinition {
  return defined(count, count, (call) =>
    strict(type, numbers(call, count), (values) => {
      const built = build(values.map(asNumber));
      if (built === null) {
        throw new SqlError(289, `Cannot construct data type ${name}, some of the arguments have values which are not valid.`);
      }
      return built;
    }),
  );
}

function civil(parts: readonly number[]): DateTimeValue | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (!isDate(year, month, day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
    return null;
  }
  return { days: daysFromCivil(year, month, day), ticks: ticksFromClock(hour, minute, second, 0) };
}

/** 100 ns ticks of a fraction counted in units of 10^-digits s; null when it is not below a second. */
function fractionTicks(fraction: number, digits: number): bigint | null {
  return fraction < 0 || fraction >= 10 ** digits ? null : BigInt(fraction) * 10n ** BigInt(7 - digits);
}

/** The scale, which must be a literal: it decides the type. @throws SqlError 10760 */
function scaleArgument(call: FunctionCall, index: number): number {
  const scale = call.expression.args[index];
  if (scale?.kind !== 'literal' || scale.literal !== 'integer' || Number(scale.text) > 7) {
    throw new SqlError(
      10_760,
      'Scale argument is not valid. Valid expressions for data type scale argument are integer constants and integer constant expressions.',
      {
        class: 16,
      },
    );
  }
  return Number(scale.text);
}

/** A type whose scale is the last argument. */
function scaled(
  name: 'time' | 'datetime2' | 'datetimeoffset',
  count: number,
  build: (parts: readonly number[], digits: number) => DateTimeValue | OffsetValue | null,
): FunctionDefinition {
  return defined(count, count, (call) => {
    const digits = scaleArgument(call, count - 1);
    return fromParts({ name, scale: digits }, name, count, (parts) => build(parts, digits)).compile(call);
  });
}

function clockOf(hour: number, minute: number, second: number, fraction: bigint | null): bigint | null {
  const valid = hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59;
  return valid && fraction !== null ? ticksFromClock(hour, minute, second, 0) + fraction : null;
}

export const DATE_BUILDERS: FunctionTable = new Map<string, FunctionDefinition>([
  ['DATEFROMPARTS', fromParts(DATE, 'date', 3, civil)],
  [
    'DATETIMEFROMPARTS',
    fromParts(DATETIME, 'datetime', 7, (parts) => {
      const base = civil(parts);
      const millis = fractionTicks(parts[6] ?? 0, 3);
      return base === null || millis === null ? null : normalize(base.days, roundToDatetime(base.ticks + millis));
    }),
  ],
  ['SMALLDATETIMEFROMPARTS', fromParts(SMALL, 'smalldatetime', 5, civil)],
  [
    'DATETIME2FROMPARTS',
    scaled('datetime2', 8, (parts, digits) => {
      const base = civil(parts);
      const fraction = fractionTicks(parts[6] ?? 0, digits);
      return base === null || fraction === null ? null : { days: base.days, ticks: base.ticks + fraction };
    }),
  ],
  [
    'TIMEFROMPARTS',
    scaled('time', 5, ([hour = 0, minute = 0, second = 0, fraction = 0], digits) => {
      const ticks = clockOf(hour, minute, second, fractionTicks(fraction, digits));
      return ticks === null ? null : { days: 0, ticks };
    }),
  ],
  [
    'DATETIMEOFFSETFROMPARTS',
    scaled('datetimeoffset', 10, (parts, digits) => {
      const base = civil(parts);
      const fraction = fractionTicks(parts[6] ?? 0, digits);
      const [hours = 0, minutes = 0] = parts.slice(7);
      const offset = hours * 60 + minutes;
      if (base === null || fraction === null || Math.abs(offset) > 14 * 60 || Math.abs(minutes) > 59 || hours * minutes < 0) {
        return null;
      }
      return { ...normalize(base.days, base.ticks + fraction - BigInt(offset) * TICKS_PER_MINUTE), offset };
    }),
  ],
]);
