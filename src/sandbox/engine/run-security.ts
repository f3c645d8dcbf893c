/** Logins, users, roles and rights. They are not undone by a rollback. */
import type { PermissionStatement, SecurityStatement } from '../sql/ast-definition.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { Database } from './catalog.ts';
import { sameName } from './catalog.ts';
import { setColumnRight } from './column-permissions.ts';
import { findObject } from './object-names.ts';
import type { PermissionRule } from './permissions.ts';
import { connects, isServerRole, nextPrincipalId, requireOwner, securityOf, userOf } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';

export function runSecurity(context: StatementContext, statement: SecurityStatement): void {
  const { instance, session, database } = context;
  const security = securityOf(database);
  switch (statement.kind) {
    case 'createLogin': {
      requireAdministrator(context);
      const key = statement.name.toLowerCase();
      const existing = instance.logins.get(key);
      if (statement.alter) {
        if (existing === undefined) {
          throw new SqlError(15151, `Cannot alter the login '${statement.name}', because it does not exist or you do not have permission.`);
        }
        existing.password = statement.password ?? existing.password;
        existing.defaultDatabase = statement.defaultDatabase ?? existing.defaultDatabase;
        existing.enabled = statement.enabled ?? existing.enabled;
        return;
      }
      if (existing !== undefined) {
        throw new SqlError(15025, `The server principal '${statement.name}' already exists.`);
      }
      instance.logins.set(key, {
        id: instance.nextLoginId(),
        name: statement.name,
        password: statement.password ?? '',
        defaultDatabase: statement.defaultDatabase ?? 'master',
        enabled: true,
        administrator: false,
        roles: new Set(),
        rights: new Map(),
      });
      return;
    }
    case 'createUser': {
      requireOwner(session, database, 'CREATE USER');
      const key = statement.name.toLowerCase();
      if (security.users.has(key)) {
        throw new SqlError(15023, `User, group, or role '${statement.name}' already exists in the current database.`);
      }
      const loginId = loginIdOf(context, statement.login);
      if (loginId !== null && [...security.users.values()].some((user) => user.loginId === loginId)) {
        throw new SqlError(15_063, 'The login already has an account under a different user name.');
      }
      security.users.set(key, { name: statement.name, loginId, id: nextPrincipalId(security.users, 5) });
      security.rules.push(connects(key));
      return;
    }
    case 'alterUser': {
      requireOwner(session, database, 'ALTER USER');
      const key = statement.name.toLowerCase();
      const user = security.users.get(key);
      if (user === undefined || key === 'dbo' || key === 'guest') {
        throw new SqlError(15151, `Cannot alter the user '${statement.name}', because it does not exist or you do not have permission.`);
      }
      if (statement.newName !== null) {
        throw new UnsupportedError('ALTER USER … WITH NAME', statement.line);
      }
      security.users.set(key, { ...user, loginId: loginIdOf(context, statement.login) ?? user.loginId });
      return;
    }
    case 'createRole':
      requireOwner(session, database, 'CREATE ROLE');
      security.roles.set(statement.name.toLowerCase(), {
        name: statement.name,
        id: nextPrincipalId(security.roles, 1000),
        members: new Set(),
      });
      return;
    case 'alterRole': {
      if (statement.server) {
        alterServerRole(context, statement);
        return;
      }
      requireOwner(session, database, 'ALTER ROLE');
      const role = security.roles.get(statement.role.toLowerCase());
      if (role === undefined) {
        throw new SqlError(15151, `Cannot alter the role '${statement.role}', because it does not exist or you do not have permission.`);
      }
      const member = principal(database, statement.member);
      if (statement.action === 'add') {
        role.members.add(member);
      } else {
        role.members.delete(member);
      }
      return;
    }
    case 'permission':
      changePermissions(context, statement);
      return;
    case 'executeAs': {
      if (statement.principal === null) {
        session.impersonated.pop();
        return;
      }
      const { kind, name } = statement.principal;
      if (!session.administrator) {
        throw new SqlError(
          15517,
          `Cannot execute as the database principal because the principal "${name}" does not exist, this type of principal cannot be impersonated, or you do not have permission.`,
        );
      }
      const login = instance.logins.get(name.toLowerCase());
      const user =
        kind === 'user'
          ? security.users.get(name.toLowerCase())?.name
          : login === undefined
            ? undefined
            : login.administrator
              ? 'dbo'
              : (userOf(database, login) ?? 'guest');
      if (user === undefined) {
        throw new SqlError(
          15517,
          `Cannot execute as the database principal because the principal "${name}" does not exist, this type of principal cannot be impersonated, or you do not have permission.`,
        );
      }
      session.impersonated.push({ user, administrator: kind === 'login' ? (login?.administrator ?? false) : user === 'dbo' });
    }
  }
}

/** @throws SqlError 15007 */
function loginIdOf(context: StatementContext, name: string | null): number | null {
  if (name === null) {
    return null;
  }
  const login = context.instance.logins.get(name.toLowerCase());
  if (login === undefined) {
    throw new SqlError(15007, `'${name}' is not a valid login or you do not have permission.`);
  }
  return login.id;
}

