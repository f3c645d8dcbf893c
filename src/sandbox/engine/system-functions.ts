/** The functions of T-SQL that look at the session, the server and the catalog, for one running statement. */
import type { SystemFunctions } from '../sql/context.ts';
import type { DateTimeValue, SqlType, SqlValue } from '../sql-types.ts';
import { DEFAULT_COLLATION } from '../sql-types.ts';
import type { CatalogObject, Database, Table } from './catalog.ts';
import { sameName } from './catalog.ts';
import { columnLength, columnProperty, indexProperty, objectProperty, typeIdOf, typeNameOf } from './metadata-functions.ts';
import type { ObjectPart } from './object-parts.ts';
import { partById as findPart, partProperty } from './object-parts.ts';
import { findObject, objectNameOf, splitName } from './object-names.ts';
import {
  hasDatabasePermission,
  hasPermission,
  hasSchemaPermission,
  isMemberOf,
  isServerRole,
  principalId,
  securityOf,
  seesDefinition,
  userOf,
} from './permissions.ts';
import type { StatementContext } from './statement-context.ts';
import { tableTypeId, tableTypeName } from './table-types.ts';
import { columnsUpdated, isUpdated } from './trigger-columns.ts';

const NVARCHAR: SqlType = { name: 'nvarchar', length: 128, collation: DEFAULT_COLLATION };
const INT: SqlType = { name: 'int' };
const DAYS_TO_1970 = 719_162;
const DAY_MS = 86_400_000;

/** What SELECT @@VERSION begins with: a 2022 level of the dialect, and that it is none. */
const VERSION_TEXT = 'patchwire sandbox, a stand-in for Microsoft SQL Server 2022 (RTM) - 16.0.1000.6 (X64)';

export function dateTimeOf(ms: number): DateTimeValue {
  const day = Math.floor(ms / DAY_MS);
  return { days: day + DAYS_TO_1970, ticks: BigInt(Math.round((ms - day * DAY_MS) * 10_000)) };
}

