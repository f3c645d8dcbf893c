/** Logins: who may connect, and to which database. */
import type { ServerBackend } from '../session.ts';
import { SqlError } from '../session.ts';
import type { Instance } from './instance.ts';
import { userOf } from './permissions.ts';
import { SandboxSession } from './session.ts';
import { SessionState } from './session-state.ts';

export function createBackend(instance: Instance): ServerBackend {
  return {
    serverName: instance.name,
    login: (request) => {
      const login = instance.logins.get(request.user.toLowerCase());
      if (login === undefined || !login.enabled || login.password !== request.password) {
        throw new SqlError(18456, `Login failed for user '${request.user}'.`, { class: 14 });
      }
      const name = request.database === '' ? login.defaultDatabase : request.database;
      const database = instance.database(name);
      if (database === undefined || (!login.administrator && userOf(database, login.name) === null)) {
        throw new SqlError(4060, `Cannot open database "${name}" requested by the login. The login failed.`, { class: 11 });
      }
      return new SandboxSession(
        new SessionState({ id: instance.nextSessionId(), instance, login, database, appName: request.appName, hostName: request.hostName }),
      );
    },
  };
}
