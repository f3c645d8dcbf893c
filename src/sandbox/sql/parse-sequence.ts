/** The grammar of CREATE and ALTER SEQUENCE and of DBCC CHECKIDENT. */
import type { CreateSequenceStatement } from './ast-definition.ts';
import type { Node } from './ast-expression.ts';
import type { Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseExpression } from './parse-expression.ts';
import { parseType } from './parse-type.ts';
import { UnsupportedError } from './unsupported.ts';

type Draft = { -readonly [Key in keyof CreateSequenceStatement]: CreateSequenceStatement[Key] };

export function parseSequence(cursor: Cursor, at: Node, alter: boolean): Statement {
  const statement: Draft = {
    ...at,
    kind: 'createSequence',
    alter,
    name: cursor.objectName(),
    type: null,
    start: null,
    increment: null,
    minimum: null,
    maximum: null,
    cycle: null,
    restart: null,
  };
  if (!alter && cursor.takeWord('AS')) {
    statement.type = parseType(cursor);
  }
  while (takeOption(cursor, statement)) {
    // Options come in any order.
  }
  return statement;
}

function takeOption(cursor: Cursor, statement: Draft): boolean {
  if (!statement.alter && cursor.takeWord('START', 'WITH')) {
    statement.start = signed(cursor);
  } else if (statement.alter && cursor.takeWord('RESTART')) {
    statement.restart = { value: cursor.takeWord('WITH') ? signed(cursor) : null };
  } else if (cursor.takeWord('INCREMENT', 'BY')) {
    statement.increment = signed(cursor);
  } else if (cursor.takeWord('MINVALUE')) {
    statement.minimum = signed(cursor);
  } else if (cursor.takeWord('MAXVALUE')) {
    statement.maximum = signed(cursor);
  } else if (cursor.takeWord('NO')) {
    takeRefusal(cursor, statement);
  } else if (cursor.takeWord('CYCLE')) {
    statement.cycle = true;
  } else if (cursor.takeWord('CACHE')) {
    // How many numbers are kept in memory shows only after a crash.
    if (cursor.token.type === 'integer') {
      cursor.next();
    }
  } else {
    return false;
  }
  return true;
}

function takeRefusal(cursor: Cursor, statement: Draft): void {
  if (cursor.takeWord('MINVALUE')) {
    statement.minimum = 'none';
  } else if (cursor.takeWord('MAXVALUE')) {
    statement.maximum = 'none';
  } else if (cursor.takeWord('CYCLE')) {
    statement.cycle = false;
  } else {
    cursor.expectWord('CACHE');
  }
}

function signed(cursor: Cursor): string {
  const sign = cursor.takeSymbol('-') ? '-' : '';
  return cursor.token.type === 'integer' || cursor.token.type === 'decimal' ? sign + cursor.next().value : cursor.fail();
}

/** DBCC: CHECKIDENT, and the name of any other command. */
export function parseDbcc(cursor: Cursor): Statement {
  const at = cursor.here();
  cursor.expectWord('DBCC');
  const command = cursor.word();
  if (command !== 'CHECKIDENT') {
    throw new UnsupportedError(`DBCC ${command}`, at.line);
  }
  cursor.expectSymbol('(');
  const text = cursor.token.type === 'string' || cursor.token.type === 'nationalString';
  const from = cursor.token.position;
  const table = text ? cursor.string() : (cursor.objectName(), cursor.textFrom(from));
  let reseed = true;
  let value = null;
  if (cursor.takeSymbol(',')) {
    reseed = cursor.takeWord('RESEED');
    if (!reseed) {
      cursor.expectWord('NORESEED');
    } else if (cursor.takeSymbol(',')) {
      value = parseExpression(cursor);
    }
  }
  cursor.expectSymbol(')');
  const silent = cursor.takeWord('WITH');
  if (silent) {
    cursor.expectWord('NO_INFOMSGS');
  }
  return { ...at, kind: 'checkIdentity', table, reseed, value, silent };
}
