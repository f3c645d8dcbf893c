/** Puts planning together: the environment of a statement, and expressions over the columns of one table. */
import type { Expression } from '../sql/ast-expression.ts';
import type { SqlValue } from '../sql-types.ts';
import { SqlError } from '../session.ts';
import type { Column, View } from './catalog.ts';
import type { NamedRows, PlanEnvironment } from './bind-source.ts';
import type { CompiledExpression } from './expressions.ts';
import { compileCondition, compileExpression } from './expressions.ts';
import { planQuery, planSubquery } from './query-plan.ts';
import type { QueryScope } from './query-scope.ts';
import { createQueryScope } from './query-scope.ts';
import { withCommonTables } from './set-operation.ts';
import { relabelled } from './source-columns.ts';
import type { StatementContext } from './statement-context.ts';

export function createEnvironment(context: StatementContext): PlanEnvironment {
  const env: PlanEnvironment = {
    context,
    ctes: new Map(),
    planQuery,
    planView: (view, alias) => planUsedView(context, view, alias),
    plan: (query, outer) => planSubquery(env, query, outer),
  };
  return env;
}

/** The environment with other CTEs: subqueries have to see them too. */
export function refineEnvironment(env: PlanEnvironment, changes: Partial<Pick<PlanEnvironment, 'ctes' | 'target'>>): PlanEnvironment {
  const refined: PlanEnvironment = { ...env, ...changes, plan: (query, outer) => planSubquery(refined, query, outer) };
  return refined;
}

/** A view's query, planned apart from what stands around its name. @throws SqlError of the query */
export function planView(context: StatementContext, view: View, alias: string): NamedRows {
  const own = withCommonTables(createEnvironment(context), view.ctes, (base, ctes) => refineEnvironment(base, { ctes }));
  const plan = own.planQuery(own, view.query, null);
  return { columns: relabelled(plan.columns, view.columns, alias), rows: () => plan.run() };
}

/** The same where the view is used. @throws SqlError 4413 after 207 and 208, when what it shows is gone */
function planUsedView(context: StatementContext, view: View, alias: string): NamedRows {
  try {
    return planView(context, view, alias);
  } catch (error) {
    if (error instanceof SqlError && [207, 208, 4104].includes(error.number)) {
      throw new SqlError(4413, `Could not use view or function '${view.name}' because of binding errors.`, { preceding: error });
    }
    throw error;
  }
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

/** A condition over a row of a table. @throws as compileOver() */
export function conditionOver(
  context: StatementContext,
  table: ColumnsOf,
  expression: Expression,
): (row: readonly SqlValue[]) => boolean | null {
  const slot = context.slotCount;
  const test = compileCondition(expression, scopeOver(context, table));
  return (row) => {
    context.eval.rows[slot] = row;
    return test(context.eval);
  };
}
