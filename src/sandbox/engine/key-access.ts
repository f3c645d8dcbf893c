/**
 * How the rows of a table are found by its key: from the conditions on the first key columns come equal values, several values, or bounds.
 * The conditions themselves are still tested on each row, so what is found here only has to contain every row that fulfils them.
 */
import type { ComparisonOperator, Expression } from '../sql/ast-expression.ts';
import type { EvalContext } from '../sql/context.ts';
import type { SqlValue } from '../sql-types.ts';
import { flattenLogical } from './conjuncts.ts';
import { compileExpression, toKeyValue } from './expressions.ts';
import type { Bound, RowKey } from './ordered-rows.ts';
import type { Conjunct, PlanColumn } from './plan.ts';
import { isSubset } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { recordingScope } from './query-scope.ts';

/** The columns of a key, all ascending, as positions in the row of `slot`. */
export interface KeyLayout {
  readonly slot: number;
  readonly positions: readonly number[];
  readonly columns: readonly PlanColumn[];
}

/** What is to be visited: some keys, a range, nothing, or (null) everything. */
export type KeyRange = { readonly keys: readonly RowKey[] } | { readonly from: Bound | undefined; readonly to: Bound | undefined };

export interface KeyAccess {
  /** All columns of the key have one value (or a few): no scan. */
  readonly complete: boolean;
  /** null: a value cannot be used for a seek, everything has to be visited. */
  range(ctx: EvalContext): KeyRange | null;
}

type Operand = (ctx: EvalContext) => SqlValue | undefined;

/** The best access by the key, or null when the conditions say nothing about its first column. */
export function keyAccess(layout: KeyLayout, conjuncts: readonly Conjunct[], known: ReadonlySet<number>): KeyAccess | null {
  const equal: Operand[] = [];
  for (let depth = 0; depth < layout.positions.length; depth += 1) {
    const operand = equalOperand(layout, depth, conjuncts, known);
    if (operand === null) {
      break;
    }
    equal.push(operand);
  }
  if (equal.length === layout.positions.length) {
    return {
      complete: true,
      range: (ctx) => {
        const key = valuesOf(equal, ctx);
        return key === null ? null : { keys: key.includes(null) ? [] : [key] };
      },
    };
  }
  const list = equal.length === 0 && layout.positions.length === 1 ? listOperands(layout, conjuncts, known) : null;
  if (list !== null) {
    return {
      complete: true,
      range: (ctx) => {
        const values = valuesOf(list, ctx);
        return values === null ? null : { keys: values.filter((value) => value !== null).map((value) => [value]) };
      },
    };
  }
  const lower = boundOperands(layout, equal.length, conjuncts, known, 'lower');
  const upper = boundOperands(layout, equal.length, conjuncts, known, 'upper');
  if (equal.length === 0 && lower === null && upper === null) {
    return null;
  }
  return {
    complete: false,
    range: (ctx) => {
      const prefix = valuesOf(equal, ctx);
      const from = lower === null ? [] : valuesOf(lower.operands, ctx);
      const to = upper === null ? [] : valuesOf(upper.operands, ctx);
      if (prefix === null || from === null || to === null) {
        return null;
      }
      if (prefix.includes(null) || from[0] === null || to.includes(null)) {
        return { keys: [] };
      }
      // `k0 > a OR (k0 = a AND k1 > NULL)` still lets the rows above a through.
      const end = from.indexOf(null);
      const start = [...prefix, ...(end < 0 ? from : from.slice(0, end))];
      return {
        from: start.length === 0 ? undefined : { prefix: start, inclusive: end >= 0 || (lower?.inclusive ?? true) },
        to: prefix.length + to.length === 0 ? undefined : { prefix: [...prefix, ...to], inclusive: true },
      };
    },
  };
}

/** The values, or null when one of them cannot be a key's. */
function valuesOf(operands: readonly Operand[], ctx: EvalContext): SqlValue[] | null {
  const values: SqlValue[] = [];
  for (const operand of operands) {
    const value = operand(ctx);
    if (value === undefined) {
      return null;
    }
    values.push(value);
  }
  return values;
}

function equalOperand(layout: KeyLayout, depth: number, conjuncts: readonly Conjunct[], known: ReadonlySet<number>): Operand | null {
  for (const { expression, scope } of conjuncts) {
    const side = comparedWith(layout, depth, expression, scope);
    const operand = side?.operator === '=' ? operandOf(layout, depth, side.other, scope, known) : null;
    if (operand !== null) {
      return operand;
    }
  }
  return null;
}

function listOperands(layout: KeyLayout, conjuncts: readonly Conjunct[], known: ReadonlySet<number>): Operand[] | null {
  for (const { expression, scope } of conjuncts) {
    if (expression.kind === 'inList' && !expression.not && isKeyColumn(layout, 0, expression.operand, scope)) {
      const operands = expression.items.map((item) => operandOf(layout, 0, item, scope, known));
      if (operands.every((operand) => operand !== null)) {
        return operands;
      }
    }
  }
  return null;
}

