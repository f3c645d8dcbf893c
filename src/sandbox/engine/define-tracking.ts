/**
 * Change tracking switched on and off, for a database and for a table, and TRUNCATE, which begins it anew. Source:
 * learn.microsoft.com, "Enable and disable change tracking"; errors 4996 to 4999, 1718, 5088 to 5092, 22115.
 */
import type { AlterDatabaseAction } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import type { Database, Table } from './catalog.ts';
import { columnIndex, indexPositions, primaryKey } from './catalog.ts';
import { ChangeTracker } from './change-tracking.ts';
import { logUndo } from './definition-log.ts';
import { rowHasher } from './expressions.ts';
import type { StatementContext } from './statement-context.ts';
import { createStore } from './table-shape.ts';

type TrackingAction = Extract<AlterDatabaseAction, { kind: 'changeTracking' }>;

const UNIT_MINUTES = { minutes: 1, hours: 60, days: 1440 } as const;

/** @throws SqlError 5088 to 5092, 22115 */
export function setDatabaseTracking(database: Database, action: TrackingAction): void {
  const { tracking } = database;
  if (database.system) {
    throw new SqlError(5090, `Change Tracking is not allowed for database '${database.name}'.`);
  }
  if (action.state === 'off') {
    if (database.tables().some((table) => table.tracker !== null)) {
      throw new SqlError(
        22115,
        `Change tracking is enabled for one or more tables in database '${database.name}'. Disable change tracking on each table before disabling it for the database. Use the sys.change_tracking_tables catalog view to obtain a list of tables for which change tracking is enabled.`,
      );
    }
    tracking.on = false;
    return;
  }
  if (action.state === 'on' && tracking.on) {
    throw new SqlError(5088, `Change tracking is already enabled for database '${database.name}'.`);
  }
  if (action.state === null && !tracking.on) {
    throw new SqlError(
      5089,
      `Change tracking is disabled for database '${database.name}'. Change tracking must be enabled on a database to modify change tracking settings.`,
    );
  }
  const kinds = action.options.map((option) => option.kind);
  if (new Set(kinds).size !== kinds.length) {
    throw new SqlError(5091, 'ALTER DATABASE change tracking option was specified more than once. Each option can be specified only once.');
  }
  const changed = {
    retention: action.state === 'on' ? ({ count: 2, unit: 'days' } as const) : tracking.retention,
    autoCleanup: action.state === 'on' ? true : tracking.autoCleanup,
  };
  let { retention, autoCleanup }: { retention: typeof tracking.retention; autoCleanup: boolean } = changed;
  for (const option of action.options) {
    if (option.kind === 'retention') {
      const minutes = option.count * UNIT_MINUTES[option.unit];
      if (minutes < 1 || minutes > 2_147_483_647) {
        throw new SqlError(
          5092,
          'The value for change tracking option CHANGE_RETENTION is not valid. The value must be between 1 minute and 2147483647 minutes.',
        );
      }
      retention = { count: option.count, unit: option.unit };
    } else {
      autoCleanup = option.on;
    }
  }
  tracking.on = true;
  tracking.retention = retention;
  tracking.autoCleanup = autoCleanup;
}

function newTracker(context: StatementContext, table: Table, tracksColumns: boolean): ChangeTracker {
  const key = primaryKey(table);
  const types = key === null ? [] : indexPositions(table, key).flatMap((position) => table.columns[position]?.type ?? []);
  const { manager } = context.instance;
  return new ChangeTracker({
    tracksColumns,
    beginVersion: table.database.tracking.current,
    identity: rowHasher(types),
    horizon: () => manager.horizon(),
  });
}

function replaceTracker(context: StatementContext, table: Table, tracker: ChangeTracker | null): void {
  const before = table.tracker;
  table.tracker = tracker;
  logUndo(
    context.transaction,
    () => {
      table.tracker = before;
    },
    (seq) => {
      table.definedSeq = seq;
    },
  );
}

/** @throws SqlError 1718, 4996, 4997, 4999 */
export function enableTracking(context: StatementContext, table: Table, tracksColumns: boolean): void {
  const name = table.name;
  if (!table.database.tracking.on) {
    throw new SqlError(
      1718,
      `Change tracking must be enabled on database '${table.database.name}' before it can be enabled on table '${name}'.`,
    );
  }
  if (table.tracker !== null) {
    throw new SqlError(4996, `Change tracking is already enabled for table '${name}'.`);
  }
  const key = primaryKey(table);
  if (key === null) {
    throw new SqlError(
      4997,
      `Cannot enable change tracking on table '${name}'. Change tracking requires a primary key on the table. Create a primary key on the table before enabling change tracking.`,
    );
  }
  if (key.columns.some((each) => table.columns[columnIndex(table, each.columnId)]?.type.name === 'rowversion')) {
    throw new SqlError(
      4999,
      `Cannot enable change tracking on table '${name}'. Change tracking does not support a primary key of type timestamp on a table.`,
    );
  }
  replaceTracker(context, table, newTracker(context, table, tracksColumns));
}

/** @throws SqlError 4998 */
export function disableTracking(context: StatementContext, table: Table): void {
  if (table.tracker === null) {
    throw new SqlError(4998, `Change tracking is not enabled on table '${table.name}'.`);
  }
  replaceTracker(context, table, null);
}

/** Empties a table. Its tracked changes are forgotten and begin at the current version; nothing is recorded as deleted. @throws SqlError 4712 */
export function truncate(context: StatementContext, table: Table, name: string): void {
  if (table.database.tables().some((other) => other !== table && other.foreignKeys.some((key) => key.references === table))) {
    throw new SqlError(4712, `Cannot truncate table '${name}' because it is being referenced by a FOREIGN KEY constraint.`);
  }
  const before = table.store;
  table.store = createStore(table, context.instance.manager);
  const identities = table.columns.flatMap((column) =>
    column.identity === null ? [] : [{ identity: column.identity, last: column.identity.last }],
  );
  for (const { identity } of identities) {
    identity.last = null;
  }
  logUndo(
    context.transaction,
    () => {
      table.store = before;
      for (const { identity, last } of identities) {
        identity.last = last;
      }
    },
    (seq) => {
      table.definedSeq = seq;
    },
  );
  if (table.tracker !== null) {
    replaceTracker(context, table, newTracker(context, table, table.tracker.tracksColumns));
  }
}
