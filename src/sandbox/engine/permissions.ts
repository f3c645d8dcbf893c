/**
 * Who may do what: rights granted to and denied from database users and roles, looked up along object, schema and database. Administrators may
 * everything; DENY wins over GRANT. Rights on columns are in column-permissions.ts. Sources: learn.microsoft.com, "Permissions (Database
 * Engine)", "Database-level roles", "GRANT object permissions".
 */
import type { Database, Table } from './catalog.ts';
import { cannotFindObject, permissionDenied, readOnlyDatabase } from './errors.ts';
import type { Login } from './instance.ts';
import { SqlError } from '../session.ts';
import type { SessionState } from './session-state.ts';

export interface PermissionRule {
  readonly principal: string;
  readonly permission: string;
  readonly allow: boolean;
  /** Object id, or schema id negated; null: the database. */
  readonly on: { readonly kind: 'object' | 'schema'; readonly id: number } | null;
}

/** Users, roles and rights of a database. */
export interface DatabaseSecurity {
  /** By name in lower case. `loginId` null: without login; the id of a login that is gone: an orphan. */
  readonly users: Map<string, { readonly name: string; readonly loginId: number | null; readonly id: number }>;
  /** Role in lower case to its members in lower case. */
  readonly roles: Map<string, { readonly name: string; readonly id: number; readonly members: Set<string> }>;
  rules: PermissionRule[];
}

const securities = new WeakMap<Database, DatabaseSecurity>();

/** Source of the ids: sys.database_principals of a new database. */
const FIXED_ROLES = [
  ['db_owner', 16_384],
  ['db_accessadmin', 16_385],
  ['db_securityadmin', 16_386],
  ['db_ddladmin', 16_387],
  ['db_backupoperator', 16_389],
  ['db_datareader', 16_390],
  ['db_datawriter', 16_391],
  ['db_denydatareader', 16_392],
  ['db_denydatawriter', 16_393],
] as const;

/** The roles that every database has and keeps, in lower case. */
export const DATABASE_ROLES: ReadonlySet<string> = new Set(['public', ...FIXED_ROLES.map(([name]) => name)]);

export function securityOf(database: Database): DatabaseSecurity {
  let security = securities.get(database);
  if (security === undefined) {
    security = {
      users: new Map([
        ['dbo', { name: 'dbo', loginId: 1, id: 1 }],
        ['guest', { name: 'guest', loginId: null, id: 2 }],
      ]),
      roles: new Map([
        ['public', { name: 'public', id: 0, members: new Set() }],
        ...FIXED_ROLES.map(([name, id]) => [name, { name, id, members: new Set<string>() }] as const),
      ]),
      rules: database.system ? [connects('guest')] : [],
    };
    securities.set(database, security);
  }
  return security;
}

/** Source: learn.microsoft.com, "Server-level roles". */
const SERVER_ROLES = new Set([
  'sysadmin',
  'serveradmin',
  'securityadmin',
  'processadmin',
  'setupadmin',
  'bulkadmin',
  'diskadmin',
  'dbcreator',
]);

export function isServerRole(name: string): boolean {
  return SERVER_ROLES.has(name.toLowerCase());
}

/** What CREATE USER grants of its own. */
export function connects(user: string): PermissionRule {
  return { principal: user, permission: 'CONNECT', allow: true, on: null };
}

/** Gives a copy of a database the users, roles and rights of the original. */
export function copySecurity(from: Database, to: Database): void {
  const { users, roles, rules } = securityOf(from);
  securities.set(to, {
    users: new Map(users),
    roles: new Map([...roles].map(([key, role]) => [key, { ...role, members: new Set(role.members) }])),
    rules: [...rules],
  });
}

/** The id of the next user or role: above all of its kind, so that none is used again while another lives. */
export function nextPrincipalId(principals: ReadonlyMap<string, { readonly id: number }>, first: number): number {
  const ids = [...principals.values()].map((each) => each.id).filter((id) => id < 16_384);
  return Math.max(first - 1, ...ids) + 1;
}

/** The id of a user or role. */
export function principalId(database: Database, name: string): number | null {
  const { users, roles } = securityOf(database);
  return (users.get(name.toLowerCase()) ?? roles.get(name.toLowerCase()))?.id ?? null;
}