export function createSystemFunctions(context: StatementContext): SystemFunctions {
  const { session, instance } = context;
  const property = (value: SqlValue, type: SqlType): { type: SqlType; value: SqlValue } => ({ type, value });

  const databaseById = (id: number): Database | undefined => [...instance.databases.values()].find((each) => each.id === id);
  const objectById = (id: number, databaseId: number | null): CatalogObject | undefined => {
    const object = (databaseId === null ? context.database : databaseById(databaseId))?.objectById(id);
    return object !== undefined && visible(object) ? object : undefined;
  };
  const visible = (object: CatalogObject): boolean => {
    if (object.kind !== 'table') {
      return true;
    }
    context.readDefinition(object);
    return seesDefinition(session, object);
  };
  const partById = (id: number, databaseId: number | null): ObjectPart | null => {
    const database = databaseId === null ? context.database : databaseById(databaseId);
    const part = database === undefined ? null : findPart(database, id);
    return part !== null && visible(part.table) ? part : null;
  };
  const tableById = (id: number): Table | undefined => {
    const object = objectById(id, null) ?? [...session.tempTables.values()].find((table) => table.objectId === id);
    return object?.kind === 'table' ? object : undefined;
  };
  const tableByName = (text: string): Table | undefined => {
    const name = objectNameOf(text);
    const object = name === null ? undefined : findObject(session, name);
    return object?.kind === 'table' ? object : undefined;
  };

  const currentUser = (): string | null =>
    session.impersonated.at(-1)?.user ?? (session.login.administrator ? 'dbo' : userOf(context.database, session.login));

  return {
    utcNow: () => dateTimeOf(context.now),
    offsetMinutes: () => -new Date(context.now).getTimezoneOffset(),
    randomBytes: (count) => instance.randomBytes(count),
    random: (seed) => (seed === null ? Math.random() : seededRandom(seed)),

    spid: () => session.id,
    transactionCount: () => session.transactionCount,
    transactionState: () => (session.transaction === null ? 0 : session.doomed ? -1 : 1),
    rowCount: () => session.rowCount,
    errorNumber: () => session.errorNumber,
    caughtError: () => session.caught.at(-1) ?? null,
    isUpdated: (column) => isUpdated(context.frame, column),
    columnsUpdated: () => columnsUpdated(context.frame),
    triggerNestLevel: (id) => session.triggers.filter((each) => id === null || each === id).length,
    nestLevel: () => context.frame.level,
    scopeIdentity: () => context.frame.scopeIdentity,
    lastIdentity: () => session.lastIdentity,
    identityCurrent: (name) => {
      const identity = tableByName(name)?.columns.find((column) => column.identity !== null)?.identity;
      return identity === null || identity === undefined ? null : (identity.last ?? identity.seed);
    },
    identityShape: (name) => tableByName(name)?.columns.find((column) => column.identity !== null)?.identity ?? null,
    loginName: () => session.login.name,
    originalLogin: () => session.login.name,
    userName: (id) => {
      if (id === null) {
        return currentUser();
      }
      const { users, roles } = securityOf(context.database);
      return [...users.values(), ...roles.values()].find((each) => each.id === id)?.name ?? null;
    },
    principalId: (name) => {
      const wanted = name ?? currentUser();
      return wanted === null ? null : principalId(context.database, wanted);
    },
    loginId: (name) => instance.logins.get((name ?? session.login.name).toLowerCase())?.id ?? null,
    appName: () => session.appName,
    hostName: () => session.hostName,
    sessionContext: (key) => session.context.get(key.toLowerCase()) ?? null,
    contextInfo: () => session.contextInfo,
    lockTimeout: () => session.options.lockTimeoutMs,
    dateFormat: () => session.options.dateFormat,
    dateFirst: () => session.options.dateFirst,
    options: () => (session.options.nocount ? 512 : 0) + (session.options.xactAbort ? 16_384 : 0) + 5432,
    isMember: (role) => (securityOf(context.database).roles.has(role.toLowerCase()) ? isMemberOf(session, context.database, role) : null),
    isServerRoleMember: (role) =>
      sameName(role, 'public')
        ? true
        : sameName(role, 'sysadmin')
          ? session.administrator
          : isServerRole(role)
            ? session.login.roles.has(role.toLowerCase())
            : null,
    hasPermission: (securable, securableClass, permission) => {
      if (securable === null) {
        return securableClass === null || sameName(securableClass, 'SERVER')
          ? session.administrator || session.login.rights.get(permission.toUpperCase()) === true
          : hasPermissionOn(context, context.database.name, securableClass, permission.toUpperCase());
      }
      if (securableClass !== null && !sameName(securableClass, 'OBJECT')) {
        return hasPermissionOn(context, securable, securableClass, permission.toUpperCase());
      }
      const table = tableByName(securable);
      return table === undefined ? null : hasPermission(session, table, permission.toUpperCase());
    },

    serverName: () => instance.name,
    version: () => VERSION_TEXT,
    serverProperty: (name) => {
      const texts: Record<string, string> = {
        servername: instance.name,
        machinename: instance.name,
        productversion: '16.0.1000.6',
        productlevel: 'RTM',
        productbuild: '1000',
        productupdatelevel: '',
        resourceversion: '16.00.1000',
        computernamephysicalnetbios: instance.name,
        buildclrversion: 'v4.0.30319',
        edition: 'Developer Edition (64-bit)',
        collation: DEFAULT_COLLATION,
      };
      const numbers: Record<string, number> = {
        engineedition: 3,
        productmajorversion: 16,
        productminorversion: 0,
        editionid: -2_117_995_310,
        lcid: 1033,
        isintegratedsecurityonly: 0,
        isfulltextinstalled: 0,
        islocaldb: 0,
        isxtpsupported: 0,
        ispolybaseinstalled: 0,
        isadvancedanalyticsinstalled: 0,
        filestreamconfiguredlevel: 0,
        processid: process.pid,
        ishadrenabled: 0,
        isclustered: 0,
        issingleuser: 0,
      };
      const key = name.toLowerCase();
      const text = texts[key];
      const number = numbers[key];
      return text !== undefined ? property(text, NVARCHAR) : number !== undefined ? property(number, INT) : null;
    },

    databaseId: (name) => (name === null ? context.database.id : (instance.database(name)?.id ?? null)),
    databaseName: (id) => (id === null ? context.database.name : (databaseById(id)?.name ?? null)),
    databaseProperty: (name, key) => {
      const database = instance.database(name);
      if (database === undefined) {
        return null;
      }
      switch (key.toLowerCase()) {
        case 'updateability':
          return property(database.readOnly ? 'READ_ONLY' : 'READ_WRITE', NVARCHAR);
        case 'status':
          return property(database.offline ? 'OFFLINE' : 'ONLINE', NVARCHAR);
        case 'useraccess':
          return property(database.access, NVARCHAR);
        case 'recovery':
          return property(database.options.get('RECOVERY') ?? 'FULL', NVARCHAR);
        case 'collation':
          return property(database.collation, NVARCHAR);
        case 'ischangetrackingenabled':
          return property(database.tracking.on ? 1 : 0, INT);
        case 'isinstandby':
        case 'isautoclose':
        case 'isautoshrink':
        case 'isfulltextenabled':
        case 'ispublished':
        case 'issubscribed':
          return property(0, INT);
        case 'isautocreatestatistics':
        case 'isautoupdatestatistics':
        case 'isansinullsenabled':
        case 'isansiwarningsenabled':
        case 'isquotedidentifiersenabled':
          return property(1, INT);
        case 'version':
          return property(957, INT);
        default:
          return null;
      }
    },
    hasDatabaseAccess: (name) => {
      const database = instance.database(name);
      return database === undefined ? null : session.administrator || userOf(database, session.login) !== null;
    },
    objectId: (text, type) => {
      const name = objectNameOf(text);
      if (name === null || (name.database !== null && instance.database(name.database) === undefined)) {
        return null;
      }
      const temp = /^#/.exec(name.name) !== null ? session.tempTables.get(name.name.toLowerCase()) : undefined;
      const database = name.database === null ? context.database : instance.database(name.database);
      const object = temp ?? database?.find(name.schema, name.name);
      const kind = type?.trim().toUpperCase() ?? null;
      if (object !== undefined) {
        const letter = { table: 'U', view: 'V', synonym: 'SN' }[object.kind];
        return (kind === null || kind === letter) && visible(object) ? object.objectId : null;
      }
      return database === undefined ? null : partId(database, name.name, kind);
    },
    objectName: (id, databaseId) => objectById(id, databaseId)?.name ?? partById(id, databaseId)?.name ?? null,
    objectSchemaName: (id, databaseId) => (objectById(id, databaseId) ?? partById(id, databaseId)?.table)?.schema.name ?? null,
    objectProperty: (id, name) => {
      const object = objectById(id, null);
      if (object !== undefined) {
        return objectProperty(object, name);
      }
      const part = partById(id, null);
      return part === null ? null : partProperty(part, name);
    },
    objectDefinition: (id) => {
      const object = objectById(id, null);
      return object?.kind === 'view' ? object.text : (partById(id, null)?.definition ?? null);
    },
    schemaId: (name) => context.database.schema(name)?.id ?? null,
    schemaName: (id) => (id === null ? 'dbo' : ([...context.database.schemas.values()].find((schema) => schema.id === id)?.name ?? null)),
    columnName: (id, columnId) => tableById(id)?.columns.find((column) => column.id === columnId)?.name ?? null,
    columnLength: (table, column) => {
      const found = tableByName(table);
      return found === undefined ? null : columnLength(found, column);
    },
    columnProperty: (id, column, name) => {
      const table = tableById(id);
      return table === undefined ? null : columnProperty(table, column, name);
    },
    indexProperty: (id, index, name) => {
      const table = tableById(id);
      return table === undefined ? null : indexProperty(table, index, name);
    },
    typeId: (name) => tableTypeId(session.database, name) ?? typeIdOf(splitName(name)?.at(-1) ?? name),
    typeName: (id) => typeNameOf(id) ?? tableTypeName(session.database, id),

    changeTrackingCurrentVersion: () => context.currentVersion(context.database),
    changeTrackingMinValidVersion: (id) => {
      const table = context.database.tables().find((each) => each.objectId === id);
      if (table === undefined) {
        return null;
      }
      context.readDefinition(table);
      return table.tracker !== null && hasPermission(session, table, 'VIEW CHANGE TRACKING')
        ? context.trackingState(context.database, table.tracker).minValidVersion
        : null;
    },
  };
}

