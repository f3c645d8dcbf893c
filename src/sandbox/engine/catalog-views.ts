/** The catalog views by name: sys.… and INFORMATION_SCHEMA.…; what each shows is in the views-….ts files. */
import type { ObjectName } from '../sql/ast-expression.ts';
import type { SqlValue } from '../sql-types.ts';
import type { Database } from './catalog.ts';
import { invalidObject } from './errors.ts';
import { databaseOf, describeName } from './object-names.ts';
import { hasDatabasePermission } from './permissions.ts';
import { SqlError } from '../session.ts';
import type { PlanColumn } from './plan.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { StatementContext } from './statement-context.ts';
import type { ColumnsOf, SystemView } from './views-columns.ts';
import { cleanupHistory, databaseViews } from './views-database.ts';
import { columnViews } from './views-table-columns.ts';
import { constraintViews } from './views-constraints.ts';
import { indexViews } from './views-indexes.ts';
import { informationViews } from './views-information.ts';
import { objectViews } from './views-objects.ts';
import { securityViews } from './views-security.ts';
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
    ...securityViews,
  ].map((view) => [view.name, view]),
);

/** Compatibility views that are found without their schema. Source: learn.microsoft.com, "System compatibility views". */
const COMPATIBLE = new Set(
  'sysobjects sysusers sysdatabases syscolumns sysindexes sysindexkeys systypes sysprocesses syscomments sysforeignkeys sysreferences'.split(
    ' ',
  ),
);

/** Views of INFORMATION_SCHEMA that the sandbox has not. */
const ABSENT_INFORMATION =
  /^(?:view_(?:column|table)_usage|routine_columns|domains|domain_constraints|column_domain_usage|(?:table|column)_privileges)$/i;

interface ShownView {
  readonly columns: readonly PlanColumn[];
  rows(columnsOf: ColumnsOf, only: number | null): Iterable<readonly SqlValue[]>;
}

/** Views of SQL Server that the sandbox has not. */
const ABSENT =
  /^(?:dm_\w+|configurations|database_files|master_files|sql_logins|server_permissions|server_role_members|messages|endpoints|xml_indexes|spatial_indexes|partition_\w+|fulltext_\w+|assembly_\w+|credentials|sql_expression_dependencies|columnstore_\w+|hash_indexes|masked_columns|periods|services|linked_logins|servers|sys(?:columns|indexes|indexkeys|types|processes|comments|logins|foreignkeys|references|constraints|files))$/i;

/** The view of a name; null when the name is in no system schema. @throws SqlError 208 for a name that no system view has; UnsupportedError for one that is not here. */
export function findSystemView(context: StatementContext, name: ObjectName): ShownView | null {
  const schema =
    COMPATIBLE.has(name.name.toLowerCase()) && (name.schema ?? 'dbo').toLowerCase() === 'dbo' ? 'sys' : name.schema?.toLowerCase();
  if (name.name.toLowerCase() === 'mschange_tracking_history' && (schema ?? 'dbo') === 'dbo') {
    const database = databaseOf(context.session, name);
    return database.tracking.history.length === 0 ? null : shown(context, cleanupHistory, database);
  }
  if (schema !== 'sys' && schema !== 'information_schema') {
    return null;
  }
  const view = VIEWS.get(`${schema}.${name.name.toLowerCase()}`);
  if (view === undefined) {
    throw (schema === 'sys' ? ABSENT : ABSENT_INFORMATION).test(name.name)
      ? new UnsupportedError(`the view ${describeName(name)}`, name.line)
      : invalidObject(describeName(name), name.line);
  }
  const database = databaseOf(context.session, name);
  if (DATABASE_STATE.has(view.name) && !hasDatabasePermission(context.session, database, 'VIEW DATABASE STATE')) {
    throw new SqlError(297, 'The user does not have permission to perform this action.', {
      preceding: new SqlError(262, `VIEW DATABASE STATE permission denied in database '${database.name}'.`, { class: 14 }),
    });
  }
  return shown(context, view, database);
}

/** Views that take VIEW DATABASE STATE. Source: learn.microsoft.com, "System dynamic management views". */
const DATABASE_STATE = new Set(['sys.dm_tran_commit_table', 'sys.dm_db_partition_stats']);

function shown(context: StatementContext, view: SystemView, database: Database): ShownView {
  return {
    columns: view.columns.map(([column, type, nullable]) => ({ name: column, type: type(database.collation), nullable: nullable ?? true })),
    rows: (columnsOf, only) => view.rows(context, database, columnsOf, only),
  };
}
