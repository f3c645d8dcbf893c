/** Statements that define: databases, schemas, tables, indexes, views; each under a schema modification lock and undone with its transaction. */
import type {
  AlterIndexStatement,
  AlterTableStatement,
  CreateIndexStatement,
  DefinitionStatement,
  DropStatement,
  TransferStatement,
} from '../sql/ast-definition.ts';
import type { ObjectName } from '../sql/ast-expression.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import { alterTable } from './alter-table.ts';
import { backup, restore } from './backups.ts';
import { objectKey, sameName } from './catalog.ts';
import type { CatalogObject, Database, Table } from './catalog.ts';
import { boundViews } from './column-dependents.ts';
import { addIndex } from './define-constraints.ts';
import { alterDatabase, createDatabase, dropDatabase } from './define-database.ts';
import { nameTaken, placeFor, runCreateTable } from './define-table.ts';
import { createTrigger, dropTrigger, toggleTriggers } from './define-triggers.ts';
import { createView } from './define-view.ts';
import { duplicateInIndex } from './definition-rules.ts';
import { disableTracking, enableTracking } from './define-tracking.ts';
import { logUndo } from './definition-log.ts';
import { dropPrincipal } from './drop-principal.ts';
import { draftOf, redefine } from './redefine-table.ts';
import { cannotFindObject } from './errors.ts';
import { moveObject } from './move-object.ts';
import { databaseOf, definedTable, describeName, findObject, findTable } from './object-names.ts';
import { requireAlter, requireOwner } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';

export function runDefinition(context: StatementContext, statement: DefinitionStatement): void {
  const { session } = context;
  if (context.isSnapshot && session.transaction !== null && statement.kind !== 'createTable') {
    throw new SqlError(
      3964,
      'Transaction failed because this DDL statement is not allowed inside a snapshot isolation transaction. Since metadata is not versioned, a metadata change can lead to inconsistency if mixed within snapshot isolation.',
    );
  }
  switch (statement.kind) {
    case 'createDatabase':
      createDatabase(context, statement);
      return;
    case 'alterDatabase':
      alterDatabase(context, statement);
      return;
    case 'createSchema':
      createSchema(context, statement.name, statement.line);
      return;
    case 'createTable':
      runCreateTable(context, statement);
      return;
    case 'alterTable':
      runAlterTable(context, statement);
      return;
    case 'createIndex':
      createIndex(context, statement);
      return;
    case 'createView':
      createView(context, statement);
      return;
    case 'alterIndex':
      requireIndex(context, statement);
      return;
    case 'transfer':
      transfer(context, statement);
      return;
    case 'createSequence':
      throw new UnsupportedError(statement.alter ? 'ALTER SEQUENCE' : 'CREATE SEQUENCE', statement.line);
    case 'createSynonym': {
      const { database, schema } = placeFor(context, statement.name);
      requireOwner(session, database, 'CREATE SYNONYM');
      const key = objectKey(schema.name, statement.name.name);
      if (database.objects.has(key)) {
        throw nameTaken(statement.name.name, statement.line);
      }
      const { server, database: other, schema: otherSchema, name } = statement.target;
      database.objects.set(key, {
        kind: 'synonym',
        objectId: database.nextObjectId(),
        schema,
        name: statement.name.name,
        target: [server, other, otherSchema, name],
        createdAt: context.now,
      });
      logUndo(context.transaction, () => database.objects.delete(key));
      return;
    }
    case 'drop':
      for (const name of statement.names) {
        drop(context, statement, name);
      }
      return;
    case 'dropIndex':
      dropIndex(context, statement);
      return;
    case 'createTrigger':
      createTrigger(context, statement);
      return;
    case 'toggleTriggers':
      toggleTriggers(context, statement);
      return;
    case 'backup':
      backup(context, statement);
      return;
    case 'restore':
      restore(context, statement);
  }
}

function createSchema(context: StatementContext, name: string, line: number): void {
  const { database } = context;
  requireOwner(context.session, database, 'CREATE SCHEMA');
  const key = name.toLowerCase();
  if (database.schemas.has(key)) {
    throw nameTaken(name, line);
  }
  database.schemas.set(key, { id: 4 + database.schemas.size - 3, name });
  logUndo(context.transaction, () => database.schemas.delete(key));
}

/** The table that a definition changes, locked for it. @throws SqlError 4902 */
function tableToAlter(context: StatementContext, name: ObjectName): Table {
  const table = definedTable(
    context.session,
    name,
    () => cannotFindObject(describeName(name)),
    () => new SqlError(4909, `Cannot alter '${describeName(name)}' because it is not a table.`, { line: name.line }),
  );
  requireAlter(context.session, table, 'ALTER TABLE');
  if (!table.temporary) {
    table.locks.hold(context.transaction, 'schema modification');
  }
  return table;
}

