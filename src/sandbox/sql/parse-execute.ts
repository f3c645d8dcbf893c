/** The grammar of EXECUTE, with and without the word. */
import { SqlError } from '../session.ts';
import type { Expression, Node, VariableExpression } from './ast-expression.ts';
import type { ExecuteArgument, Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
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
  refuseUnnamedAfterNamed(args);
  if (cursor.takeWord('WITH')) {
    cursor.expectWord('RECOMPILE');
  }
  return { ...at, kind: 'execute', status, procedure, args };
}

function parseExecuteText(cursor: Cursor, at: Node): Statement {
  cursor.expectSymbol('(');
  let text = parseTextPart(cursor);
  while (cursor.isSymbol('+')) {
    const here = cursor.here();
    cursor.next();
    text = { ...here, kind: 'binary', operator: '+', left: text, right: parseTextPart(cursor) };
  }
  cursor.expectSymbol(')');
  if (cursor.isAnyWord('AT', 'AS')) {
    throw new UnsupportedError(`EXEC (…) ${cursor.token.value}`, at.line);
  }
  return { ...at, kind: 'executeText', text };
}

/** EXEC ('…') takes texts and variables, joined by +, no other expression. */
function parseTextPart(cursor: Cursor): Expression {
  const at = cursor.here();
  if (cursor.token.type === 'variable') {
    return { ...at, kind: 'variable', name: cursor.variable() };
  }
  return cursor.token.type === 'string' || cursor.token.type === 'nationalString' ? cursor.literal() : cursor.fail();
}

/** @throws SqlError 119 */
function refuseUnnamedAfterNamed(args: readonly ExecuteArgument[]): void {
  const named = args.findIndex((arg) => arg.name !== null);
  const after = args.findIndex((arg, index) => named >= 0 && index > named && arg.name === null);
  const wrong = args[after];
  if (wrong !== undefined) {
    throw new SqlError(
      119,
      `Must pass parameter number ${after + 1} and subsequent parameters as '@name = value'. After the form '@name = value' has been used, all subsequent parameters must be passed in the form '@name = value'.`,
      { class: 15, line: wrong.line },
    );
  }
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
