/** The grammar of control of flow, variables, transactions, SET and messages. */
import { SqlError } from '../session.ts';
import type { DeclareTableStatement, TransactionName } from './ast-control.ts';
import type { Expression, Node, ObjectName, TypeName } from './ast-expression.ts';
import type { Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseCondition, parseExpression } from './parse-expression.ts';
import { takeAssignment } from './parse-query.ts';
import { parseTableBody } from './parse-table.ts';
import { parseType } from './parse-type.ts';
import { resolveType } from './types.ts';
import { UnsupportedError } from './unsupported.ts';

/** SET options that take ON or OFF. Any other name is error 195. */
const SWITCHES = new Set(
  (
    'ANSI_DEFAULTS ANSI_NULL_DFLT_OFF ANSI_NULL_DFLT_ON ANSI_NULLS ANSI_PADDING ANSI_WARNINGS ARITHABORT ARITHIGNORE ' +
    'CONCAT_NULL_YIELDS_NULL CURSOR_CLOSE_ON_COMMIT FMTONLY FORCEPLAN IMPLICIT_TRANSACTIONS NOCOUNT NOEXEC NUMERIC_ROUNDABORT PARSEONLY ' +
    'QUOTED_IDENTIFIER REMOTE_PROC_TRANSACTIONS SHOWPLAN_ALL SHOWPLAN_TEXT SHOWPLAN_XML XACT_ABORT NO_BROWSETABLE'
  ).split(' '),
);
const VALUES = new Set([
  'DATEFIRST',
  'DATEFORMAT',
  'DEADLOCK_PRIORITY',
  'LANGUAGE',
  'LOCK_TIMEOUT',
  'QUERY_GOVERNOR_COST_LIMIT',
  'ROWCOUNT',
  'TEXTSIZE',
  'CONTEXT_INFO',
]);

/** Statements up to END (which stays): at least one. */
function parseStatements(cursor: Cursor): Statement[] {
  const statements: Statement[] = [];
  while (cursor.takeSymbol(';')) {
    // Lone semicolons say nothing.
  }
  while (!cursor.isWord('END')) {
    if (cursor.atEnd) {
      cursor.fail();
    }
    statements.push(cursor.grammar.statement(cursor));
    while (cursor.takeSymbol(';')) {
      // Terminators.
    }
  }
  return statements;
}

/** BEGIN … END, BEGIN TRY, BEGIN TRANSACTION. */
export function parseBegin(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('BEGIN');
  if (cursor.takeWord('TRANSACTION') || cursor.takeWord('TRAN')) {
    const name = parseTransactionName(cursor);
    if (cursor.takeWord('WITH')) {
      cursor.expectWord('MARK');
      if (cursor.token.type === 'string' || cursor.token.type === 'nationalString') {
        cursor.next();
      }
    }
    return { ...at, kind: 'beginTransaction', name };
  }
  if (cursor.takeWord('TRY')) {
    const body = parseStatements(cursor);
    cursor.expectWord('END', 'TRY');
    cursor.expectWord('BEGIN', 'CATCH');
    const handler = parseStatements(cursor);
    cursor.expectWord('END', 'CATCH');
    return { ...at, kind: 'try', body, handler };
  }
  if (cursor.isAnyWord('DISTRIBUTED', 'DIALOG', 'CONVERSATION', 'ATOMIC')) {
    throw new UnsupportedError(`BEGIN ${cursor.token.value}`, at.line);
  }
  const statements = parseStatements(cursor);
  if (statements.length === 0) {
    cursor.fail();
  }
  cursor.expectWord('END');
  return { ...at, kind: 'block', statements };
}

export function parseIf(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('IF');
  const condition = parseCondition(cursor);
  const then = cursor.grammar.statement(cursor);
  if (cursor.isSymbol(';') && cursor.peek(1).type === 'keyword' && cursor.peek(1).value === 'ELSE') {
    cursor.next();
  }
  return { ...at, kind: 'if', condition, then, otherwise: cursor.takeWord('ELSE') ? cursor.grammar.statement(cursor) : null };
}

export function parseWhile(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('WHILE');
  const condition = parseCondition(cursor);
  return { ...at, kind: 'while', condition, body: cursor.grammar.statement(cursor) };
}

/** Whether a type is one of SQL Server's own, or nothing that a table type could be. */
function isOwnType(type: TypeName): boolean {
  if (type.args.length > 0 || type.schema?.toLowerCase() === 'sys') {
    return true;
  }
  try {
    resolveType(type, '');
    return true;
  } catch (error) {
    return !(error instanceof SqlError && error.number === 243);
  }
}

