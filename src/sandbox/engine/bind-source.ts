/** Turns what stands in FROM into sources: names are looked up here (CTE, temp table, catalog view, table, view). */
import type { ObjectName } from '../sql/ast-expression.ts';
import type { DerivedTable, NamedTable, Query, QuerySpecification, TableSource, ValuesTable } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { View } from './catalog.ts';
import { findSystemView } from './catalog-views.ts';
import { conjunctsOf } from './conjuncts.ts';
import { invalidObject, permissionDenied } from './errors.ts';
import { compileExpression, converter, unify } from './expressions.ts';
import { databaseOf, describeName, findObject, isSynonym } from './object-names.ts';
import { hasObjectPermission } from './permissions.ts';
import type { PlanColumn, QueryPlan, Source, SourceTable } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { createQueryScope, recordingScope } from './query-scope.ts';
import { changesSource, versionSource } from './source-changes.ts';
import { joinSource } from './source-join.ts';
import { functionSource, openJsonSource } from './source-functions.ts';
import { pivotSource, unpivotSource } from './source-pivot.ts';
import { renamed } from './source-columns.ts';
import { catalogSource, computedSource } from './source-rows.ts';
import type { StoredSource } from './source-table.ts';
import { storedSource } from './source-table.ts';
import type { ReadMode } from './row-store.ts';
import type { StatementContext } from './statement-context.ts';

/** A common table expression or a working table that a name stands for in a statement. */
export interface NamedRows {
  readonly columns: readonly PlanColumn[];
  rows(): Iterable<readonly SqlValue[]>;
}

/** What planning needs besides the tree. */
export interface PlanEnvironment {
  readonly context: StatementContext;
  /** CTEs in lower case. Each use of one runs it anew. */
  readonly ctes: ReadonlyMap<string, () => NamedRows>;
  /** The table of a FROM clause that is written to: read as a write does. */
  readonly target?: {
    readonly node: NamedTable;
    mode(): ReadMode;
    found(source: StoredSource): void;
    /** The query that is written through, and what is called for each row of it while the table's row is current. */
    readonly specification?: QuerySpecification;
    readonly produced?: (values: readonly SqlValue[]) => void;
  };
  /** @throws SqlError 4413 */
  planView(view: View, alias: string): NamedRows;
  /** A source that stands for a node of the FROM clause: the query that is written through. */
  readonly instead?: { readonly node: TableSource; readonly source: Source };
  planQuery(env: PlanEnvironment, query: Query, parent: QueryScope | null): QueryPlan;
  readonly plan: QueryScope['plan'];
}

export function bindSource(env: PlanEnvironment, source: TableSource, parent: QueryScope | null): Source {
  const { context } = env;
  if (env.instead?.node === source) {
    return env.instead.source;
  }
  switch (source.kind) {
    case 'table':
      return bindNamed(env, source);
    case 'tableVariable': {
      const table = context.frame.tables.get(source.name.toLowerCase());
      if (table === undefined) {
        throw new SqlError(1087, `Must declare the table variable "${source.name}".`, { line: source.line, state: 2, class: 15 });
      }
      return storedSource(context, table, {
        name: source.alias ?? source.name,
        qualifiers: [],
        mode: () => ({ kind: 'locking' }),
      });
    }
    case 'derived':
      return bindDerived(env, source, parent);
    case 'values':
      return bindValues(env, source, parent);
    case 'join': {
      const left = bindSource(env, source.left, parent);
      const right = bindSource(env, source.right, parent);
      distinctNames([...left.tables, ...right.tables]);
      const scope = createQueryScope({ context, tables: [...left.tables, ...right.tables], parent, plan: env.plan });
      return joinSource(context, { type: source.type, left, right, on: conjunctsOf(source.on, scope) });
    }
    case 'apply': {
      const left = bindSource(env, source.left, parent);
      const outer = createQueryScope({ context, tables: left.tables, parent, plan: env.plan });
      const right = bindSource(env, source.right, outer);
      distinctNames([...left.tables, ...right.tables]);
      return joinSource(context, { type: source.outer ? 'left' : 'cross', left, right: { ...right, lateral: true }, on: [] });
    }
    case 'changes':
      return changesSource(context, source, parent ?? emptyScope(env));
    case 'version':
      return versionSource(context, source, parent ?? emptyScope(env));
    case 'openJson':
      return openJsonSource(context, source, parent ?? emptyScope(env));
    case 'function':
      return functionSource(context, source, parent ?? emptyScope(env));
    case 'pivot':
    case 'unpivot': {
      const inner = bindSource(env, source.source, parent);
      const scope = createQueryScope({ context, tables: inner.tables, parent, plan: env.plan });
      return source.kind === 'pivot' ? pivotSource(context, source, inner, scope) : unpivotSource(context, source, inner, scope);
    }
  }
}

