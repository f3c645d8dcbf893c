/** Mathematical functions. Exact numbers stay exact: ROUND, CEILING, FLOOR and ABS of decimals never meet a float. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { compiled } from './compiled.ts';
import type { CompiledExpression } from './compiled.ts';
import { coerce } from './compiled.ts';
import { arithmeticOverflow, inRange } from './convert-number.ts';
import { divideRounded, fitsPrecision, powerOfTen } from './decimal.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { argument, argumentAs, defined, refuseArgument, strict } from './function-call.ts';
import { FLOAT, INT, decimalType, isCharacter, isDecimal, isFloat, isInteger, isMoney, isNumber } from './types.ts';
import { asBigint, asNumber } from './values.ts';

/** The argument as a number: bit, char and the rest become float. */
function numericArgument(call: FunctionCall, index: number): CompiledExpression {
  const source = argument(call, index);
  if (isCharacter(source.type) || source.type.name === 'bit') {
    return coerce(source, FLOAT);
  }
  if (!isNumber(source.type)) {
    return refuseArgument(call, index);
  }
  return source.type.name === 'tinyint' || source.type.name === 'smallint' ? coerce(source, INT) : source;
}

/** A function of a float. @throws SqlError 3623 when there is no value. */
function floatFunction(apply: (value: number) => number): FunctionDefinition {
  return defined(1, 1, (call) => strict(FLOAT, [argumentAs(call, 0, FLOAT)], ([value]) => finite(apply(asNumber(value ?? null)))));
}

function finite(value: number): number {
  if (!Number.isFinite(value)) {
    throw new SqlError(3623, 'An invalid floating point operation occurred.');
  }
  return value;
}

function scaleOf(type: SqlType): number {
  return isDecimal(type) ? type.scale : isMoney(type) ? 4 : 0;
}

function checked(value: bigint, type: SqlType): bigint {
  if (isDecimal(type) ? !fitsPrecision(value, type.precision) : !inRange(value, type)) {
    throw arithmeticOverflow('expression', type);
  }
  return value;
}

/** The same function for floats and for unscaled bigints; ints pass as bigints. */
function numberFunction(
  resultType: (type: SqlType) => SqlType,
  float: (value: number) => number,
  exact: (value: bigint, scale: number) => bigint,
): FunctionDefinition {
  return defined(1, 1, (call) => {
    const source = numericArgument(call, 0);
    const type = resultType(source.type);
    const scale = scaleOf(source.type);
    return strict(type, [source], ([value = null]) => {
      if (isFloat(source.type)) {
        return float(asNumber(value));
      }
      return typeof value === 'number' ? Number(checked(exact(BigInt(value), 0), type)) : checked(exact(asBigint(value), scale), type);
    });
  });
}

function whole(type: SqlType): SqlType {
  return isDecimal(type) ? decimalType(type.precision, 0) : type;
}

/** Floor of an unscaled number. money keeps its scale, decimals lose it. */
function floorExact(value: bigint, scale: number): bigint {
  const unit = powerOfTen(scale);
  const quotient = value / unit;
  return value < 0n && value % unit !== 0n ? quotient - 1n : quotient;
}

function integral(name: 'floor' | 'ceiling'): FunctionDefinition {
  const exact = (value: bigint, scale: number): bigint => (name === 'floor' ? floorExact(value, scale) : -floorExact(-value, scale));
  return defined(1, 1, (call) => {
    const source = numericArgument(call, 0);
    if (isMoney(source.type)) {
      return strict(source.type, [source], ([value = null]) => exact(asBigint(value), 4) * 10_000n);
    }
    return numberFunction(whole, name === 'floor' ? Math.floor : Math.ceil, exact).compile(call);
  });
}

/** ROUND(x, digits [, truncate]): the type stays, so the digits after the rounded ones are zeros. */
function compileRound(call: FunctionCall): CompiledExpression {
  const source = numericArgument(call, 0);
  const { type } = source;
  const scale = scaleOf(type);
  const mode = call.args.length > 2 ? argumentAs(call, 2, INT) : compiled(INT, () => 0, { nullable: false });
  return strict(type, [source, argumentAs(call, 1, INT), mode], ([value = null, places = null, cut = null]): SqlValue => {
    const digits = asNumber(places);
    const truncate = asNumber(cut) !== 0;
    if (isFloat(type)) {
      const factor = 10 ** digits;
      const scaled = asNumber(value) * factor;
      const rounded = truncate ? Math.trunc(scaled) : Math.sign(scaled) * Math.round(Math.abs(scaled));
      return Number.isFinite(rounded) ? rounded / factor : asNumber(value);
    }
    const exact = typeof value === 'number' ? BigInt(value) : asBigint(value);
    if (digits >= scale) {
      return value;
    }
    const unit = powerOfTen(scale - digits);
    const rounded = checked((truncate ? exact / unit : divideRounded(exact, unit)) * unit, type);
    return typeof value === 'number' ? Number(rounded) : rounded;
  });
}

