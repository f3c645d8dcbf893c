/** Keys, checks, foreign keys and indexes of a table under construction. */
import type { IndexShape, TableConstraint } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import type { Column, IndexDefinition, Table } from './catalog.ts';
import { primaryKey, sameName } from './catalog.ts';
import type { TableDraft } from './define-table.ts';
import { checkDefault, refuseSubqueries, requireFreeName, requireKeyCount, requireKeyType } from './definition-rules.ts';
import { conditionOver } from './environment.ts';
import { describeName, findTable } from './object-names.ts';
import type { StatementContext } from './statement-context.ts';

/** A made-up name as SQL Server makes them: prefix, table, column, eight hex digits. */
export function constraintName(prefix: 'PK' | 'UQ' | 'CK' | 'FK' | 'DF', draft: TableDraft, column = ''): string {
  const unique = (draft.database.nextObjectId() >>> 0).toString(16).toUpperCase().padStart(8, '0');
  const parts = [prefix, draft.name.slice(0, 9), ...(column === '' ? [] : [column.slice(0, 5)]), unique];
  return parts.join('__');
}

function requireColumn(draft: TableDraft, name: string, line: number): Column {
  const column = draft.columns.find((each) => sameName(each.name, name));
  if (column === undefined) {
    throw new SqlError(1911, `Column name '${name}' does not exist in the target table or view.`, { line });
  }
  return column;
}

function nextIndexId(draft: TableDraft, clustered: boolean): number {
  return clustered ? 1 : Math.max(1, ...draft.indexes.map((index) => index.id)) + 1;
}

function secondClustered(draft: TableDraft, existing: IndexDefinition, line: number): SqlError {
  const table = draft.temporary ? draft.name : `${draft.schema.name}.${draft.name}`;
  return new SqlError(
    1902,
    `Cannot create more than one clustered index on table '${table}'. Drop the existing clustered index '${existing.name}' before creating another.`,
    { line, state: 3 },
  );
}

/** @param table the table as it stands, when it is altered; `nullable`: columns that were declared NULL. @throws SqlError */
export function addConstraint(
  context: StatementContext,
  draft: TableDraft,
  constraint: TableConstraint,
  table: { readonly owner: Table | null; readonly nullable: readonly string[] },
): void {
  if (constraint.kind === 'index') {
    addIndex(context, draft, constraint.name, constraint, constraint.line);
    return;
  }
  requireFreeName(draft, constraint.name, constraint.line);
  switch (constraint.kind) {
    case 'primaryKey':
    case 'unique':
      addKey(draft, constraint, table.nullable);
      return;
    case 'check':
      refuseSubqueries(constraint.expression, constraint.line);
      addCheck(context, draft, constraint);
      return;
    case 'foreignKey':
      addForeignKey(context, draft, constraint, table.owner);
      return;
    case 'default':
      checkDefault(context, draft, constraint.expression);
      addDefault(draft, constraint);
  }
}

function addDefault(draft: TableDraft, constraint: Extract<TableConstraint, { kind: 'default' }>): void {
  const { expression, text, line } = constraint;
  const column = draft.columns.find((each) => sameName(each.name, constraint.column));
  if (column === undefined) {
    throw new SqlError(1752, `Column '${constraint.column}' in table '${draft.name}' is invalid for creating a default constraint.`, {
      line,
      state: 0,
    });
  }
  if (column.default !== null) {
    throw new SqlError(1781, 'Column already has a DEFAULT bound to it.', { line });
  }
  if (column.identity !== null) {
    throw new SqlError(
      1754,
      `Defaults cannot be created on columns with an IDENTITY attribute. Table '${draft.name}', column '${column.name}'.`,
      {
        line,
        state: 0,
      },
    );
  }
  const name = constraint.name ?? constraintName('DF', draft, column.name);
  const defined = { name, objectId: draft.database.nextObjectId(), expression, text, systemNamed: constraint.name === null };
  draft.columns = draft.columns.map((each) => (each === column ? { ...each, default: defined } : each));
}

