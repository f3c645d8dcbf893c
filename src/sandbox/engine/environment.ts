/** Puts planning together: the environment of a statement, and expressions over the columns of one table. */
import type { Expression } from '../sql/ast-expression.ts';
import type { Column } from './catalog.ts';
import type { PlanEnvironment } from './bind-source.ts';
import type { CompiledExpression } from './expressions.ts';
import { compileCondition, compileExpression } from './expressions.ts';
import { planQuery, planSubquery } from './query-plan.ts';
import type { QueryScope } from './query-scope.ts';
import { createQueryScope } from './query-scope.ts';
import type { StatementContext } from './statement-context.ts';

export function createEnvironment(context: StatementContext): PlanEnvironment {
  const env: PlanEnvironment = {
    context,
    ctes: new Map(),
    planQuery,
    plan: (query, outer) => planSubquery(env, query, outer),
  };
  return env;
}

/** The environment with other CTEs: subqueries have to see them too. */
export function refineEnvironment(env: PlanEnvironment, changes: Partial<Pick<PlanEnvironment, 'ctes' | 'target'>>): PlanEnvironment {
  const refined: PlanEnvironment = { ...env, ...changes, plan: (query, outer) => planSubquery(refined, query, outer) };
  return refined;
}

interface ColumnsOf {
  readonly name: string;
  readonly columns: readonly Column[];
}

function scopeOver(context: StatementContext, table: ColumnsOf): QueryScope {
  const env = createEnvironment(context);
  const columns = table.columns.map((column) => ({ name: column.name, type: column.type, nullable: column.nullable }));
  return createQueryScope({
    context,
    tables: [{ name: table.name, qualifiers: [], slot: context.newSlot(), columns }],
    parent: null,
    plan: env.plan,
  });
}

/** Compiles an expression over a row of a table. @throws SqlError 207 and whatever the types refuse */
export function compileOver(context: StatementContext, table: ColumnsOf, expression: Expression): CompiledExpression {
  return compileExpression(expression, scopeOver(context, table));
}

export function conditionOver(context: StatementContext, table: ColumnsOf, expression: Expression): void {
  compileCondition(expression, scopeOver(context, table));
}
