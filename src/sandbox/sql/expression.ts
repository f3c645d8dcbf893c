/**
 * Compiles expressions to synchronous closures.
 *
 *     const { type, nullable, evaluate } = compileExpression(expression, scope);
 *     const matches = compilePredicate(condition, scope);          // (ctx) => true | false | null
 *
 * The executor gives a Scope (context.ts) for the names and an EvalContext for the run; closures may be run any number of times. Errors of
 * compilation carry the line of the expression, errors of a run carry line 0: the statement's line is the executor's to add.
 */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { compileAtTimeZone } from './functions-date-offset.ts';
import { compileGlobal } from './functions-system.ts';
import { compileFunction } from './functions.ts';
import { isAggregateCall } from './aggregate-names.ts';
import type { CaseExpression, CastExpression, Expression, LiteralExpression } from './ast-expression.ts';
import { compileBinary, compileUnary } from './arithmetic.ts';
import { collationOf } from './collation.ts';
import type { CompiledExpression, CompiledPredicate, Compiler } from './compiled.ts';
import { coerce, compiled, unify } from './compiled.ts';
import type { EvalContext, Scope } from './context.ts';
import { compileConversion } from './convert.ts';
import { literalValue } from './literal.ts';
import { compileComparison, compileCondition, isCondition, single } from './predicate.ts';
import { INT, isCharacter, isDateTime, isInteger, isNumber, resolveType, textType } from './types.ts';
import { asNumber } from './values.ts';

/**
 * A value expression in a scope.
 * @throws SqlError 207, 209, 4104 (names), 137 (variables), 102 (a condition where a value must stand), 195, 174, 189 (functions), 206, 402, 8117 (types).
 */
export function compileExpression(expression: Expression, scope: Scope): CompiledExpression {
  return compilerFor(scope).value(expression);
}

/** A search condition in a scope. @throws SqlError as compileExpression(); 4145 for a value. */
export function compilePredicate(expression: Expression, scope: Scope): CompiledPredicate {
  return compilerFor(scope).condition(expression);
}

function compilerFor(scope: Scope): Compiler {
  const compiler: Compiler = {
    scope,
    value: (expression) => located(expression, () => compileValue(expression, compiler)),
    condition: (expression) => located(expression, () => compileCondition(expression, compiler)),
  };
  return compiler;
}

function located<Result>(expression: Expression, compile: () => Result): Result {
  try {
    return compile();
  } catch (error) {
    if (error instanceof SqlError && error.line === 0) {
      error.line = expression.line;
    }
    throw error;
  }
}

function compileValue(expression: Expression, compiler: Compiler): CompiledExpression {
  const { scope } = compiler;
  const ready = scope.substitute(expression);
  if (ready !== null) {
    return slotExpression(ready.slot, ready.index, ready.type, ready.nullable);
  }
  if (isCondition(expression)) {
    throw new SqlError(102, `Incorrect syntax near '${expression.kind === 'comparison' ? expression.operator : expression.kind}'.`, {
      class: 15,
    });
  }
  switch (expression.kind) {
    case 'literal':
      return compileLiteral(expression, scope.collation);
    case 'column': {
      const { slot, index, type, nullable } = scope.resolveColumn(expression.qualifier, expression.name, expression);
      return slotExpression(slot, index, type, nullable);
    }
    case 'variable': {
      const { index, type } = scope.resolveVariable(expression.name, expression);
      return compiled(type, (ctx) => ctx.variables[index] ?? null);
    }
    case 'global':
      return compileGlobal(expression, compiler);
    case 'unary':
      return compileUnary(expression.operator, compiler.value(expression.operand));
    case 'binary':
      return compileBinary(expression.operator, compiler.value(expression.left), compiler.value(expression.right));
    case 'case':
      return compileCase(expression, compiler);
    case 'cast':
      return compileCast(expression, compiler);
    case 'collate':
      return compileCollate(compiler.value(expression.operand), expression.collation, scope.collation);
    case 'subquery': {
      const subquery = single(scope.compileSubquery(expression.query));
      return compiled(subquery.columns[0]?.type ?? INT, (ctx) => scalar(subquery.run(ctx)), { label: 'implicit' });
    }
    case 'call':
      return isAggregateCall(expression) ? scope.refuseAggregate(expression) : compileFunction(expression, compiler);
    case 'atTimeZone':
      return compileAtTimeZone(compiler.value(expression.operand), compiler.value(expression.zone));
    case 'default':
      throw new SqlError(156, "Incorrect syntax near the keyword 'DEFAULT'.", { class: 15 });
    case 'comparison':
    case 'quantified':
    case 'logical':
    case 'not':
    case 'isNull':
    case 'distinctFrom':
    case 'inList':
    case 'inQuery':
    case 'between':
    case 'like':
    case 'exists':
      throw new TypeError('conditions were refused above');
  }
}

function slotExpression(slot: number, index: number, type: SqlType, nullable: boolean): CompiledExpression {
  return compiled(type, (ctx) => ctx.rows[slot]?.[index] ?? null, { nullable, label: 'implicit' });
}

function scalar(rows: Iterable<readonly SqlValue[]>): SqlValue {
  let value: SqlValue = null;
  let count = 0;
  for (const row of rows) {
    count += 1;
    if (count > 1) {
      throw new SqlError(
        512,
        'Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.',
      );
    }
    value = row[0] ?? null;
  }
  return value;
}

