/** When two expressions are the same text apart from case and layout: how GROUP BY recognises its expressions in the select list. */
import type { Expression } from '../sql/ast-expression.ts';

export function expressionKey(expression: Expression): string {
  return JSON.stringify(expression, (key, value: unknown) => {
    if (key === 'line' || key === 'position') {
      return undefined;
    }
    // The text of a literal stays: 'a' and 'A' are two values.
    return typeof value === 'string' && key !== 'text' ? value.toLowerCase() : value;
  });
}

const QUERIES: ReadonlySet<string> = new Set(['subquery', 'exists', 'inQuery', 'quantified']);

/** Calls back for each call of a function in an expression, not looking into subqueries: of these `query` is told. */
export function eachCall(
  expression: unknown,
  visit: (call: Extract<Expression, { kind: 'call' }>) => boolean,
  query?: (expression: Expression) => void,
): void {
  if (Array.isArray(expression)) {
    for (const each of expression) {
      eachCall(each, visit, query);
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
  if (query !== undefined && node.kind !== undefined && QUERIES.has(node.kind)) {
    query(expression as Expression);
  }
  for (const value of Object.values(expression)) {
    eachCall(value, visit, query);
  }
}
