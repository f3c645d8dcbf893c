/**
 * The grammar of expressions and predicates. Precedence from weak to strong: OR, AND, NOT, comparisons and their kin, + - & | ^, * / %,
 * unary signs, COLLATE. Source: learn.microsoft.com "Operator Precedence (Transact-SQL)".
 */
import type { BinaryOperator, ComparisonOperator, Expression, Node, ObjectName } from './ast-expression.ts';
import type { Query } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseCall, plainCall } from './parse-call.ts';
import { parseType } from './parse-type.ts';
import { parseUpdated } from './parse-trigger.ts';
import { UnsupportedError } from './unsupported.ts';

const COMPARISONS: ReadonlyMap<string, ComparisonOperator> = new Map([
  ['=', '='],
  ['<>', '<>'],
  ['!=', '<>'],
  ['<', '<'],
  ['<=', '<='],
  ['!>', '<='],
  ['>', '>'],
  ['>=', '>='],
  ['!<', '>='],
]);

/** Functions that are called without brackets. */
const NILADIC = new Set(['CURRENT_TIMESTAMP', 'CURRENT_USER', 'SESSION_USER', 'SYSTEM_USER', 'USER']);

/** Reserved words that are functions all the same. */
const RESERVED_FUNCTIONS = new Set(['COALESCE', 'NULLIF', 'LEFT', 'RIGHT']);

/** A search condition: WHERE, ON, HAVING, IF, WHEN, CHECK. */
export function parseCondition(cursor: Cursor): Expression {
  let left = parseAnd(cursor);
  while (cursor.isWord('OR')) {
    const at = cursor.here();
    cursor.next();
    left = { ...at, kind: 'logical', operator: 'or', left, right: parseAnd(cursor) };
  }
  return left;
}

function parseAnd(cursor: Cursor): Expression {
  let left = parseNot(cursor);
  while (cursor.isWord('AND')) {
    const at = cursor.here();
    cursor.next();
    left = { ...at, kind: 'logical', operator: 'and', left, right: parseNot(cursor) };
  }
  return left;
}

function parseNot(cursor: Cursor): Expression {
  const at = cursor.here();
  if (cursor.takeWord('NOT')) {
    return { ...at, kind: 'not', operand: parseNot(cursor) };
  }
  return parsePredicate(cursor);
}

function parsePredicate(cursor: Cursor): Expression {
  const at = cursor.here();
  if (cursor.takeWord('EXISTS')) {
    return { ...at, kind: 'exists', query: parseBracketedQuery(cursor) };
  }
  if (cursor.isWord('UPDATE') && cursor.isSymbol('(', 1)) {
    return parseUpdated(cursor);
  }
  if (cursor.isAnyWord('CONTAINS', 'FREETEXT') && cursor.isSymbol('(', 1)) {
    throw new UnsupportedError(`the predicate ${cursor.token.value}`, at.line);
  }
  const left = parseExpression(cursor);
  const operator = cursor.token.type === 'symbol' ? COMPARISONS.get(cursor.token.value) : undefined;
  if (operator !== undefined) {
    cursor.next();
    const quantifier = cursor.isAnyWord('ANY', 'SOME', 'ALL') && cursor.isSymbol('(', 1) ? cursor.word() : null;
    if (quantifier !== null) {
      return {
        ...at,
        kind: 'quantified',
        operator,
        quantifier: quantifier === 'ALL' ? 'all' : 'any',
        left,
        query: parseBracketedQuery(cursor),
      };
    }
    return { ...at, kind: 'comparison', operator, left, right: parseExpression(cursor) };
  }
  if (cursor.takeWord('IS')) {
    const not = cursor.takeWord('NOT');
    if (cursor.takeWord('DISTINCT')) {
      cursor.expectWord('FROM');
      return { ...at, kind: 'distinctFrom', not, left, right: parseExpression(cursor) };
    }
    cursor.expectWord('NULL');
    return { ...at, kind: 'isNull', not, operand: left };
  }
  const not = cursor.isWord('NOT') && ['IN', 'LIKE', 'BETWEEN'].includes(cursor.peek(1).value) && cursor.takeWord('NOT');
  if (cursor.takeWord('IN')) {
    if (cursor.isSymbol('(') && (cursor.peek(1).value === 'SELECT' || cursor.peek(1).value === 'WITH')) {
      return { ...at, kind: 'inQuery', not, operand: left, query: parseBracketedQuery(cursor) };
    }
    return { ...at, kind: 'inList', not, operand: left, items: cursor.bracketed(() => parseExpression(cursor)) };
  }
  if (cursor.takeWord('LIKE')) {
    const pattern = parseExpression(cursor);
    const escape = cursor.takeWord('ESCAPE') ? parseExpression(cursor) : null;
    return { ...at, kind: 'like', not, operand: left, pattern, escape };
  }
  if (cursor.takeWord('BETWEEN')) {
    const low = parseExpression(cursor);
    cursor.expectWord('AND');
    return { ...at, kind: 'between', not, operand: left, low, high: parseExpression(cursor) };
  }
  return left;
}

