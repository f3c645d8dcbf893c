/** What the families of built-in functions share: the shape of a definition, its arguments, errors about them. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { CallExpression } from './ast-expression.ts';
import type { CompiledExpression, Compiler } from './compiled.ts';
import { coerce, compiled } from './compiled.ts';
import type { EvalContext } from './context.ts';
import { isCharacter, isNational, textType } from './types.ts';

/** A call, its arguments compiled. */
export interface FunctionCall {
  /** Lower case, for messages. */
  readonly name: string;
  readonly args: readonly CompiledExpression[];
  readonly expression: CallExpression;
  readonly compiler: Compiler;
}

export interface FunctionDefinition {
  readonly min: number;
  readonly max: number;
  readonly compile: (call: FunctionCall) => CompiledExpression;
}

/** Functions by their upper-case name. */
export type FunctionTable = ReadonlyMap<string, FunctionDefinition>;

export function defined(min: number, max: number, compile: FunctionDefinition['compile']): FunctionDefinition {
  return { min, max, compile };
}

/** The argument at a position, which the number of arguments has been checked for. */
export function argument(call: FunctionCall, index: number): CompiledExpression {
  const found = call.args[index];
  if (found === undefined) {
    throw new TypeError(`${call.name} has no argument ${index + 1}`);
  }
  return found;
}

/** @throws SqlError 8116 */
export function refuseArgument(call: FunctionCall, index: number): never {
  throw new SqlError(
    8116,
    `Argument data type ${argument(call, index).type.name} is invalid for argument ${index + 1} of ${call.name} function.`,
  );
}

/** An argument as a type. */
export function argumentAs(call: FunctionCall, index: number, type: SqlType): CompiledExpression {
  return coerce(argument(call, index), type);
}

/** An argument as a text: texts stay what they are, other values become varchar. */
export function textArgument(call: FunctionCall, index: number): CompiledExpression {
  const found = argument(call, index);
  return isCharacter(found.type) && !found.untyped
    ? found
    : coerce(found, textType(false, 8000, call.compiler.scope.collation), { explicit: true });
}

/** The collation of a text expression, or the database's. */
export function collationFor(call: FunctionCall, expression: CompiledExpression): string {
  return isCharacter(expression.type) ? expression.type.collation : call.compiler.scope.collation;
}

/** varchar or nvarchar as the source is, of a length. */
export function textLike(call: FunctionCall, source: CompiledExpression, length: number | 'max'): SqlType {
  return textType(isNational(source.type), length, collationFor(call, source));
}

/** The declared length of a text or binary: 'max' for the types without limit. */
export function lengthOf(expression: CompiledExpression): number | 'max' {
  return 'length' in expression.type ? expression.type.length : 'max';
}

type Values = readonly Exclude<SqlValue, null>[];

/** A function that is NULL when an argument is NULL. */
export function strict(
  type: SqlType,
  args: readonly CompiledExpression[],
  apply: (values: Values, ctx: EvalContext) => SqlValue,
): CompiledExpression {
  const [first, second, third] = args;
  const options = { nullable: args.some((arg) => arg.nullable), label: args.find((arg) => arg.label !== 'default')?.label ?? 'default' };
  if (args.length === 1 && first !== undefined) {
    const { evaluate } = first;
    return compiled(
      type,
      (ctx) => {
        const value = evaluate(ctx);
        return value === null ? null : apply([value], ctx);
      },
      options,
    );
  }
  if (args.length === 2 && first !== undefined && second !== undefined && third === undefined) {
    return compiled(
      type,
      (ctx) => {
        const a = first.evaluate(ctx);
        const b = a === null ? null : second.evaluate(ctx);
        return a === null || b === null ? null : apply([a, b], ctx);
      },
      options,
    );
  }
  return compiled(
    type,
    (ctx) => {
      const values: Exclude<SqlValue, null>[] = [];
      for (const arg of args) {
        const value = arg.evaluate(ctx);
        if (value === null) {
          return null;
        }
        values.push(value);
      }
      return apply(values, ctx);
    },
    options,
  );
}
