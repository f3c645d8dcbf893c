/** Compiles + - * / % & | ^ and the signs: which type an operator works in, exact arithmetic in it, SQL Server's overflows. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { BinaryOperator } from './ast-expression.ts';
import { DAY_1900, normalize } from './calendar.ts';
import { meetCollations } from './collation.ts';
import type { CompiledExpression } from './compiled.ts';
import { coerce, collationOfExpression, compiled, decimalOf } from './compiled.ts';
import type { EvalContext } from './context.ts';
import { arithmeticOverflow, exactReader, inRange } from './convert-number.ts';
import { divideRounded, fitsPrecision, powerOfTen, rescale } from './decimal.ts';
import {
  DATETIME,
  FLOAT,
  INT,
  commonType,
  decimalResult,
  isBinary,
  isCharacter,
  isDateTime,
  isDecimal,
  isFloat,
  isInteger,
  isMoney,
  isNational,
  isNumber,
  precedence,
  textType,
} from './types.ts';
import { asBigint, asBoolean, asBytes, asDateTime, asNumber, asText, integerOf } from './values.ts';

const NAMES: Readonly<Record<BinaryOperator, string>> = {
  '+': 'add',
  '-': 'subtract',
  '*': 'multiply',
  '/': 'divide',
  '%': 'modulo',
  '&': "'&'",
  '|': "'|'",
  '^': "'^'",
};

type Evaluate = (ctx: EvalContext) => SqlValue;

function divideByZero(): SqlError {
  return new SqlError(8134, 'Divide by zero error encountered.');
}

/** @throws SqlError 402, 8117, 206 when the operator does not take these types. */
export function compileBinary(operator: BinaryOperator, first: CompiledExpression, second: CompiledExpression): CompiledExpression {
  const left = first.untyped && !second.untyped ? coerce(first, second.type) : first;
  const right = second.untyped && !first.untyped ? coerce(second, first.type) : second;
  if (isCharacter(left.type) && isCharacter(right.type)) {
    const joined = operator === '+' && 'length' in left.type && 'length' in right.type;
    return joined ? concatenate(left, right) : incompatible(operator, left, right);
  }
  if (operator === '&' || operator === '|' || operator === '^') {
    return bitwise(operator, left, right);
  }
  if (isBinary(left.type) && isBinary(right.type)) {
    return operator === '+' ? concatenateBytes(left, right) : incompatible(operator, left, right);
  }
  for (const { type } of [left, right]) {
    if (
      type.name === 'uniqueidentifier' ||
      type.name === 'xml' ||
      type.name === 'text' ||
      type.name === 'ntext' ||
      type.name === 'image' ||
      type.name === 'sql_variant'
    ) {
      throw new SqlError(8117, `Operand data type ${type.name} is invalid for ${NAMES[operator]} operator.`);
    }
  }
  if (isDateTime(left.type) || isDateTime(right.type)) {
    return dateArithmetic(operator, left, right);
  }
  if (left.type.name === 'bit' && right.type.name === 'bit') {
    return incompatible(operator, left, right);
  }
  return numberArithmetic(operator, left, right);
}

function incompatible(operator: BinaryOperator, left: CompiledExpression, right: CompiledExpression): never {
  throw new SqlError(402, `The data types ${left.type.name} and ${right.type.name} are incompatible in the ${NAMES[operator]} operator.`);
}

function lift(left: Evaluate, right: Evaluate, apply: (a: Exclude<SqlValue, null>, b: Exclude<SqlValue, null>) => SqlValue): Evaluate {
  return (ctx) => {
    const a = left(ctx);
    const b = right(ctx);
    return a === null || b === null ? null : apply(a, b);
  };
}