function addKey(
  draft: TableDraft,
  constraint: Extract<TableConstraint, { kind: 'primaryKey' | 'unique' }>,
  nullable: readonly string[],
): void {
  const primary = constraint.kind === 'primaryKey';
  if (primary && draft.indexes.some((index) => index.kind === 'primary key')) {
    throw new SqlError(1779, `Table '${draft.name}' already has a primary key defined on it.`, { line: constraint.line, state: 0 });
  }
  const existing = draft.indexes.find((index) => index.clustered);
  if (constraint.clustered === true && existing !== undefined) {
    throw secondClustered(draft, existing, constraint.line);
  }
  const clustered = constraint.clustered ?? (primary && existing === undefined);
  const columns = constraint.columns.map((each) => ({
    column: requireColumn(draft, each.name, constraint.line),
    descending: each.descending,
  }));
  requireKeyCount(draft, constraint.name ?? '', columns.length, constraint.line);
  for (const { column } of columns) {
    requireKeyType(draft, column, constraint.line);
    if (primary && nullable.some((name) => sameName(name, column.name))) {
      throw new SqlError(8111, `Cannot define PRIMARY KEY constraint on nullable column in table '${draft.name}'.`, {
        line: constraint.line,
      });
    }
  }
  if (primary) {
    // Inside CREATE TABLE a key column that says nothing becomes NOT NULL.
    draft.columns = draft.columns.map((column) =>
      columns.some((each) => each.column.id === column.id) ? { ...column, nullable: false } : column,
    );
  }
  draft.indexes.push({
    name: constraint.name ?? constraintName(primary ? 'PK' : 'UQ', draft),
    id: nextIndexId(draft, clustered),
    kind: primary ? 'primary key' : 'unique',
    unique: true,
    clustered,
    columns: columns.map((each) => ({ columnId: each.column.id, descending: each.descending })),
    include: [],
    objectId: draft.database.nextObjectId(),
    filter: null,
    systemNamed: constraint.name === null,
  });
}

/** @throws SqlError 1902, 1904, 1911, 1913, 1919, 10609 and what the filter's names and types refuse */
export function addIndex(context: StatementContext, draft: TableDraft, name: string, statement: IndexShape, line: number): void {
  if (draft.indexes.some((index) => sameName(index.name, name))) {
    throw new SqlError(
      1913,
      `The operation failed because an index or statistics with name '${name}' already exists on table '${draft.temporary ? draft.name : `${draft.schema.name}.${draft.name}`}'.`,
      { line },
    );
  }
  const existing = draft.indexes.find((index) => index.clustered);
  if (statement.clustered && existing !== undefined) {
    throw secondClustered(draft, existing, line);
  }
  const keys = statement.columns.map((each) => ({ column: requireColumn(draft, each.name, line), descending: each.descending }));
  requireKeyCount(draft, name, keys.length, line);
  keys.forEach(({ column }) => {
    requireKeyType(draft, column, line);
  });
  if (statement.where !== null) {
    refuseSubqueries(statement.where.expression, line);
    if (statement.clustered) {
      throw new SqlError(10_609, `Filtered index '${name}' cannot be created on table '${draft.name}' because the index is clustered.`, {
        line,
      });
    }
    conditionOver(context, draft, statement.where.expression);
  }
  draft.indexes.push({
    name,
    id: nextIndexId(draft, statement.clustered),
    kind: 'index',
    unique: statement.unique,
    clustered: statement.clustered,
    columns: keys.map(({ column, descending }) => ({ columnId: column.id, descending })),
    include: statement.include.map((each) => requireColumn(draft, each, line).id),
    objectId: 0,
    filter: statement.where,
    systemNamed: false,
  });
}

function addCheck(context: StatementContext, draft: TableDraft, constraint: Extract<TableConstraint, { kind: 'check' }>): void {
  conditionOver(context, draft, constraint.expression);
  draft.checks.push({
    name: constraint.name ?? constraintName('CK', draft, constraint.column ?? ''),
    objectId: draft.database.nextObjectId(),
    expression: constraint.expression,
    text: constraint.text,
    systemNamed: constraint.name === null,
    columnId: draft.columns.find((column) => constraint.column !== null && sameName(column.name, constraint.column))?.id ?? 0,
    enabled: true,
    trusted: true,
  });
}

