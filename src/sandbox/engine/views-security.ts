/**
 * Views of rights and of those who have them: sys.database_role_members, sys.database_permissions; and the compatibility views sys.sysusers and
 * sys.sysdatabases, which clients ask without a schema. Source: learn.microsoft.com, page of each.
 */
import type { SqlValue } from '../sql-types.ts';
import type { Database } from './catalog.ts';
import { columnRulesOf } from './column-permissions.ts';
import { principalId, securityOf } from './permissions.ts';
import { dateTimeOf } from './system-functions.ts';
import type { SystemView } from './views-columns.ts';
import { char, datetime, int, nvarchar, smallint, sysname, tinyint } from './views-columns.ts';

/** Codes of permissions. Source: learn.microsoft.com, sys.database_permissions. */
const CODES: ReadonlyMap<string, string> = new Map([
  ['ALTER', 'AL'],
  ['ALTER ANY ROLE', 'ALRL'],
  ['ALTER ANY SCHEMA', 'ALSM'],
  ['ALTER ANY USER', 'ALUS'],
  ['BACKUP DATABASE', 'BADB'],
  ['CONNECT', 'CO'],
  ['CONTROL', 'CL'],
  ['CREATE PROCEDURE', 'CRPR'],
  ['CREATE ROLE', 'CRRL'],
  ['CREATE SCHEMA', 'CRSM'],
  ['CREATE SYNONYM', 'CRSN'],
  ['CREATE TABLE', 'CRTB'],
  ['CREATE TYPE', 'CRTY'],
  ['CREATE VIEW', 'CRVW'],
  ['DELETE', 'DL'],
  ['EXECUTE', 'EX'],
  ['IMPERSONATE', 'IM'],
  ['INSERT', 'IN'],
  ['REFERENCES', 'RF'],
  ['SELECT', 'SL'],
  ['SHOWPLAN', 'SPLN'],
  ['TAKE OWNERSHIP', 'TO'],
  ['UPDATE', 'UP'],
  ['VIEW CHANGE TRACKING', 'VWCT'],
  ['VIEW DATABASE STATE', 'VWDS'],
  ['VIEW DEFINITION', 'VW'],
]);

const DBO = 1;

/** A right on something, of a principal. dbo's right to connect is there without being granted. */
function right(
  on: readonly [kind: number, description: string, major: number, minor: number],
  principal: number,
  permission: string,
  allow: boolean,
): SqlValue[] {
  return [...on, principal, DBO, CODES.get(permission)?.padEnd(4) ?? null, permission, allow ? 'G' : 'D', allow ? 'GRANT' : 'DENY'];
}

function* rights(database: Database): Generator<SqlValue[]> {
  yield right([0, 'DATABASE', 0, 0], DBO, 'CONNECT', true);
  for (const { principal, permission, allow, on } of securityOf(database).rules) {
    const id = principalId(database, principal);
    if (id !== null) {
      const place =
        on === null
          ? ([0, 'DATABASE', 0, 0] as const)
          : on.kind === 'object'
            ? ([1, 'OBJECT_OR_COLUMN', on.id, 0] as const)
            : ([3, 'SCHEMA', Math.abs(on.id), 0] as const);
      yield right(place, id, permission, allow);
    }
  }
  for (const { principal, objectId, columnId, allow } of columnRulesOf(database)) {
    const id = principalId(database, principal);
    if (id !== null) {
      yield right([1, 'OBJECT_OR_COLUMN', objectId, columnId], id, 'SELECT', allow);
    }
  }
}

/** Bits of sysdatabases.status. Source: learn.microsoft.com, sys.sysdatabases. */
function statusOf(database: Database): number {
  const bit = (value: boolean, mask: number): number => (value ? mask : 0);
  return (
    bit(database.options.get('AUTO_CLOSE') === 'ON', 1) |
    bit(database.options.get('RECOVERY') === 'SIMPLE', 8) |
    bit(database.offline, 512) |
    bit(database.readOnly, 1024) |
    bit(database.access === 'RESTRICTED_USER', 2048) |
    bit(database.access === 'SINGLE_USER', 4096) |
    bit(database.options.get('AUTO_SHRINK') === 'ON', 4_194_304)
  );
}