export function emptyScope(env: PlanEnvironment): QueryScope {
  return createQueryScope({ context: env.context, tables: [], parent: null, plan: env.plan });
}

function distinctNames(tables: readonly SourceTable[]): void {
  const seen = new Set<string>();
  for (const table of tables) {
    const name = [...table.qualifiers, table.name].join('.').toLowerCase();
    if (seen.has(name)) {
      throw new SqlError(
        1013,
        `The objects "${table.name}" and "${table.name}" in the FROM clause have the same exposed names. Use correlation names to distinguish them.`,
      );
    }
    seen.add(name);
  }
}

function bindNamed(env: PlanEnvironment, source: NamedTable): Source {
  const { context } = env;
  const { name } = source;
  const simple = name.schema === null && name.database === null && name.server === null;
  const cte = simple ? env.ctes.get(name.name.toLowerCase())?.() : undefined;
  if (cte !== undefined) {
    return computedSource(context, { name: source.alias ?? name.name, columns: cte.columns, lateral: false, rows: () => cte.rows() });
  }
  const image = simple ? context.frame.trigger?.rows.get(name.name.toLowerCase()) : undefined;
  if (image !== undefined) {
    return computedSource(context, { name: source.alias ?? name.name, columns: image.columns, lateral: false, rows: () => image.rows() });
  }
  const alias = source.alias ?? name.name;
  const qualifiers = source.alias === null ? qualifiersOf(context, name) : [];
  const view = findSystemView(context, name);
  if (view !== null) {
    const columnsOf = (each: View): readonly PlanColumn[] => env.planView(each, each.name).columns;
    return catalogSource(context, { name: alias, qualifiers, columns: view.columns, rows: (only) => view.rows(columnsOf, only) });
  }
  const object = findObject(context.session, name);
  if (object === undefined) {
    throw isSynonym(context.session, name)
      ? new SqlError(5313, `Synonym '${describeName(name)}' refers to an invalid object.`, { line: name.line })
      : invalidObject(describeName(name), name.line);
  }
  if (object.kind === 'view') {
    const database = databaseOf(context.session, name);
    if (!context.binding && context.owner !== database && !hasObjectPermission(context.session, database, object, 'SELECT')) {
      throw permissionDenied('SELECT', object.name, database.name, object.schema.name);
    }
    const plan = context.asOwner(database, () => env.planView(object, alias));
    return computedSource(context, { name: alias, qualifiers, columns: plan.columns, lateral: false, rows: () => plan.rows() });
  }
  if (object.kind === 'synonym') {
    throw invalidObject(describeName(name), name.line);
  }
  const target = env.target?.node === source ? env.target : null;
  const { owner } = context;
  const stored = storedSource(context, object, {
    name: alias,
    qualifiers,
    keepsChains: target !== null,
    node: source,
    mode: () => target?.mode() ?? context.readMode(object, source.hints, owner),
  });
  target?.found(stored);
  return stored;
}

function qualifiersOf(context: StatementContext, name: ObjectName): string[] {
  return [name.database ?? context.database.name, name.schema ?? 'dbo'];
}

function bindDerived(env: PlanEnvironment, source: DerivedTable, parent: QueryScope | null): Source {
  const plan = env.planQuery(env, source.query, parent);
  const columns = renamed(plan.columns, source.columns, source.alias);
  const missing = columns.findIndex((column) => column.name === '');
  if (missing >= 0) {
    throw new SqlError(8155, `No column name was specified for column ${missing + 1} of '${source.alias}'.`, {
      line: source.line,
      state: 2,
    });
  }
  return computedSource(env.context, { name: source.alias, columns, lateral: false, rows: () => plan.run() });
}

function bindValues(env: PlanEnvironment, source: ValuesTable, parent: QueryScope | null): Source {
  const recording = recordingScope(parent ?? emptyScope(env));
  const rows = source.rows.map((row) => row.map((value) => compileExpression(value, recording.scope)));
  const width = rows[0]?.length ?? 0;
  if (rows.some((row) => row.length !== width)) {
    throw new SqlError(10709, 'The number of columns for each row in a table value constructor must be the same.', {
      line: source.line,
      class: 16,
    });
  }
  const unified = Array.from({ length: width }, (_, index) => unify(rows.flatMap((row) => row[index] ?? [])));
  const columns = renamed(
    unified.map((column) => ({ name: '', type: column.type, nullable: column.nullable })),
    source.columns,
    source.alias,
  );
  const ready = rows.map((row) =>
    row.map((value, index) => ({ value, convert: converter(value.type, unified[index]?.type ?? value.type) })),
  );
  return computedSource(env.context, {
    name: source.alias,
    columns,
    lateral: false,
    *rows(ctx) {
      for (const row of ready) {
        yield row.map(({ value, convert }) => convert(value.evaluate(ctx)));
      }
    },
  });
}
