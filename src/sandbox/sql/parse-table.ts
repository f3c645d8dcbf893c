/** The grammar inside the brackets of CREATE TABLE, of table variables and of ALTER TABLE ADD: columns and constraints. */
import type { ColumnDefinition, IndexColumn, IndexShape, ReferentialAction, TableConstraint } from './ast-definition.ts';
import type { Node, TypeName } from './ast-expression.ts';
import type { Cursor } from './cursor.ts';
import { parseCondition, parseExpression } from './parse-expression.ts';
import { parseType } from './parse-type.ts';
import { UnsupportedError } from './unsupported.ts';

export interface TableBody {
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly TableConstraint[];
  /** WITH VALUES at a default of ALTER TABLE ADD. */
  readonly withValues: boolean;
}

/** ( column | constraint, … ); a comma may end the list. */
export function parseTableBody(cursor: Cursor): TableBody {
  cursor.expectSymbol('(');
  const body = parseTableElements(cursor);
  cursor.expectSymbol(')');
  return body;
}

export function parseTableElements(cursor: Cursor): TableBody {
  const columns: ColumnDefinition[] = [];
  const constraints: TableConstraint[] = [];
  let withValues = false;
  do {
    if (cursor.isSymbol(')')) {
      break;
    }
    const constraint = takeConstraint(cursor, null);
    if (constraint !== null) {
      constraints.push(constraint);
    } else if (cursor.isWord('PERIOD')) {
      throw new UnsupportedError(`${cursor.token.value} in a table definition`, cursor.token.line);
    } else {
      columns.push(parseColumn(cursor));
    }
    withValues = cursor.takeWord('WITH', 'VALUES') || withValues;
  } while (cursor.takeSymbol(','));
  return { columns, constraints, withValues };
}

type Draft = { -readonly [Key in keyof ColumnDefinition]: ColumnDefinition[Key] };

function parseColumn(cursor: Cursor): ColumnDefinition {
  const at = cursor.here();
  const name = cursor.name();
  const constraints: TableConstraint[] = [];
  const column: Draft = {
    ...at,
    name,
    type: null,
    collation: null,
    nullable: null,
    identity: null,
    rowGuid: false,
    default: null,
    computed: null,
    constraints,
  };
  if (cursor.takeWord('AS')) {
    const from = cursor.token.position;
    const expression = parseExpression(cursor);
    column.computed = { expression, text: cursor.textFrom(from), persisted: cursor.takeWord('PERSISTED') };
  } else {
    column.type = parseColumnType(cursor, name);
  }
  while (takeColumnOption(cursor, column)) {
    // Options come in any order.
  }
  while (true) {
    const constraint = takeConstraint(cursor, name);
    if (constraint === null) {
      if (!takeColumnOption(cursor, column)) {
        return column;
      }
    } else if (constraint.kind === 'default') {
      column.default = { name: constraint.name, expression: constraint.expression, text: constraint.text };
    } else {
      constraints.push(constraint);
    }
  }
}

/** `timestamp` may stand alone as the column's name; its type is then timestamp. */
function parseColumnType(cursor: Cursor, name: string): TypeName {
  if (name.toLowerCase() === 'timestamp' && !cursor.isName) {
    return { ...cursor.here(), schema: null, name: 'timestamp', args: [] };
  }
  return parseType(cursor);
}

function takeColumnOption(cursor: Cursor, column: Draft): boolean {
  if (cursor.takeWord('COLLATE')) {
    column.collation = cursor.name();
  } else if (cursor.takeWord('NOT', 'NULL')) {
    column.nullable = false;
  } else if (cursor.takeWord('NULL')) {
    column.nullable = true;
  } else if (cursor.takeWord('IDENTITY')) {
    column.identity = parseIdentity(cursor);
  } else if (cursor.takeWord('ROWGUIDCOL')) {
    column.rowGuid = true;
  } else if (cursor.isAnyWord('SPARSE', 'FILESTREAM', 'MASKED', 'ENCRYPTED', 'GENERATED', 'HIDDEN')) {
    throw new UnsupportedError(`${cursor.token.value} columns`, cursor.token.line);
  } else {
    return false;
  }
  return true;
}