/** @throws SqlError 15151, 15405 */
function alterServerRole(context: StatementContext, statement: Extract<SecurityStatement, { kind: 'alterRole' }>): void {
  const role = statement.role.toLowerCase();
  if (!context.session.administrator || !isServerRole(role)) {
    throw new SqlError(15151, `Cannot alter the server role '${statement.role}', because it does not exist or you do not have permission.`);
  }
  const login = context.instance.logins.get(statement.member.toLowerCase());
  if (login === undefined) {
    throw new SqlError(15151, `Cannot add the principal '${statement.member}', because it does not exist or you do not have permission.`);
  }
  const adds = statement.action === 'add';
  if (role === 'sysadmin') {
    if (login.name === 'sa' && !adds) {
      throw new SqlError(15_405, "Cannot use the special principal 'sa'.", { class: 11 });
    }
    login.administrator = adds;
  } else if (adds) {
    login.roles.add(role);
  } else {
    login.roles.delete(role);
  }
}

function requireAdministrator(context: StatementContext): void {
  if (!context.session.administrator) {
    throw new SqlError(15247, 'User does not have permission to perform this action.');
  }
}

function principal(database: Database, name: string): string {
  const { users, roles } = securityOf(database);
  const key = name.toLowerCase();
  if (!users.has(key) && !roles.has(key)) {
    throw new SqlError(15151, `Cannot find the user '${name}', because it does not exist or you do not have permission.`);
  }
  return key;
}

/** Rights on the server that are asked for here. */
const SERVER_RIGHTS = new Set(['VIEW SERVER STATE', 'VIEW SERVER PERFORMANCE STATE']);

/** @throws SqlError 4621, 15151, 15247 */
function changeServerRights(context: StatementContext, statement: PermissionStatement): void {
  requireAdministrator(context);
  if (context.database.name !== 'master') {
    throw new SqlError(4621, 'Permissions at the server scope can only be granted when the current database is master');
  }
  for (const name of statement.principals) {
    const login = context.instance.logins.get(name.toLowerCase());
    if (login === undefined) {
      throw new SqlError(15151, `Cannot find the login '${name}', because it does not exist or you do not have permission.`);
    }
    for (const permission of statement.permissions) {
      if (!SERVER_RIGHTS.has(permission.name)) {
        throw new UnsupportedError(`${permission.name} on the server`, statement.line);
      }
      if (statement.action === 'revoke') {
        login.rights.delete(permission.name);
      } else {
        login.rights.set(permission.name, statement.action === 'grant');
      }
    }
  }
}

function changePermissions(context: StatementContext, statement: PermissionStatement): void {
  const { database, session } = context;
  if (statement.permissions.some(({ name }) => SERVER_RIGHTS.has(name)) && (statement.on === null || statement.on.class === 'server')) {
    changeServerRights(context, statement);
    return;
  }
  requireOwner(session, database, statement.action.toUpperCase());
  const security = securityOf(database);
  const on = securable(context, statement);
  for (const name of statement.principals) {
    const to = principal(database, name);
    for (const { name: permission, columns } of statement.permissions) {
      if (columns.length > 0) {
        changeColumnRights(context, statement, { to, permission, columns });
        continue;
      }
      const same = (rule: PermissionRule): boolean =>
        rule.principal === to && rule.permission === permission && rule.on?.kind === on?.kind && rule.on?.id === on?.id;
      security.rules = security.rules.filter((rule) => !same(rule));
      if (statement.action !== 'revoke') {
        security.rules.push({ principal: to, permission, allow: statement.action === 'grant', on });
      }
    }
  }
}

/** @throws SqlError 1020, 1911, 15151 */
function changeColumnRights(
  context: StatementContext,
  statement: PermissionStatement,
  right: { readonly to: string; readonly permission: string; readonly columns: readonly string[] },
): void {
  const object = statement.on?.class === 'object' ? findObject(context.session, statement.on.name) : undefined;
  if (right.permission !== 'SELECT' || object?.kind !== 'table') {
    throw new UnsupportedError('rights on columns but for SELECT on those of a table', statement.line);
  }
  for (const name of right.columns) {
    const column = object.columns.find((each) => sameName(each.name, name));
    if (column === undefined) {
      throw new SqlError(1911, `Column name '${name}' does not exist in the target table or view.`);
    }
    setColumnRight(object, right.to, column.id, statement.action === 'revoke' ? null : statement.action === 'grant');
  }
}

function securable(context: StatementContext, statement: PermissionStatement): PermissionRule['on'] {
  const { on } = statement;
  if (on === null || on.class === 'database') {
    return null;
  }
  if (on.class === 'schema') {
    const schema = context.database.schema(on.name.name);
    if (schema === undefined) {
      throw new SqlError(15151, `Cannot find the schema '${on.name.name}', because it does not exist or you do not have permission.`);
    }
    return { kind: 'schema', id: schema.id };
  }
  if (on.class !== 'object') {
    throw new UnsupportedError(`rights on a ${on.class}`, statement.line);
  }
  const object = findObject(context.session, on.name);
  if (object === undefined) {
    throw new SqlError(15151, `Cannot find the object '${on.name.name}', because it does not exist or you do not have permission.`);
  }
  return { kind: 'object', id: object.objectId };
}