/** Concatenation of two texts. NULL makes NULL. */
function concatenate(left: CompiledExpression, right: CompiledExpression): CompiledExpression {
  const national = isNational(left.type) || isNational(right.type);
  const a = collationOfExpression(left);
  const b = collationOfExpression(right);
  const met = a === null || b === null ? a : meetCollations(a, b, 'add');
  const type = concatenationType(left.type, right.type, national, met?.collation ?? '');
  const limit = 'length' in type && type.length !== 'max' ? type.length : Infinity;
  return compiled(
    type,
    lift(left.evaluate, right.evaluate, (x, y) => {
      const text = asText(x) + asText(y);
      return text.length > limit ? text.slice(0, limit) : text;
    }),
    { nullable: left.nullable || right.nullable, label: met?.label ?? 'default' },
  );
}

/** Only a (max) operand makes a (max) result: 8000 bytes are the limit otherwise. */
function concatenationType(left: SqlType, right: SqlType, national: boolean, collation: string): SqlType {
  const a = 'length' in left ? left.length : 'max';
  const b = 'length' in right ? right.length : 'max';
  return textType(national, a === 'max' || b === 'max' ? 'max' : Math.min(a + b, national ? 4000 : 8000), collation);
}

function concatenateBytes(left: CompiledExpression, right: CompiledExpression): CompiledExpression {
  const a = 'length' in left.type ? left.type.length : 8;
  const b = 'length' in right.type ? right.type.length : 8;
  const length = a === 'max' || b === 'max' ? 'max' : Math.min(a + b, 8000);
  return compiled(
    { name: 'varbinary', length },
    lift(left.evaluate, right.evaluate, (x, y) =>
      Buffer.concat([asBytes(x), asBytes(y)]).subarray(0, length === 'max' ? undefined : length),
    ),
    { nullable: left.nullable || right.nullable },
  );
}

function bitwise(operator: '&' | '|' | '^', left: CompiledExpression, right: CompiledExpression): CompiledExpression {
  const suits = ({ type }: CompiledExpression): boolean => isInteger(type) || type.name === 'bit' || isBinary(type) || isCharacter(type);
  const [wide, narrow] = precedence(left.type) >= precedence(right.type) ? [left, right] : [right, left];
  if (!suits(left) || !suits(right) || isBinary(wide.type) || isCharacter(wide.type)) {
    return incompatible(operator, left, right);
  }
  const { type } = wide;
  const a = coerce(left, type);
  const b = narrow === wide ? right : coerce(right, type);
  const combine = (x: bigint, y: bigint): bigint => (operator === '&' ? x & y : operator === '|' ? x | y : x ^ y);
  return compiled(
    type,
    lift(a.evaluate, b.evaluate, (x, y) => integerAs(combine(integerOf(x), integerOf(y)), type)),
    { nullable: left.nullable || right.nullable },
  );
}

function integerAs(value: bigint, type: SqlType): SqlValue {
  return type.name === 'bigint' ? value : type.name === 'bit' ? value !== 0n : Number(value);
}

