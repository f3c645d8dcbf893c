/** CREATE TABLE: columns, keys, constraints; also the tables of DECLARE @t TABLE and SELECT INTO. */
import type { ColumnDefinition, CreateTableStatement, TableConstraint } from '../sql/ast-definition.ts';
import type { Expression, ObjectName } from '../sql/ast-expression.ts';
import { isCharacter } from '../sql/types.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { PlanColumn } from './plan.ts';
import type { CheckConstraint, Column, Database, ForeignKey, IdentityCounter, IndexDefinition, Schema, Table } from './catalog.ts';
import { objectKey, sameName } from './catalog.ts';
import { declaredType } from './declarations.ts';
import { addConstraint, constraintName } from './define-constraints.ts';
import { checkColumn, checkComputed, checkDefault, notCreated, requireFreeName, requireRowSize } from './definition-rules.ts';
import { logUndo } from './definition-log.ts';
import { compileOver } from './environment.ts';
import { databaseOf } from './object-names.ts';
import { requireOwner } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';
import { TableLocks } from './table-locks.ts';
import { createStore } from './table-shape.ts';

/** A table under construction: what DDL edits before it becomes the definition. */
export interface TableDraft {
  readonly database: Database;
  readonly objectId: number;
  readonly name: string;
  readonly schema: Schema;
  readonly temporary: boolean;
  columns: Column[];
  indexes: IndexDefinition[];
  checks: CheckConstraint[];
  foreignKeys: ForeignKey[];
  lastColumnId: number;
}

/** @throws SqlError 1702 */
function requireRoom(draft: TableDraft, { name, line }: ColumnDefinition, statement: string): void {
  if (draft.columns.length >= 1024) {
    throw new SqlError(1702, `${statement} failed because column '${name}' in table '${draft.name}' exceeds the maximum of 1024 columns.`, {
      line,
    });
  }
}

/** @throws SqlError 2705 */
function requireNewName(draft: TableDraft, name: string, line: number): void {
  if (draft.columns.some((column) => sameName(column.name, name))) {
    throw new SqlError(
      2705,
      `Column names in each table must be unique. Column name '${name}' in table '${draft.name}' is specified more than once.`,
      { line, state: 3 },
    );
  }
}

/** @throws SqlError 1701 … 2715 for types, 8111 for a key over a nullable column, 2744 for a second identity. */
export function defineColumn(draft: TableDraft, definition: ColumnDefinition): Column {
  requireNewName(draft, definition.name, definition.line);
  const collation = definition.collation ?? draft.database.collation;
  const declared = definition.type === null ? null : declaredType(definition.type, collation, draft.columns.length + 1);
  checkColumn(draft, definition, declared);
  const inKey = definition.constraints.some((constraint) => constraint.kind === 'primaryKey');
  draft.lastColumnId += 1;
  const identity = definition.identity;
  if (identity !== null && draft.columns.some((column) => column.identity !== null)) {
    throw new SqlError(
      2744,
      `Multiple identity columns specified for table '${draft.name}'. Only one identity column per table is allowed.`,
      {
        line: definition.line,
        state: 2,
      },
    );
  }
  return {
    name: definition.name,
    id: draft.lastColumnId,
    // A computed column's type comes from its expression, see typeComputed().
    type: declared ?? { name: 'int' },
    nullable:
      definition.computed === null
        ? (definition.nullable ?? true) && identity === null && !inKey && declared?.name !== 'rowversion'
        : (definition.nullable ?? true),
    identity: identity === null ? null : { seed: BigInt(identity.seed), increment: BigInt(identity.increment), last: null },
    default:
      definition.default === null
        ? null
        : {
            name: definition.default.name ?? constraintName('DF', draft, definition.name),
            objectId: draft.database.nextObjectId(),
            expression: definition.default.expression,
            text: definition.default.text,
            systemNamed: definition.default.name === null,
          },
    computed: definition.computed,
    rowGuid: definition.rowGuid,
  };
}

export function createDraft(database: Database, schema: Schema, name: string, temporary: boolean): TableDraft {
  return {
    database,
    objectId: database.nextObjectId(),
    name,
    schema,
    temporary,
    columns: [],
    indexes: [],
    checks: [],
    foreignKeys: [],
    lastColumnId: 0,
  };
}

/** Adds columns and constraints to a draft, in the order in which SQL Server needs them. @throws SqlError, 1750 after those of constraints */
export function fillDraft(
  context: StatementContext,
  draft: TableDraft,
  columns: readonly ColumnDefinition[],
  constraints: readonly TableConstraint[],
  owner: Table | null,
): void {
  try {
    for (const definition of columns) {
      requireFreeName(draft, definition.default?.name ?? null, definition.line);
      requireRoom(draft, definition, owner === null ? 'CREATE TABLE' : 'ALTER TABLE');
      draft.columns.push(defineColumn(draft, definition));
      if (definition.default !== null) {
        checkDefault(context, draft, definition.default.expression);
      }
    }
    typeComputed(context, draft);
    requireRowSize(draft, columns[0]?.line ?? 0);
    const nullable = columns.filter((column) => column.nullable === true).map((column) => column.name);
    for (const constraint of [...columns.flatMap((column) => column.constraints), ...constraints]) {
      addConstraint(context, draft, constraint, { owner, nullable });
    }
  } catch (error) {
    throw notCreated(error);
  }
}

