/** The built-in functions by name. The families have files of their own; what takes any type (ISNULL, COALESCE, NULLIF, CHOOSE) is here. */
import { SqlError } from '../session.ts';
import type { CallExpression } from './ast-expression.ts';
import type { CompiledExpression, Compiler } from './compiled.ts';
import { coerce, compiled, unify } from './compiled.ts';
import { BIT_FUNCTIONS } from './functions-bits.ts';
import { CATALOG_FUNCTIONS } from './functions-catalog.ts';
import { DATE_FUNCTIONS, compilePartFunction } from './functions-date.ts';
import { JSON_FUNCTIONS, compileIsJson } from './functions-json.ts';
import { MATH_FUNCTIONS } from './functions-math.ts';
import { STRING_FUNCTIONS } from './functions-string.ts';
import { SYSTEM_FUNCTIONS } from './functions-system.ts';
import { TEXT_FUNCTIONS } from './functions-text.ts';
import { FORMAT_FUNCTIONS } from './functions-format.ts';
import { DATE_BUILDERS } from './functions-date-build.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { argument, argumentAs, defined } from './function-call.ts';
import { compileComparison, prepareComparison } from './predicate.ts';
import { INT, isCharacter } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asNumber } from './values.ts';

/** ISNULL has the type of its first argument, so that its second may be cut. */
function compileIsNull(call: FunctionCall): CompiledExpression {
  const [first, second] = [argument(call, 0), argument(call, 1)];
  if (first.untyped) {
    return second;
  }
  const fallback = coerce(second, first.type);
  return compiled(
    first.type,
    (ctx) => {
      const value = first.evaluate(ctx);
      return value === null ? fallback.evaluate(ctx) : value;
    },
    { nullable: first.nullable && fallback.nullable, label: isCharacter(first.type) ? first.label : 'default' },
  );
}

function compileCoalesce(call: FunctionCall): CompiledExpression {
  const unified = unify(call.args, 'COALESCE');
  if (unified === null) {
    throw new SqlError(4127, 'At least one of the arguments to COALESCE must be an expression that is not the NULL constant.');
  }
  const { type, label } = unified;
  const args = call.args.map((arg) => coerce(arg, type));
  return compiled(
    type,
    (ctx) => {
      for (const arg of args) {
        const value = arg.evaluate(ctx);
        if (value !== null) {
          return value;
        }
      }
      return null;
    },
    { nullable: args.every((arg) => arg.nullable), label },
  );
}

function compileNullIf(call: FunctionCall): CompiledExpression {
  const first = argument(call, 0);
  if (first.untyped) {
    throw new SqlError(
      4151,
      'The type of the first argument to NULLIF cannot be the NULL constant because the type of the first argument has to be known.',
    );
  }
  const equal = compileComparison('=', first, argument(call, 1));
  return { ...first, nullable: true, constant: false, digits: null, evaluate: (ctx) => (equal(ctx) === true ? null : first.evaluate(ctx)) };
}

function compileChoose(call: FunctionCall): CompiledExpression {
  const index = argumentAs(call, 0, INT);
  const unified = unify(call.args.slice(1), 'CHOOSE');
  if (unified === null) {
    throw new SqlError(
      8133,
      'At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.',
    );
  }
  const choices = call.args.slice(1).map((arg) => coerce(arg, unified.type));
  return compiled(
    unified.type,
    (ctx) => {
      const at = index.evaluate(ctx);
      return at === null ? null : (choices[asNumber(at) - 1]?.evaluate(ctx) ?? null);
    },
    { label: unified.label },
  );
}

/** GREATEST and LEAST leave NULLs out. */
function extreme(sign: 1 | -1): FunctionDefinition {
  return defined(1, 254, (call) => {
    const unified = unify(call.args, call.name);
    const [any] = call.args;
    if (unified === null || any === undefined) {
      throw new SqlError(
        8133,
        'At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.',
      );
    }
    const args = call.args.map((arg) => coerce(arg, unified.type));
    const sample = compiled(unified.type, () => null, { label: unified.label });
    const { compare } = prepareComparison(sample, sample, call.name);
    return compiled(unified.type, (ctx) => {
      const values = args.map((arg) => arg.evaluate(ctx)).filter((value) => value !== null);
      const [first, ...rest] = values;
      return first === undefined ? null : rest.reduce((best, value) => (compare(value, best) * sign > 0 ? value : best), first);
    });
  });
}

