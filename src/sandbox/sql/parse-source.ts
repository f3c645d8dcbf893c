/** The grammar of FROM: tables with hints, joins, APPLY, derived tables, VALUES, CHANGETABLE, OPENJSON, table functions. */
import type { ColumnExpression, Expression, Node } from './ast-expression.ts';
import type { JoinedTable, NamedTable, OpenJsonColumn, TableSource } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseCondition, parseExpression } from './parse-expression.ts';
import { parseType } from './parse-type.ts';
import { UnsupportedError } from './unsupported.ts';

/** Words that may follow a table and are not reserved, so that an alias without AS could be mistaken for them. */
const NOT_ALIASES = new Set(['USING', 'OUTPUT', 'APPLY', 'MATCHED']);

/** Source: learn.microsoft.com "Table hints (Transact-SQL)". */
const HINTS = new Set(
  (
    'NOLOCK READUNCOMMITTED READCOMMITTED READCOMMITTEDLOCK REPEATABLEREAD SERIALIZABLE HOLDLOCK SNAPSHOT UPDLOCK XLOCK TABLOCK TABLOCKX ' +
    'PAGLOCK ROWLOCK READPAST NOWAIT NOEXPAND KEEPIDENTITY KEEPDEFAULTS IGNORE_CONSTRAINTS IGNORE_TRIGGERS FORCESEEK FORCESCAN'
  ).split(' '),
);

/** FROM's list: sources separated by commas are cross joins. */
export function parseSources(cursor: Cursor): TableSource {
  let left = parseJoins(cursor);
  while (cursor.isSymbol(',')) {
    const at = cursor.here();
    cursor.next();
    left = { ...at, kind: 'join', type: 'cross', left, right: parseJoins(cursor), on: null };
  }
  return left;
}

function parseJoins(cursor: Cursor): TableSource {
  let left = parseSource(cursor);
  while (true) {
    const at = cursor.here();
    if (cursor.isWord('CROSS', 'APPLY') || cursor.isWord('OUTER', 'APPLY')) {
      const outer = cursor.word() === 'OUTER';
      cursor.next();
      left = { ...at, kind: 'apply', outer, left, right: parseSource(cursor) };
    } else if (cursor.takeWord('CROSS', 'JOIN')) {
      left = { ...at, kind: 'join', type: 'cross', left, right: parseSource(cursor), on: null };
    } else {
      const type = takeJoin(cursor);
      if (type === null) {
        return left;
      }
      const right = parseJoins(cursor);
      cursor.expectWord('ON');
      left = { ...at, kind: 'join', type, left, right, on: parseCondition(cursor) };
      continue;
    }
  }
}

/** [INNER | LEFT | RIGHT | FULL [OUTER]] [LOOP | HASH | MERGE] JOIN. */
function takeJoin(cursor: Cursor): JoinedTable['type'] | null {
  if (cursor.takeWord('JOIN')) {
    return 'inner';
  }
  if (!cursor.isAnyWord('INNER', 'LEFT', 'RIGHT', 'FULL')) {
    return null;
  }
  const word = cursor.word();
  if (word !== 'INNER') {
    cursor.takeWord('OUTER');
  }
  if (cursor.isAnyWord('LOOP', 'HASH', 'MERGE', 'REMOTE')) {
    cursor.next();
  }
  cursor.expectWord('JOIN');
  return word === 'INNER' ? 'inner' : word === 'LEFT' ? 'left' : word === 'RIGHT' ? 'right' : 'full';
}

/** A source with what turns it: PIVOT and UNPIVOT, one after another. */
function parseSource(cursor: Cursor): TableSource {
  let source = parsePlainSource(cursor);
  while (cursor.isAnyWord('PIVOT', 'UNPIVOT')) {
    source = parseTurned(cursor, source);
  }
  return source;
}

function parseTurned(cursor: Cursor, source: TableSource): TableSource {
  const at = cursor.here();
  const pivot = cursor.word() === 'PIVOT';
  cursor.expectSymbol('(');
  if (pivot) {
    const aggregate = parseExpression(cursor);
    cursor.expectWord('FOR');
    const column = parseColumn(cursor);
    cursor.expectWord('IN');
    const values = cursor.nameList();
    cursor.expectSymbol(')');
    const alias = requireAlias(cursor);
    return aggregate.kind === 'call' ? { ...at, kind: 'pivot', source, aggregate, column, values, alias } : cursor.fail();
  }
  const value = cursor.name();
  cursor.expectWord('FOR');
  const name = cursor.name();
  cursor.expectWord('IN');
  const columns = cursor.bracketed(() => parseColumn(cursor));
  cursor.expectSymbol(')');
  return { ...at, kind: 'unpivot', source, value, name, columns, alias: requireAlias(cursor) };
}

function parseColumn(cursor: Cursor): ColumnExpression {
  const at = cursor.here();
  const { server, database, schema, name } = cursor.objectName();
  return { ...at, kind: 'column', qualifier: [server, database, schema].filter((part) => part !== null), name };
}

