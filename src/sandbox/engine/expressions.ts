/** What the engine asks of compiled expressions beyond compiling them: orders with NULL, hashes, values for key seeks, conversions. */
import type { Expression } from '../sql/ast-expression.ts';
import { collationKey } from '../sql/collation.ts';
import { comparator } from '../sql/compare.ts';
import { compileExpression, compilePredicate } from '../sql/expression.ts';
import type { CompiledExpression } from '../sql/compiled.ts';
import { coerce, comparisonCollation, unify as unifyTypes } from '../sql/compiled.ts';
import type { EvalContext } from '../sql/context.ts';
import { compileConversion } from '../sql/convert.ts';
import { commonType, isCharacter, isInteger } from '../sql/types.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { QueryScope } from './query-scope.ts';

export { coerce, compileExpression };
export type { CompiledExpression };

/** What a select list needs of an expression. */
export type Compiled = Pick<CompiledExpression, 'type' | 'nullable' | 'evaluate'>;

export function compileCondition(expression: Expression, scope: QueryScope): (ctx: EvalContext) => boolean | null {
  return compilePredicate(expression, scope);
}

/** An order of values in which NULL comes first. */
export type ValueOrder = (a: SqlValue, b: SqlValue) => number;

export function valueOrder(type: SqlType): ValueOrder {
  const compare = comparator(type);
  return (a, b) => (a === null ? (b === null ? 0 : -1) : b === null ? 1 : compare(a, b));
}

/** Equal texts for values that are equal under their type. NULL has one too. */
export function valueHasher(type: SqlType): (value: SqlValue) => string {
  if (isCharacter(type)) {
    const { collation } = type;
    return (value) => (typeof value === 'string' ? `'${collationKey(value, collation)}` : '');
  }
  return plainHash;
}

function plainHash(value: SqlValue): string {
  if (value === null) {
    return '';
  }
  if (Buffer.isBuffer(value)) {
    return `x${value.toString('hex').replace(/(?:00)+$/, '')}`;
  }
  if (typeof value === 'object') {
    return 'variant' in value ? `v${valueHasher(value.type)(value.variant)}` : `${value.days}.${value.ticks}`;
  }
  // -0 and 0 are equal.
  return value === 0 ? '0' : String(value);
}

export function rowHasher(types: readonly SqlType[]): (values: readonly SqlValue[]) => string {
  const hashers = types.map((type) => valueHasher(type));
  const [only] = hashers;
  if (hashers.length === 1 && only !== undefined) {
    return (values) => only(values[0] ?? null);
  }
  return (values) => {
    let key = '';
    hashers.forEach((hasher, index) => {
      const hash = hasher(values[index] ?? null);
      key += `${hash.length}:${hash}`;
    });
    return key;
  };
}

/** Converts as an assignment does. @throws SqlError when the types do not allow it; the returned function when a value does not. */
export function converter(from: SqlType, to: SqlType): (value: SqlValue) => SqlValue {
  if (JSON.stringify(from) === JSON.stringify(to)) {
    return (value) => value;
  }
  const convert = compileConversion(from, to);
  return (value) => (value === null ? null : convert(value, 'mdy'));
}

/** The type that holds a value of each. */
export function unify(expressions: readonly (CompiledExpression | Compiled)[]): { readonly type: SqlType; readonly nullable: boolean } {
  const full = expressions.filter((each): each is CompiledExpression => 'untyped' in each);
  const nullable = expressions.some((each) => each.nullable);
  if (full.length === expressions.length) {
    return { type: unifyTypes(full, 'UNION')?.type ?? { name: 'int' }, nullable };
  }
  return { type: expressions.map((each) => each.type).reduce((a, b) => commonType(a, b)), nullable };
}

/**
 * How a value of one type is looked up in a key column of another, or null when the column's order is not that of the comparison. The
 * function returns undefined for a value that the column's type cannot hold: then every row has to be looked at.
 */
export function toKeyValue(from: SqlType, column: SqlType): ((value: SqlValue) => SqlValue | undefined) | null {
  if (isInteger(from) && isInteger(column)) {
    if (column.name === 'bigint') {
      return (value) => (typeof value === 'number' ? BigInt(value) : value);
    }
    return (value) => (typeof value === 'bigint' ? (Number.isSafeInteger(Number(value)) ? Number(value) : undefined) : value);
  }
  if (isCharacter(from) && isCharacter(column)) {
    return (value) => value;
  }
  if (from.name === column.name && !('precision' in from) && !('scale' in from)) {
    return (value) => value;
  }
  if (commonType(from, column).name !== column.name || 'precision' in column || 'scale' in column) {
    return null;
  }
  return converter(from, column);
}

/** Hashes of both sides of an equality, equal where the sides are; null for NULL. null: cannot be hashed. */
export function equalityHashes(
  left: Expression,
  right: Expression,
  scope: QueryScope,
): { left(ctx: EvalContext): string | null; right(ctx: EvalContext): string | null } | null {
  const first = compileExpression(left, scope);
  const second = compileExpression(right, scope);
  let type = commonType(first.type, second.type);
  if (isCharacter(type)) {
    type = { ...type, collation: comparisonCollation(first, second, 'equal to')?.collation ?? type.collation };
  }
  if (type.name === 'sql_variant') {
    return null;
  }
  const hash = valueHasher(type);
  const side = (of: CompiledExpression): ((ctx: EvalContext) => string | null) => {
    const same = of.type.name === type.name && !('precision' in type);
    const value = same ? of : coerce(of, type);
    return (ctx) => {
      const result = value.evaluate(ctx);
      return result === null ? null : hash(result);
    };
  };
  return { left: side(first), right: side(second) };
}
