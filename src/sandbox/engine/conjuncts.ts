/** Conditions taken apart: a conjunction into its terms, each with the slots that it reads. */
import type { Expression } from '../sql/ast-expression.ts';
import { compileCondition } from './expressions.ts';
import type { Conjunct } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { recordingScope } from './query-scope.ts';

export function flattenLogical(expression: Expression, operator: 'and' | 'or'): Expression[] {
  return expression.kind === 'logical' && expression.operator === operator
    ? [...flattenLogical(expression.left, operator), ...flattenLogical(expression.right, operator)]
    : [expression];
}

/** The terms of a condition; none for null. @throws SqlError for names that do not resolve. */
export function conjunctsOf(condition: Expression | null, scope: QueryScope): Conjunct[] {
  if (condition === null) {
    return [];
  }
  return flattenLogical(condition, 'and').map((expression) => {
    const recording = recordingScope(scope);
    const test = compileCondition(expression, recording.scope);
    return { expression, slots: recording.slots, scope, test: (ctx) => test(ctx) === true };
  });
}