/** @param owner the table as it stands, when a key is added to an existing one. @throws SqlError 1767, 1769, 1770, 1776 */
function addForeignKey(
  context: StatementContext,
  draft: TableDraft,
  constraint: Extract<TableConstraint, { kind: 'foreignKey' }>,
  owner: Table | null,
): void {
  const { line } = constraint;
  const name = constraint.name ?? constraintName('FK', draft);
  const own = constraint.references.schema === null || sameName(constraint.references.schema, draft.schema.name);
  const itself = own && sameName(constraint.references.name, draft.name);
  const references: Table =
    itself && owner === null
      ? ({ ...draft, kind: 'table' } as unknown as Table)
      : owner !== null && itself
        ? owner
        : findTable(context.session, constraint.references, () => {
            return new SqlError(1767, `Foreign key '${name}' references invalid table '${describeName(constraint.references)}'.`, {
              line,
              state: 0,
            });
          });
  const target = itself ? draft : references;
  const key = itself ? draft.indexes.find((index) => index.kind === 'primary key') : (primaryKey(references) ?? undefined);
  const referencedIds =
    constraint.referencedColumns.length > 0
      ? constraint.referencedColumns.map((column) => {
          const found = target.columns.find((each) => sameName(each.name, column));
          if (found === undefined) {
            throw new SqlError(1770, `Foreign key '${name}' references invalid column '${column}' in referenced table '${target.name}'.`, {
              line,
              state: 0,
            });
          }
          return found.id;
        })
      : (key?.columns.map((each) => each.columnId) ?? []);
  const covered = target.indexes.some(
    (index) =>
      index.unique && index.columns.length === referencedIds.length && index.columns.every((each) => referencedIds.includes(each.columnId)),
  );
  if (!covered) {
    throw new SqlError(
      1776,
      `There are no primary or candidate keys in the referenced table '${target.name}' that match the referencing column list in the foreign key '${name}'.`,
      { line, state: 0 },
    );
  }
  if (constraint.onDelete !== 'noAction' || constraint.onUpdate !== 'noAction') {
    refuseCycle(draft, references, itself, name, line);
  }
  draft.foreignKeys.push({
    name,
    objectId: draft.database.nextObjectId(),
    columnIds: constraint.columns.map((column) => {
      const found = draft.columns.find((each) => sameName(each.name, column));
      if (found === undefined) {
        throw new SqlError(1769, `Foreign key '${name}' references invalid column '${column}' in referencing table '${draft.name}'.`, {
          line,
        });
      }
      return found.id;
    }),
    references,
    referencedIds,
    onDelete: constraint.onDelete,
    onUpdate: constraint.onUpdate,
    systemNamed: constraint.name === null,
    enabled: true,
    trusted: true,
  });
}

/** A row must not come back to its own table along keys that write of their own, nor reach one on two ways. @throws SqlError 1785 */
function refuseCycle(draft: TableDraft, references: Table, itself: boolean, name: string, line: number): void {
  const tables = draft.database.tables();
  /** The tables whose deletes or updates reach a table, the table itself included, each as often as there are ways. */
  const above = (table: Table): Table[] => [
    table,
    ...(tables.includes(table) ? table.foreignKeys : [])
      .filter((key) => key.references !== table && (key.onDelete !== 'noAction' || key.onUpdate !== 'noAction'))
      .flatMap((key) => above(key.references)),
  ];
  const others = draft.foreignKeys
    .filter((key) => key.onDelete !== 'noAction' || key.onUpdate !== 'noAction')
    .flatMap((key) => above(key.references));
  const reached = above(references);
  const same = (table: Table): boolean => table.schema === draft.schema && sameName(table.name, draft.name);
  if (itself || reached.some((table) => same(table) || others.includes(table))) {
    throw new SqlError(
      1785,
      `Introducing FOREIGN KEY constraint '${name}' on table '${draft.name}' may cause cycles or multiple cascade paths. Specify ON DELETE NO ACTION or ON UPDATE NO ACTION, or modify other FOREIGN KEY constraints.`,
      { line, state: 0 },
    );
  }
}