export function parseDeclare(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('DECLARE');
  if (cursor.token.type !== 'variable') {
    throw new UnsupportedError(cursor.isName && cursor.peek(1).value !== 'AS' ? 'cursors' : 'DECLARE of anything but variables', at.line);
  }
  if (cursor.peek(1).value === 'TABLE' || (cursor.peek(1).value === 'AS' && cursor.peek(2).value === 'TABLE')) {
    const name = cursor.variable();
    cursor.takeWord('AS');
    cursor.expectWord('TABLE');
    const { columns, constraints } = parseTableBody(cursor);
    return { ...at, kind: 'declareTable', name, type: null, ordinal: 1, columns, constraints };
  }
  const tables: DeclareTableStatement[] = [];
  let ordinal = 0;
  const declared = cursor.list(() => {
    ordinal += 1;
    const here = cursor.here();
    const name = cursor.variable();
    cursor.takeWord('AS');
    if (cursor.isAnyWord('CURSOR', 'TABLE')) {
      throw new UnsupportedError(`a variable of type ${cursor.token.value} in a list`, here.line);
    }
    const type = parseType(cursor);
    if (!isOwnType(type) && !cursor.isSymbol('=')) {
      const named = { ...here, server: null, database: null, schema: type.schema, name: type.name };
      tables.push({ ...here, kind: 'declareTable', name, type: named, ordinal, columns: [], constraints: [] });
      return [];
    }
    return [{ ...here, name, type, initial: cursor.takeSymbol('=') ? parseExpression(cursor) : null }];
  });
  const variables = declared.flat();
  const [table, ...others] = tables;
  if (table === undefined) {
    return { ...at, kind: 'declare', variables };
  }
  if (others.length === 0 && variables.length === 0) {
    return { ...table, ...at };
  }
  return {
    ...at,
    kind: 'block',
    statements: [...(variables.length === 0 ? [] : [{ ...at, kind: 'declare' as const, variables }]), ...tables],
  };
}

/** SET @v = …, SET option …, SET TRANSACTION ISOLATION LEVEL …. */
export function parseSet(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('SET');
  if (cursor.token.type === 'variable') {
    const variable = cursor.variable();
    if (cursor.isSymbol('.') || cursor.isSymbol('::')) {
      throw new UnsupportedError('methods of variables', at.line);
    }
    const operator = takeAssignment(cursor) ?? cursor.fail();
    return { ...at, kind: 'setVariable', variable, operator, expression: parseExpression(cursor) };
  }
  if (cursor.takeWord('TRANSACTION')) {
    cursor.expectWord('ISOLATION', 'LEVEL');
    return { ...at, kind: 'setIsolation', level: parseLevel(cursor) };
  }
  if (cursor.takeWord('IDENTITY_INSERT')) {
    const table = cursor.objectName();
    return { ...at, kind: 'setOption', names: ['IDENTITY_INSERT'], value: parseSwitch(cursor), table };
  }
  if (cursor.takeWord('STATISTICS')) {
    const names = cursor.list(() => `STATISTICS ${cursor.word()}`);
    return setOption(at, names, parseSwitch(cursor));
  }
  const first = cursor.token;
  if (first.type !== 'word' && first.type !== 'keyword') {
    cursor.fail();
  }
  if (VALUES.has(first.value)) {
    cursor.next();
    return setOption(at, [first.value], parseSetting(cursor, first.value));
  }
  const names = cursor.list(() => {
    const token = cursor.token;
    const name = cursor.word();
    if (!SWITCHES.has(name)) {
      throw new SqlError(195, `'${token.text}' is not a recognized SET option.`, { class: 15, state: 5, line: token.line });
    }
    return name;
  });
  return setOption(at, names, parseSwitch(cursor));
}

function setOption(at: Node, names: readonly string[], value: 'ON' | 'OFF' | Expression, table: ObjectName | null = null): Statement {
  return { ...at, kind: 'setOption', names, value, table };
}

function parseSwitch(cursor: Cursor): 'ON' | 'OFF' {
  if (cursor.takeWord('ON')) {
    return 'ON';
  }
  cursor.expectWord('OFF');
  return 'OFF';
}

/** A number with its sign, a variable, a string, or a word (LOW, mdy, us_english), which becomes a string in upper case. */
function parseSetting(cursor: Cursor, name: string): Expression {
  const at = cursor.here();
  const { type, value } = cursor.token;
  if (name === 'QUERY_GOVERNOR_COST_LIMIT' || type === 'symbol') {
    for (const operator of ['-', '+'] as const) {
      if (cursor.takeSymbol(operator)) {
        return { ...at, kind: 'unary', operator, operand: cursor.literal() };
      }
    }
  }
  if (type === 'variable') {
    cursor.next();
    return { ...at, kind: 'variable', name: value };
  }
  if (type === 'word' && ['DATEFORMAT', 'LANGUAGE', 'DEADLOCK_PRIORITY'].includes(name)) {
    cursor.next();
    return { ...at, kind: 'literal', literal: 'nationalString', text: value };
  }
  return cursor.literal();
}