export const securityViews: readonly SystemView[] = [
  {
    name: 'sys.database_role_members',
    columns: [
      ['role_principal_id', int, false],
      ['member_principal_id', int, false],
    ],
    *rows(_, database) {
      // dbo is a member of db_owner without having been made one.
      yield [16_384, DBO];
      for (const role of securityOf(database).roles.values()) {
        for (const member of role.members) {
          const id = principalId(database, member);
          if (id !== null) {
            yield [role.id, id];
          }
        }
      }
    },
  },
  {
    name: 'sys.database_permissions',
    columns: [
      ['class', tinyint, false],
      ['class_desc', nvarchar(60)],
      ['major_id', int, false],
      ['minor_id', int, false],
      ['grantee_principal_id', int, false],
      ['grantor_principal_id', int, false],
      ['type', char(4), false],
      ['permission_name', nvarchar(128)],
      ['state', char(1), false],
      ['state_desc', nvarchar(60)],
    ],
    rows: (_, database) => rights(database),
  },
  {
    name: 'sys.sysusers',
    columns: [
      ['uid', smallint],
      ['status', smallint],
      ['name', sysname],
      ['createdate', datetime, false],
      ['updatedate', datetime, false],
      ['altuid', int],
      ['gid', smallint],
      ['hasdbaccess', int],
      ['islogin', int],
      ['isntname', int],
      ['isntgroup', int],
      ['isntuser', int],
      ['issqluser', int],
      ['isaliased', int],
      ['issqlrole', int],
      ['isapprole', int],
    ],
    *rows(_, database) {
      const { users, roles, rules } = securityOf(database);
      const at = dateTimeOf(database.createdAt);
      for (const { name, id } of users.values()) {
        const own = rules.filter((rule) => rule.principal === name.toLowerCase() && rule.permission === 'CONNECT' && rule.on === null);
        const enters = id === DBO || (own.length > 0 && own.every((rule) => rule.allow));
        yield [id, 0, name, at, at, null, 0, enters ? 1 : 0, 1, 0, 0, 0, 1, 0, 0, 0];
      }
      for (const { name, id } of roles.values()) {
        yield [id, 0, name, at, at, DBO, id, 0, 0, 0, 0, 0, 0, 0, 1, 0];
      }
    },
  },
  {
    name: 'sys.sysdatabases',
    columns: [
      ['name', sysname],
      ['dbid', smallint],
      ['mode', smallint],
      ['status', int],
      ['status2', int],
      ['crdate', datetime, false],
      ['reserved', datetime],
      ['category', int],
      ['cmptlevel', tinyint, false],
      ['filename', nvarchar(260)],
      ['version', smallint],
    ],
    *rows({ instance }) {
      for (const database of instance.databases.values()) {
        const level = Number(database.options.get('COMPATIBILITY_LEVEL') ?? '160');
        yield [database.name, database.id, 0, statusOf(database), 0, dateTimeOf(database.createdAt), null, 0, level, null, null];
      }
    },
  },
  // No assembly and no CLR type is ever there.
  {
    name: 'sys.assemblies',
    columns: [
      ['name', sysname, false],
      ['principal_id', int],
      ['assembly_id', int, false],
      ['clr_name', nvarchar(4000)],
      ['permission_set', tinyint],
      ['permission_set_desc', nvarchar(60)],
      ['create_date', datetime, false],
      ['modify_date', datetime, false],
    ],
    rows: () => [],
  },
  {
    name: 'sys.assembly_types',
    columns: [
      ['name', sysname, false],
      ['system_type_id', tinyint, false],
      ['user_type_id', int, false],
      ['schema_id', int, false],
      ['max_length', smallint, false],
      ['is_nullable', tinyint],
      ['assembly_id', int, false],
      ['assembly_class', sysname],
      ['is_fixed_length', tinyint],
    ],
    rows: () => [],
  },
];
