/** CREATE, ALTER and DROP DATABASE. They are not part of a transaction, as in SQL Server (error 226). */
import type { AlterDatabaseAction, AlterDatabaseStatement, CreateDatabaseStatement } from '../sql/ast-definition.ts';
import { isCollationName } from '../sql/collation.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { Database } from './catalog.ts';
import { setDatabaseTracking } from './define-tracking.ts';
import { endSessions, sessionsIn } from './database-access.ts';
import { isMemberOf } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';

function refuseInTransaction(context: StatementContext, what: string): void {
  if (context.session.transaction !== null) {
    throw new SqlError(226, `${what} statement not allowed within multi-statement transaction.`, { state: 6 });
  }
}

export function createDatabase(context: StatementContext, statement: CreateDatabaseStatement): void {
  refuseInTransaction(context, 'CREATE DATABASE');
  const { instance, session } = context;
  if (!session.administrator && !session.login.roles.has('dbcreator')) {
    throw new SqlError(262, "CREATE DATABASE permission denied in database 'master'.", { class: 14 });
  }
  if (instance.database(statement.name) !== undefined) {
    throw new SqlError(1801, `Database '${statement.name}' already exists. Choose a different database name.`, {
      state: 3,
      line: statement.line,
    });
  }
  if (statement.collation !== null && !isCollationName(statement.collation)) {
    throw new SqlError(448, `Invalid collation '${statement.collation}'.`, { line: statement.line });
  }
  instance.createDatabase(statement.name, statement.collation === null ? {} : { collation: statement.collation });
}

export function dropDatabase(context: StatementContext, name: string, ifExists: boolean, line: number): void {
  refuseInTransaction(context, 'DROP DATABASE');
  const { instance, session } = context;
  const database = instance.database(name);
  if (database === undefined) {
    if (ifExists) {
      return;
    }
    throw new SqlError(3701, `Cannot drop the database '${name}', because it does not exist or you do not have permission.`, {
      line,
      class: 11,
    });
  }
  if (database.system) {
    throw new SqlError(3708, `Cannot drop the database '${name}' because it is a system database.`, { line, state: 4 });
  }
  if (!isMemberOf(session, database, 'db_owner')) {
    throw new SqlError(262, `DROP DATABASE permission denied in database '${database.name}'.`, { class: 14 });
  }
  if (session.database === database || sessionsIn(instance, database, session.id).length > 0) {
    throw new SqlError(3702, `Cannot drop database "${name}" because it is currently in use.`, { line, state: 3 });
  }
  instance.databases.delete(name.toLowerCase());
}

/** Options that are kept and shown, and that change nothing in memory. */
const REMEMBERED = new Set([
  'RECOVERY',
  'RECURSIVE_TRIGGERS',
  'COMPATIBILITY_LEVEL',
  'AUTO_CLOSE',
  'AUTO_SHRINK',
  'AUTO_CREATE_STATISTICS',
  'AUTO_UPDATE_STATISTICS',
  'PAGE_VERIFY',
  'ANSI_NULLS',
  'ANSI_PADDING',
  'ANSI_WARNINGS',
  'QUOTED_IDENTIFIER',
  'DELAYED_DURABILITY',
]);