/** The user that a login is in a database, guest where guests may connect; null: it may not enter. */
export function userOf(database: Database, login: Login): string | null {
  const { users, rules } = securityOf(database);
  const mayConnect = (name: string): boolean => {
    const own = rules.filter((rule) => rule.principal === name.toLowerCase() && rule.permission === 'CONNECT' && rule.on === null);
    return own.length > 0 && own.every((rule) => rule.allow);
  };
  for (const user of users.values()) {
    if (user.loginId === login.id) {
      return user.name === 'dbo' || mayConnect(user.name) ? user.name : null;
    }
  }
  return mayConnect('guest') ? 'guest' : null;
}

/** Whether a login owns a database, outside any session: sysadmin, or a user in db_owner. */
export function isOwnerLogin(database: Database, login: Login): boolean {
  const user = login.administrator ? 'dbo' : userOf(database, login);
  return user === 'dbo' || (user !== null && securityOf(database).roles.get('db_owner')?.members.has(user.toLowerCase()) === true);
}

/** The principals whose rights a session has in a database: its user, and the roles that this is in, through others too. */
function principalsOf(session: SessionState, database: Database): Set<string> {
  const security = securityOf(database);
  const user = session.impersonated.at(-1)?.user ?? userOf(database, session.login) ?? 'guest';
  const found = new Set([user.toLowerCase(), 'public']);
  for (let grown = true; grown;) {
    grown = false;
    for (const [role, { members }] of security.roles) {
      if (!found.has(role) && [...members].some((member) => found.has(member))) {
        found.add(role);
        grown = true;
      }
    }
  }
  return found;
}

export function isMemberOf(session: SessionState, database: Database, role: string): boolean {
  return session.administrator || principalsOf(session, database).has(role.toLowerCase());
}

/** What fixed roles are there for, by right. */
const BY_ROLE: readonly (readonly [role: string, rights: RegExp])[] = [
  ['db_datareader', /^SELECT$/],
  ['db_datawriter', /^(?:INSERT|UPDATE|DELETE)$/],
  ['db_ddladmin', /^(?:ALTER|ALTER ANY SCHEMA|CREATE (?!USER|ROLE|LOGIN|DATABASE).*|REFERENCES)$/],
  ['db_backupoperator', /^BACKUP /],
  ['db_accessadmin', /^(?:ALTER ANY USER|CREATE USER)$/],
  ['db_securityadmin', /^(?:ALTER ANY ROLE|CREATE ROLE|GRANT)$/],
];
const DENIED_BY_ROLE: readonly (readonly [role: string, rights: RegExp])[] = [
  ['db_denydatareader', /^SELECT$/],
  ['db_denydatawriter', /^(?:INSERT|UPDATE|DELETE)$/],
];

/** Decides by the rules that speak of a securable and what contains it. */
function decide(
  principals: ReadonlySet<string>,
  permission: string,
  rules: readonly PermissionRule[],
  covering: readonly string[],
): boolean {
  const about = rules.filter((rule) => principals.has(rule.principal));
  const named = (roles: typeof BY_ROLE): boolean => roles.some(([role, rights]) => principals.has(role) && rights.test(permission));
  if (about.some((rule) => !rule.allow && (rule.permission === permission || rule.permission === 'CONTROL')) || named(DENIED_BY_ROLE)) {
    return false;
  }
  return (
    principals.has('db_owner') ||
    principals.has('dbo') ||
    named(BY_ROLE) ||
    about.some(
      (rule) => rule.allow && (rule.permission === permission || (rule.on === null ? covering : ['CONTROL']).includes(rule.permission)),
    )
  );
}

export function hasPermission(session: SessionState, table: Table, permission: string): boolean {
  return table.temporary || hasObjectPermission(session, table.database, table, permission);
}

/** The same for a table or a view. */
export function hasObjectPermission(
  session: SessionState,
  database: Database,
  object: { readonly objectId: number; readonly schema: { readonly id: number } },
  permission: string,
): boolean {
  if (session.administrator || session.ownersRights > 0) {
    return true;
  }
  const rules = securityOf(database).rules.filter(
    ({ on }) => on === null || (on.kind === 'object' && on.id === object.objectId) || (on.kind === 'schema' && on.id === object.schema.id),
  );
  const covering = permission === 'ALTER' ? ['CONTROL', 'ALTER ANY SCHEMA'] : ['CONTROL'];
  return decide(principalsOf(session, database), permission, rules, covering);
}