/** A value: a select item, an argument, a side of a comparison. */
export function parseExpression(cursor: Cursor): Expression {
  let left = parseTerm(cursor);
  while (cursor.token.type === 'symbol' && '+-&|^'.includes(cursor.token.value)) {
    const at = cursor.here();
    const operator = binaryOperator(cursor.next().value);
    left = { ...at, kind: 'binary', operator, left, right: parseTerm(cursor) };
  }
  return left;
}

function parseTerm(cursor: Cursor): Expression {
  let left = parseUnary(cursor);
  while (cursor.token.type === 'symbol' && '*/%'.includes(cursor.token.value)) {
    const at = cursor.here();
    const operator = binaryOperator(cursor.next().value);
    left = { ...at, kind: 'binary', operator, left, right: parseUnary(cursor) };
  }
  return left;
}

function binaryOperator(symbol: string): BinaryOperator {
  switch (symbol) {
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '&':
    case '|':
    case '^':
      return symbol;
    default:
      throw new Error(`not a binary operator: ${symbol}`);
  }
}

function parseUnary(cursor: Cursor): Expression {
  const at = cursor.here();
  for (const operator of ['-', '+', '~'] as const) {
    if (cursor.takeSymbol(operator)) {
      return { ...at, kind: 'unary', operator, operand: parseUnary(cursor) };
    }
  }
  let operand = parsePrimary(cursor);
  while (true) {
    if (cursor.takeWord('COLLATE')) {
      operand = { ...at, kind: 'collate', operand, collation: cursor.name() };
    } else if (cursor.takeWord('AT', 'TIME', 'ZONE')) {
      operand = { ...at, kind: 'atTimeZone', operand, zone: parsePrimary(cursor) };
    } else {
      return operand;
    }
  }
}

function parsePrimary(cursor: Cursor): Expression {
  const token = cursor.token;
  const at = cursor.here();
  switch (token.type) {
    case 'integer':
    case 'decimal':
    case 'float':
    case 'money':
    case 'string':
    case 'nationalString':
    case 'binary':
      return cursor.literal();
    case 'variable':
      cursor.next();
      return { ...at, kind: 'variable', name: token.value };
    case 'global':
      cursor.next();
      return { ...at, kind: 'global', name: token.value };
    case 'symbol':
      return token.value === '(' ? parseBracketed(cursor) : cursor.fail();
    case 'keyword':
      return parseKeyword(cursor, at);
    case 'word':
    case 'quoted':
      return parseNamed(cursor, at);
    case 'end':
      return cursor.fail();
  }
}

function parseBracketed(cursor: Cursor): Expression {
  const at = cursor.here();
  if (cursor.peek(1).type === 'keyword' && (cursor.peek(1).value === 'SELECT' || cursor.peek(1).value === 'WITH')) {
    return { ...at, kind: 'subquery', query: parseBracketedQuery(cursor) };
  }
  cursor.expectSymbol('(');
  const inner = parseCondition(cursor);
  cursor.expectSymbol(')');
  return inner;
}

function parseBracketedQuery(cursor: Cursor): Query {
  cursor.expectSymbol('(');
  const query = cursor.grammar.query(cursor);
  cursor.expectSymbol(')');
  return query;
}

