/** The grammar of logins, users, roles, GRANT, DENY and REVOKE. */
import type { PermissionTarget } from './ast-definition.ts';
import type { Node } from './ast-expression.ts';
import type { Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { UnsupportedError } from './unsupported.ts';

/** What follows CREATE or ALTER LOGIN. */
export function parseLogin(cursor: Cursor, at: Node, alter: boolean): Statement {
  const name = cursor.name();
  if (alter && cursor.isAnyWord('ENABLE', 'DISABLE')) {
    return { ...at, kind: 'createLogin', alter, name, password: null, defaultDatabase: null, enabled: cursor.word() === 'ENABLE' };
  }
  if (cursor.isWord('FROM')) {
    throw new UnsupportedError('CREATE LOGIN … FROM', at.line);
  }
  cursor.expectWord('WITH');
  let password: string | null = null;
  let defaultDatabase: string | null = null;
  for (const option of cursor.list(() => parseOption(cursor))) {
    if (option.name === 'PASSWORD') {
      password = option.value;
    } else if (option.name === 'DEFAULT_DATABASE') {
      defaultDatabase = option.value;
    }
  }
  return { ...at, kind: 'createLogin', alter, name, password, defaultDatabase, enabled: null };
}

/** NAME = value, where the value is a string, a word or a name; HASHED and MUST_CHANGE may follow a password. */
function parseOption(cursor: Cursor): { name: string; value: string } {
  const name = cursor.word();
  cursor.expectSymbol('=');
  const token = cursor.next();
  if (token.type === 'symbol' || token.type === 'end') {
    cursor.fail(token);
  }
  if (cursor.isWord('HASHED')) {
    throw new UnsupportedError('PASSWORD = … HASHED', token.line);
  }
  cursor.takeWord('MUST_CHANGE');
  return { name, value: token.type === 'word' || token.type === 'keyword' ? token.text : token.value };
}

/** What follows CREATE USER. */
export function parseUser(cursor: Cursor, at: Node): Statement {
  const name = cursor.name();
  let login: string | null = name;
  if (cursor.takeWord('FOR') || cursor.takeWord('FROM')) {
    cursor.expectWord('LOGIN');
    login = cursor.name();
  } else if (cursor.takeWord('WITHOUT')) {
    cursor.expectWord('LOGIN');
    login = null;
  }
  let defaultSchema: string | null = null;
  if (cursor.takeWord('WITH')) {
    for (const option of cursor.list(() => parseOption(cursor))) {
      if (option.name !== 'DEFAULT_SCHEMA') {
        throw new UnsupportedError(`CREATE USER … WITH ${option.name}`, at.line);
      }
      if (option.value.toLowerCase() !== 'dbo') {
        throw new UnsupportedError('a default schema other than dbo', at.line);
      }
      defaultSchema = option.value;
    }
  }
  return { ...at, kind: 'createUser', name, login, defaultSchema };
}

/** What follows ALTER USER: WITH LOGIN = login, NAME = name, DEFAULT_SCHEMA = dbo. */
export function parseAlterUser(cursor: Cursor, at: Node): Statement {
  const name = cursor.name();
  cursor.expectWord('WITH');
  let login: string | null = null;
  let newName: string | null = null;
  for (const option of cursor.list(() => parseOption(cursor))) {
    if (option.name === 'LOGIN') {
      login = option.value;
    } else if (option.name === 'NAME') {
      newName = option.value;
    } else if (option.name !== 'DEFAULT_SCHEMA' || option.value.toLowerCase() !== 'dbo') {
      throw new UnsupportedError(`ALTER USER … WITH ${option.name}`, at.line);
    }
  }
  return { ...at, kind: 'alterUser', name, login, newName };
}

/** What follows ALTER: ROLE or SERVER ROLE. */
export function parseAlterRole(cursor: Cursor, at: Node): Statement {
  const server = cursor.takeWord('SERVER');
  cursor.expectWord('ROLE');
  const role = cursor.name();
  const action = cursor.takeWord('DROP') ? 'drop' : 'add';
  if (action === 'add') {
    cursor.expectWord('ADD');
  }
  cursor.expectWord('MEMBER');
  return { ...at, kind: 'alterRole', server, role, action, member: cursor.name() };
}

/** GRANT, DENY, REVOKE. */
export function parsePermission(cursor: Cursor): Statement {
  const at = cursor.here();
  const verb = cursor.word();
  const action = verb === 'GRANT' ? 'grant' : verb === 'DENY' ? 'deny' : 'revoke';
  if (action === 'revoke') {
    cursor.takeWord('GRANT', 'OPTION', 'FOR');
  }
  let permissions = cursor.list(() => parsePermissionName(cursor));
  const on = cursor.takeWord('ON') ? parseTarget(cursor) : null;
  if (on !== null && cursor.isSymbol('(')) {
    const columns = cursor.nameList();
    permissions = permissions.map((permission) => ({ ...permission, columns }));
  }
  if (!(action === 'revoke' && cursor.takeWord('FROM'))) {
    cursor.expectWord('TO');
  }
  const principals = cursor.list(() => (cursor.takeWord('PUBLIC') ? 'public' : cursor.name()));
  let grantOption = false;
  if (cursor.takeWord('WITH')) {
    cursor.expectWord('GRANT', 'OPTION');
    grantOption = true;
  }
  cursor.takeWord('CASCADE');
  return { ...at, kind: 'permission', action, permissions, on, principals, grantOption };
}

function parsePermissionName(cursor: Cursor): { name: string; columns: readonly string[] } {
  const words: string[] = [];
  while (!cursor.isAnyWord('ON', 'TO', 'FROM') && !cursor.isSymbol(',') && !cursor.isSymbol('(')) {
    words.push(cursor.word());
  }
  if (words.length === 0) {
    cursor.fail();
  }
  return { name: words.join(' '), columns: cursor.isSymbol('(') ? cursor.nameList() : [] };
}

const CLASSES: ReadonlyMap<string, PermissionTarget['class']> = new Map([
  ['OBJECT', 'object'],
  ['SCHEMA', 'schema'],
  ['DATABASE', 'database'],
  ['SERVER', 'server'],
  ['LOGIN', 'login'],
  ['USER', 'user'],
  ['ROLE', 'role'],
  ['TYPE', 'type'],
]);

function parseTarget(cursor: Cursor): PermissionTarget {
  if (!cursor.isSymbol('::', 1)) {
    return { class: 'object', name: cursor.objectName() };
  }
  const named = CLASSES.get(cursor.token.value);
  if (named === undefined) {
    throw new UnsupportedError(`permissions ON ${cursor.token.text}::`, cursor.token.line);
  }
  cursor.next();
  cursor.expectSymbol('::');
  return { class: named, name: cursor.objectName() };
}
