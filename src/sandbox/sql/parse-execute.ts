/** The grammar of EXECUTE, with and without the word. */
import type { Expression, Node, VariableExpression } from './ast-expression.ts';
import type { ExecuteArgument, Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseExpression } from './parse-expression.ts';
import { UnsupportedError } from './unsupported.ts';

/** EXEC[UTE] [@status =] procedure … | EXEC ('text') | EXEC AS USER = 'name'. */
export function parseExecute(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.next();
  if (cursor.isSymbol('(')) {
    return parseExecuteText(cursor, at);
  }
  if (cursor.takeWord('AS')) {
    const kind = cursor.takeWord('LOGIN') ? 'login' : 'user';
    if (kind === 'user') {
      cursor.expectWord('USER');
    }
    cursor.expectSymbol('=');
    return { ...at, kind: 'executeAs', principal: { kind, name: cursor.string() } };
  }
  let status: VariableExpression | null = null;
  if (cursor.token.type === 'variable') {
    if (!cursor.isSymbol('=', 1)) {
      throw new UnsupportedError('EXEC of a procedure named by a variable', at.line);
    }
    status = { ...cursor.here(), kind: 'variable', name: cursor.variable() };
    cursor.expectSymbol('=');
  }
  return parseProcedure(cursor, at, status);
}

/** A procedure's name with its arguments, where EXEC was written or may be left out. */
export function parseProcedure(cursor: Cursor, at: Node, status: VariableExpression | null): Statement {
  const procedure = cursor.objectName();
  const args = startsArgument(cursor) ? cursor.list(() => parseArgument(cursor)) : [];
  if (cursor.takeWord('WITH')) {
    cursor.expectWord('RECOMPILE');
  }
  return { ...at, kind: 'execute', status, procedure, args };
}

function parseExecuteText(cursor: Cursor, at: Node): Statement {
  cursor.expectSymbol('(');
  const text = parseExpression(cursor);
  cursor.expectSymbol(')');
  if (cursor.isAnyWord('AT', 'AS')) {
    throw new UnsupportedError(`EXEC (…) ${cursor.token.value}`, at.line);
  }
  return { ...at, kind: 'executeText', text };
}

function startsArgument(cursor: Cursor): boolean {
  const { type, value } = cursor.token;
  switch (type) {
    case 'end':
      return false;
    case 'symbol':
      return value === '-' || value === '+';
    case 'keyword':
      return value === 'NULL' || value === 'DEFAULT';
    case 'word':
    case 'quoted':
    case 'variable':
    case 'global':
    case 'integer':
    case 'decimal':
    case 'float':
    case 'money':
    case 'string':
    case 'nationalString':
    case 'binary':
      return true;
  }
}

function parseArgument(cursor: Cursor): ExecuteArgument {
  const at = cursor.here();
  let name: string | null = null;
  if (cursor.token.type === 'variable' && cursor.isSymbol('=', 1)) {
    name = cursor.variable();
    cursor.expectSymbol('=');
  }
  const value = parseValue(cursor, at);
  const output = cursor.takeWord('OUTPUT') || cursor.takeWord('OUT');
  return { ...at, name, value, output };
}

/** A constant with its sign, a variable, NULL, DEFAULT, or a bare word, which is a string. Expressions are not allowed here. */
function parseValue(cursor: Cursor, at: Node): Expression {
  const { type, value, text } = cursor.token;
  if (type === 'symbol' && (value === '-' || value === '+')) {
    cursor.next();
    return { ...at, kind: 'unary', operator: value, operand: cursor.literal() };
  }
  if (type === 'variable' || type === 'global') {
    cursor.next();
    return type === 'variable' ? { ...at, kind: 'variable', name: value } : { ...at, kind: 'global', name: value };
  }
  if (cursor.takeWord('NULL')) {
    return { ...at, kind: 'literal', literal: 'null', text: '' };
  }
  if (cursor.takeWord('DEFAULT')) {
    return { ...at, kind: 'default' };
  }
  if (type === 'word' || type === 'quoted') {
    cursor.next();
    return { ...at, kind: 'literal', literal: 'nationalString', text: type === 'word' ? text : value };
  }
  return cursor.literal();
}
