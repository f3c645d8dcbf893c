/** The grammar of CREATE, ALTER and DROP of what holds data. Logins and rights are in parse-security.ts, ALTER DATABASE in parse-database.ts. */
import type { AlterTableAction, DropStatement } from './ast-definition.ts';
import type { Node } from './ast-expression.ts';
import type { Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseAlterDatabase, parseCreateDatabase } from './parse-database.ts';
import { parseCondition } from './parse-expression.ts';
import { parseQuery, parseWith } from './parse-query.ts';
import { parseAlterRole, parseLogin, parseUser } from './parse-security.ts';
import {
  parseColumnChange,
  parseIndexColumns,
  parseTableBody,
  parseTableElements,
  skipIndexOptions,
  takeFileGroup,
} from './parse-table.ts';
import { UnsupportedError } from './unsupported.ts';

export function parseCreate(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('CREATE');
  if (cursor.takeWord('DATABASE')) {
    return parseCreateDatabase(cursor, at);
  }
  if (cursor.takeWord('SCHEMA')) {
    const name = cursor.isWord('AUTHORIZATION') ? null : cursor.name();
    const owner = cursor.takeWord('AUTHORIZATION') ? cursor.name() : null;
    return { ...at, kind: 'createSchema', name: name ?? owner ?? cursor.fail(), owner };
  }
  if (cursor.takeWord('TABLE')) {
    return parseCreateTable(cursor, at);
  }
  if (cursor.isAnyWord('UNIQUE', 'CLUSTERED', 'NONCLUSTERED', 'INDEX')) {
    return parseCreateIndex(cursor, at);
  }
  const orAlter = cursor.takeWord('OR', 'ALTER');
  if (cursor.takeWord('VIEW')) {
    return parseView(cursor, at, orAlter);
  }
  if (cursor.takeWord('SYNONYM')) {
    const name = cursor.objectName();
    cursor.expectWord('FOR');
    return { ...at, kind: 'createSynonym', name, target: cursor.objectName() };
  }
  if (cursor.takeWord('LOGIN')) {
    return parseLogin(cursor, at, false);
  }
  if (cursor.takeWord('USER')) {
    return parseUser(cursor, at);
  }
  if (cursor.takeWord('ROLE')) {
    const name = cursor.name();
    if (cursor.takeWord('AUTHORIZATION')) {
      cursor.name();
    }
    return { ...at, kind: 'createRole', name };
  }
  return refuse(cursor, 'CREATE');
}

export function parseAlter(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('ALTER');
  if (cursor.takeWord('DATABASE')) {
    return parseAlterDatabase(cursor, at);
  }
  if (cursor.takeWord('TABLE')) {
    const table = cursor.objectName();
    return { ...at, kind: 'alterTable', table, action: parseTableAction(cursor) };
  }
  if (cursor.takeWord('VIEW')) {
    return parseView(cursor, at, true);
  }
  if (cursor.takeWord('LOGIN')) {
    return parseLogin(cursor, at, true);
  }
  if (cursor.isWord('ROLE') || cursor.isWord('SERVER', 'ROLE')) {
    return parseAlterRole(cursor, at);
  }
  return refuse(cursor, 'ALTER');
}

/** A word that CREATE, ALTER or DROP really has, but not here; else a syntax error. */
function refuse(cursor: Cursor, verb: string): never {
  const known =
    'PROCEDURE PROC FUNCTION TRIGGER TYPE SEQUENCE STATISTICS PARTITION ASSEMBLY FULLTEXT XML COLUMNSTORE SPATIAL USER ROLE INDEX SCHEMA SERVER DATABASE MASTER CERTIFICATE EXTERNAL SECURITY EVENT ENDPOINT APPLICATION CREDENTIAL QUEUE SERVICE'.split(
      ' ',
    );
  const word = cursor.token.value;
  if ((cursor.token.type === 'word' || cursor.token.type === 'keyword') && known.includes(word)) {
    throw new UnsupportedError(`${verb} ${word}`, cursor.token.line);
  }
  return cursor.fail();
}

function parseCreateTable(cursor: Cursor, at: Node): Statement {
  const name = cursor.objectName();
  const { columns, constraints } = parseTableBody(cursor);
  takeFileGroup(cursor);
  if (cursor.isWord('WITH')) {
    if (cursor.peek(2).value !== 'DATA_COMPRESSION') {
      throw new UnsupportedError('CREATE TABLE … WITH (…)', cursor.token.line);
    }
    skipIndexOptions(cursor);
  }
  return { ...at, kind: 'createTable', name, columns, constraints };
}

function parseCreateIndex(cursor: Cursor, at: Node): Statement {
  const unique = cursor.takeWord('UNIQUE');
  const clustered = cursor.takeWord('CLUSTERED');
  if (!clustered) {
    cursor.takeWord('NONCLUSTERED');
  }
  if (!cursor.takeWord('INDEX')) {
    return refuse(cursor, 'CREATE');
  }
  const name = cursor.name();
  cursor.expectWord('ON');
  const table = cursor.objectName();
  const columns = parseIndexColumns(cursor);
  const include = cursor.takeWord('INCLUDE') ? cursor.nameList() : [];
  const where = cursor.takeWord('WHERE') ? parseCondition(cursor) : null;
  skipIndexOptions(cursor);
  return { ...at, kind: 'createIndex', name, table, unique, clustered, columns, include, where };
}