function compileLiteral(literal: LiteralExpression, collation: string): CompiledExpression {
  const { type, value, digits } = literalValue(literal, collation);
  return compiled(type, () => value, { nullable: value === null, constant: true, untyped: literal.literal === 'null', digits });
}

function compileCase(expression: CaseExpression, compiler: Compiler): CompiledExpression {
  const input = expression.input === null ? null : compiler.value(expression.input);
  const conditions = expression.branches.map(({ when }) =>
    input === null ? compiler.condition(when) : compileComparison('=', input, compiler.value(when)),
  );
  const results = expression.branches.map(({ then }) => compiler.value(then));
  const otherwise = expression.otherwise === null ? null : compiler.value(expression.otherwise);
  const unified = unify(otherwise === null ? results : [...results, otherwise], 'CASE');
  if (unified === null) {
    throw new SqlError(
      8133,
      'At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.',
    );
  }
  const { type, label } = unified;
  const branches = results.map((result) => coerce(result, type));
  const last = otherwise === null ? null : coerce(otherwise, type);
  return compiled(
    type,
    (ctx) => {
      for (let index = 0; index < conditions.length; index += 1) {
        if (conditions[index]?.(ctx) === true) {
          return branches[index]?.evaluate(ctx) ?? null;
        }
      }
      return last === null ? null : last.evaluate(ctx);
    },
    { nullable: last === null || last.nullable || branches.some((branch) => branch.nullable), label },
  );
}

function compileCast(expression: CastExpression, compiler: Compiler): CompiledExpression {
  const operand = compiler.value(expression.operand);
  const source = isCharacter(operand.type) ? operand.type.collation : compiler.scope.collation;
  const type = resolveType(expression.type, source, true);
  if (operand.untyped) {
    return compiled(type, () => null, { constant: true });
  }
  const style = expression.style === null ? null : compiler.value(expression.style);
  if (style !== null && !isInteger(style.type) && !style.untyped) {
    throw new SqlError(8116, `Argument data type ${style.type.name} is invalid for argument 3 of convert function.`);
  }
  const label = isCharacter(operand.type) ? operand.label : 'default';
  const converted =
    style === null || style.constant
      ? castWithStyle(operand, type, style === null ? null : { style })
      : castWithLateStyle(operand, type, style);
  const evaluate = expression.attempt ? attempted(converted) : converted;
  return compiled(type, evaluate, {
    nullable: operand.nullable || expression.attempt || style !== null,
    label,
    constant: operand.constant && style === null,
  });
}

/** The style of a source that has none is ignored. */
function usesStyle(from: SqlType, to: SqlType): boolean {
  return (isCharacter(to) && !isCharacter(from) && !isInteger(from)) || isDateTime(to) || (isCharacter(from) && !isNumber(to));
}

function castWithStyle(
  operand: CompiledExpression,
  type: SqlType,
  given: { readonly style: CompiledExpression } | null,
): (ctx: EvalContext) => SqlValue {
  if (given === null) {
    return coerce(operand, type, { explicit: true }).evaluate;
  }
  if (given.style.untyped) {
    return () => null;
  }
  return castWithLateStyle(operand, type, given.style);
}

/** A style that is known at run time only: the conversion is compiled for each style that comes. */
function castWithLateStyle(operand: CompiledExpression, type: SqlType, style: CompiledExpression): (ctx: EvalContext) => SqlValue {
  let known: { readonly style: number; readonly evaluate: (ctx: EvalContext) => SqlValue } | null = null;
  const styled = usesStyle(operand.type, type);
  // The pair of types is checked now, as without a style.
  compileConversion(operand.type, type, { explicit: true });
  return (ctx) => {
    const value = style.evaluate(ctx);
    if (value === null) {
      return null;
    }
    const number = Number(typeof value === 'bigint' ? value : asNumber(value));
    if (known === null || known.style !== number) {
      known = { style: number, evaluate: coerce(operand, type, { explicit: true, style: styled ? number : null }).evaluate };
    }
    return known.evaluate(ctx);
  };
}

/** TRY_CAST: NULL for a value that does not convert. A pair of types that never does is an error all the same: it came earlier. */
function attempted(evaluate: (ctx: EvalContext) => SqlValue): (ctx: EvalContext) => SqlValue {
  return (ctx) => {
    try {
      return evaluate(ctx);
    } catch (error) {
      if (error instanceof SqlError && !CONTEXT_ERRORS.has(error.number)) {
        return null;
      }
      throw error;
    }
  };
}

/** Errors that TRY_CAST does not swallow: they are not about a value. */
const CONTEXT_ERRORS = new Set([529, 50_001]);

function compileCollate(operand: CompiledExpression, collation: string, database: string): CompiledExpression {
  const name = collation.toLowerCase() === 'database_default' ? database : collation;
  collationOf(name);
  if (operand.untyped) {
    return compiled(textType(false, 1, name), () => null, { constant: true, label: 'explicit' });
  }
  if (!isCharacter(operand.type)) {
    throw new SqlError(447, `Expression type ${operand.type.name} is invalid for COLLATE clause.`);
  }
  return { ...operand, type: { ...operand.type, collation: name }, label: 'explicit' };
}
