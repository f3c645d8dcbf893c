/**
 * Logins: who may connect, and to which database. Whatever is wrong with the login itself, the client is told 18456 in state 1; of a database
 * that cannot be opened it is told 4060 before that. Source: learn.microsoft.com, MSSQLSERVER_18456 and MSSQLSERVER_4060.
 */
import type { ServerBackend } from '../session.ts';
import { SqlError } from '../session.ts';
import type { Instance, Login } from './instance.ts';
import type { Database } from './catalog.ts';
import { enterDatabase } from './database-access.ts';
import { userOf } from './permissions.ts';
import { SandboxSession } from './session.ts';
import { SessionState } from './session-state.ts';

export function createBackend(instance: Instance): ServerBackend {
  return {
    serverName: instance.name,
    login: (request) => {
      const login = instance.logins.get(request.user.toLowerCase());
      if (login === undefined || !login.enabled || login.password !== request.password) {
        throw refused(request.user, null);
      }
      const name = request.database === '' ? login.defaultDatabase : request.database;
      const database = instance.database(name);
      const id = instance.nextSessionId();
      if (database === undefined || !mayEnter(instance, database, { id, login })) {
        const cause = new SqlError(4060, `Cannot open database "${name}" requested by the login. The login failed.`, {
          class: 11,
          line: 1,
        });
        throw refused(request.user, cause);
      }
      return new SandboxSession(
        new SessionState({
          id,
          instance,
          login,
          database,
          appName: request.appName,
          hostName: request.hostName,
          encrypted: request.encrypted,
        }),
      );
    },
  };
}

function refused(user: string, cause: SqlError | null): SqlError {
  return new SqlError(18456, `Login failed for user '${user}'.`, { class: 14, line: 1, ...(cause === null ? {} : { preceding: cause }) });
}

function mayEnter(instance: Instance, database: Database, session: { readonly id: number; readonly login: Login }): boolean {
  if (!session.login.administrator && userOf(database, session.login) === null) {
    return false;
  }
  try {
    enterDatabase(instance, database, session);
    return true;
  } catch (error) {
    if (error instanceof SqlError) {
      return false;
    }
    throw error;
  }
}