function parseKeyword(cursor: Cursor, at: Node): Expression {
  if (cursor.takeWord('NULL')) {
    return { ...at, kind: 'literal', literal: 'null', text: '' };
  }
  if (cursor.takeWord('DEFAULT')) {
    return { ...at, kind: 'default' };
  }
  if (cursor.takeWord('CASE')) {
    return parseCase(cursor, at);
  }
  if (cursor.isAnyWord('CONVERT', 'TRY_CONVERT')) {
    return parseConvert(cursor, at);
  }
  const word = cursor.token.value;
  if (NILADIC.has(word)) {
    cursor.next();
    return plainCall(at, plainName(at, word));
  }
  if (RESERVED_FUNCTIONS.has(word) && cursor.isSymbol('(', 1)) {
    cursor.next();
    return parseCall(cursor, at, plainName(at, word));
  }
  if (word === 'IDENTITYCOL' || word === 'ROWGUIDCOL') {
    throw new UnsupportedError(word, at.line);
  }
  return cursor.fail();
}

function parseCase(cursor: Cursor, at: Node): Expression {
  const input = cursor.isWord('WHEN') ? null : parseExpression(cursor);
  const branches: { when: Expression; then: Expression }[] = [];
  if (!cursor.isWord('WHEN')) {
    cursor.fail();
  }
  while (cursor.takeWord('WHEN')) {
    const when = input === null ? parseCondition(cursor) : parseExpression(cursor);
    cursor.expectWord('THEN');
    branches.push({ when, then: parseExpression(cursor) });
  }
  const otherwise = cursor.takeWord('ELSE') ? parseExpression(cursor) : null;
  cursor.expectWord('END');
  return { ...at, kind: 'case', input, branches, otherwise };
}

function parseConvert(cursor: Cursor, at: Node): Expression {
  const attempt = cursor.word() === 'TRY_CONVERT';
  cursor.expectSymbol('(');
  const type = parseType(cursor);
  cursor.expectSymbol(',');
  const operand = parseExpression(cursor);
  const style = cursor.takeSymbol(',') ? parseExpression(cursor) : null;
  cursor.expectSymbol(')');
  return { ...at, kind: 'cast', operand, type, style, attempt };
}

function parseNamed(cursor: Cursor, at: Node): Expression {
  const word = cursor.token.type === 'word' ? cursor.token.value : '';
  if (cursor.isSymbol('(', 1)) {
    if (word === 'CAST' || word === 'TRY_CAST') {
      cursor.next();
      cursor.expectSymbol('(');
      const operand = parseExpression(cursor);
      cursor.expectWord('AS');
      const type = parseType(cursor);
      cursor.expectSymbol(')');
      return { ...at, kind: 'cast', operand, type, style: null, attempt: word === 'TRY_CAST' };
    }
    if (word === 'PARSE' || word === 'TRY_PARSE') {
      throw new UnsupportedError(word, at.line);
    }
    if (word === 'IIF') {
      return parseIif(cursor, at);
    }
  }
  if (word === 'NEXT' && cursor.isWord('NEXT', 'VALUE', 'FOR')) {
    throw new UnsupportedError('NEXT VALUE FOR', at.line);
  }
  refuseEmptyTable(cursor);
  const name = cursor.objectName();
  if (cursor.isSymbol('(')) {
    return parseCall(cursor, at, name);
  }
  const qualifier = [name.server, name.database, name.schema].filter((part) => part !== null);
  return { ...at, kind: 'column', qualifier, name: name.name };
}

/** `t..c` is no column: only a schema may be left out, as in `db..t.c`. @throws SqlError 102 */
function refuseEmptyTable(cursor: Cursor): void {
  let ahead = 0;
  while (cursor.isSymbol('.', ahead + 1)) {
    const empty = cursor.isSymbol('.', ahead + 2);
    ahead += empty ? 3 : 2;
    if (empty && !cursor.isSymbol('.', ahead + 1)) {
      cursor.fail(cursor.peek(ahead - 1));
    }
  }
}

/** IIF(condition, a, b) is a CASE. Source: learn.microsoft.com "IIF (Transact-SQL)", remarks. */
function parseIif(cursor: Cursor, at: Node): Expression {
  cursor.next();
  cursor.expectSymbol('(');
  const when = parseCondition(cursor);
  cursor.expectSymbol(',');
  const then = parseExpression(cursor);
  cursor.expectSymbol(',');
  const otherwise = parseExpression(cursor);
  cursor.expectSymbol(')');
  return { ...at, kind: 'case', input: null, branches: [{ when, then }], otherwise };
}

function plainName(at: Node, name: string): ObjectName {
  return { ...at, server: null, database: null, schema: null, name };
}