function parsePlainSource(cursor: Cursor): TableSource {
  const at = cursor.here();
  if (cursor.isSymbol('(')) {
    return parseBracketedSource(cursor, at);
  }
  if (cursor.token.type === 'variable') {
    return { ...at, kind: 'tableVariable', name: cursor.variable(), alias: takeAlias(cursor) };
  }
  if (cursor.isWord('CHANGETABLE') && cursor.isSymbol('(', 1)) {
    return parseChangeTable(cursor, at);
  }
  if (cursor.isWord('OPENJSON') && cursor.isSymbol('(', 1)) {
    return parseOpenJson(cursor, at);
  }
  if (cursor.isAnyWord('OPENROWSET', 'OPENQUERY', 'OPENXML', 'OPENDATASOURCE', 'CONTAINSTABLE', 'FREETEXTTABLE')) {
    throw new UnsupportedError(cursor.token.value, at.line);
  }
  const name = cursor.objectName();
  if (cursor.isSymbol('(') && !isOldHint(cursor)) {
    cursor.expectSymbol('(');
    const args = cursor.isSymbol(')') ? [] : cursor.list(() => parseExpression(cursor));
    cursor.expectSymbol(')');
    const alias = takeAlias(cursor);
    return { ...at, kind: 'function', name, args, alias, columns: alias === null ? [] : takeColumns(cursor) };
  }
  if (cursor.isWord('FOR', 'SYSTEM_TIME')) {
    throw new UnsupportedError('FOR SYSTEM_TIME', at.line);
  }
  let hints = takeHints(cursor);
  const alias = takeAlias(cursor);
  if (cursor.isWord('TABLESAMPLE')) {
    throw new UnsupportedError(cursor.token.value, cursor.token.line);
  }
  hints = [...hints, ...takeHints(cursor)];
  return { ...at, kind: 'table', name, alias, hints };
}

/** A hint in brackets without WITH, as in `t (NOLOCK)`. */
function isOldHint(cursor: Cursor): boolean {
  return cursor.isSymbol('(') && HINTS.has(cursor.peek(1).value) && cursor.isSymbol(')', 2);
}

/** [WITH] (hint, …), in upper case; empty without any. */
export function takeHints(cursor: Cursor): string[] {
  if (!isOldHint(cursor)) {
    if (!(cursor.isWord('WITH') && cursor.isSymbol('(', 1))) {
      return [];
    }
    cursor.next();
  }
  const hints: string[] = [];
  cursor.expectSymbol('(');
  do {
    const hint = cursor.word();
    if (hint === 'INDEX' || (hint === 'FORCESEEK' && cursor.isSymbol('('))) {
      hints.push(hint);
      cursor.takeSymbol('=');
      skipBracketed(cursor);
    } else if (HINTS.has(hint)) {
      hints.push(hint);
    } else {
      throw new UnsupportedError(`the table hint ${hint}`, cursor.token.line);
    }
    cursor.takeSymbol(',');
  } while (!cursor.takeSymbol(')'));
  return hints;
}

function skipBracketed(cursor: Cursor): void {
  if (!cursor.isSymbol('(')) {
    cursor.next();
    return;
  }
  let depth = 0;
  do {
    depth += cursor.isSymbol('(') ? 1 : cursor.isSymbol(')') ? -1 : 0;
    if (cursor.atEnd) {
      cursor.fail();
    }
    cursor.next();
  } while (depth > 0);
}

/** [AS] alias; null without one. */
export function takeAlias(cursor: Cursor): string | null {
  if (cursor.takeWord('AS')) {
    return cursor.name();
  }
  if (!cursor.isName || (cursor.token.type === 'word' && NOT_ALIASES.has(cursor.token.value))) {
    return null;
  }
  return cursor.name();
}

function takeColumns(cursor: Cursor): string[] {
  return cursor.isSymbol('(') ? cursor.nameList() : [];
}

function requireAlias(cursor: Cursor): string {
  return takeAlias(cursor) ?? cursor.fail();
}

function parseBracketedSource(cursor: Cursor, at: Node): TableSource {
  let ahead = 1;
  while (cursor.isSymbol('(', ahead)) {
    ahead += 1;
  }
  const first = cursor.peek(ahead);
  if (ahead === 1 && first.type === 'keyword' && first.value === 'VALUES') {
    cursor.expectSymbol('(');
    cursor.expectWord('VALUES');
    const rows = cursor.list(() => cursor.bracketed(() => parseExpression(cursor)));
    cursor.expectSymbol(')');
    return { ...at, kind: 'values', rows, alias: requireAlias(cursor), columns: takeColumns(cursor) };
  }
  if (first.type === 'keyword' && (first.value === 'SELECT' || first.value === 'WITH') && isQueryInBrackets(cursor, ahead)) {
    cursor.expectSymbol('(');
    const query = cursor.grammar.query(cursor);
    cursor.expectSymbol(')');
    return { ...at, kind: 'derived', query, alias: requireAlias(cursor), columns: takeColumns(cursor) };
  }
  if (first.type === 'keyword' && ['INSERT', 'UPDATE', 'DELETE', 'MERGE'].includes(first.value)) {
    throw new UnsupportedError(`${first.value} as a table source`, at.line);
  }
  cursor.expectSymbol('(');
  const source = parseSources(cursor);
  cursor.expectSymbol(')');
  return source;
}

