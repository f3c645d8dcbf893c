/** Keys, checks, foreign keys and indexes of a table under construction. */
import type { CreateIndexStatement, TableConstraint } from '../sql/ast-definition.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { Column, Table } from './catalog.ts';
import { primaryKey, sameName } from './catalog.ts';
import type { TableDraft } from './define-table.ts';
import { conditionOver } from './environment.ts';
import { findTable } from './object-names.ts';
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

export function addKey(draft: TableDraft, constraint: Extract<TableConstraint, { kind: 'primaryKey' | 'unique' }>): void {
  const primary = constraint.kind === 'primaryKey';
  if (primary && draft.indexes.some((index) => index.kind === 'primary key')) {
    throw new SqlError(1779, `Table '${draft.name}' already has a primary key defined on it.`, { line: constraint.line, state: 0 });
  }
  const hasClustered = draft.indexes.some((index) => index.clustered);
  if (constraint.clustered === true && hasClustered) {
    throw new SqlError(
      1902,
      `Cannot create more than one clustered index on table '${draft.name}'. Drop the existing clustered index before creating another.`,
      { line: constraint.line, state: 3 },
    );
  }
  const clustered = constraint.clustered ?? (primary && !hasClustered);
  const columns = constraint.columns.map((each) => ({
    column: requireColumn(draft, each.name, constraint.line),
    descending: each.descending,
  }));
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
  });
}

export function addIndex(draft: TableDraft, statement: CreateIndexStatement): void {
  if (statement.where !== null) {
    throw new UnsupportedError('filtered indexes', statement.line);
  }
  if (draft.indexes.some((index) => sameName(index.name, statement.name))) {
    throw new SqlError(
      1913,
      `The operation failed because an index or statistics with name '${statement.name}' already exists on table '${draft.name}'.`,
      { line: statement.line },
    );
  }
  if (statement.clustered && draft.indexes.some((index) => index.clustered)) {
    throw new SqlError(
      1902,
      `Cannot create more than one clustered index on table '${draft.name}'. Drop the existing clustered index before creating another.`,
      { line: statement.line, state: 3 },
    );
  }
  draft.indexes.push({
    name: statement.name,
    id: nextIndexId(draft, statement.clustered),
    kind: 'index',
    unique: statement.unique,
    clustered: statement.clustered,
    columns: statement.columns.map((each) => ({
      columnId: requireColumn(draft, each.name, statement.line).id,
      descending: each.descending,
    })),
    include: statement.include.map((name) => requireColumn(draft, name, statement.line).id),
    objectId: 0,
  });
}

export function addCheck(context: StatementContext, draft: TableDraft, constraint: Extract<TableConstraint, { kind: 'check' }>): void {
  conditionOver(context, draft, constraint.expression);
  draft.checks.push({
    name: constraint.name ?? constraintName('CK', draft),
    objectId: draft.database.nextObjectId(),
    expression: constraint.expression,
    text: constraint.text,
    enabled: true,
    trusted: true,
  });
}

/** @param owner the table as it stands, when a key is added to an existing one. @throws SqlError 1767, 1769, 1770, 1776 */
export function addForeignKey(
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
            return new SqlError(1767, `Foreign key '${name}' references invalid table '${constraint.references.name}'.`, {
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
