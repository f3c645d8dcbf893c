/**
 * BACKUP and RESTORE of whole databases, kept in memory under the names of their devices, and the same for the control API. A restore takes
 * the database back as it was: rows, definitions, users, settings, and change tracking with its version counter. Of what tells databases
 * apart it keeps the id and the date of creation, and gives the service broker id of the backup unless NEW_BROKER asks for another; nothing
 * in Microsoft's documentation says that more changes. Files are not modelled: MOVE changes nothing.
 * Sources of errors and options: learn.microsoft.com, "RESTORE arguments", "BACKUP", "Database engine errors 3000 to 3999".
 */
import { randomUUID } from 'node:crypto';
import type { Expression } from '../sql/ast-expression.ts';
import type { BackupOption, BackupStatement, RestoreStatement } from '../sql/ast-definition.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import { emptyScope } from './bind-source.ts';
import type { Database } from './catalog.ts';
import { copyDatabase } from './copy-database.ts';
import { sessionsIn } from './database-access.ts';
import { noteDefinition } from './definition-log.ts';
import { createEnvironment } from './environment.ts';
import { compileExpression } from './expressions.ts';
import type { Instance } from './instance.ts';
import { hasDatabasePermission, isMemberOf } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';
import { WaitSignal } from './transaction.ts';

/** A database as it was, apart from the server: nothing changes it. */
export interface SavedDatabase {
  readonly state: Database;
}

/** Copies a database as it is committed now. @throws WaitSignal while a definition is uncommitted or a commit is not visible yet */
export function saveDatabase(instance: Instance, database: Database): SavedDatabase {
  const unsettled = instance.manager.unsettled();
  if (unsettled !== null) {
    throw new WaitSignal(unsettled);
  }
  return { state: copyDatabase(database, database, instance.manager, instance.manager.seq) };
}

/** Puts a saved database in the place of a name, or makes it. Nobody may be in it. */
export function restoreDatabase(instance: Instance, name: string, saved: SavedDatabase, newBroker = false): Database {
  const existing = instance.database(name);
  const { state } = saved;
  const copy = copyDatabase(
    state,
    {
      id: existing?.id ?? instance.nextDatabaseId(),
      name: existing?.name ?? name,
      createdAt: existing?.createdAt ?? instance.clock.now(),
      brokerGuid: newBroker ? randomUUID().toUpperCase() : state.brokerGuid,
    },
    instance.manager,
    instance.manager.stampNow(),
  );
  instance.databases.set(name.toLowerCase(), copy);
  noteDefinition();
  return copy;
}

/** SQL Server tells of the cause, and then that the statement has ended. */
function terminated(verb: 'BACKUP' | 'RESTORE', cause: SqlError): SqlError {
  return new SqlError(3013, `${verb} DATABASE is terminating abnormally.`, { preceding: cause });
}

function deviceOf(context: StatementContext, device: Expression): string {
  const value = compileExpression(device, emptyScope(createEnvironment(context))).evaluate(context.eval);
  if (typeof value !== 'string' || value === '') {
    throw new SqlError(3044, 'Invalid zero-length device name. Reissue the BACKUP statement with a valid device name.');
  }
  return value;
}

/** Options of both that change nothing in memory. */
const WITHOUT_EFFECT = new Set([
  'STATS',
  'CHECKSUM',
  'NO_CHECKSUM',
  'STOP_ON_ERROR',
  'BUFFERCOUNT',
  'BLOCKSIZE',
  'MAXTRANSFERSIZE',
  'MEDIANAME',
  'MEDIAPASSWORD',
  'REWIND',
  'NOREWIND',
  'UNLOAD',
  'NOUNLOAD',
]);
const BACKUP_ONLY = new Set([
  'INIT',
  'NOINIT',
  'FORMAT',
  'NOFORMAT',
  'SKIP',
  'NOSKIP',
  'NAME',
  'DESCRIPTION',
  'MEDIADESCRIPTION',
  'COPY_ONLY',
  'COMPRESSION',
  'NO_COMPRESSION',
  'EXPIREDATE',
  'RETAINDAYS',
]);
const RESTORE_ONLY = new Set(['REPLACE', 'RECOVERY', 'MOVE', 'FILE', 'RESTRICTED_USER', 'ENABLE_BROKER', 'NEW_BROKER']);

function refuseOptions(verb: string, options: readonly BackupOption[], own: ReadonlySet<string>, line: number): ReadonlySet<string> {
  for (const { name } of options) {
    if (!WITHOUT_EFFECT.has(name) && !own.has(name)) {
      throw new UnsupportedError(`${verb} DATABASE … WITH ${name}`, line);
    }
  }
  return new Set(options.map((option) => option.name));
}