export function alterDatabase(context: StatementContext, statement: AlterDatabaseStatement): void {
  refuseInTransaction(context, 'ALTER DATABASE');
  const database = statement.database === null ? context.database : context.instance.database(statement.database);
  if (database === undefined || !isMemberOf(context.session, database, 'db_owner')) {
    throw failed(
      new SqlError(
        5011,
        `User does not have permission to alter database '${statement.database ?? context.database.name}', the database does not exist, or the database is not in a state that allows access checks.`,
        { class: 14, state: 5, line: statement.line },
      ),
    );
  }
  if (statement.actions.length > 1 && statement.actions.some((action) => action.kind === 'changeTracking')) {
    throw new SqlError(22114, 'Change tracking options for ALTER DATABASE cannot be combined with other ALTER DATABASE options.', {
      line: statement.line,
    });
  }
  const { instance, session } = context;
  if (database.holder !== null && database.holder !== session.id) {
    throw failed(
      new SqlError(
        5064,
        `Changes to the state or options of database '${database.name}' cannot be made at this time. The database is in single-user mode, and a user is currently connected to it.`,
      ),
    );
  }
  const others = sessionsIn(instance, database, session.id);
  if (statement.termination === 'rollbackImmediate') {
    endSessions(instance, others);
  } else if (others.length > 0 && statement.actions.some((action) => action.kind === 'option' && needsItAlone(action))) {
    if (statement.termination !== 'noWait') {
      throw new UnsupportedError('waiting for other sessions to leave a database: add WITH ROLLBACK IMMEDIATE or NO_WAIT', statement.line);
    }
    throw failed(
      new SqlError(5070, `Database state cannot be changed while other users are using the database '${database.name}'`, { state: 2 }),
    );
  }
  for (const action of statement.actions) {
    alter(context, database, action, statement.line);
  }
}

function alter(context: StatementContext, database: Database, action: AlterDatabaseAction, line: number): void {
  const { instance } = context;
  switch (action.kind) {
    case 'changeTracking':
      changeTracking(database, action);
      return;
    case 'collate':
      throw new UnsupportedError('ALTER DATABASE … COLLATE', line);
    case 'rename': {
      if (instance.database(action.name) !== undefined) {
        throw new SqlError(1801, `Database '${action.name}' already exists. Choose a different database name.`, { state: 3, line });
      }
      instance.databases.delete(database.name.toLowerCase());
      database.name = action.name;
      instance.databases.set(action.name.toLowerCase(), database);
      return;
    }
    case 'option': {
      const on = action.value.toUpperCase() === 'ON';
      switch (action.name) {
        case 'ALLOW_SNAPSHOT_ISOLATION':
          database.snapshotAllowed = on;
          return;
        case 'READ_COMMITTED_SNAPSHOT':
          database.readCommittedSnapshot = on;
          return;
        case 'READ_ONLY':
        case 'READ_WRITE':
          database.readOnly = action.name === 'READ_ONLY';
          return;
        case 'OFFLINE':
        case 'ONLINE':
          refuseSystem(database, action.name);
          database.offline = action.name === 'OFFLINE';
          return;
        case 'SINGLE_USER':
        case 'RESTRICTED_USER':
        case 'MULTI_USER':
          refuseSystem(database, action.name);
          database.access = action.name;
          database.holder = action.name === 'SINGLE_USER' ? context.session.id : null;
          return;
        default:
          if (!REMEMBERED.has(action.name)) {
            throw new UnsupportedError(`ALTER DATABASE … SET ${action.name}`, line);
          }
          database.options.set(action.name, action.value);
      }
    }
  }
}

/** Options that take effect when nobody else is in the database. */
function needsItAlone(action: Extract<AlterDatabaseAction, { kind: 'option' }>): boolean {
  return ['SINGLE_USER', 'OFFLINE', 'READ_ONLY', 'READ_WRITE'].includes(action.name);
}

function refuseSystem(database: Database, option: string): void {
  if (database.system) {
    throw new SqlError(5058, `Option '${option}' cannot be set in database '${database.name}'.`, { state: 5 });
  }
}

/** Of 5011 and 5088 to 5092 SQL Server sends two messages; the second is the error that counts. */
function failed(first: SqlError): SqlError {
  return new SqlError(5069, 'ALTER DATABASE statement failed.', { preceding: first });
}

/** @throws SqlError 5069 after 5088 to 5092, 22115 */
function changeTracking(database: Database, action: Extract<AlterDatabaseAction, { kind: 'changeTracking' }>): void {
  try {
    setDatabaseTracking(database, action);
  } catch (error) {
    throw error instanceof SqlError && error.number >= 5088 && error.number <= 5092 ? failed(error) : error;
  }
}
