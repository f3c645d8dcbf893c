/** What of a database's objects a session sees in catalog views. */
import type { Database, Table, View } from './catalog.ts';
import { seesDefinition } from './permissions.ts';
import type { PlanColumn } from './plan.ts';
import { SqlError } from '../session.ts';
import type { StatementContext } from './statement-context.ts';
import type { ColumnsOf } from './views-columns.ts';

/**
 * The tables whose definition a session may see; one that another transaction is changing is waited for.
 * @param only the object id that a condition asks for: no other table is looked at, or waited for; null: all
 */
export function shownTables(context: StatementContext, database: Database, only: number | null = null): Table[] {
  const temps = database.name === 'tempdb' ? [...context.session.tempTables.values()] : [];
  const object = only === null ? undefined : database.objectById(only);
  const tables = only === null ? database.tables() : object?.kind === 'table' ? [object] : [];
  return [
    ...tables.filter((table) => {
      context.readDefinition(table);
      return seesDefinition(context.session, table);
    }),
    ...temps,
  ];
}

export function views(database: Database): View[] {
  return [...database.objects.values()].filter((object) => object.kind === 'view');
}

/** Views with their columns; a view whose tables are gone has none. */
export function* viewColumns(
  context: StatementContext,
  database: Database,
  columnsOf: ColumnsOf,
): Generator<{ readonly view: View; readonly columns: readonly PlanColumn[] }> {
  if (database !== context.database) {
    return;
  }
  const { binding } = context;
  for (const view of views(database)) {
    context.binding = true;
    try {
      yield { view, columns: columnsOf(view) };
    } catch (error) {
      if (!(error instanceof SqlError)) {
        throw error;
      }
    } finally {
      context.binding = binding;
    }
  }
}