function parseView(cursor: Cursor, at: Node, orAlter: boolean): Statement {
  const name = cursor.objectName();
  const columns = cursor.isSymbol('(') ? cursor.nameList() : [];
  if (cursor.isWord('WITH')) {
    throw new UnsupportedError('CREATE VIEW … WITH', cursor.token.line);
  }
  cursor.expectWord('AS');
  if (parseWith(cursor).ctes.length > 0) {
    throw new UnsupportedError('CTEs in a view', at.line);
  }
  return { ...at, kind: 'createView', name, columns, query: parseQuery(cursor), orAlter };
}

function parseTableAction(cursor: Cursor): AlterTableAction {
  if (cursor.takeWord('ENABLE', 'CHANGE_TRACKING')) {
    let trackColumns: boolean | null = null;
    if (cursor.takeWord('WITH')) {
      cursor.expectSymbol('(');
      cursor.expectWord('TRACK_COLUMNS_UPDATED');
      cursor.expectSymbol('=');
      trackColumns = cursor.takeWord('ON');
      if (!trackColumns) {
        cursor.expectWord('OFF');
      }
      cursor.expectSymbol(')');
    }
    return { kind: 'enableChangeTracking', trackColumns };
  }
  if (cursor.takeWord('DISABLE', 'CHANGE_TRACKING')) {
    return { kind: 'disableChangeTracking' };
  }
  if (cursor.isWord('WITH') && ['CHECK', 'NOCHECK'].includes(cursor.peek(1).value)) {
    cursor.next();
    cursor.next();
    return cursor.isWord('ADD') ? parseAdd(cursor) : parseCheckConstraints(cursor);
  }
  if (cursor.isWord('ADD')) {
    return parseAdd(cursor);
  }
  if (cursor.takeWord('DROP')) {
    return parseTableDrop(cursor);
  }
  if (cursor.takeWord('ALTER', 'COLUMN')) {
    const name = cursor.name();
    if (cursor.isAnyWord('ADD', 'DROP')) {
      throw new UnsupportedError(`ALTER COLUMN … ${cursor.token.value}`, cursor.token.line);
    }
    return { kind: 'alterColumn', name, ...parseColumnChange(cursor) };
  }
  if (cursor.isAnyWord('CHECK', 'NOCHECK')) {
    return parseCheckConstraints(cursor);
  }
  if (cursor.takeWord('REBUILD')) {
    skipIndexOptions(cursor);
    return { kind: 'rebuild' };
  }
  if (cursor.isWord('SWITCH', 'TO')) {
    cursor.expectWord('SWITCH', 'TO');
    return { kind: 'switch', target: cursor.objectName() };
  }
  if (cursor.isAnyWord('ENABLE', 'DISABLE', 'SWITCH', 'SET', 'ADD')) {
    throw new UnsupportedError(`ALTER TABLE … ${cursor.token.value} ${cursor.peek(1).text}`.trim(), cursor.token.line);
  }
  return cursor.fail();
}

function parseAdd(cursor: Cursor): AlterTableAction {
  cursor.expectWord('ADD');
  return { kind: 'add', ...parseTableElements(cursor) };
}

function parseCheckConstraints(cursor: Cursor): AlterTableAction {
  const enable = cursor.word() === 'CHECK';
  cursor.expectWord('CONSTRAINT');
  return { kind: 'checkConstraints', enable, names: cursor.takeWord('ALL') ? [] : cursor.list(() => cursor.name()) };
}

function parseTableDrop(cursor: Cursor): AlterTableAction {
  if (cursor.takeWord('COLUMN')) {
    const ifExists = cursor.takeWord('IF', 'EXISTS');
    return { kind: 'dropColumns', ifExists, names: cursor.list(() => cursor.name()) };
  }
  if (cursor.isWord('PERIOD')) {
    throw new UnsupportedError('PERIOD FOR SYSTEM_TIME', cursor.token.line);
  }
  cursor.takeWord('CONSTRAINT');
  const ifExists = cursor.takeWord('IF', 'EXISTS');
  return { kind: 'dropConstraints', ifExists, names: cursor.list(() => cursor.name()) };
}

const DROPPABLE: ReadonlyMap<string, DropStatement['object']> = new Map([
  ['DATABASE', 'database'],
  ['SCHEMA', 'schema'],
  ['TABLE', 'table'],
  ['VIEW', 'view'],
  ['SYNONYM', 'synonym'],
  ['LOGIN', 'login'],
  ['USER', 'user'],
  ['ROLE', 'role'],
  ['PROCEDURE', 'procedure'],
  ['PROC', 'procedure'],
]);

export function parseDrop(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('DROP');
  if (cursor.takeWord('INDEX')) {
    const ifExists = cursor.takeWord('IF', 'EXISTS');
    const first = cursor.objectName();
    if (cursor.takeWord('ON')) {
      const table = cursor.objectName();
      skipIndexOptions(cursor);
      return { ...at, kind: 'dropIndex', ifExists, name: first.name, table };
    }
    // The old form, table.index.
    const table =
      first.schema === null
        ? cursor.fail()
        : { ...first, server: null, database: first.server, schema: first.database, name: first.schema };
    return { ...at, kind: 'dropIndex', ifExists, name: first.name, table };
  }
  const object = cursor.token.type === 'keyword' || cursor.token.type === 'word' ? DROPPABLE.get(cursor.token.value) : undefined;
  if (object === undefined) {
    return refuse(cursor, 'DROP');
  }
  cursor.next();
  const ifExists = object !== 'login' && cursor.takeWord('IF', 'EXISTS');
  if (object === 'login' || object === 'user' || object === 'role') {
    return { ...at, kind: 'drop', object, ifExists, names: [{ ...at, server: null, database: null, schema: null, name: cursor.name() }] };
  }
  return { ...at, kind: 'drop', object, ifExists, names: cursor.list(() => cursor.objectName()) };
}