/** POWER keeps the type of its first argument. */
function compilePower(call: FunctionCall): CompiledExpression {
  const base = numericArgument(call, 0);
  const type: SqlType = isDecimal(base.type) ? decimalType(38, base.type.scale) : base.type;
  const power = strict(FLOAT, [coerce(base, FLOAT), argumentAs(call, 1, FLOAT)], ([x = null, y = null]) =>
    finite(asNumber(x) ** asNumber(y)),
  );
  if (isInteger(type)) {
    // Exact beyond 2^53.
    return strict(type, [base, argumentAs(call, 1, FLOAT)], ([x = null, y = null]) => {
      const exponent = asNumber(y);
      const number = typeof x === 'number' ? BigInt(x) : asBigint(x);
      const value =
        exponent >= 0 && exponent <= 1024 && Number.isInteger(exponent)
          ? number ** BigInt(exponent)
          : BigInt(Math.trunc(finite(Number(number) ** exponent)));
      return type.name === 'bigint' ? checked(value, type) : Number(checked(value, type));
    });
  }
  return coerce(power, type);
}

/** DEGREES and RADIANS give the type that they take, so that RADIANS(180) is 3. */
function angle(convert: (value: number) => number): FunctionDefinition {
  return defined(1, 1, (call) => {
    const source = numericArgument(call, 0);
    const type: SqlType = isDecimal(source.type) ? decimalType(38, Math.max(source.type.scale, 18)) : source.type;
    const float = strict(FLOAT, [coerce(source, FLOAT)], ([value = null]) => finite(convert(asNumber(value))));
    return isFloat(type) ? float : coerce(float, type);
  });
}

export const MATH_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  [
    'ABS',
    numberFunction(
      (type) => type,
      Math.abs,
      (value) => (value < 0n ? -value : value),
    ),
  ],
  [
    'SIGN',
    numberFunction(
      (type) => type,
      Math.sign,
      (value, scale) => (value < 0n ? -1n : value > 0n ? 1n : 0n) * powerOfTen(scale),
    ),
  ],
  ['FLOOR', integral('floor')],
  ['CEILING', integral('ceiling')],
  ['ROUND', defined(2, 3, compileRound)],
  ['POWER', defined(2, 2, compilePower)],
  ['SQRT', floatFunction(Math.sqrt)],
  ['SQUARE', floatFunction((value) => value * value)],
  ['EXP', floatFunction(Math.exp)],
  ['LOG10', floatFunction(Math.log10)],
  ['SIN', floatFunction(Math.sin)],
  ['COS', floatFunction(Math.cos)],
  ['TAN', floatFunction(Math.tan)],
  ['ASIN', floatFunction(Math.asin)],
  ['ACOS', floatFunction(Math.acos)],
  ['ATAN', floatFunction(Math.atan)],
  ['COT', floatFunction((value) => 1 / Math.tan(value))],
  [
    'ATN2',
    defined(2, 2, (call) =>
      strict(FLOAT, [argumentAs(call, 0, FLOAT), argumentAs(call, 1, FLOAT)], ([y = null, x = null]) =>
        Math.atan2(asNumber(y), asNumber(x)),
      ),
    ),
  ],
  ['DEGREES', angle((value) => (value * 180) / Math.PI)],
  ['RADIANS', angle((value) => (value * Math.PI) / 180)],
  [
    'LOG',
    defined(1, 2, (call) =>
      call.args.length === 1
        ? strict(FLOAT, [argumentAs(call, 0, FLOAT)], ([value = null]) => finite(Math.log(asNumber(value))))
        : strict(FLOAT, [argumentAs(call, 0, FLOAT), argumentAs(call, 1, FLOAT)], ([value = null, base = null]) =>
            finite(Math.log(asNumber(value)) / Math.log(asNumber(base))),
          ),
    ),
  ],
  ['PI', defined(0, 0, () => compiled(FLOAT, () => Math.PI, { nullable: false }))],
  [
    'RAND',
    defined(0, 1, (call) => {
      const seed = call.args.length > 0 ? argumentAs(call, 0, INT) : null;
      return compiled(
        FLOAT,
        (ctx) => {
          const value = seed === null ? null : seed.evaluate(ctx);
          return ctx.system.random(value === null ? null : asNumber(value));
        },
        { nullable: false },
      );
    }),
  ],
]);