function runAlterTable(context: StatementContext, statement: AlterTableStatement): void {
  const table = tableToAlter(context, statement.table);
  const { action } = statement;
  switch (action.kind) {
    case 'enableChangeTracking':
      if (table.temporary) {
        throw cannotFindObject(describeName(statement.table));
      }
      enableTracking(context, table, action.trackColumns ?? false);
      return;
    case 'disableChangeTracking':
      disableTracking(context, table);
      return;
    case 'rebuild':
      return;
    case 'switch':
      refuseSwitch(context, table, action.target, statement.line);
      return;
    case 'add':
    case 'dropColumns':
    case 'dropConstraints':
    case 'dropSeveral':
    case 'alterColumn':
    case 'checkConstraints':
      alterTable(context, table, action, statement.line);
  }
}

/** @throws SqlError 4902, 4900 for a tracked table; UnsupportedError for any other */
function refuseSwitch(context: StatementContext, table: Table, to: ObjectName, line: number): never {
  const target = findTable(context.session, to, () => cannotFindObject(describeName(to)));
  const tracked = [table, target].find((each) => each.tracker !== null);
  throw tracked === undefined
    ? new UnsupportedError('ALTER TABLE … SWITCH', line)
    : new SqlError(
        4900,
        `The ALTER TABLE SWITCH statement failed for table '${tracked.name}'. It is not possible to switch the partition of a table that has change tracking enabled. Disable change tracking before using ALTER TABLE SWITCH.`,
        { line, state: 2 },
      );
}

function createIndex(context: StatementContext, statement: CreateIndexStatement): void {
  const table = findTable(context.session, statement.table, () => {
    return new SqlError(
      1088,
      `Cannot find the object "${describeName(statement.table)}" because it does not exist or you do not have permissions.`,
      { line: statement.line, state: 12 },
    );
  });
  requireAlter(context.session, table, 'CREATE INDEX');
  if (!table.temporary) {
    table.locks.hold(context.transaction, 'schema modification');
  }
  const draft = draftOf(table);
  const existing = draft.indexes.find((index) => index.kind === 'index' && sameName(index.name, statement.name));
  if (statement.dropExisting) {
    if (existing === undefined) {
      throw new SqlError(7999, `Could not find any index named '${statement.name}' for table '${describeName(statement.table)}'.`, {
        line: statement.line,
      });
    }
    draft.indexes = draft.indexes.filter((index) => index !== existing);
  }
  addIndex(context, draft, statement.name, statement, statement.line);
  try {
    redefine(context, table, draft, statement.unique || (statement.dropExisting && existing?.unique === true) ? (row) => row : null);
  } catch (error) {
    throw duplicateInIndex(error, table);
  }
}

/** REBUILD and REORGANIZE do nothing here, to an index that is there. @throws SqlError 2727 */
function requireIndex(context: StatementContext, statement: AlterIndexStatement): void {
  const table = tableToAlter(context, statement.table);
  const { name } = statement;
  if (name !== null && !table.indexes.some((index) => sameName(index.name, name))) {
    throw new SqlError(2727, `Cannot find index '${name}'.`, { line: statement.line, class: 11 });
  }
}

/** ALTER SCHEMA … TRANSFER. @throws SqlError 15151, 15530 */
function transfer(context: StatementContext, statement: TransferStatement): void {
  const { database } = context;
  requireOwner(context.session, database, 'ALTER SCHEMA');
  const to = database.schema(statement.schema);
  const { object: name } = statement;
  const object = database.find(name.schema, name.name);
  if (to === undefined || object === undefined) {
    throw new SqlError(
      15_151,
      `Cannot ${to === undefined ? `alter the schema '${statement.schema}'` : `find the object '${name.name}'`}, because it does not exist or you do not have permission.`,
      { line: statement.line },
    );
  }
  const from = object.schema;
  const newKey = objectKey(to.name, object.name);
  if (from === to) {
    return;
  }
  if (database.objects.has(newKey)) {
    throw new SqlError(15_530, `The object with name "${object.name}" already exists.`, { line: statement.line });
  }
  if (object.kind === 'table') {
    object.locks.hold(context.transaction, 'schema modification');
  }
  moveObject(context, object, { schema: to, name: object.name });
}

