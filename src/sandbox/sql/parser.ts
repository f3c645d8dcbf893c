/**
 * From the text of a batch to its syntax tree.
 *
 *     const batch = parse(text, { quotedIdentifier: true });   // batch.statements, see ast.ts
 *
 * A syntax error anywhere refuses the whole batch, as on SQL Server. What is T-SQL but outside the subset is refused by name
 * (UnsupportedError, 50001). GO is not T-SQL. Whoever runs batches keeps the trees by text: parse() has no cache.
 */
import type { Node } from './ast-expression.ts';
import type { Batch, Statement } from './ast.ts';
import { Cursor } from './cursor.ts';
import type { Grammar } from './cursor.ts';
import { tokenize } from './lexer.ts';
import {
  parseBegin,
  parseDeclare,
  parseIf,
  parsePrint,
  parseRaiseError,
  parseReturn,
  parseSet,
  parseThrow,
  parseTransaction,
  parseWaitFor,
  parseWhile,
} from './parse-control.ts';
import { checkLabels } from './labels.ts';
import { parserOverflow } from './nesting.ts';
import { parseBackup } from './parse-database.ts';
import { parseAlter, parseCreate, parseDrop } from './parse-definition.ts';
import { parseDml, parseTruncate } from './parse-dml.ts';
import { parseExecute, parseProcedure } from './parse-execute.ts';
import { parseCondition, parseExpression } from './parse-expression.ts';
import { parseInnerQuery } from './parse-query.ts';
import { parsePermission } from './parse-security.ts';
import { parseToggle } from './parse-trigger.ts';
import { parseDbcc } from './parse-sequence.ts';
import type { Expression } from './ast-expression.ts';
import { UnsupportedError } from './unsupported.ts';

const GRAMMAR: Grammar = { expression: parseExpression, query: parseInnerQuery, statement: parseStatement };

/**
 * @throws SqlError 102, 156 (syntax), 105 (open quote), 113 (open comment), 155, 195 (unknown option), with the line; 191; UnsupportedError 50001.
 */
export function parse(text: string, options: { readonly quotedIdentifier: boolean } = { quotedIdentifier: true }): Batch {
  try {
    return parseBatch(text, options);
  } catch (error) {
    throw parserOverflow(error);
  }
}

function parseBatch(text: string, options: { readonly quotedIdentifier: boolean }): Batch {
  const cursor = new Cursor(text, tokenize(text, options.quotedIdentifier), GRAMMAR);
  const statements: Statement[] = [];
  while (cursor.takeSymbol(';')) {
    // Lone semicolons say nothing.
  }
  // Only the first statement of a batch may be a procedure's name without EXEC.
  if (cursor.isName && !isStatementWord(cursor) && !isLabel(cursor)) {
    statements.push(parseProcedure(cursor, cursor.here(), null));
  }
  while (true) {
    while (cursor.takeSymbol(';')) {
      // Terminators.
    }
    if (cursor.atEnd) {
      checkLabels(statements);
      return { text, statements };
    }
    statements.push(parseStatement(cursor));
  }
}

/** One expression or search condition alone. @throws SqlError as parse(). */
export function parseExpressionText(text: string): Expression {
  const cursor = new Cursor(text, tokenize(text, true), GRAMMAR);
  const expression = parseCondition(cursor);
  return cursor.atEnd ? expression : cursor.fail();
}

/** Unreserved words that begin a statement. */
function isStatementWord(cursor: Cursor): boolean {
  return cursor.token.type === 'word' && ['THROW', 'ENABLE', 'DISABLE', 'RENAME'].includes(cursor.token.value) && !cursor.isSymbol('.', 1);
}

function isLabel(cursor: Cursor): boolean {
  return cursor.isName && cursor.isSymbol(':', 1);
}

function parseStatement(cursor: Cursor): Statement {
  const at = cursor.here();
  if (isLabel(cursor)) {
    const label = cursor.name();
    cursor.expectSymbol(':');
    return { ...at, kind: 'label', label };
  }
  const { type, value } = cursor.token;
  if (type === 'symbol' && value === '(') {
    return parseDml(cursor);
  }
  if (type === 'word' && value === 'THROW') {
    return parseThrow(cursor);
  }
  if (type !== 'keyword') {
    if (type === 'word' && (value === 'ENABLE' || value === 'DISABLE') && cursor.peek(1).value === 'TRIGGER') {
      return parseToggle(cursor);
    }
    return cursor.fail();
  }
  switch (value) {
    case 'SELECT':
    case 'WITH':
    case 'INSERT':
    case 'UPDATE':
    case 'DELETE':
    case 'MERGE':
      return parseDml(cursor);
    case 'TRUNCATE':
      return parseTruncate(cursor);
    case 'CREATE':
      return parseCreate(cursor);
    case 'ALTER':
      return parseAlter(cursor);
    case 'DROP':
      return parseDrop(cursor);
    case 'BEGIN':
      return parseBegin(cursor);
    case 'IF':
      return parseIf(cursor);
    case 'WHILE':
      return parseWhile(cursor);
    case 'DECLARE':
      return parseDeclare(cursor);
    case 'SET':
      return parseSet(cursor);
    case 'EXEC':
    case 'EXECUTE':
      return parseExecute(cursor);
    case 'COMMIT':
    case 'ROLLBACK':
    case 'SAVE':
      return parseTransaction(cursor);
    case 'RETURN':
      return parseReturn(cursor);
    case 'RAISERROR':
      return parseRaiseError(cursor);
    case 'PRINT':
      return parsePrint(cursor);
    case 'WAITFOR':
      return parseWaitFor(cursor);
    case 'GRANT':
    case 'DENY':
    case 'REVOKE':
      return parsePermission(cursor);
    case 'DBCC':
      return parseDbcc(cursor);
    case 'BACKUP':
    case 'RESTORE':
      return parseBackup(cursor);
    default:
      return parseShort(cursor, at);
  }
}

/** Statements of a word or two. */
function parseShort(cursor: Cursor, at: Node): Statement {
  const { value } = cursor.token;
  switch (value) {
    case 'USE':
      cursor.next();
      return { ...at, kind: 'use', database: cursor.name() };
    case 'BREAK':
      cursor.next();
      return { ...at, kind: 'break' };
    case 'GOTO':
      cursor.next();
      return { ...at, kind: 'goto', label: cursor.name() };
    case 'CONTINUE':
      cursor.next();
      return { ...at, kind: 'continue' };
    case 'REVERT':
      cursor.next();
      return { ...at, kind: 'executeAs', principal: null };
    case 'CHECKPOINT':
      cursor.next();
      return { ...at, kind: 'checkpoint' };
    case 'KILL':
      cursor.next();
      return { ...at, kind: 'kill', session: cursor.integer() };
    case 'BULK':
    case 'CLOSE':
    case 'DEALLOCATE':
    case 'FETCH':
    case 'OPEN':
    case 'READTEXT':
    case 'RECONFIGURE':
    case 'SETUSER':
    case 'SHUTDOWN':
    case 'UPDATETEXT':
    case 'WRITETEXT':
      throw new UnsupportedError(value, at.line);
    default:
      return cursor.fail();
  }
}
