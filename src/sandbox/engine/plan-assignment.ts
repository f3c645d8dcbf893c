/** SELECT @v = …: each row assigns, in the order of the rows; the last one stays. */
import type { Query, QuerySpecification, SelectItem } from '../sql/ast.ts';
import type { Expression } from '../sql/ast-expression.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { emptyScope } from './bind-source.ts';
import { coerce } from './expressions.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { UnsupportedError } from '../sql/unsupported.ts';

/** @returns runs it and says how many rows there were. */
export function planAssignment(env: PlanEnvironment, query: Query, body: QuerySpecification): () => number {
  const scope = emptyScope(env);
  const targets: { readonly index: number; readonly type: SqlType }[] = [];
  const items = body.items.map((item): SelectItem => {
    if (item.kind !== 'assign') {
      return item;
    }
    targets.push(scope.resolveVariable(item.variable, item));
    const expression: Expression =
      item.operator === '='
        ? item.expression
        : {
            kind: 'binary',
            operator: binaryOf(item.operator),
            left: { kind: 'variable', name: item.variable, line: item.line, position: item.position },
            right: item.expression,
            line: item.line,
            position: item.position,
          };
    return { kind: 'expression', expression, alias: null, line: item.line, position: item.position };
  });
  const mixed = body.items.find((item) => item.kind !== 'assign');
  const plan = env.planQuery(env, { ...query, body: { ...body, items: mixed === undefined ? items : [...body.items] } }, null);
  if (query.orderBy.length > 0 && readsTargets(body.items)) {
    throw new UnsupportedError('a variable that a sorted SELECT both reads and assigns', body.line);
  }
  const { variables } = env.context.eval;
  let current: SqlValue = null;
  const converters = targets.map((target, index) =>
    coerce(
      {
        type: plan.columns[index]?.type ?? target.type,
        nullable: true,
        evaluate: () => current,
        label: 'implicit',
        constant: false,
        untyped: false,
        digits: null,
      },
      target.type,
    ),
  );
  return () => {
    let count = 0;
    for (const row of plan.run()) {
      count += 1;
      targets.forEach((target, index) => {
        current = row[index] ?? null;
        variables[target.index] = converters[index]?.evaluate(env.context.eval) ?? null;
      });
    }
    return count;
  };
}

function binaryOf(operator: Extract<SelectItem, { kind: 'assign' }>['operator']): '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' {
  return operator.slice(0, -1) as '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^';
}

function readsTargets(items: readonly SelectItem[]): boolean {
  return items.some((item) => {
    if (item.kind !== 'assign') {
      return false;
    }
    const read = JSON.stringify(item.expression, (key, value: unknown) =>
      key === 'position' || key === 'line' ? undefined : value,
    ).toLowerCase();
    return (
      item.operator !== '=' ||
      items.some((other) => other.kind === 'assign' && read.includes(`"kind":"variable","name":"${other.variable.toLowerCase()}"`))
    );
  });
}
