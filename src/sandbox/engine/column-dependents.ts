/** What hangs on a column: indexes, constraints, computed columns, schema-bound views. While something does, the column can be neither dropped nor altered freely. */
import { SqlError } from '../session.ts';
import type { Column, Database, Table, View } from './catalog.ts';
import { sameName } from './catalog.ts';

export interface Dependent {
  readonly kind: 'primary key' | 'unique' | 'index' | 'foreign key' | 'check' | 'default' | 'computed' | 'view';
  readonly name: string;
}

/** Whether an expression, or any tree that holds some, names a column. */
export function namesColumn(expression: unknown, name: string): boolean {
  let found = false;
  const visit = (node: unknown): void => {
    if (found || typeof node !== 'object' || node === null) {
      return;
    }
    if (Array.isArray(node)) {
      node.forEach(visit);
      return;
    }
    const { kind, name: own } = node as { kind?: string; name?: unknown };
    if (kind === 'column' && typeof own === 'string' && sameName(own, name)) {
      found = true;
      return;
    }
    Object.values(node).forEach(visit);
  };
  visit(expression);
  return found;
}

/** The tables that a schema-bound view names, by schema and name. */
function namedTables(view: View): { readonly schema: string; readonly name: string }[] {
  const found: { schema: string; name: string }[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) {
      return;
    }
    if (Array.isArray(node)) {
      node.forEach(visit);
      return;
    }
    const { kind, name } = node as { kind?: string; name?: { schema?: string | null; name: string } };
    if (kind === 'table' && typeof name === 'object') {
      found.push({ schema: name.schema ?? '', name: name.name });
    }
    Object.values(node).forEach(visit);
  };
  visit([view.query, view.ctes]);
  return found;
}

/** The schema-bound views over a table or view. */
export function boundViews(database: Database, object: { readonly schema: { readonly name: string }; readonly name: string }): View[] {
  return [...database.objects.values()].filter(
    (view) =>
      view.kind === 'view' &&
      view.schemaBound &&
      namedTables(view).some((each) => sameName(each.schema, object.schema.name) && sameName(each.name, object.name)),
  ) as View[];
}

/** @throws SqlError 4512 for a schema-bound view that names a table without its schema */
export function requireTwoParts(view: View, line: number): void {
  const ctes = view.ctes.map((each) => each.name);
  const single = namedTables(view).find((each) => each.schema === '' && !ctes.some((name) => sameName(name, each.name)));
  if (view.schemaBound && single !== undefined) {
    throw new SqlError(
      4512,
      `Cannot schema bind view '${view.schema.name}.${view.name}' because name '${single.name}' is invalid for schema binding. Names must be in two-part format and an object cannot reference itself.`,
      { line, state: 3 },
    );
  }
}

export function dependentsOf(table: Table, column: Column): Dependent[] {
  const { id, name } = column;
  const found: Dependent[] = [];
  for (const index of table.indexes) {
    if (
      index.columns.some((each) => each.columnId === id) ||
      index.include.includes(id) ||
      (index.filter !== null && namesColumn(index.filter.expression, name))
    ) {
      found.push({ kind: index.kind, name: index.name });
    }
  }
  found.push(
    ...table.foreignKeys.filter((key) => key.columnIds.includes(id)).map((key) => ({ kind: 'foreign key' as const, name: key.name })),
    ...table.checks.filter((each) => namesColumn(each.expression, name)).map((each) => ({ kind: 'check' as const, name: each.name })),
    ...table.columns
      .filter((each) => each.computed !== null && namesColumn(each.computed.expression, name))
      .map((each) => ({ kind: 'computed' as const, name: each.name })),
  );
  for (const view of table.temporary ? [] : boundViews(table.database, table)) {
    if (namesColumn([view.query, view.ctes], name)) {
      found.push({ kind: 'view', name: view.name });
    }
  }
  if (column.default !== null) {
    found.push({ kind: 'default', name: column.default.name });
  }
  return found;
}

/** 4922 after one 5074 for each dependent. @param action 'DROP COLUMN' or 'ALTER COLUMN' */
export function columnInUse(action: string, column: Column, dependents: readonly Dependent[], line: number): SqlError {
  let preceding: SqlError | null = null;
  for (const { kind, name } of dependents) {
    const what = kind === 'index' ? 'index' : kind === 'computed' ? 'column' : 'object';
    preceding = new SqlError(5074, `The ${what} '${name}' is dependent on column '${column.name}'.`, {
      line,
      ...(preceding === null ? {} : { preceding }),
    });
  }
  return new SqlError(4922, `ALTER TABLE ${action} ${column.name} failed because one or more objects access this column.`, {
    line,
    state: 9,
    ...(preceding === null ? {} : { preceding }),
  });
}