/** What a table has that has a name and an id of its own: keys, constraints, triggers. */
function partsOf(table: Table): readonly (readonly [name: string, letter: string, id: number])[] {
  return [
    ...table.indexes
      .filter((index) => index.objectId !== 0)
      .map((index) => [index.name, index.kind === 'unique' ? 'UQ' : 'PK', index.objectId] as const),
    ...table.checks.map((check) => [check.name, 'C', check.objectId] as const),
    ...table.triggers.map((trigger) => [trigger.name, 'TR', trigger.objectId] as const),
    ...table.foreignKeys.map((key) => [key.name, 'F', key.objectId] as const),
    ...table.columns.flatMap((column) => (column.default === null ? [] : [[column.default.name, 'D', column.default.objectId] as const])),
  ];
}

function partId(database: Database, name: string, kind: string | null): number | null {
  for (const table of database.tables()) {
    const match = partsOf(table).find(([each, letter]) => sameName(each, name) && (kind === null || kind === letter));
    if (match !== undefined) {
      return match[2];
    }
  }
  return null;
}

/** HAS_PERMS_BY_NAME of a database or a schema; null for what is not there. */
function hasPermissionOn(context: StatementContext, securable: string, securableClass: string, permission: string): boolean | null {
  const name = splitName(securable)?.at(-1) ?? securable;
  if (sameName(securableClass, 'DATABASE')) {
    const database = context.instance.database(name);
    return database === undefined ? null : hasDatabasePermission(context.session, database, permission);
  }
  const schema = sameName(securableClass, 'SCHEMA') ? context.database.schema(name) : undefined;
  return schema === undefined ? null : hasSchemaPermission(context.session, context.database, schema.id, permission);
}

/** A number of [0, 1) that depends on the seed alone. */
function seededRandom(seed: number): number {
  let state = (seed ^ 0x9e37_79b9) >>> 0;
  state = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b) >>> 0;
  state = Math.imul(state ^ (state >>> 13), 0xc2b2_ae35) >>> 0;
  return ((state ^ (state >>> 16)) >>> 0) / 2 ** 32;
}