function parseIdentity(cursor: Cursor): { seed: string; increment: string } {
  if (!cursor.takeSymbol('(')) {
    return { seed: '1', increment: '1' };
  }
  const signed = (): string => {
    const sign = cursor.takeSymbol('-') ? '-' : '';
    return cursor.token.type === 'integer' ? sign + cursor.next().value : cursor.fail();
  };
  const seed = signed();
  cursor.expectSymbol(',');
  const increment = signed();
  cursor.expectSymbol(')');
  return { seed, increment };
}

/** A constraint if one begins here. `column` is the column that it is written at; null at the table. */
function takeConstraint(cursor: Cursor, column: string | null): TableConstraint | null {
  const at = cursor.here();
  const index = takeIndex(cursor, at, column);
  if (index !== null) {
    return index;
  }
  const name = cursor.takeWord('CONSTRAINT') ? cursor.name() : null;
  if (cursor.isWord('PRIMARY', 'KEY') || cursor.isWord('UNIQUE')) {
    return parseKey(cursor, at, name, column);
  }
  if (cursor.isWord('FOREIGN', 'KEY') || cursor.isWord('REFERENCES')) {
    return parseForeignKey(cursor, at, name, column);
  }
  if (cursor.takeWord('CHECK')) {
    if (cursor.takeWord('NOT')) {
      cursor.expectWord('FOR', 'REPLICATION');
    }
    const from = cursor.token.position;
    cursor.expectSymbol('(');
    const expression = parseCondition(cursor);
    cursor.expectSymbol(')');
    return { ...at, kind: 'check', name, expression, text: cursor.textFrom(from), column };
  }
  if (cursor.takeWord('DEFAULT')) {
    const from = cursor.token.position;
    const expression = parseExpression(cursor);
    const text = cursor.textFrom(from);
    if (column !== null) {
      return { ...at, kind: 'default', name, expression, text, column };
    }
    cursor.expectWord('FOR');
    return { ...at, kind: 'default', name, expression, text, column: cursor.name() };
  }
  return name === null ? null : cursor.fail();
}

function parseKey(cursor: Cursor, at: Node, name: string | null, column: string | null): TableConstraint {
  const kind = cursor.takeWord('UNIQUE') ? 'unique' : 'primaryKey';
  if (kind === 'primaryKey') {
    cursor.expectWord('PRIMARY', 'KEY');
  }
  const clustered = cursor.takeWord('CLUSTERED') ? true : cursor.takeWord('NONCLUSTERED') ? false : null;
  const columns = cursor.isSymbol('(')
    ? parseIndexColumns(cursor)
    : column === null
      ? cursor.fail()
      : [{ name: column, descending: false }];
  skipIndexOptions(cursor);
  return { ...at, kind, name, clustered, columns };
}

function parseForeignKey(cursor: Cursor, at: Node, name: string | null, column: string | null): TableConstraint {
  let columns: string[] = column === null ? [] : [column];
  if (cursor.takeWord('FOREIGN', 'KEY') && (column === null || cursor.isSymbol('('))) {
    columns = cursor.nameList();
  }
  cursor.expectWord('REFERENCES');
  const references = cursor.objectName();
  const referencedColumns = cursor.isSymbol('(') ? cursor.nameList() : [];
  let onDelete: ReferentialAction = 'noAction';
  let onUpdate: ReferentialAction = 'noAction';
  while (cursor.takeWord('ON')) {
    if (cursor.takeWord('DELETE')) {
      onDelete = parseReferentialAction(cursor);
    } else {
      cursor.expectWord('UPDATE');
      onUpdate = parseReferentialAction(cursor);
    }
  }
  return { ...at, kind: 'foreignKey', name, columns, references, referencedColumns, onDelete, onUpdate };
}

function parseReferentialAction(cursor: Cursor): ReferentialAction {
  if (cursor.takeWord('CASCADE')) {
    return 'cascade';
  }
  if (cursor.takeWord('SET')) {
    if (cursor.takeWord('NULL')) {
      return 'setNull';
    }
    cursor.expectWord('DEFAULT');
    return 'setDefault';
  }
  cursor.expectWord('NO', 'ACTION');
  return 'noAction';
}

