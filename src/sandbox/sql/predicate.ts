/** Compiles search conditions into closures that answer true, false or null for unknown. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { ComparisonOperator, Expression, InListExpression, LikeExpression, QuantifiedExpression } from './ast-expression.ts';
import { collationOf } from './collation.ts';
import type { Comparator } from './compare.ts';
import { comparator } from './compare.ts';
import type { CompiledExpression, CompiledPredicate, Compiler } from './compiled.ts';
import { coerce, comparisonCollation, compiled, decimalOf } from './compiled.ts';
import type { CompiledSubquery, EvalContext } from './context.ts';
import { exactReader } from './convert-number.ts';
import { rescale } from './decimal.ts';
import type { LikeMatcher } from './like.ts';
import { likeMatcher } from './like.ts';
import { commonType, isCharacter, isDecimal, isMoney, isNational, textType } from './types.ts';
import { asText } from './values.ts';

type Evaluate = (ctx: EvalContext) => SqlValue;

const NAMES: Readonly<Record<ComparisonOperator, string>> = {
  '=': 'equal to',
  '<>': 'not equal to',
  '<': 'less than',
  '<=': 'less than or equal to',
  '>': 'greater than',
  '>=': 'greater than or equal to',
};

const TESTS: Readonly<Record<ComparisonOperator, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/** Kinds of expressions that are conditions; all others are values. */
const CONDITIONS = new Set<Expression['kind']>([
  'comparison',
  'quantified',
  'logical',
  'not',
  'isNull',
  'distinctFrom',
  'inList',
  'inQuery',
  'between',
  'like',
  'exists',
]);

export function isCondition(expression: Expression): boolean {
  return CONDITIONS.has(expression.kind);
}

/** @throws SqlError 4145 when a value stands where a condition must. */
export function compileCondition(expression: Expression, compiler: Compiler): CompiledPredicate {
  if (expression.kind === 'logical') {
    return compileLogical(expression.operator, compiler.condition(expression.left), compiler.condition(expression.right));
  }
  if (expression.kind === 'not') {
    return negate(compiler.condition(expression.operand));
  }
  if (expression.kind === 'comparison') {
    return compileComparison(expression.operator, compiler.value(expression.left), compiler.value(expression.right));
  }
  if (expression.kind === 'isNull') {
    const { evaluate } = compiler.value(expression.operand);
    return expression.not ? (ctx) => evaluate(ctx) !== null : (ctx) => evaluate(ctx) === null;
  }
  if (expression.kind === 'distinctFrom') {
    const [left, right] = [compiler.value(expression.left), compiler.value(expression.right)];
    const equal = compileComparison('=', left, right);
    return (ctx) => {
      const same = equal(ctx) ?? (left.evaluate(ctx) === null && right.evaluate(ctx) === null);
      return same === expression.not;
    };
  }
  if (expression.kind === 'between') {
    const operand = compiler.value(expression.operand);
    const low = compileComparison('>=', operand, compiler.value(expression.low));
    const high = compileComparison('<=', operand, compiler.value(expression.high));
    const both = compileLogical('and', low, high);
    return expression.not ? negate(both) : both;
  }
  if (expression.kind === 'inList') {
    return compileInList(expression, compiler);
  }
  if (expression.kind === 'inQuery') {
    const any = compileQuantified('=', 'any', compiler.value(expression.operand), single(compiler.scope.compileSubquery(expression.query)));
    return expression.not ? negate(any) : any;
  }
  if (expression.kind === 'quantified') {
    return compileQuantifiedExpression(expression, compiler);
  }
  if (expression.kind === 'like') {
    const like = compileLike(expression, compiler);
    return expression.not ? negate(like) : like;
  }
  if (expression.kind === 'exists') {
    const subquery = compiler.scope.compileSubquery(expression.query);
    return (ctx) => {
      if (subquery.exists !== undefined) {
        return subquery.exists(ctx);
      }
      for (const _row of subquery.run(ctx)) {
        return true;
      }
      return false;
    };
  }
  throw new SqlError(
    4145,
    `An expression of non-boolean type specified in a context where a condition is expected, near '${nearOf(expression)}'.`,
    {
      class: 15,
      line: expression.line,
    },
  );
}

