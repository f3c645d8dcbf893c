/**
 * The grammar of INSERT BULK, the statement that clients send before the rows of a bulk load. People do not write it: its columns are
 * described for the stream that follows. Source: learn.microsoft.com "BULK INSERT (Transact-SQL)" for the options, MS-TDS 2.2.6.1.
 */
import type { Node } from './ast-expression.ts';
import type { BulkOrder, InsertBulkStatement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseType } from './parse-type.ts';
import { UnsupportedError } from './unsupported.ts';

const FLAGS = ['CHECK_CONSTRAINTS', 'FIRE_TRIGGERS', 'KEEP_NULLS', 'TABLOCK'] as const;
type Flag = (typeof FLAGS)[number];

function isFlag(word: string): word is Flag {
  return FLAGS.some((flag) => flag === word);
}

/** Stands after INSERT, at BULK. */
export function parseInsertBulk(cursor: Cursor, at: Node): InsertBulkStatement {
  cursor.expectWord('BULK');
  const table = cursor.objectName();
  if (!cursor.isSymbol('(')) {
    throw new UnsupportedError('INSERT BULK without its columns', at.line);
  }
  const columns = cursor.bracketed(() => {
    const place = cursor.here();
    const name = cursor.name();
    const type = parseType(cursor);
    if (cursor.takeWord('COLLATE')) {
      cursor.name();
    }
    if (!cursor.takeWord('NOT', 'NULL')) {
      cursor.takeWord('NULL');
    }
    return { ...place, name, type };
  });
  const flags = new Set<Flag>();
  const order: BulkOrder[] = [];
  if (cursor.takeWord('WITH')) {
    cursor.bracketed(() => parseOption(cursor, flags, order));
  }
  return {
    ...at,
    kind: 'insertBulk',
    table,
    columns,
    checkConstraints: flags.has('CHECK_CONSTRAINTS'),
    fireTriggers: flags.has('FIRE_TRIGGERS'),
    keepNulls: flags.has('KEEP_NULLS'),
    lockTable: flags.has('TABLOCK'),
    order,
  };
}

function parseOption(cursor: Cursor, flags: Set<Flag>, order: BulkOrder[]): void {
  const { token } = cursor;
  const word = cursor.word();
  if (isFlag(word)) {
    flags.add(word);
    return;
  }
  switch (word) {
    case 'ORDER':
      order.push(
        ...cursor.bracketed(() => {
          const column = cursor.name();
          const descending = cursor.takeWord('DESC');
          if (!descending) {
            cursor.takeWord('ASC');
          }
          return { column, descending };
        }),
      );
      return;
    case 'ROWS_PER_BATCH':
    case 'KILOBYTES_PER_BATCH':
      // Estimates for a plan.
      cursor.expectSymbol('=');
      cursor.integer();
      return;
    default:
      if (word === 'ALLOW_ENCRYPTED_VALUE_MODIFICATIONS') {
        throw new UnsupportedError(word, token.line);
      }
      cursor.fail(token);
  }
}