/** Of computed values those that cannot overflow are as nullable as what they are made of; the rest is nullable. Source: "Specify computed columns". */
function mayOverflow(expression: Expression | undefined): boolean {
  return !(
    expression?.kind === 'column' ||
    expression?.kind === 'literal' ||
    (expression?.kind === 'call' && ['isnull', 'coalesce', 'concat'].includes(expression.name.name.toLowerCase()))
  );
}

/** Gives computed columns the types of their expressions. */
export function typeComputed(context: StatementContext, draft: TableDraft): void {
  for (const column of draft.columns) {
    if (column.computed !== null) {
      checkComputed(draft, column);
      const compiled = compileOver(context, draft, column.computed.expression);
      const { type } = compiled;
      draft.columns = draft.columns.map((each) =>
        each === column
          ? { ...each, type, nullable: each.nullable && (compiled.nullable || mayOverflow(column.computed?.expression)) }
          : each,
      );
    }
  }
}

export function tableOf(context: StatementContext, draft: TableDraft): Table {
  const now = context.now;
  return {
    kind: 'table',
    database: draft.database,
    objectId: draft.objectId,
    schema: draft.schema,
    name: draft.name,
    columns: draft.columns,
    indexes: draft.indexes,
    checks: draft.checks,
    foreignKeys: draft.foreignKeys,
    store: createStore(draft, context.instance.manager),
    tracker: null,
    triggers: [],
    lastColumnId: draft.lastColumnId,
    definedSeq: 0,
    locks: new TableLocks(),
    createdAt: now,
    modifiedAt: now,
    temporary: draft.temporary,
  };
}

/** Where a new object goes. @throws SqlError 2760 for an unknown schema, 2714 when the name is taken. */
export function placeFor(context: StatementContext, name: ObjectName): { readonly database: Database; readonly schema: Schema } {
  const { session } = context;
  if (name.name.startsWith('#')) {
    const tempdb = context.instance.database('tempdb') ?? session.database;
    return { database: tempdb, schema: { id: 1, name: 'dbo' } };
  }
  const database = databaseOf(session, name);
  const schema = database.schema(name.schema);
  if (schema === undefined || schema.name === 'sys' || schema.name === 'INFORMATION_SCHEMA') {
    throw new SqlError(
      2760,
      `The specified schema name "${name.schema ?? ''}" either does not exist or you do not have permission to use it.`,
      {
        line: name.line,
      },
    );
  }
  return { database, schema };
}

export function nameTaken(name: string, line: number): SqlError {
  return new SqlError(2714, `There is already an object named '${name}' in the database.`, { line, state: 6 });
}

/** Puts a new table where its name says; undone with the transaction. */
export function addTable(context: StatementContext, table: Table, line: number): void {
  const { session, transaction } = context;
  if (table.name.startsWith('##')) {
    throw new UnsupportedError('global temp tables', line);
  }
  if (table.temporary) {
    const key = table.name.toLowerCase();
    if (session.tempTables.has(key)) {
      throw nameTaken(table.name, line);
    }
    session.tempTables.set(key, table);
    logUndo(transaction, () => session.tempTables.delete(key));
    return;
  }
  const key = objectKey(table.schema.name, table.name);
  const taken = table.database.objects.get(key);
  if (taken !== undefined) {
    if (taken.kind === 'table') {
      context.readDefinition(taken);
    }
    throw nameTaken(table.name, line);
  }
  table.database.objects.set(key, table);
  table.locks.hold(transaction, 'schema modification');
  logUndo(
    transaction,
    () => table.database.objects.delete(key),
    (seq) => {
      table.definedSeq = seq;
    },
  );
}

export function runCreateTable(context: StatementContext, statement: CreateTableStatement): void {
  const { database, schema } = placeFor(context, statement.name);
  requireOwner(context.session, database, 'CREATE TABLE');
  const draft = createDraft(database, schema, statement.name.name, statement.name.name.startsWith('#'));
  fillDraft(context, draft, statement.columns, statement.constraints, null);
  const table = tableOf(context, draft);
  draftReferences(table);
  addTable(context, table, statement.line);
}

/** A foreign key to the table itself was declared before the table was there. */
function draftReferences(table: Table): void {
  table.foreignKeys = table.foreignKeys.map((key) => (key.references.objectId === table.objectId ? { ...key, references: table } : key));
}

/** The table of SELECT INTO: columns of the query, no keys. @param identities by position, what becomes an identity column. @throws SqlError 1038 for a column without a name */
export function tableForInto(
  context: StatementContext,
  name: ObjectName,
  columns: readonly PlanColumn[],
  identities: ReadonlyMap<number, IdentityCounter>,
): Table {
  const { database, schema } = placeFor(context, name);
  const draft = createDraft(database, schema, name.name, name.name.startsWith('#'));
  for (const [index, column] of columns.entries()) {
    const identity = identities.get(index);
    if (column.name === '') {
      throw new SqlError(
        1038,
        'An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other statements, look for empty alias names. Aliases defined as "" or [] are not allowed. Change the alias to a valid name.',
        { line: name.line, state: 5, class: 15 },
      );
    }
    requireNewName(draft, column.name, name.line);
    draft.lastColumnId += 1;
    draft.columns.push({
      name: column.name,
      id: draft.lastColumnId,
      type:
        isCharacter(column.type) && column.type.name === 'nchar'
          ? column.type
          : column.type.name === 'rowversion'
            ? { name: 'binary', length: 8 }
            : column.type,
      nullable: column.nullable,
      identity: identity === undefined ? null : { ...identity, last: null },
      default: null,
      computed: null,
      rowGuid: false,
    });
  }
  const table = tableOf(context, draft);
  addTable(context, table, name.line);
  return table;
}