function nearOf(expression: Expression): string {
  return expression.kind === 'column' || expression.kind === 'variable'
    ? expression.name
    : expression.kind === 'literal'
      ? expression.text
      : ')';
}

function negate(predicate: CompiledPredicate): CompiledPredicate {
  return (ctx) => {
    const truth = predicate(ctx);
    return truth === null ? null : !truth;
  };
}

function compileLogical(operator: 'and' | 'or', left: CompiledPredicate, right: CompiledPredicate): CompiledPredicate {
  const decisive = operator === 'or';
  return (ctx) => {
    const a = left(ctx);
    if (a === decisive) {
      return decisive;
    }
    const b = right(ctx);
    if (b === decisive) {
      return decisive;
    }
    return a === null || b === null ? null : !decisive;
  };
}

/** Two values made comparable: both sides' closures and the order of what they give. */
export interface Comparison {
  readonly left: Evaluate;
  readonly right: Evaluate;
  readonly compare: Comparator;
}

/**
 * Brings two expressions to the type in which they are compared.
 * @throws SqlError 402 (types without an order), 206 (types that do not meet), 468 (collations).
 */
export function prepareComparison(first: CompiledExpression, second: CompiledExpression, operation: string): Comparison {
  const left = first.untyped && !second.untyped ? coerce(first, second.type) : first;
  const right = second.untyped && !first.untyped ? coerce(second, first.type) : second;
  for (const { type } of [left, right]) {
    if (type.name === 'xml' || type.name === 'text' || type.name === 'ntext' || type.name === 'image') {
      throw new SqlError(402, `The data types ${left.type.name} and ${right.type.name} are incompatible in the ${operation} operator.`);
    }
  }
  const exact = compareExact(left, right);
  if (exact !== null) {
    return exact;
  }
  const common = commonType(left.type, right.type);
  const met = isCharacter(common) ? comparisonCollation(left, right, operation) : null;
  // Padding and cutting to the common length would change nothing: trailing spaces do not count.
  const type: SqlType = isCharacter(common) ? textType(isNational(common), 'max', met?.collation ?? common.collation) : common;
  return { left: operandAs(left, type).evaluate, right: operandAs(right, type).evaluate, compare: comparator(type) };
}

function operandAs(operand: CompiledExpression, type: SqlType): CompiledExpression {
  return operand.type.name === type.name && isCharacter(type) ? operand : coerce(operand, type);
}

/** Exact numbers of different scale are compared at the greater one, without the limit of 38 digits. */
function compareExact(left: CompiledExpression, right: CompiledExpression): Comparison | null {
  const [a, b] = [decimalOf(left), decimalOf(right)];
  const [readA, readB] = [exactReader(left.type), exactReader(right.type)];
  if (a === null || b === null || readA === null || readB === null || !(needsScale(left.type) || needsScale(right.type))) {
    return null;
  }
  const scale = Math.max(readA.scale, readB.scale);
  return {
    left: left.evaluate,
    right: right.evaluate,
    compare: (x, y) => {
      const p = x === null ? 0n : rescale(readA.read(x), readA.scale, scale);
      const q = y === null ? 0n : rescale(readB.read(y), readB.scale, scale);
      return p < q ? -1 : p > q ? 1 : 0;
    },
  };
}

function needsScale(type: SqlType): boolean {
  return isDecimal(type) || isMoney(type);
}

