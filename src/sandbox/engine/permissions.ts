/**
 * Who may do what: rights granted to and denied from database users, looked up along object, schema and database. Administrators may
 * everything; DENY wins over GRANT. Only what a reader of change tracking can meet is here: object rights and db_owner, db_datareader, db_datawriter.
 */
import type { Database, Table } from './catalog.ts';
import { permissionDenied, readOnlyDatabase } from './errors.ts';
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
  /** User name in lower case to login name in lower case (null: without login). */
  readonly users: Map<string, { readonly name: string; readonly login: string | null; readonly id: number }>;
  /** Role in lower case to its members in lower case. */
  readonly roles: Map<string, { readonly name: string; readonly id: number; readonly members: Set<string> }>;
  rules: PermissionRule[];
}

const securities = new WeakMap<Database, DatabaseSecurity>();

const FIXED_ROLES = ['db_owner', 'db_datareader', 'db_datawriter', 'db_ddladmin'];

/** The roles that every database has and keeps, in lower case. */
export const DATABASE_ROLES: ReadonlySet<string> = new Set(['public', ...FIXED_ROLES]);

export function securityOf(database: Database): DatabaseSecurity {
  let security = securities.get(database);
  if (security === undefined) {
    security = {
      users: new Map([['dbo', { name: 'dbo', login: 'sa', id: 1 }]]),
      roles: new Map([
        ['public', { name: 'public', id: 0, members: new Set() }],
        ...FIXED_ROLES.map((name, index) => [name, { name, id: 16_384 + index, members: new Set<string>() }] as const),
      ]),
      rules: [],
    };
    securities.set(database, security);
  }
  return security;
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

/** The user that a login is in a database; null: it may not enter. */
export function userOf(database: Database, login: string): string | null {
  for (const user of securityOf(database).users.values()) {
    if (user.login?.toLowerCase() === login.toLowerCase()) {
      return user.name;
    }
  }
  return database.system ? 'guest' : null;
}

/** Whether a login owns a database, outside any session: sysadmin, or a user in db_owner. */
export function isOwnerLogin(database: Database, login: Login): boolean {
  const user = login.administrator ? 'dbo' : userOf(database, login.name);
  return user === 'dbo' || (user !== null && securityOf(database).roles.get('db_owner')?.members.has(user.toLowerCase()) === true);
}

/** The principals whose rights a session has in a database. */
function principalsOf(session: SessionState, database: Database): Set<string> {
  const security = securityOf(database);
  const user = session.impersonated.at(-1)?.user ?? userOf(database, session.login.name) ?? 'guest';
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

export function hasPermission(session: SessionState, table: Table, permission: string): boolean {
  if (session.administrator || session.ownersRights > 0 || table.temporary) {
    return true;
  }
  const principals = principalsOf(session, table.database);
  const rules = securityOf(table.database).rules.filter(
    (rule) =>
      principals.has(rule.principal) &&
      (rule.permission === permission || rule.permission === 'CONTROL') &&
      (rule.on === null ||
        (rule.on.kind === 'object' && rule.on.id === table.objectId) ||
        (rule.on.kind === 'schema' && rule.on.id === table.schema.id)),
  );
  if (rules.some((rule) => !rule.allow)) {
    return false;
  }
  return (
    rules.length > 0 ||
    principals.has('db_owner') ||
    (permission === 'SELECT' && principals.has('db_datareader')) ||
    (['INSERT', 'UPDATE', 'DELETE'].includes(permission) && principals.has('db_datawriter'))
  );
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

/** Changing a table's definition or its triggers. @throws SqlError 262, 3906 */
export function requireAlter(session: SessionState, table: Table, statement: string): void {
  requireOwner(session, table.database, statement);
}

/** DDL is for administrators and db_owner, in a database that can be written. @throws SqlError 262, 3906 */
export function requireOwner(session: SessionState, database: Database, permission: string): void {
  if (database.readOnly) {
    throw readOnlyDatabase(database.name);
  }
  if (!isMemberOf(session, database, 'db_owner')) {
    throw new SqlError(262, `${permission} permission denied in database '${database.name}'.`, { class: 14 });
  }
}
