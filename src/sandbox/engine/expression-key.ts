/** When two expressions are the same text apart from case and layout: how GROUP BY recognises its expressions in the select list. */
import type { Expression } from '../sql/ast-expression.ts';

export function expressionKey(expression: Expression): string {
  return JSON.stringify(expression, (key, value: unknown) => {
    if (key === 'line' || key === 'position') {
      return undefined;
    }
    return (key === 'name' || key === 'qualifier') && typeof value === 'string' ? value.toLowerCase() : value;
  }).toLowerCase();
}

/** Calls back for each call of a function in an expression, not looking into subqueries. */
export function eachCall(expression: unknown, visit: (call: Extract<Expression, { kind: 'call' }>) => boolean): void {
  if (Array.isArray(expression)) {
    for (const each of expression) {
      eachCall(each, visit);
    }
    return;
  }
  if (typeof expression !== 'object' || expression === null) {
    return;
  }
  const node = expression as { readonly kind?: string };
  if (node.kind === 'query') {
    return;
  }
  if (node.kind === 'call' && !visit(expression as Extract<Expression, { kind: 'call' }>)) {
    return;
  }
  for (const value of Object.values(expression)) {
    eachCall(value, visit);
  }
}