export function compileComparison(operator: ComparisonOperator, left: CompiledExpression, right: CompiledExpression): CompiledPredicate {
  const { left: first, right: second, compare } = prepareComparison(left, right, NAMES[operator]);
  const test = TESTS[operator];
  return (ctx) => {
    const a = first(ctx);
    if (a === null) {
      return null;
    }
    const b = second(ctx);
    return b === null ? null : test(compare(a, b));
  };
}

/** The operand is evaluated again for each item: operands are columns and literals nearly always. */
function compileInList(expression: InListExpression, compiler: Compiler): CompiledPredicate {
  const operand = compiler.value(expression.operand);
  const tests = expression.items.map((item) => compileComparison('=', operand, compiler.value(item)));
  const any: CompiledPredicate = (ctx) => {
    let unknown = false;
    for (const test of tests) {
      const truth = test(ctx);
      if (truth === true) {
        return true;
      }
      unknown ||= truth === null;
    }
    return unknown ? null : false;
  };
  return expression.not ? negate(any) : any;
}

/** @throws SqlError 116 when a subquery that stands for a value has several columns. */
export function single(subquery: CompiledSubquery): CompiledSubquery {
  if (subquery.columns.length !== 1) {
    throw new SqlError(116, 'Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.');
  }
  return subquery;
}

function compileQuantifiedExpression(expression: QuantifiedExpression, compiler: Compiler): CompiledPredicate {
  const subquery = single(compiler.scope.compileSubquery(expression.query));
  return compileQuantified(expression.operator, expression.quantifier, compiler.value(expression.left), subquery);
}

function compileQuantified(
  operator: ComparisonOperator,
  quantifier: 'any' | 'all',
  operand: CompiledExpression,
  subquery: CompiledSubquery,
): CompiledPredicate {
  const column = subquery.columns[0];
  if (column === undefined) {
    throw new TypeError('a subquery has a column');
  }
  let current: SqlValue = null;
  const item = compiled(column.type, () => current, { label: 'implicit', nullable: column.nullable });
  const { left, right, compare } = prepareComparison(operand, item, NAMES[operator]);
  const test = TESTS[operator];
  const decisive = quantifier === 'any';
  return (ctx) => {
    const value = left(ctx);
    let unknown = false;
    for (const row of subquery.run(ctx)) {
      current = row[0] ?? null;
      const other = right(ctx);
      const truth = value === null || other === null ? null : test(compare(value, other));
      if (truth === decisive) {
        return decisive;
      }
      unknown ||= truth === null;
    }
    return unknown ? null : !decisive;
  };
}

function compileLike(expression: LikeExpression, compiler: Compiler): CompiledPredicate {
  const { collation } = compiler.scope;
  const operand = asTextExpression(compiler.value(expression.operand), collation);
  const pattern = asTextExpression(compiler.value(expression.pattern), collation);
  const escape = expression.escape === null ? null : asTextExpression(compiler.value(expression.escape), collation);
  const met = comparisonCollation(operand, pattern, 'like');
  const rules = collationOf(met?.collation ?? collation);
  const ignoreTrailing = !isNational(operand.type) && !isNational(pattern.type);
  let last: { readonly pattern: string; readonly escape: string | null; readonly matches: LikeMatcher } | null = null;
  return (ctx) => {
    const text = operand.evaluate(ctx);
    const form = pattern.evaluate(ctx);
    const sign = escape?.evaluate(ctx) ?? null;
    if (text === null || form === null || (escape !== null && sign === null)) {
      return null;
    }
    const wanted = asText(form);
    const escaped = sign === null ? null : asText(sign);
    if (last === null || last.pattern !== wanted || last.escape !== escaped) {
      last = { pattern: wanted, escape: escaped, matches: likeMatcher(wanted, escaped, rules, ignoreTrailing) };
    }
    return last.matches(asText(text));
  };
}

/** A text, or what becomes one. */
function asTextExpression(expression: CompiledExpression, collation: string): CompiledExpression {
  return isCharacter(expression.type) ? expression : coerce(expression, textType(false, 8000, collation));
}