function parseLevel(cursor: Cursor): 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | 'snapshot' {
  if (cursor.takeWord('SNAPSHOT')) {
    return 'snapshot';
  }
  if (cursor.takeWord('SERIALIZABLE')) {
    return 'serializable';
  }
  if (cursor.takeWord('REPEATABLE')) {
    cursor.expectWord('READ');
    return 'repeatable read';
  }
  cursor.expectWord('READ');
  if (cursor.takeWord('UNCOMMITTED')) {
    return 'read uncommitted';
  }
  cursor.expectWord('COMMITTED');
  return 'read committed';
}

/** COMMIT, ROLLBACK, SAVE. */
export function parseTransaction(cursor: Cursor): Statement {
  const at = cursor.here();
  const word = cursor.word();
  const long = cursor.takeWord('TRANSACTION') || cursor.takeWord('TRAN');
  if (word === 'SAVE') {
    return long ? { ...at, kind: 'save', name: parseTransactionName(cursor) ?? cursor.fail() } : cursor.fail();
  }
  if (!long) {
    cursor.takeWord('WORK');
  }
  const name = long ? parseTransactionName(cursor) : null;
  if (word === 'ROLLBACK') {
    return { ...at, kind: 'rollback', name };
  }
  if (cursor.isWord('WITH')) {
    throw new UnsupportedError('COMMIT WITH (DELAYED_DURABILITY …)', at.line);
  }
  return { ...at, kind: 'commit', name };
}

function parseTransactionName(cursor: Cursor): TransactionName {
  const at = cursor.here();
  if (cursor.token.type === 'variable') {
    return { ...at, kind: 'variable', name: cursor.variable() };
  }
  // A word on the same line is the name; THROW is the one unreserved word that begins a statement here.
  return cursor.isName && !cursor.isWord('THROW') ? cursor.name() : null;
}

export function parseReturn(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('RETURN');
  const { type, value } = cursor.token;
  const bare =
    type === 'end' ||
    type === 'word' ||
    (type === 'symbol' && value === ';') ||
    (type === 'keyword' && !['NULL', 'CASE', 'CONVERT'].includes(value));
  return { ...at, kind: 'return', value: bare ? null : parseExpression(cursor) };
}

/** What THROW and RAISERROR take: a constant or a variable, no expression. */
function parseConstant(cursor: Cursor, kind: 'integer' | 'string'): Expression {
  const at = cursor.here();
  const { type, value } = cursor.token;
  if (type === 'variable') {
    cursor.next();
    return { ...at, kind: 'variable', name: value };
  }
  if (kind === 'string') {
    return type === 'string' || type === 'nationalString' ? cursor.literal() : cursor.fail();
  }
  if (cursor.takeSymbol('-')) {
    return { ...at, kind: 'unary', operator: '-', operand: cursor.token.type === 'integer' ? cursor.literal() : cursor.fail() };
  }
  return type === 'integer' ? cursor.literal() : cursor.fail();
}

export function parseThrow(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('THROW');
  const { type } = cursor.token;
  if (type !== 'integer' && type !== 'variable') {
    return { ...at, kind: 'throw', number: null, message: null, state: null };
  }
  const number = parseConstant(cursor, 'integer');
  cursor.expectSymbol(',');
  const message = parseConstant(cursor, 'string');
  cursor.expectSymbol(',');
  return { ...at, kind: 'throw', number, message, state: parseConstant(cursor, 'integer') };
}

export function parseRaiseError(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('RAISERROR');
  cursor.expectSymbol('(');
  const message = cursor.token.type === 'integer' ? cursor.literal() : parseConstant(cursor, 'string');
  cursor.expectSymbol(',');
  const severity = parseConstant(cursor, 'integer');
  cursor.expectSymbol(',');
  const state = parseConstant(cursor, 'integer');
  const args = cursor.takeSymbol(',') ? cursor.list(() => parseExpression(cursor)) : [];
  cursor.expectSymbol(')');
  const options = cursor.takeWord('WITH')
    ? cursor.list(() => (cursor.isAnyWord('LOG', 'NOWAIT', 'SETERROR') ? cursor.word() : cursor.fail()))
    : [];
  if (options.includes('SETERROR')) {
    throw new UnsupportedError('RAISERROR … WITH SETERROR', at.line);
  }
  return { ...at, kind: 'raiseError', message, severity, state, args, options };
}

export function parsePrint(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('PRINT');
  return { ...at, kind: 'print', message: parseExpression(cursor) };
}

export function parseWaitFor(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('WAITFOR');
  const mode = cursor.takeWord('TIME') ? 'time' : 'delay';
  if (mode === 'delay') {
    cursor.expectWord('DELAY');
  }
  return { ...at, kind: 'waitFor', mode, value: parseExpression(cursor) };
}