/** A right on the database itself: CREATE TABLE, VIEW DATABASE STATE, ALTER, … */
export function hasDatabasePermission(session: SessionState, database: Database, permission: string): boolean {
  if (session.administrator) {
    return true;
  }
  const { rules } = securityOf(database);
  const covering = /^(?:CREATE|ALTER ANY) /.test(permission) ? ['CONTROL', 'ALTER'] : ['CONTROL'];
  const server =
    permission === 'VIEW DATABASE STATE' && session.impersonated.length === 0 && session.login.rights.get('VIEW SERVER STATE') === true;
  return (
    server ||
    decide(
      principalsOf(session, database),
      permission,
      rules.filter((rule) => rule.on === null),
      covering,
    )
  );
}

/** A right on a schema. */
export function hasSchemaPermission(session: SessionState, database: Database, schemaId: number, permission: string): boolean {
  const { rules } = securityOf(database);
  const about = rules.filter(({ on }) => on === null || (on.kind === 'schema' && on.id === schemaId));
  const covering = permission === 'ALTER' ? ['CONTROL', 'ALTER ANY SCHEMA'] : ['CONTROL'];
  return session.administrator || decide(principalsOf(session, database), permission, about, covering);
}

/** @throws SqlError 229 */
export function requirePermission(session: SessionState, table: Table, permission: string): void {
  if (!hasPermission(session, table, permission)) {
    throw permissionDenied(permission, table.name, table.database.name, table.schema.name);
  }
}

/** Whether catalog views show an object: any right on it does. */
export function seesDefinition(session: SessionState, table: Table): boolean {
  return ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'VIEW DEFINITION', 'VIEW CHANGE TRACKING', 'REFERENCES', 'ALTER'].some((permission) =>
    hasPermission(session, table, permission),
  );
}

/** Changing a table's definition, its rows as a whole or its triggers takes ALTER on it. @throws SqlError 1088, 3701, 3906 */
export function requireAlter(session: SessionState, table: Table, statement: string): void {
  if (table.temporary) {
    return;
  }
  if (table.database.readOnly) {
    throw readOnlyDatabase(table.database.name);
  }
  if (!hasPermission(session, table, 'ALTER')) {
    const { number, message } = cannotFindObject(table.name);
    throw statement.startsWith('DROP ')
      ? new SqlError(
          3701,
          `Cannot drop the ${statement.slice(5).toLowerCase()} '${table.name}', because it does not exist or you do not have permission.`,
          {
            class: 11,
            state: 20,
          },
        )
      : new SqlError(number === 4902 ? 1088 : number, message, { state: 13 });
  }
}

/** Rights that statements take whose name is another. */
const TAKES: Readonly<Record<string, string>> = {
  'CREATE USER': 'ALTER ANY USER',
  'DROP USER': 'ALTER ANY USER',
  'ALTER USER': 'ALTER ANY USER',
  'DROP ROLE': 'ALTER ANY ROLE',
  'ALTER ROLE': 'ALTER ANY ROLE',
  DENY: 'GRANT',
  REVOKE: 'GRANT',
  // The cleanup procedures are for db_owner.
  EXECUTE: 'CONTROL',
};

/** Definitions that concern no table of their own, in a database that can be written. @throws SqlError 262, 3906, 15247 */
export function requireOwner(session: SessionState, database: Database, statement: string): void {
  if (database.readOnly) {
    throw readOnlyDatabase(database.name);
  }
  const takes = TAKES[statement] ?? (statement.startsWith('CREATE ') ? statement : 'ALTER');
  if (!hasDatabasePermission(session, database, takes)) {
    throw /^(?:CREATE|ALTER|DROP) (?:USER|ROLE)$|^(?:GRANT|DENY|REVOKE)$/.test(statement)
      ? new SqlError(15_247, 'User does not have permission to perform this action.')
      : new SqlError(262, `${statement} permission denied in database '${database.name}'.`, { class: 14 });
  }
}