const GENERAL_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['ISNULL', defined(2, 2, compileIsNull)],
  ['COALESCE', defined(2, 254, compileCoalesce)],
  ['NULLIF', defined(2, 2, compileNullIf)],
  ['CHOOSE', defined(2, 254, compileChoose)],
  ['GREATEST', extreme(1)],
  ['LEAST', extreme(-1)],
]);

const FAMILIES: readonly FunctionTable[] = [
  GENERAL_FUNCTIONS,
  STRING_FUNCTIONS,
  TEXT_FUNCTIONS,
  FORMAT_FUNCTIONS,
  MATH_FUNCTIONS,
  BIT_FUNCTIONS,
  DATE_FUNCTIONS,
  DATE_BUILDERS,
  JSON_FUNCTIONS,
  CATALOG_FUNCTIONS,
  SYSTEM_FUNCTIONS,
];

/** Functions of SQL Server that the sandbox has not. */
const ABSENT = new Set(
  (
    'CHECKSUM BINARY_CHECKSUM COMPRESS DECOMPRESS BASE64_ENCODE BASE64_DECODE CERTENCODED ENCRYPTBYKEY DECRYPTBYKEY PWDENCRYPT PWDCOMPARE ' +
    'COLLATIONPROPERTY FULLTEXTSERVICEPROPERTY STATS_DATE SIGN_BY_CERT MIN_ACTIVE_ROWVERSION CURRENT_TIMEZONE CURRENT_TIMEZONE_ID ' +
    'CURRENT_TRANSACTION_ID SUSER_SID CONNECTIONPROPERTY TEXTPTR TEXTVALID GETANSINULL TRIGGER_NESTLEVEL UPDATE CRYPT_GEN_RANDOM ' +
    'EVENTDATA JSON_CONTAINS REGEXP_LIKE REGEXP_REPLACE REGEXP_SUBSTR REGEXP_COUNT REGEXP_INSTR CURSOR_STATUS'
  ).split(' '),
);

/**
 * A call of a built-in function.
 * @throws SqlError 195 (no such function), 174, 189 (number of arguments), 4121 (a function with a schema); UnsupportedError.
 */
export function compileFunction(call: CallExpression, compiler: Compiler): CompiledExpression {
  const { schema, name } = call.name;
  if (schema !== null) {
    throw new SqlError(
      4121,
      `Cannot find either column "${schema}" or the user-defined function or aggregate "${schema}.${name}", or the name is ambiguous.`,
    );
  }
  const parted = compilePartFunction(call, compiler) ?? compileIsJson(call, compiler);
  if (parted !== null) {
    return parted;
  }
  if (call.star || call.distinct) {
    throw call.star
      ? new SqlError(102, "Incorrect syntax near '*'.", { class: 15 })
      : new SqlError(156, "Incorrect syntax near the keyword 'DISTINCT'.", { class: 15 });
  }
  const upper = name.toUpperCase();
  const definition = FAMILIES.map((family) => family.get(upper)).find((found) => found !== undefined);
  if (definition === undefined) {
    throw ABSENT.has(upper)
      ? new UnsupportedError(`the function ${upper}`)
      : new SqlError(195, `'${name}' is not a recognized built-in function name.`, { class: 15, state: 10 });
  }
  const lower = name.toLowerCase();
  checkCount(lower, call.args.length, definition);
  return definition.compile({ name: lower, args: call.args.map((arg) => compiler.value(arg)), expression: call, compiler });
}

function checkCount(name: string, count: number, { min, max }: FunctionDefinition): void {
  if (count >= min && count <= max) {
    return;
  }
  throw min === max
    ? new SqlError(174, `The ${name} function requires ${min} argument(s).`, { class: 15 })
    : new SqlError(189, `The ${name} function requires ${min} to ${max} arguments.`, { class: 15 });
}
