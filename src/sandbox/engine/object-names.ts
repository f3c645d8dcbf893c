/** Names of objects: quoted text to parts, parts to what they name in a session (temp tables, synonyms, other databases). */
import type { ObjectName } from '../sql/ast-expression.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { CatalogObject, Database, Table, View } from './catalog.ts';
import { requireAccess, unavailable } from './database-access.ts';
import { invalidObject } from './errors.ts';
import type { SessionState } from './session-state.ts';

/** Splits `[a].[b]`, `a.b` or `"a".b` into its parts; null when it is no name. */
export function splitName(text: string): string[] | null {
  const parts: string[] = [];
  let rest = text.trim();
  for (;;) {
    const match = /^(?:\[((?:[^\]]|\]\])*)\]|"((?:[^"]|"")*)"|([^.[\]"]*))/.exec(rest);
    if (match === null) {
      return null;
    }
    parts.push(match[1]?.replaceAll(']]', ']') ?? match[2]?.replaceAll('""', '"') ?? match[3]?.trim() ?? '');
    rest = rest.slice(match[0].length).trimStart();
    if (rest === '') {
      return parts.length <= 4 && parts.at(-1) !== '' ? parts : null;
    }
    if (!rest.startsWith('.')) {
      return null;
    }
    rest = rest.slice(1).trimStart();
  }
}

export function objectNameOf(text: string): ObjectName | null {
  const parts = splitName(text);
  if (parts === null) {
    return null;
  }
  const [name = '', schema, database, server] = parts.toReversed();
  const some = (part: string | undefined): string | null => (part === undefined || part === '' ? null : part);
  return { name, schema: some(schema), database: some(database), server: some(server), line: 0, position: 0 };
}

export function describeName(name: ObjectName): string {
  return [name.server, name.database, name.schema ?? (name.database === null ? null : ''), name.name]
    .filter((part) => part !== null)
    .join('.');
}

/** The database that a name is looked up in. @throws SqlError 208 for an unknown one, and for another server's names. */
export function databaseOf(session: SessionState, name: ObjectName): Database {
  if (name.server !== null && name.server.toLowerCase() !== session.instance.name.toLowerCase()) {
    throw new SqlError(
      7202,
      `Could not find server '${name.server}' in sys.servers. Verify that the correct server name was specified. If necessary, execute the stored procedure sp_addlinkedserver to add the server to sys.servers.`,
      { state: 2, line: name.line },
    );
  }
  if (name.database === null) {
    return session.database;
  }
  const database = session.instance.database(name.database);
  if (database === undefined) {
    throw invalidObject(describeName(name), name.line);
  }
  if (database !== session.database) {
    const closed = unavailable(database);
    if (closed !== null) {
      throw closed;
    }
    if (session.impersonated.length === 0) {
      requireAccess(database, session);
    }
  }
  return database;
}

/** The object of a name, through synonyms; undefined without one. */
export function findObject(session: SessionState, name: ObjectName): CatalogObject | undefined {
  if (name.name.startsWith('#')) {
    return session.tempTables.get(name.name.toLowerCase());
  }
  const found = databaseOf(session, name).find(name.schema, name.name);
  if (found?.kind !== 'synonym') {
    return found;
  }
  const [server, database, schema, target] = found.target;
  return findObject(session, {
    server,
    database: database ?? name.database,
    schema,
    name: target,
    line: name.line,
    position: name.position,
  });
}

/** @throws SqlError 208 when there is none, or `missing`. */
export function findTable(session: SessionState, name: ObjectName, missing?: () => SqlError): Table {
  const object = findObject(session, name);
  if (object === undefined) {
    throw missing?.() ?? invalidObject(describeName(name), name.line);
  }
  if (object.kind !== 'table') {
    throw new UnsupportedError(`writing to or altering the ${object.kind} '${object.name}' as a table`, name.line);
  }
  return object;
}

/** Whether a name is a synonym's, whatever it stands for. */
export function isSynonym(session: SessionState, name: ObjectName): boolean {
  return !name.name.startsWith('#') && databaseOf(session, name).find(name.schema, name.name)?.kind === 'synonym';
}

/** The table of a statement that defines: a view or synonym is none. @throws SqlError as `missing`, `other` */
export function definedTable(session: SessionState, name: ObjectName, missing: () => SqlError, other: () => SqlError): Table {
  const object = findObject(session, name);
  if (object !== undefined && (object.kind !== 'table' || isSynonym(session, name))) {
    throw other();
  }
  return findTable(session, name, missing);
}

export function isView(object: CatalogObject | undefined): object is View {
  return object?.kind === 'view';
}

/** [dbo].[name] without brackets, as error texts have it. */
export function twoPartName(table: Table): string {
  return table.temporary ? `dbo.${table.name}` : `${table.schema.name}.${table.name}`;
}

export function threePartName(table: Table): string {
  return `${table.database.name}.${twoPartName(table)}`;
}