/** `column operator other`, whichever side the column is written on. */
function comparedWith(
  layout: KeyLayout,
  depth: number,
  expression: Expression,
  scope: QueryScope,
): { readonly operator: ComparisonOperator; readonly other: Expression } | null {
  if (expression.kind !== 'comparison') {
    return null;
  }
  if (isKeyColumn(layout, depth, expression.left, scope)) {
    return { operator: expression.operator, other: expression.right };
  }
  if (isKeyColumn(layout, depth, expression.right, scope)) {
    const turned: Record<ComparisonOperator, ComparisonOperator> = { '=': '=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' };
    return { operator: turned[expression.operator], other: expression.left };
  }
  return null;
}

function isKeyColumn(layout: KeyLayout, depth: number, expression: Expression, scope: QueryScope): boolean {
  if (expression.kind !== 'column') {
    return false;
  }
  const column = scope.resolveColumn(expression.qualifier, expression.name, expression);
  return column.slot === layout.slot && column.index === layout.positions[depth];
}

function operandOf(
  layout: KeyLayout,
  depth: number,
  expression: Expression,
  scope: QueryScope,
  known: ReadonlySet<number>,
): Operand | null {
  if (expression.kind === 'subquery') {
    return null;
  }
  const recording = recordingScope(scope);
  const compiled = compileExpression(expression, recording.scope);
  const column = layout.columns[depth];
  if (column === undefined || !isSubset(recording.slots, known)) {
    return null;
  }
  const convert = toKeyValue(compiled.type, column.type);
  return convert === null ? null : (ctx) => convert(compiled.evaluate(ctx));
}

interface Bounding {
  readonly operands: readonly Operand[];
  readonly inclusive: boolean;
}

function boundOperands(
  layout: KeyLayout,
  depth: number,
  conjuncts: readonly Conjunct[],
  known: ReadonlySet<number>,
  side: 'lower' | 'upper',
): Bounding | null {
  let best: Bounding | null = null;
  for (const { expression, scope } of conjuncts) {
    const keyset = side === 'lower' ? keysetOperands(layout, depth, flattenLogical(expression, 'or'), scope, known) : null;
    if (keyset !== null && keyset.length > (best?.operands.length ?? 0)) {
      best = { operands: keyset, inclusive: false };
    }
    const wanted = side === 'lower' ? ['>', '>='] : ['<', '<='];
    const compared = comparedWith(layout, depth, expression, scope);
    const limit =
      compared !== null && wanted.includes(compared.operator)
        ? compared.other
        : expression.kind === 'between' && !expression.not && isKeyColumn(layout, depth, expression.operand, scope)
          ? side === 'lower'
            ? expression.low
            : expression.high
          : null;
    const operand = limit === null ? null : operandOf(layout, depth, limit, scope, known);
    if (operand !== null && best === null) {
      best = { operands: [operand], inclusive: true };
    }
  }
  return best;
}

/**
 * `k0 > a OR (k0 = a AND k1 > b) OR (k0 = a AND k1 = b AND k2 > c)`, nested or flat: the keys after (a, b, c). Returns the operands, or
 * null when the condition is not of this form.
 */
function keysetOperands(
  layout: KeyLayout,
  depth: number,
  branches: readonly Expression[],
  scope: QueryScope,
  known: ReadonlySet<number>,
): Operand[] | null {
  let greater: Expression | null = null;
  const rest: { readonly equal: Expression; readonly terms: readonly Expression[] }[] = [];
  for (const branch of branches) {
    const terms = flattenLogical(branch, 'and');
    const only = terms.length === 1 ? comparedWith(layout, depth, terms[0] ?? branch, scope) : null;
    if (only?.operator === '>' && greater === null) {
      greater = only.other;
      continue;
    }
    const at = terms.findIndex((term) => comparedWith(layout, depth, term, scope)?.operator === '=');
    const equal = comparedWith(layout, depth, terms[at] ?? branch, scope);
    if (at < 0 || equal === null || terms.length === 1) {
      return null;
    }
    rest.push({ equal: equal.other, terms: terms.filter((_, index) => index !== at) });
  }
  if (greater === null || rest.some(({ equal }) => !sameSimple(equal, greater))) {
    return null;
  }
  const operand = operandOf(layout, depth, greater, scope, known);
  if (operand === null || rest.length === 0) {
    return operand === null ? null : [operand];
  }
  const inner = rest.flatMap(({ terms }) =>
    terms.length === 1 && terms[0] !== undefined ? flattenLogical(terms[0], 'or') : [conjunction(terms)],
  );
  const deeper = depth + 1 < layout.positions.length ? keysetOperands(layout, depth + 1, inner, scope, known) : null;
  return deeper === null ? null : [operand, ...deeper];
}

function conjunction(terms: readonly Expression[]): Expression {
  return terms.reduce((left, right) => ({ kind: 'logical', operator: 'and', left, right, line: left.line, position: left.position }));
}

function sameSimple(a: Expression, b: Expression | null): boolean {
  if (a.kind === 'variable' && b?.kind === 'variable') {
    return a.name.toLowerCase() === b.name.toLowerCase();
  }
  return a.kind === 'literal' && b?.kind === 'literal' && a.literal === b.literal && a.text === b.text;
}
