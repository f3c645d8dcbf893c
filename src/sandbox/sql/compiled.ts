/** What compilation makes of an expression, and how one becomes another type. */
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Expression } from './ast-expression.ts';
import type { CollationLabel, LabelledCollation } from './collation.ts';
import { collationConflict, meetCollations } from './collation.ts';
import type { EvalContext, Scope } from './context.ts';
import type { ConversionOptions } from './convert.ts';
import { compileConversion } from './convert.ts';
import type { DateOrder } from './date-parse.ts';
import type { DecimalType } from './types.ts';
import { asDecimal, commonType, decimalType, isCharacter, isDateTime, isDecimal } from './types.ts';

/** A value expression, ready to run. `evaluate` may throw SqlError. */
export interface CompiledExpression {
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly evaluate: (ctx: EvalContext) => SqlValue;
  /** How strongly a text's collation holds where two meet. */
  readonly label: CollationLabel;
  /** A literal: its value does not depend on the context. */
  readonly constant: boolean;
  /** A bare NULL, which takes any type. */
  readonly untyped: boolean;
  /** Digits of an integer literal, which counts as decimal(digits, 0) beside decimals; null else. */
  readonly digits: number | null;
}

/** A search condition: true, false or null for unknown. */
export type CompiledPredicate = (ctx: EvalContext) => boolean | null;

/** Compiles the parts of an expression in one scope. Handed around so that the files of the compiler need not import each other. */
export interface Compiler {
  readonly scope: Scope;
  value(expression: Expression): CompiledExpression;
  condition(expression: Expression): CompiledPredicate;
}

export function compiled(
  type: SqlType,
  evaluate: (ctx: EvalContext) => SqlValue,
  options: Partial<Omit<CompiledExpression, 'type' | 'evaluate'>> = {},
): CompiledExpression {
  return { type, evaluate, nullable: true, label: 'default', constant: false, untyped: false, digits: null, ...options };
}

/** The same expression as another type; NULL stays NULL. */
export function coerce(expression: CompiledExpression, to: SqlType, options: ConversionOptions = {}): CompiledExpression {
  const label = isCharacter(expression.type) ? expression.label : 'default';
  if (expression.untyped) {
    return compiled(to, () => null, { constant: true });
  }
  const converter = compileConversion(expression.type, to, options);
  const { evaluate } = expression;
  const orderOf = dateOrder(expression.type, to);
  if (expression.constant) {
    return compiled(to, cachedConversion(evaluate, converter, orderOf), { nullable: expression.nullable, label, constant: true });
  }
  return compiled(
    to,
    (ctx) => {
      const value = evaluate(ctx);
      return value === null ? null : converter(value, orderOf(ctx));
    },
    { nullable: expression.nullable || to.name === 'sql_variant', label },
  );
}

/** SET DATEFORMAT, asked for only where a text may become a date: most statements never make a SystemFunctions for it. */
function dateOrder(from: SqlType, to: SqlType): (ctx: EvalContext) => DateOrder {
  return isDateTime(to) && (isCharacter(from) || from.name === 'sql_variant') ? (ctx) => ctx.system.dateFormat() : () => 'mdy';
}

/** Converts a literal once per SET DATEFORMAT. An error is not kept: it belongs to the row that meets it. */
function cachedConversion(
  evaluate: (ctx: EvalContext) => SqlValue,
  converter: ReturnType<typeof compileConversion>,
  orderOf: (ctx: EvalContext) => DateOrder,
): (ctx: EvalContext) => SqlValue {
  let known: { readonly order: string; readonly value: SqlValue } | null = null;
  return (ctx) => {
    const order = orderOf(ctx);
    if (known === null || known.order !== order) {
      const value = evaluate(ctx);
      known = { order, value: value === null ? null : converter(value, order) };
    }
    return known.value;
  };
}

/** How an operand counts in decimal arithmetic; null when it is no exact number. */
export function decimalOf(expression: CompiledExpression): DecimalType | null {
  return expression.digits === null ? asDecimal(expression.type) : decimalType(Math.max(1, expression.digits), 0);
}

export function collationOfExpression(expression: CompiledExpression): LabelledCollation | null {
  return isCharacter(expression.type) ? { collation: expression.type.collation, label: expression.label } : null;
}

/**
 * The type that holds each of several expressions, with the collation that results.
 * @throws SqlError 468 when two explicit collations differ.
 */
export function unify(
  expressions: readonly CompiledExpression[],
  operation: string,
): { readonly type: SqlType; readonly label: CollationLabel } | null {
  const besideDecimal = expressions.some((expression) => isDecimal(expression.type));
  let type: SqlType | null = null;
  let collation: LabelledCollation | null = null;
  for (const expression of expressions) {
    if (expression.untyped) {
      continue;
    }
    const own: SqlType = besideDecimal && expression.digits !== null ? decimalType(Math.max(1, expression.digits), 0) : expression.type;
    type = type === null ? own : commonType(type, own);
    const met = collationOfExpression(expression);
    collation = collation === null || met === null ? (collation ?? met) : meetCollations(collation, met, operation);
  }
  if (type === null) {
    return null;
  }
  return isCharacter(type) && collation !== null
    ? { type: { ...type, collation: collation.collation }, label: collation.label }
    : { type, label: 'default' };
}

/** The collation that a comparison of two texts uses. @throws SqlError 468 when it cannot be told. */
export function comparisonCollation(left: CompiledExpression, right: CompiledExpression, operation: string): LabelledCollation | null {
  const a = collationOfExpression(left);
  const b = collationOfExpression(right);
  if (a === null || b === null) {
    return a ?? b;
  }
  const met = meetCollations(a, b, operation);
  if (met.label === 'none') {
    throw collationConflict(a.collation, b.collation, operation);
  }
  return met;
}