/**
 * `((SELECT 1) UNION …) AS d` begins like `((SELECT 1) AS d JOIN …)`. With one bracket it is a query; with more, it is one unless the
 * innermost bracket is followed by an alias.
 */
function isQueryInBrackets(cursor: Cursor, brackets: number): boolean {
  if (brackets === 1) {
    return true;
  }
  let depth = 1;
  let ahead = brackets;
  while (depth > 0 && cursor.peek(ahead).type !== 'end') {
    depth += cursor.isSymbol('(', ahead) ? 1 : cursor.isSymbol(')', ahead) ? -1 : 0;
    ahead += 1;
  }
  const after = cursor.peek(ahead);
  return after.type === 'symbol' ? after.value === ')' : ['UNION', 'EXCEPT', 'INTERSECT', 'ORDER'].includes(after.value);
}

function parseChangeTable(cursor: Cursor, at: Node): TableSource {
  cursor.next();
  cursor.expectSymbol('(');
  if (cursor.takeWord('VERSION')) {
    const table = cursor.objectName();
    cursor.expectSymbol(',');
    const keys = cursor.nameList();
    cursor.expectSymbol(',');
    const values = cursor.bracketed(() => parseExpression(cursor));
    const forceSeek = takeForceSeek(cursor);
    const alias = takeAlias(cursor);
    return { ...at, kind: 'version', table, keys, values, forceSeek, alias, columns: alias === null ? [] : takeColumns(cursor) };
  }
  cursor.expectWord('CHANGES');
  const table = cursor.objectName();
  cursor.expectSymbol(',');
  const version = parseBaseline(cursor);
  const forceSeek = takeForceSeek(cursor);
  const alias = takeAlias(cursor);
  return { ...at, kind: 'changes', table, version, forceSeek, alias, columns: alias === null ? [] : takeColumns(cursor) };
}

/** An unsigned int literal, NULL or a variable. Source: learn.microsoft.com "CHANGETABLE (Transact-SQL)"; Microsoft's grammar takes no larger literal. */
function parseBaseline(cursor: Cursor): Expression {
  const token = cursor.token;
  const at = cursor.here();
  if (token.type === 'variable') {
    cursor.next();
    return { ...at, kind: 'variable', name: token.value };
  }
  if (cursor.takeWord('NULL')) {
    return { ...at, kind: 'literal', literal: 'null', text: '' };
  }
  return token.type === 'integer' && BigInt(token.value) <= 2147483647n ? cursor.literal() : cursor.fail();
}

function takeForceSeek(cursor: Cursor): boolean {
  const forceSeek = cursor.takeSymbol(',');
  if (forceSeek) {
    cursor.expectWord('FORCESEEK');
  }
  cursor.expectSymbol(')');
  return forceSeek;
}

function parseOpenJson(cursor: Cursor, at: Node): TableSource {
  cursor.next();
  cursor.expectSymbol('(');
  const json = parseExpression(cursor);
  const path = cursor.takeSymbol(',') ? parseExpression(cursor) : null;
  cursor.expectSymbol(')');
  const schema = cursor.takeWord('WITH') ? cursor.bracketed(() => parseJsonColumn(cursor)) : null;
  const alias = takeAlias(cursor);
  return { ...at, kind: 'openJson', json, path, schema, alias, columns: alias === null ? [] : takeColumns(cursor) };
}

function parseJsonColumn(cursor: Cursor): OpenJsonColumn {
  const name = cursor.name();
  const type = parseType(cursor);
  if (cursor.takeWord('COLLATE')) {
    cursor.name();
  }
  const path = cursor.token.type === 'string' || cursor.token.type === 'nationalString' ? cursor.string() : null;
  return { name, type, path, asJson: cursor.takeWord('AS', 'JSON') };
}

/** The target of INSERT, UPDATE, DELETE, MERGE: a name with hints or a table variable. It takes no alias. */
export function parseTargetName(cursor: Cursor): NamedTable | Extract<TableSource, { kind: 'tableVariable' }> {
  const at = cursor.here();
  if (cursor.token.type === 'variable') {
    return { ...at, kind: 'tableVariable', name: cursor.variable(), alias: null };
  }
  if (cursor.isAnyWord('OPENROWSET', 'OPENQUERY')) {
    throw new UnsupportedError(cursor.token.value, at.line);
  }
  const name = cursor.objectName();
  // Without WITH a bracket here is INSERT's column list, even of a column named like a hint.
  return { ...at, kind: 'table', name, alias: null, hints: cursor.isWord('WITH') ? takeHints(cursor) : [] };
}
