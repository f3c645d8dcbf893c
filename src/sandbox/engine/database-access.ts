/**
 * Whether a database may be entered now: offline, single user, restricted; and who is in it. Whether a login has
 * a user there is the business of permissions.ts. Sources: learn.microsoft.com, "ALTER DATABASE SET options"; errors 923, 924, 942.
 */
import { SqlError } from '../session.ts';
import type { Database } from './catalog.ts';
import type { ConnectedSession, Instance, Login } from './instance.ts';
import { isOwnerLogin, userOf } from './permissions.ts';

/** The sessions whose current database it is, or that have it for themselves, but for `except`. */
export function sessionsIn(instance: Instance, database: Database, except: number | null = null): ConnectedSession[] {
  return [...instance.sessions.values()].filter(
    (each) => each.id !== except && (instance.database(each.database) === database || database.holder === each.id),
  );
}

/** Ends sessions from the server's side at once: their transactions are rolled back when this returns. */
export function endSessions(instance: Instance, sessions: readonly ConnectedSession[]): void {
  for (const each of sessions) {
    instance.cut(each.id);
    each.close();
  }
}

/** Why a database cannot be used, whoever asks; null when it can. */
export function unavailable(database: Database): SqlError | null {
  return database.offline
    ? new SqlError(942, `Database '${database.name}' cannot be opened because it is offline.`, { class: 14, state: 4 })
    : null;
}

/** A login needs a user in a database that it uses. @throws SqlError 916 */
export function requireAccess(database: Database, session: { readonly login: Login; readonly administrator: boolean }): void {
  if (!session.administrator && userOf(database, session.login) === null) {
    throw new SqlError(
      916,
      `The server principal "${session.login.name}" is not able to access the database "${database.name}" under the current security context.`,
      { class: 14 },
    );
  }
}

/** Looks whether a session may enter a database. @throws SqlError 923, 924, 942 */
export function enterDatabase(instance: Instance, database: Database, session: { readonly id: number; readonly login: Login }): void {
  const closed = unavailable(database);
  if (closed !== null) {
    throw closed;
  }
  if (database.access === 'RESTRICTED_USER' && !isOwnerLogin(database, session.login)) {
    throw new SqlError(
      923,
      `Database '${database.name}' is in restricted mode. Only the database owner and members of the dbcreator and sysadmin roles can access it.`,
      { class: 14 },
    );
  }
  if (database.access === 'SINGLE_USER' && sessionsIn(instance, database, session.id).length > 0) {
    throw new SqlError(924, `Database '${database.name}' is already open and can only have one user at a time.`, { class: 14 });
  }
}