function dropIndex(context: StatementContext, statement: Extract<DefinitionStatement, { kind: 'dropIndex' }>): void {
  const table = tableToAlter(context, statement.table);
  const index = table.indexes.find((each) => sameName(each.name, statement.name));
  if (index === undefined) {
    if (statement.ifExists) {
      return;
    }
    throw new SqlError(
      3701,
      `Cannot drop the index '${describeName(statement.table)}.${statement.name}', because it does not exist or you do not have permission.`,
      { line: statement.line, state: 7, class: 11 },
    );
  }
  if (index.kind !== 'index') {
    throw new SqlError(
      3723,
      `An explicit DROP INDEX is not allowed on index '${describeName(statement.table)}.${statement.name}'. It is being used for ${index.kind === 'primary key' ? 'PRIMARY KEY' : 'UNIQUE KEY'} constraint enforcement.`,
      { line: statement.line, state: 4 },
    );
  }
  const draft = draftOf(table);
  draft.indexes = draft.indexes.filter((each) => each !== index);
  redefine(context, table, draft, index.unique ? (row) => row : null);
}

function drop(context: StatementContext, statement: DropStatement, name: ObjectName): void {
  const { session } = context;
  const missing = (): SqlError =>
    new SqlError(
      3701,
      `Cannot drop the ${statement.object} '${describeName(name)}', because it does not exist or you do not have permission.`,
      {
        line: statement.line,
        state: 5,
        class: 11,
      },
    );
  switch (statement.object) {
    case 'database':
      dropDatabase(context, name.name, statement.ifExists, statement.line);
      return;
    case 'schema': {
      const key = name.name.toLowerCase();
      const schema = context.database.schemas.get(key);
      if (schema === undefined) {
        if (statement.ifExists) {
          return;
        }
        throw new SqlError(15151, `Cannot drop the schema '${name.name}', because it does not exist or you do not have permission.`);
      }
      const inside = [...context.database.objects.values()].find((object) => object.schema === schema);
      if (inside !== undefined) {
        throw new SqlError(3729, `Cannot drop schema '${name.name}' because it is being referenced by object '${inside.name}'.`);
      }
      context.database.schemas.delete(key);
      logUndo(context.transaction, () => context.database.schemas.set(key, schema));
      return;
    }
    case 'table':
    case 'view':
    case 'synonym': {
      const temp = name.name.startsWith('#');
      const object =
        temp || statement.object !== 'synonym' ? findObject(session, name) : databaseOf(session, name).find(name.schema, name.name);
      if (object === undefined) {
        if (statement.ifExists) {
          return;
        }
        throw missing();
      }
      if (object.kind !== statement.object) {
        throw new SqlError(
          3705,
          `Cannot use DROP ${statement.object.toUpperCase()} with '${describeName(name)}' because '${describeName(name)}' is a ${object.kind}. Use DROP ${object.kind.toUpperCase()}.`,
        );
      }
      if (object.kind === 'table') {
        dropTable(context, object, name);
        return;
      }
      const database = databaseOf(session, name);
      requireOwner(session, database, `DROP ${statement.object.toUpperCase()}`);
      requireUnbound(database, object, `DROP ${statement.object.toUpperCase()} '${describeName(name)}'`, name.line);
      const key = objectKey(object.schema.name, object.name);
      database.objects.delete(key);
      logUndo(context.transaction, () => database.objects.set(key, object));
      return;
    }
    case 'trigger':
      dropTrigger(context, name, statement.ifExists, statement.line);
      return;
    case 'login':
    case 'user':
    case 'role':
      dropPrincipal(context, statement.object, name.name, statement);
      return;
    case 'sequence':
    case 'procedure':
      throw new UnsupportedError(`DROP ${statement.object.toUpperCase()}`, statement.line);
  }
}

/** @throws SqlError 3729 for what a schema-bound view shows */
function requireUnbound(database: Database, object: CatalogObject, action: string, line: number): void {
  const [view] = boundViews(database, object);
  if (view !== undefined) {
    throw new SqlError(3729, `Cannot ${action} because it is being referenced by object '${view.name}'.`, { line });
  }
}

function dropTable(context: StatementContext, table: Table, name: ObjectName): void {
  const { session, transaction } = context;
  if (table.temporary) {
    const key = table.name.toLowerCase();
    session.tempTables.delete(key);
    logUndo(transaction, () => session.tempTables.set(key, table));
    return;
  }
  requireAlter(session, table, 'DROP TABLE');
  const { database } = table;
  if (database.tables().some((other) => other !== table && other.foreignKeys.some((key) => key.references === table))) {
    throw new SqlError(3726, `Could not drop object '${describeName(name)}' because it is referenced by a FOREIGN KEY constraint.`, {
      line: name.line,
    });
  }
  requireUnbound(database, table, `DROP TABLE '${describeName(name)}'`, name.line);
  table.locks.hold(transaction, 'schema modification');
  const key = objectKey(table.schema.name, table.name);
  database.objects.delete(key);
  logUndo(transaction, () => database.objects.set(key, table));
}
