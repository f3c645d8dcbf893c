/** Functions that move a moment to another offset, and AT TIME ZONE. */
import { SqlError } from '../session.ts';
import type { DateTimeValue, OffsetValue, SqlType, SqlValue } from '../sql-types.ts';
import { LAST_DAY, TICKS_PER_MINUTE, normalize } from './calendar.ts';
import type { CompiledExpression } from './compiled.ts';
import { coerce } from './compiled.ts';
import type { FunctionDefinition, FunctionTable } from './function-call.ts';
import { argument, defined, strict } from './function-call.ts';
import { DATETIME, INT, isCharacter, isDateTime } from './types.ts';
import { asDateTime, asOffset, asText } from './values.ts';

type ScaledType = { readonly name: 'datetime2' | 'datetimeoffset'; readonly scale: number };

const DATETIME2: ScaledType = { name: 'datetime2', scale: 7 };
const OFFSET: ScaledType = { name: 'datetimeoffset', scale: 7 };

/** A text becomes `fallback`; a number becomes datetime; dates stay. */
export function dateArgument(source: CompiledExpression, fallback: SqlType): CompiledExpression {
  return source.untyped
    ? coerce(source, DATETIME)
    : isDateTime(source.type)
      ? source
      : coerce(source, isCharacter(source.type) ? fallback : DATETIME);
}

/** '+02:00' or minutes. @throws SqlError 9812 */
function parseOffset(value: SqlValue): number {
  const match = typeof value === 'number' ? null : /^([+-])(\d{1,2}):(\d{2})$/.exec(asText(value).trim());
  const minutes =
    typeof value === 'number'
      ? value
      : match === null
        ? Number.NaN
        : (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
  // Fourteen hours either way.
  if (Math.abs(minutes) <= 840) {
    return minutes;
  }
  throw new SqlError(9812, 'The timezone provided to builtin function switchoffset is invalid.');
}

function offsetFunction(apply: (value: SqlValue, minutes: number) => OffsetValue, source: ScaledType): FunctionDefinition {
  return defined(2, 2, (call) => {
    const zone = argument(call, 1);
    const minutes = isCharacter(zone.type) || zone.untyped ? zone : coerce(zone, INT);
    // The fraction has as many digits as the argument's.
    const given = argument(call, 0);
    const scale = 'scale' in given.type && isDateTime(given.type) ? given.type.scale : 7;
    const date = coerce(given, { ...source, scale });
    return strict({ ...OFFSET, scale }, [date, minutes], ([value = null, offset = null]) => apply(value, parseOffset(offset)));
  });
}

function fromLocal(value: DateTimeValue, offset: number): OffsetValue {
  const utc = normalize(value.days, value.ticks - BigInt(offset) * TICKS_PER_MINUTE);
  if (utc.days < 0 || utc.days > LAST_DAY) {
    throw new SqlError(517, "Adding a value to a 'datetimeoffset' column caused an overflow.");
  }
  return { ...utc, offset };
}

/** AT TIME ZONE knows 'UTC' only: other zones need tables that change. @throws SqlError 9820 */
export function compileAtTimeZone(operand: CompiledExpression, zone: CompiledExpression): CompiledExpression {
  const date = dateArgument(operand, DATETIME2);
  const scale = 'scale' in date.type ? date.type.scale : date.type.name === 'datetime' ? 3 : 0;
  return strict({ ...OFFSET, scale }, [date, zone], ([value = null, name = null]) => {
    if (asText(name).toUpperCase() !== 'UTC') {
      throw new SqlError(9820, `The time zone parameter '${asText(name)}' provided to AT TIME ZONE clause is invalid.`);
    }
    const at = asDateTime(value);
    return { days: at.days, ticks: at.ticks, offset: 0 };
  });
}

export const OFFSET_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['SWITCHOFFSET', offsetFunction((value, offset) => ({ days: asOffset(value).days, ticks: asOffset(value).ticks, offset }), OFFSET)],
  ['TODATETIMEOFFSET', offsetFunction((value, offset) => fromLocal(asDateTime(value), offset), DATETIME2)],
]);
