/** DROP USER, DROP ROLE and DROP LOGIN. Like all of logins and rights they are not undone by a rollback. */
import type { DropStatement } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import { forgetColumnRights } from './column-permissions.ts';
import { DATABASE_ROLES, requireOwner, securityOf } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';

type Principal = 'user' | 'role' | 'login';

function missing(what: Principal, name: string): SqlError {
  return new SqlError(15_151, `Cannot drop the ${what} '${name}', because it does not exist or you do not have permission.`);
}

function fixed(what: Principal, name: string): SqlError {
  return new SqlError(15_150, `Cannot drop the ${what} '${name}'.`);
}

/** @throws SqlError 262, 15144 (a role with members), 15150 (fixed), 15151 (missing), 15434 (a login that is connected) */
export function dropPrincipal(context: StatementContext, what: Principal, name: string, statement: DropStatement): void {
  const key = name.toLowerCase();
  if (what === 'login') {
    dropLogin(context, name);
    return;
  }
  const security = securityOf(context.database);
  const known: { has(key: string): boolean; delete(key: string): boolean } = what === 'user' ? security.users : security.roles;
  if (!known.has(key)) {
    if (statement.ifExists) {
      return;
    }
    throw missing(what, name);
  }
  requireOwner(context.session, context.database, `DROP ${what.toUpperCase()}`);
  if (what === 'user' ? key === 'dbo' : DATABASE_ROLES.has(key)) {
    throw fixed(what, name);
  }
  if (what === 'role' && (security.roles.get(key)?.members.size ?? 0) > 0) {
    throw new SqlError(15_144, 'The role has members. It must be empty before it can be dropped.');
  }
  known.delete(key);
  for (const role of security.roles.values()) {
    role.members.delete(key);
  }
  security.rules = security.rules.filter((rule) => rule.principal !== key);
  forgetColumnRights(context.database, key);
}

/** Users of the login stay behind in their databases, as on SQL Server. */
function dropLogin(context: StatementContext, name: string): void {
  const { instance, session } = context;
  const login = instance.logins.get(name.toLowerCase());
  if (login === undefined || !session.administrator) {
    throw missing('login', name);
  }
  if (login.name === 'sa') {
    throw fixed('login', name);
  }
  if ([...instance.sessions.values()].some((each) => each.loginName.toLowerCase() === name.toLowerCase())) {
    throw new SqlError(15_434, `Could not drop login '${name}' as the user is currently logged in.`);
  }
  instance.logins.delete(name.toLowerCase());
}
