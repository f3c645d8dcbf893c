/**
 * CHANGETABLE. CHANGES: one row for each key that changed after a version; VERSION: what the last change of one key was. Source:
 * learn.microsoft.com, CHANGETABLE.
 */
import type { Expression } from '../sql/ast-expression.ts';
import type { ChangesTable, VersionTable } from '../sql/ast.ts';
import { formatType } from '../sql/types.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { IndexDefinition, Table } from './catalog.ts';
import { indexPositions, primaryKey, sameName } from './catalog.ts';
import type { ChangeTracker } from './change-tracking.ts';
import { requireKeySelect } from './column-permissions.ts';
import { findSystemView } from './catalog-views.ts';
import { invalidObject, notTracked } from './errors.ts';
import { compileExpression, converter } from './expressions.ts';
import { describeName, findObject } from './object-names.ts';
import { requirePermission } from './permissions.ts';
import type { PlanColumn, Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { visibleRow } from './row-store.ts';
import { renamed } from './source-columns.ts';
import { computedSource } from './source-rows.ts';
import type { StatementContext } from './statement-context.ts';

const BIGINT: SqlType = { name: 'bigint' };

interface Tracked {
  readonly table: Table;
  readonly tracker: ChangeTracker;
  readonly key: IndexDefinition;
  readonly keyColumns: readonly PlanColumn[];
}

/** The tracked table of a CHANGETABLE. @throws SqlError 208, 229, 230, 22104, 22105, 22106, 22107, 22117 */
export function trackedTable(context: StatementContext, source: ChangesTable | VersionTable): Tracked {
  const { table: name, alias, line } = source;
  if (alias === null) {
    throw new SqlError(22104, 'A table returned by the CHANGETABLE function must be aliased.', { line });
  }
  if (name.server !== null && !sameName(name.server, context.instance.name)) {
    throw new SqlError(22106, 'The CHANGETABLE function does not support remote data sources.', { line });
  }
  const unsupported = (): SqlError =>
    new SqlError(
      22107,
      `Object '${describeName(name)}' is of a data type that is not supported by the CHANGETABLE function. The object must be a user-defined table.`,
      { line },
    );
  if (findSystemView(context, name) !== null) {
    throw unsupported();
  }
  const object = findObject(context.session, name);
  if (object === undefined) {
    throw invalidObject(describeName(name), line);
  }
  if (object.kind !== 'table' || object.temporary) {
    throw unsupported();
  }
  if (object.database.secondary && !context.binding) {
    throw new SqlError(
      22117,
      'For databases that are members of a secondary availability replica (that is, for secondary databases), change tracking is not supported. Run change tracking queries on the databases in the primary availability replica.',
      { line },
    );
  }
  object.locks.pass(context.transaction, 'schema stability');
  const key = primaryKey(object);
  if (object.tracker === null || key === null) {
    throw notTracked(describeName(name), line);
  }
  if (!context.binding) {
    requirePermission(context.session, object, 'VIEW CHANGE TRACKING');
    requireKeySelect(context.session, object);
  }
  const keyColumns = indexPositions(object, key).flatMap((position) => {
    const column = object.columns[position];
    return column === undefined ? [] : [{ name: column.name, type: column.type, nullable: false }];
  });
  return { table: object, tracker: object.tracker, key, keyColumns };
}

export function changesSource(context: StatementContext, source: ChangesTable, scope: QueryScope): Source {
  const { table, tracker, keyColumns } = trackedTable(context, source);
  const version = baseline(source.version, scope);
  const columns: PlanColumn[] = [
    { name: 'SYS_CHANGE_VERSION', type: BIGINT, nullable: true },
    { name: 'SYS_CHANGE_CREATION_VERSION', type: BIGINT, nullable: true },
    { name: 'SYS_CHANGE_OPERATION', type: { name: 'nchar', length: 1, collation: context.database.collation }, nullable: true },
    { name: 'SYS_CHANGE_COLUMNS', type: { name: 'varbinary', length: 4100 }, nullable: true },
    { name: 'SYS_CHANGE_CONTEXT', type: { name: 'varbinary', length: 128 }, nullable: true },
    ...keyColumns,
  ];
  return computedSource(context, {
    name: source.alias ?? '',
    columns: renamed(columns, source.columns, source.alias ?? ''),
    lateral: false,
    *rows(ctx) {
      const from = version(ctx);
      const seq = context.trackingSeq(table, tracker);
      for (const change of tracker.changes(from, seq)) {
        yield [change.version, change.creationVersion, change.operation, change.columns, change.context, ...change.key];
      }
    },
  });
}

/** last_sync_version as a bigint. @throws SqlError 257, 8114 for a type that does not become one */
function baseline(expression: Expression, scope: QueryScope): (ctx: StatementContext['eval']) => bigint | null {
  const compiled = compileExpression(expression, scope);
  const { type } = compiled;
  if (expression.kind === 'literal' && expression.literal === 'null') {
    return () => null;
  }
  if ('collation' in type) {
    throw new SqlError(8114, `Error converting data type ${type.name} to bigint.`, { line: expression.line, state: 5 });
  }
  if (
    ['date', 'time', 'datetime', 'datetime2', 'datetimeoffset', 'smalldatetime', 'uniqueidentifier', 'xml', 'sql_variant'].includes(
      type.name,
    )
  ) {
    throw new SqlError(
      257,
      `Implicit conversion from data type ${formatType(type)} to bigint is not allowed. Use the CONVERT function to run this query.`,
      { line: expression.line, state: 3 },
    );
  }
  const convert = converter(type, BIGINT);
  return (ctx) => {
    const value = convert(compiled.evaluate(ctx));
    return typeof value === 'bigint' ? value : null;
  };
}

export function versionSource(context: StatementContext, source: VersionTable, scope: QueryScope): Source {
  const { table, tracker, keyColumns } = trackedTable(context, source);
  if (source.keys.length !== source.values.length || source.keys.length !== keyColumns.length) {
    throw new SqlError(
      22110,
      `The number of columns specified in the CHANGETABLE(VERSION ...) function does not match the number of primary key columns for table '${describeName(source.table)}'.`,
      { line: source.line },
    );
  }
  source.keys.forEach((name, index) => {
    if (!keyColumns.some((column) => sameName(column.name, name))) {
      throw new SqlError(
        22111,
        `The column '${name}' specified in the CHANGETABLE(VERSION ...) function is not part of the primary key for table '${describeName(source.table)}'.`,
        { line: source.line },
      );
    }
    if (source.keys.findIndex((other) => sameName(other, name)) !== index) {
      throw new SqlError(
        22112,
        `Each primary key column must be specified once in the CHANGETABLE(VERSION ...) function for table '${describeName(source.table)}'. The column '${name}' is specified more than once.`,
        { line: source.line },
      );
    }
  });
  const values = keyColumns.map((column) => {
    const value = source.values[source.keys.findIndex((name) => sameName(name, column.name))] ?? never();
    const compiled = compileExpression(value, scope);
    const convert = converter(compiled.type, column.type);
    return (ctx: StatementContext['eval']): SqlValue => convert(compiled.evaluate(ctx));
  });
  const columns: PlanColumn[] = [
    { name: 'SYS_CHANGE_VERSION', type: BIGINT, nullable: true },
    { name: 'SYS_CHANGE_CONTEXT', type: { name: 'varbinary', length: 128 }, nullable: true },
    ...keyColumns,
  ];
  return computedSource(context, {
    name: source.alias ?? '',
    columns: renamed(columns, source.columns, source.alias ?? ''),
    lateral: false,
    *rows(ctx) {
      const key = values.map((value) => value(ctx));
      const mode = context.readMode(table, []);
      const chain = table.store.get(key);
      const row = chain === undefined ? null : visibleRow(chain, context.transaction, mode);
      if (row === null || key.includes(null)) {
        return;
      }
      const last = tracker.changedBy(context.transaction, key) ? null : tracker.lastChange(key, context.trackingSeq(table, tracker));
      yield [
        last?.version ?? null,
        last?.context ?? null,
        ...indexPositions(table, primaryKey(table) ?? never()).map((at) => row[at] ?? null),
      ];
    },
  });
}

function never(): never {
  throw new Error('a tracked table has a primary key');
}