/** INDEX name [UNIQUE] [CLUSTERED] (…) in a table's definition. `column` is the one that it is written at. */
function takeIndex(cursor: Cursor, at: Node, column: string | null): TableConstraint | null {
  if (!cursor.takeWord('INDEX')) {
    return null;
  }
  const name = cursor.name();
  const unique = cursor.takeWord('UNIQUE');
  const clustered = cursor.takeWord('CLUSTERED');
  if (!clustered) {
    cursor.takeWord('NONCLUSTERED');
  }
  if (cursor.isAnyWord('COLUMNSTORE', 'HASH')) {
    throw new UnsupportedError(`${cursor.token.value} indexes`, at.line);
  }
  if (column !== null && !cursor.isSymbol('(')) {
    skipIndexOptions(cursor);
    return { ...at, kind: 'index', name, unique, clustered, columns: [{ name: column, descending: false }], include: [], where: null };
  }
  const shape = parseIndexShape(cursor, unique, clustered);
  skipIndexOptions(cursor);
  return { ...at, kind: 'index', name, ...shape };
}

/** (columns) [INCLUDE (columns)] [WHERE condition] */
export function parseIndexShape(cursor: Cursor, unique: boolean, clustered: boolean): IndexShape {
  const columns = parseIndexColumns(cursor);
  const include = cursor.takeWord('INCLUDE') ? cursor.nameList() : [];
  if (!cursor.takeWord('WHERE')) {
    return { unique, clustered, columns, include, where: null };
  }
  const from = cursor.token.position;
  const expression = parseCondition(cursor);
  return { unique, clustered, columns, include, where: { expression, text: cursor.textFrom(from) } };
}

/** ( column [ASC | DESC], … ) */
export function parseIndexColumns(cursor: Cursor): IndexColumn[] {
  return cursor.bracketed(() => {
    const name = cursor.name();
    const descending = cursor.takeWord('DESC');
    if (!descending) {
      cursor.takeWord('ASC');
    }
    return { name, descending };
  });
}

/**
 * WITH (…) and ON filegroup of an index: but for DROP_EXISTING they change nothing that can be seen here.
 * @returns the options as 'NAME VALUE'
 */
export function skipIndexOptions(cursor: Cursor): ReadonlySet<string> {
  const found = new Set<string>();
  if (cursor.isWord('WITH') && cursor.isSymbol('(', 1)) {
    cursor.next();
    cursor.bracketed(() => {
      const option = cursor.word();
      if (option === 'IGNORE_DUP_KEY' && cursor.isSymbol('=') && cursor.peek(1).value === 'ON') {
        throw new UnsupportedError('IGNORE_DUP_KEY', cursor.token.line);
      }
      cursor.expectSymbol('=');
      found.add(`${option} ${cursor.token.type === 'integer' ? cursor.integer() : cursor.word()}`);
    });
  } else if (cursor.isWord('WITH', 'FILLFACTOR')) {
    cursor.expectWord('WITH', 'FILLFACTOR');
    cursor.expectSymbol('=');
    cursor.integer();
  }
  takeFileGroup(cursor);
  return found;
}

/** ON [filegroup] and TEXTIMAGE_ON [filegroup]. */
export function takeFileGroup(cursor: Cursor): void {
  while ((cursor.isWord('ON') && !['DELETE', 'UPDATE'].includes(cursor.peek(1).value)) || cursor.isWord('TEXTIMAGE_ON')) {
    cursor.next();
    cursor.name();
  }
}

/** ALTER COLUMN's type, collation and nullability. */
export function parseColumnChange(cursor: Cursor): { type: TypeName; collation: string | null; nullable: boolean | null } {
  const type = parseType(cursor);
  const collation = cursor.takeWord('COLLATE') ? cursor.name() : null;
  const nullable = cursor.takeWord('NOT', 'NULL') ? false : cursor.takeWord('NULL') ? true : null;
  return { type, collation, nullable };
}
