/** The catalog views by name: sys.… and INFORMATION_SCHEMA.…; what each shows is in the views-….ts files. */
import type { ObjectName } from '../sql/ast-expression.ts';
import type { SqlValue } from '../sql-types.ts';
import type { Database } from './catalog.ts';
import { invalidObject } from './errors.ts';
import { databaseOf, describeName } from './object-names.ts';
import type { PlanColumn } from './plan.ts';
import type { StatementContext } from './statement-context.ts';
import type { SystemView } from './views-columns.ts';
import { cleanupHistory, databaseViews } from './views-database.ts';
import { columnViews } from './views-table-columns.ts';
import { constraintViews } from './views-constraints.ts';
import { indexViews } from './views-indexes.ts';
import { informationViews } from './views-information.ts';
import { objectViews } from './views-objects.ts';
import { serverViews } from './views-server.ts';
import { triggerViews } from './views-triggers.ts';

const VIEWS: ReadonlyMap<string, SystemView> = new Map(
  [
    ...serverViews,
    ...databaseViews,
    ...objectViews,
    ...columnViews,
    ...indexViews,
    ...constraintViews,
    ...informationViews,
    ...triggerViews,
  ].map((view) => [view.name, view]),
);

/** The view of a name; null when the name is in no system schema. @throws SqlError 208 for a system view that the sandbox does not have. */
export function findSystemView(
  context: StatementContext,
  name: ObjectName,
): { readonly columns: readonly PlanColumn[]; rows(): Iterable<readonly SqlValue[]> } | null {
  const schema = name.schema?.toLowerCase();
  if (name.name.toLowerCase() === 'mschange_tracking_history' && (schema ?? 'dbo') === 'dbo') {
    const database = databaseOf(context.session, name);
    return database.tracking.history.length === 0 ? null : shown(context, cleanupHistory, database);
  }
  if (schema !== 'sys' && schema !== 'information_schema') {
    return null;
  }
  const view = VIEWS.get(`${schema}.${name.name.toLowerCase()}`);
  if (view === undefined) {
    throw invalidObject(describeName(name), name.line);
  }
  return shown(context, view, databaseOf(context.session, name));
}

function shown(
  context: StatementContext,
  view: SystemView,
  database: Database,
): { readonly columns: readonly PlanColumn[]; rows(): Iterable<readonly SqlValue[]> } {
  return {
    columns: view.columns.map(([column, type, nullable]) => ({ name: column, type: type(database.collation), nullable: nullable ?? true })),
    rows: () => view.rows(context, database),
  };
}