function refuseInTransaction(context: StatementContext): void {
  if (context.session.transaction !== null) {
    throw new SqlError(3021, 'Cannot perform a backup or restore operation within a transaction.');
  }
}

/** @throws SqlError 3013 after 262, 911, 3021, 3044, 3147; UnsupportedError */
export function backup(context: StatementContext, statement: BackupStatement): void {
  const options = refuseOptions('BACKUP', statement.options, BACKUP_ONLY, statement.line);
  try {
    refuseInTransaction(context);
    const { instance, session } = context;
    const database = instance.database(statement.database);
    if (database === undefined) {
      throw new SqlError(911, `Database '${statement.database}' does not exist. Make sure that the name is entered correctly.`);
    }
    if (database.name === 'tempdb') {
      throw new SqlError(3147, 'Backup and restore operations are not allowed on database tempdb.');
    }
    if (!hasDatabasePermission(session, database, 'BACKUP DATABASE')) {
      throw new SqlError(262, `BACKUP DATABASE permission denied in database '${database.name}'.`, { class: 14 });
    }
    const device = deviceOf(context, statement.device);
    const key = device.toLowerCase();
    const saved = saveDatabase(instance, database);
    const before = options.has('INIT') || options.has('FORMAT') ? [] : (instance.backups.get(key) ?? []);
    instance.backups.set(key, [...before, saved]);
  } catch (error) {
    throw error instanceof SqlError && !(error instanceof UnsupportedError) ? terminated('BACKUP', error) : error;
  }
}

/** @throws SqlError 3013 after 3021, 3044, 3101, 3102, 3108, 3110, 3147, 3154, 3159, 3201; UnsupportedError */
export function restore(context: StatementContext, statement: RestoreStatement): void {
  const options = refuseOptions('RESTORE', statement.options, RESTORE_ONLY, statement.line);
  try {
    refuseInTransaction(context);
    const { instance } = context;
    const device = deviceOf(context, statement.device);
    const existing = instance.database(statement.database);
    refuseTarget(context, statement.database, existing);
    const sets = instance.backups.get(device.toLowerCase());
    if (sets === undefined) {
      throw new SqlError(
        3201,
        `Cannot open backup device '${device}'. Operating system error 2(The system cannot find the file specified.).`,
        { state: 2 },
      );
    }
    const file = Number(statement.options.find((option) => option.name === 'FILE')?.value ?? '1');
    const saved = sets[file - 1];
    if (saved === undefined) {
      throw new UnsupportedError(`RESTORE DATABASE … WITH FILE = ${file}, which the device does not have`, statement.line);
    }
    if (existing !== undefined && !options.has('REPLACE')) {
      refuseReplacing(existing, saved);
    }
    const restored = restoreDatabase(instance, statement.database, saved, options.has('NEW_BROKER'));
    if (options.has('RESTRICTED_USER')) {
      restored.access = 'RESTRICTED_USER';
    }
  } catch (error) {
    throw error instanceof SqlError && !(error instanceof UnsupportedError) ? terminated('RESTORE', error) : error;
  }
}

function refuseTarget(context: StatementContext, name: string, existing: Database | undefined): void {
  const { instance, session } = context;
  if (name.toLowerCase() === 'tempdb') {
    throw new SqlError(3147, 'Backup and restore operations are not allowed on database tempdb.');
  }
  if (existing?.system === true) {
    throw new UnsupportedError('RESTORE of a system database');
  }
  const creator = session.administrator || session.login.roles.has('dbcreator');
  if (!creator && (existing === undefined || !isMemberOf(session, existing, 'db_owner'))) {
    throw new SqlError(3110, `User does not have permission to RESTORE database '${name}'.`, { class: 14 });
  }
  if (existing === undefined) {
    return;
  }
  if (session.database === existing) {
    throw new SqlError(
      3102,
      `RESTORE cannot process database '${existing.name}' because it is in use by this session. It is recommended that the master database be used when performing this operation.`,
    );
  }
  if (sessionsIn(instance, existing, session.id).length > 0) {
    throw new SqlError(3101, 'Exclusive access could not be obtained because the database is in use.');
  }
}

/** What REPLACE would be needed for. */
function refuseReplacing(existing: Database, saved: SavedDatabase): void {
  if (existing.family !== saved.state.family) {
    throw new SqlError(3154, `The backup set holds a backup of a database other than the existing '${existing.name}' database.`, {
      state: 4,
    });
  }
  if ((existing.options.get('RECOVERY') ?? 'FULL') !== 'SIMPLE') {
    throw new SqlError(
      3159,
      `The tail of the log for the database "${existing.name}" has not been backed up. Use BACKUP LOG WITH NORECOVERY to backup the log if it contains work you do not want to lose. Use the WITH REPLACE or WITH STOPAT clause of the RESTORE statement to just overwrite the contents of the log.`,
    );
  }
}
