/** The grammar of CREATE, ALTER and DROP of what holds data. Logins and rights are in parse-security.ts, ALTER DATABASE in parse-database.ts. */
import type { AlterTableAction, CreateViewStatement, DropStatement } from './ast-definition.ts';
import type { Node } from './ast-expression.ts';
import type { Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseAlterDatabase, parseCreateDatabase } from './parse-database.ts';
import { parseQuery, parseWith } from './parse-query.ts';
import { parseSequence } from './parse-sequence.ts';
import { parseAlterRole, parseAlterUser, parseLogin, parseUser } from './parse-security.ts';
import { parseColumnChange, parseIndexShape, parseTableBody, parseTableElements, skipIndexOptions, takeFileGroup } from './parse-table.ts';
import { parseTableToggle, parseTrigger } from './parse-trigger.ts';
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
  if (cursor.takeWord('TYPE')) {
    return parseCreateType(cursor, at);
  }
  if (cursor.isAnyWord('UNIQUE', 'CLUSTERED', 'NONCLUSTERED', 'INDEX')) {
    return parseCreateIndex(cursor, at);
  }
  const orAlter = cursor.takeWord('OR', 'ALTER');
  if (cursor.isWord('TRIGGER')) {
    return parseTrigger(cursor, at, orAlter ? 'createOrAlter' : 'create');
  }
  if (cursor.takeWord('VIEW')) {
    return parseView(cursor, at, orAlter ? 'create or alter' : 'create');
  }
  if (cursor.takeWord('SEQUENCE')) {
    return parseSequence(cursor, at, false);
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
    if (cursor.isWord('ENABLE', 'TRIGGER') || cursor.isWord('DISABLE', 'TRIGGER')) {
      return parseTableToggle(cursor, at, table);
    }
    return { ...at, kind: 'alterTable', table, action: parseTableAction(cursor) };
  }
  if (cursor.takeWord('VIEW')) {
    return parseView(cursor, at, 'alter');
  }
  if (cursor.takeWord('SEQUENCE')) {
    return parseSequence(cursor, at, true);
  }
  if (cursor.takeWord('SCHEMA')) {
    const schema = cursor.name();
    cursor.expectWord('TRANSFER');
    if (cursor.takeWord('OBJECT')) {
      cursor.expectSymbol('::');
    }
    return { ...at, kind: 'transfer', schema, object: cursor.objectName() };
  }
  if (cursor.takeWord('INDEX')) {
    return parseAlterIndex(cursor, at);
  }
  if (cursor.takeWord('LOGIN')) {
    return parseLogin(cursor, at, true);
  }
  if (cursor.takeWord('USER')) {
    return parseAlterUser(cursor, at);
  }
  if (cursor.isWord('TRIGGER')) {
    return parseTrigger(cursor, at, 'alter');
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

function parseCreateType(cursor: Cursor, at: Node): Statement {
  const name = cursor.objectName();
  if (!cursor.takeWord('AS')) {
    throw cursor.isAnyWord('FROM', 'EXTERNAL')
      ? new UnsupportedError(cursor.isWord('FROM') ? 'CREATE TYPE … FROM' : 'CREATE TYPE … EXTERNAL NAME', at.line)
      : cursor.fail();
  }
  cursor.expectWord('TABLE');
  const { columns, constraints } = parseTableBody(cursor);
  if (cursor.isWord('WITH')) {
    throw new UnsupportedError('CREATE TYPE … WITH (…)', at.line);
  }
  return { ...at, kind: 'createType', name, columns, constraints };
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
  const shape = parseIndexShape(cursor, unique, clustered);
  return { ...at, kind: 'createIndex', name, table, ...shape, dropExisting: skipIndexOptions(cursor).has('DROP_EXISTING ON') };
}

/** REBUILD and REORGANIZE change nothing that can be seen here. */
function parseAlterIndex(cursor: Cursor, at: Node): Statement {
  const name = cursor.takeWord('ALL') ? null : cursor.name();
  cursor.expectWord('ON');
  const table = cursor.objectName();
  if (!cursor.takeWord('REBUILD') && !cursor.takeWord('REORGANIZE')) {
    throw new UnsupportedError(`ALTER INDEX … ${cursor.token.value}`, cursor.token.line);
  }
  if (cursor.isWord('PARTITION')) {
    throw new UnsupportedError('ALTER INDEX … PARTITION', cursor.token.line);
  }
  skipIndexOptions(cursor);
  return { ...at, kind: 'alterIndex', name, table };
}

function parseView(cursor: Cursor, at: Node, mode: CreateViewStatement['mode']): Statement {
  const name = cursor.objectName();
  const columns = cursor.isSymbol('(') ? cursor.nameList() : [];
  const options = cursor.takeWord('WITH') ? cursor.list(() => cursor.word()) : [];
  const other = options.find((option) => option !== 'SCHEMABINDING' && option !== 'VIEW_METADATA');
  if (other !== undefined) {
    throw new UnsupportedError(`CREATE VIEW … WITH ${other}`, at.line);
  }
  cursor.expectWord('AS');
  const { ctes } = parseWith(cursor);
  const query = parseQuery(cursor);
  // It restrains writes through the view, of which there are none here.
  if (cursor.takeWord('WITH')) {
    cursor.expectWord('CHECK', 'OPTION');
  }
  const text = cursor.textFrom(at.position);
  return { ...at, kind: 'createView', name, columns, ctes, query, mode, schemaBound: options.includes('SCHEMABINDING'), text };
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
    const test = cursor.word() === 'CHECK';
    return cursor.isWord('ADD') ? parseAdd(cursor, !test) : parseCheckConstraints(cursor, test);
  }
  if (cursor.isWord('ADD')) {
    return parseAdd(cursor, false);
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
    return parseCheckConstraints(cursor, false);
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

function parseAdd(cursor: Cursor, unchecked: boolean): AlterTableAction {
  cursor.expectWord('ADD');
  return { kind: 'add', ...parseTableElements(cursor), unchecked };
}

function parseCheckConstraints(cursor: Cursor, test: boolean): AlterTableAction {
  const enable = cursor.word() === 'CHECK';
  cursor.expectWord('CONSTRAINT');
  return { kind: 'checkConstraints', enable, test: test && enable, names: cursor.takeWord('ALL') ? [] : cursor.list(() => cursor.name()) };
}

type Drop = Extract<AlterTableAction, { kind: 'dropColumns' | 'dropConstraints' }>;

/** DROP COLUMN a, b, CONSTRAINT c, …; what stands without a word is of the kind before it. */
function parseTableDrop(cursor: Cursor): AlterTableAction {
  const actions: Drop[] = [];
  do {
    const before = actions.at(-1);
    const written = cursor.takeWord('COLUMN') ? 'dropColumns' : cursor.takeWord('CONSTRAINT') ? 'dropConstraints' : null;
    if (cursor.isWord('PERIOD')) {
      throw new UnsupportedError('PERIOD FOR SYSTEM_TIME', cursor.token.line);
    }
    const ifExists = cursor.takeWord('IF', 'EXISTS');
    const name = cursor.name();
    if (written === null && before !== undefined && !ifExists) {
      actions[actions.length - 1] = { ...before, names: [...before.names, name] };
    } else {
      actions.push({ kind: written ?? 'dropConstraints', ifExists, names: [name] });
    }
    skipIndexOptions(cursor);
  } while (cursor.takeSymbol(','));
  const [only] = actions;
  return actions.length === 1 && only !== undefined ? only : { kind: 'dropSeveral', actions };
}

const DROPPABLE: ReadonlyMap<string, DropStatement['object']> = new Map([
  ['DATABASE', 'database'],
  ['SCHEMA', 'schema'],
  ['TABLE', 'table'],
  ['VIEW', 'view'],
  ['SYNONYM', 'synonym'],
  ['TRIGGER', 'trigger'],
  ['SEQUENCE', 'sequence'],
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
  if (cursor.takeWord('TYPE')) {
    return { ...at, kind: 'dropType', ifExists: cursor.takeWord('IF', 'EXISTS'), name: cursor.objectName() };
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