/** datetime and smalldatetime take days as a number; the other types take no operators. */
function dateArithmetic(operator: BinaryOperator, left: CompiledExpression, right: CompiledExpression): CompiledExpression {
  for (const [{ type }, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (isDateTime(type) && type.name !== 'datetime' && type.name !== 'smalldatetime') {
      throw isDateTime(other.type)
        ? new SqlError(8117, `Operand data type ${type.name} is invalid for ${NAMES[operator]} operator.`)
        : new SqlError(206, `Operand type clash: ${type.name} is incompatible with ${other.type.name}`, { state: 2 });
    }
  }
  if (operator !== '+' && operator !== '-') {
    throw new SqlError(8117, `Operand data type datetime is invalid for ${NAMES[operator]} operator.`);
  }
  const type: SqlType = left.type.name === 'smalldatetime' && right.type.name !== 'datetime' ? left.type : DATETIME;
  const a = coerce(left, DATETIME);
  const b = coerce(right, DATETIME);
  const sum = compiled(
    DATETIME,
    lift(a.evaluate, b.evaluate, (x, y) => {
      const [p, q] = [asDateTime(x), asDateTime(y)];
      const value =
        operator === '+'
          ? normalize(p.days + q.days - DAY_1900, p.ticks + q.ticks)
          : normalize(p.days - q.days + DAY_1900, p.ticks - q.ticks);
      if (value.days < 0 || value.days > 3_652_058) {
        throw new SqlError(517, "Adding a value to a 'datetime' column caused an overflow.");
      }
      return value;
    }),
    { nullable: left.nullable || right.nullable },
  );
  return coerce(sum, type);
}

function numberArithmetic(operator: '+' | '-' | '*' | '/' | '%', left: CompiledExpression, right: CompiledExpression): CompiledExpression {
  const nullable = left.nullable || right.nullable;
  const type = numberType(left.type, right.type);
  if (isFloat(type)) {
    const [a, b] = [coerce(left, type), coerce(right, type)];
    const round = type.name === 'real' ? Math.fround : (value: number): number => value;
    return compiled(
      type,
      lift(a.evaluate, b.evaluate, (x, y) => floatOperation(operator, asNumber(x), asNumber(y), round, type)),
      { nullable },
    );
  }
  if (isDecimal(type)) {
    return decimalArithmetic(operator, exactOperand(left, type), exactOperand(right, type), nullable);
  }
  const [a, b] = [coerce(left, type), coerce(right, type)];
  if (isMoney(type)) {
    return compiled(
      type,
      lift(a.evaluate, b.evaluate, (x, y) => moneyOperation(operator, asBigint(x), asBigint(y), type)),
      { nullable },
    );
  }
  return compiled(type, integerEvaluate(operator, a.evaluate, b.evaluate, type), { nullable });
}

function numberType(left: SqlType, right: SqlType): SqlType {
  const strong = precedence(left) >= precedence(right) ? left : right;
  if (isFloat(strong) || isDecimal(strong) || isMoney(strong) || isInteger(strong)) {
    return strong;
  }
  return strong.name === 'bit' ? INT : isBinary(strong) || isCharacter(strong) ? INT : FLOAT;
}

/** A text beside a decimal becomes that decimal type. */
function exactOperand(operand: CompiledExpression, type: SqlType): CompiledExpression {
  return decimalOf(operand) === null ? coerce(operand, type) : operand;
}

function floatOperation(operator: string, a: number, b: number, round: (value: number) => number, type: SqlType): number {
  if (operator === '%') {
    throw new SqlError(402, `The data types ${type.name} and ${type.name} are incompatible in the modulo operator.`);
  }
  if (operator === '/' && b === 0) {
    throw divideByZero();
  }
  const value = round(operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : a / b);
  if (!Number.isFinite(value)) {
    throw arithmeticOverflow('expression', type);
  }
  return value;
}

function moneyOperation(operator: string, a: bigint, b: bigint, type: SqlType): bigint {
  if ((operator === '/' || operator === '%') && b === 0n) {
    throw divideByZero();
  }
  const value =
    operator === '+'
      ? a + b
      : operator === '-'
        ? a - b
        : operator === '*'
          ? divideRounded(a * b, 10_000n)
          : operator === '/'
            ? (a * 10_000n) / b
            : a % b;
  if (!inRange(value, type)) {
    throw arithmeticOverflow('expression', type);
  }
  return value;
}

function integerEvaluate(operator: BinaryOperator, left: Evaluate, right: Evaluate, type: SqlType): Evaluate {
  if (type.name === 'bigint') {
    return lift(left, right, (x, y) => integerOperation(operator, asBigint(x), asBigint(y), type));
  }
  const [low, high] = type.name === 'int' ? [-2_147_483_648, 2_147_483_647] : type.name === 'smallint' ? [-32_768, 32_767] : [0, 255];
  const narrow = (value: number): number => (value >= low && value <= high ? value : fail(arithmeticOverflow('expression', type)));
  return lift(left, right, (x, y) => {
    const a = asNumber(x);
    const b = asNumber(y);
    if (operator === '*') {
      // Where a product exceeds what a double holds exactly, it exceeds the type as well.
      return narrow(a * b) + 0;
    }
    if ((operator === '/' || operator === '%') && b === 0) {
      throw divideByZero();
    }
    return narrow(operator === '+' ? a + b : operator === '-' ? a - b : operator === '/' ? Math.trunc(a / b) : a % b) + 0;
  });
}

function fail(error: SqlError): never {
  throw error;
}

function integerOperation(operator: string, a: bigint, b: bigint, type: SqlType): bigint {
  if ((operator === '/' || operator === '%') && b === 0n) {
    throw divideByZero();
  }
  const value = operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : operator === '/' ? a / b : a % b;
  return inRange(value, type) ? value : fail(arithmeticOverflow('expression', type));
}

/** Exact decimal arithmetic: sums and products are rounded to the result's scale, quotients are cut. */
function decimalArithmetic(
  operator: BinaryOperator,
  left: CompiledExpression,
  right: CompiledExpression,
  nullable: boolean,
): CompiledExpression {
  const [a, b] = [decimalOf(left), decimalOf(right)];
  const [readA, readB] = [exactReader(left.type), exactReader(right.type)];
  if (a === null || b === null || readA === null || readB === null) {
    throw new TypeError('decimal arithmetic needs exact operands');
  }
  const type = decimalResult(operator, a, b);
  const scale = Math.max(a.scale, b.scale);
  const operate = (x: bigint, y: bigint): bigint => {
    if (operator === '*') {
      return rescale(x * y, a.scale + b.scale, type.scale);
    }
    if (operator === '/') {
      // x / 10^a.scale over y / 10^b.scale, at the result's scale.
      const shift = type.scale + b.scale - a.scale;
      return shift >= 0 ? (x * powerOfTen(shift)) / y : x / (y * powerOfTen(-shift));
    }
    const [p, q] = [rescale(x, a.scale, scale), rescale(y, b.scale, scale)];
    return rescale(operator === '+' ? p + q : operator === '-' ? p - q : p % q, scale, type.scale);
  };
  return compiled(
    type,
    lift(left.evaluate, right.evaluate, (x, y) => {
      const divisor = readB.read(y);
      if ((operator === '/' || operator === '%') && divisor === 0n) {
        throw divideByZero();
      }
      const value = operate(readA.read(x), divisor);
      return fitsPrecision(value, type.precision) ? value : fail(arithmeticOverflow('expression', type));
    }),
    { nullable },
  );
}

/** - + ~ */
export function compileUnary(operator: '-' | '+' | '~', operand: CompiledExpression): CompiledExpression {
  const { type, evaluate } = operand;
  if (operator === '+' || operand.untyped) {
    return operand;
  }
  const name = operator === '-' ? 'minus' : "'~'";
  if (operator === '~') {
    if (!isInteger(type) && type.name !== 'bit') {
      throw new SqlError(8117, `Operand data type ${type.name} is invalid for ${name} operator.`);
    }
    return compiled(
      type,
      mapValue(evaluate, (value) => invert(value, type)),
      { nullable: operand.nullable },
    );
  }
  if (!isNumber(type) || type.name === 'bit') {
    throw new SqlError(8117, `Operand data type ${type.name} is invalid for ${name} operator.`);
  }
  const negated = mapValue(evaluate, (value) => {
    if (typeof value === 'bigint') {
      return -value;
    }
    return 0 - asNumber(value);
  });
  const target = type.name === 'tinyint' ? commonType(type, { name: 'smallint' }) : type;
  return compiled(target, isInteger(target) ? mapValue(negated, (value) => integerCheck(value, target)) : negated, {
    nullable: operand.nullable,
    constant: operand.constant,
    digits: operand.digits,
  });
}

function integerCheck(value: Exclude<SqlValue, null>, type: SqlType): SqlValue {
  return inRange(integerOf(value), type) ? value : fail(arithmeticOverflow('expression', type));
}

function mapValue(evaluate: Evaluate, apply: (value: Exclude<SqlValue, null>) => SqlValue): Evaluate {
  return (ctx) => {
    const value = evaluate(ctx);
    return value === null ? null : apply(value);
  };
}

function invert(value: Exclude<SqlValue, null>, type: SqlType): SqlValue {
  if (type.name === 'bit') {
    return !asBoolean(value);
  }
  const inverted = ~integerOf(value);
  return type.name === 'bigint' ? inverted : Number(type.name === 'tinyint' ? inverted & 255n : inverted);
}
