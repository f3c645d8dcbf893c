/** The grammar of the statements that read and write rows. */
import { SqlError } from '../session.ts';
import type { Expression, Node } from './ast-expression.ts';
import type {
  Assignment,
  DeleteStatement,
  InsertSource,
  InsertStatement,
  MergeClause,
  MergeStatement,
  OutputClause,
  SelectStatement,
  Statement,
  TruncateStatement,
  UpdateStatement,
  WithPrefix,
} from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseInsertBulk } from './parse-bulk.ts';
import { parseExecute } from './parse-execute.ts';
import { parseCondition, parseExpression } from './parse-expression.ts';
import { parseOptions, parseQuery, parseSelectItem, parseTop, parseWith, takeAssignment } from './parse-query.ts';
import { parseSources, parseTargetName, takeAlias, takeHints } from './parse-source.ts';
import { UnsupportedError } from './unsupported.ts';

/** A statement that begins with WITH, SELECT, a bracket, INSERT, UPDATE, DELETE, MERGE or TRUNCATE. */
export function parseDml(cursor: Cursor): Statement {
  const at = cursor.here();
  const prefix = parseWith(cursor);
  if (cursor.isWord('SELECT') || cursor.isSymbol('(')) {
    return parseSelect(cursor, at, prefix);
  }
  if (cursor.takeWord('INSERT')) {
    return cursor.isWord('BULK') ? parseInsertBulk(cursor, at) : parseInsert(cursor, at, prefix);
  }
  if (cursor.takeWord('UPDATE')) {
    if (cursor.isWord('STATISTICS')) {
      throw new UnsupportedError('UPDATE STATISTICS', at.line);
    }
    return parseUpdate(cursor, at, prefix);
  }
  if (cursor.takeWord('DELETE')) {
    return parseDelete(cursor, at, prefix);
  }
  if (cursor.takeWord('MERGE')) {
    return parseMerge(cursor, at, prefix);
  }
  return cursor.fail();
}

export function parseTruncate(cursor: Cursor): TruncateStatement {
  const at = cursor.here();
  cursor.expectWord('TRUNCATE', 'TABLE');
  const table = cursor.objectName();
  if (cursor.isWord('WITH')) {
    throw new UnsupportedError('TRUNCATE TABLE WITH (PARTITIONS …)', at.line);
  }
  return { ...at, kind: 'truncate', table };
}

function parseSelect(cursor: Cursor, at: Node, prefix: WithPrefix): SelectStatement {
  const query = parseQuery(cursor);
  return { ...at, ...prefix, kind: 'select', query, options: parseOptions(cursor) };
}

function parseInsert(cursor: Cursor, at: Node, prefix: WithPrefix): InsertStatement {
  const top = parseTop(cursor);
  cursor.takeWord('INTO');
  const target = parseTargetName(cursor);
  const columns = cursor.isSymbol('(') && !isQueryStart(cursor, 1) ? cursor.nameList() : [];
  const output = parseOutput(cursor);
  const source = parseInsertSource(cursor);
  return { ...at, ...prefix, kind: 'insert', top, target, columns, output, source, options: parseOptions(cursor) };
}

function isQueryStart(cursor: Cursor, ahead: number): boolean {
  return cursor.isSymbol('(', ahead) || (cursor.peek(ahead).type === 'keyword' && cursor.peek(ahead).value === 'SELECT');
}

function parseInsertSource(cursor: Cursor): InsertSource {
  if (cursor.takeWord('VALUES')) {
    const { line } = cursor.token;
    const rows = cursor.list(() => cursor.bracketed(() => cursor.literalItem() ?? parseExpression(cursor)));
    if (rows.length > 1000) {
      throw new SqlError(
        10_738,
        'The number of row value expressions in the INSERT statement exceeds the maximum allowed number of 1000 row values.',
        { class: 15, line },
      );
    }
    return { kind: 'values', rows };
  }
  if (cursor.takeWord('DEFAULT')) {
    cursor.expectWord('VALUES');
    return { kind: 'defaultValues' };
  }
  if (cursor.isAnyWord('EXEC', 'EXECUTE')) {
    const statement = parseExecute(cursor);
    return statement.kind === 'execute' || statement.kind === 'executeText' ? { kind: 'execute', statement } : cursor.fail();
  }
  if (cursor.isWord('SELECT') || cursor.isSymbol('(')) {
    return { kind: 'query', query: parseQuery(cursor) };
  }
  return cursor.fail();
}

/** OUTPUT items [INTO target [(columns)] [OUTPUT items]]; null without OUTPUT. */
function parseOutput(cursor: Cursor): OutputClause | null {
  const at = cursor.here();
  if (!cursor.takeWord('OUTPUT')) {
    return null;
  }
  const items = cursor.list(() => parseSelectItem(cursor));
  if (!cursor.takeWord('INTO')) {
    return { ...at, items, into: null, intoColumns: [], following: null };
  }
  const into = parseTargetName(cursor);
  const intoColumns = cursor.isSymbol('(') && !isQueryStart(cursor, 1) ? cursor.nameList() : [];
  const following = parseOutput(cursor);
  return following !== null && following.into !== null ? cursor.fail() : { ...at, items, into, intoColumns, following };
}

function parseUpdate(cursor: Cursor, at: Node, prefix: WithPrefix): UpdateStatement {
  const top = parseTop(cursor);
  const target = parseTargetName(cursor);
  cursor.expectWord('SET');
  const assignments = cursor.list(() => parseAssignment(cursor));
  const output = parseOutput(cursor);
  const from = cursor.takeWord('FROM') ? parseSources(cursor) : null;
  const where = parseWhere(cursor);
  return { ...at, ...prefix, kind: 'update', top, target, assignments, output, from, where, options: parseOptions(cursor) };
}

function parseWhere(cursor: Cursor): Expression | null {
  if (!cursor.takeWord('WHERE')) {
    return null;
  }
  if (cursor.isWord('CURRENT', 'OF')) {
    throw new UnsupportedError('WHERE CURRENT OF', cursor.token.line);
  }
  return parseCondition(cursor);
}

function parseAssignment(cursor: Cursor): Assignment {
  const at = cursor.here();
  let variable: string | null = null;
  if (cursor.token.type === 'variable') {
    variable = cursor.variable();
    const operator = takeAssignment(cursor) ?? cursor.fail();
    const isColumn = operator === '=' && cursor.isName && isColumnAssignment(cursor);
    if (!isColumn) {
      return { ...at, variable, column: null, operator, expression: parseExpression(cursor), write: null };
    }
  }
  const column = [cursor.name()];
  while (cursor.takeSymbol('.')) {
    if (cursor.isWord('WRITE') && cursor.isSymbol('(', 1)) {
      cursor.next();
      const [expression, offset, length] = cursor.bracketed(() => parseExpression(cursor));
      if (expression === undefined || offset === undefined || length === undefined) {
        return cursor.fail();
      }
      return { ...at, variable, column, operator: '=', expression, write: { offset, length } };
    }
    column.push(cursor.name());
  }
  const operator = takeAssignment(cursor) ?? cursor.fail();
  return { ...at, variable, column, operator, expression: parseExpression(cursor), write: null };
}

/** Whether `name[.name…] =` stands here: SET @v = column = expression. */
function isColumnAssignment(cursor: Cursor): boolean {
  let ahead = 1;
  while (cursor.isSymbol('.', ahead)) {
    ahead += 2;
  }
  return (
    cursor.peek(ahead).type === 'symbol' && cursor.peek(ahead).value.endsWith('=') && !'<>!'.includes(cursor.peek(ahead).value[0] ?? '')
  );
}

function parseDelete(cursor: Cursor, at: Node, prefix: WithPrefix): DeleteStatement {
  const top = parseTop(cursor);
  cursor.takeWord('FROM');
  const target = parseTargetName(cursor);
  const output = parseOutput(cursor);
  const from = cursor.takeWord('FROM') ? parseSources(cursor) : null;
  const where = parseWhere(cursor);
  return { ...at, ...prefix, kind: 'delete', top, target, output, from, where, options: parseOptions(cursor) };
}

function parseMerge(cursor: Cursor, at: Node, prefix: WithPrefix): MergeStatement {
  const top = parseTop(cursor);
  cursor.takeWord('INTO');
  const named = parseTargetName(cursor);
  const alias = takeAlias(cursor);
  const target = named.kind === 'table' ? { ...named, alias, hints: [...named.hints, ...takeHints(cursor)] } : { ...named, alias };
  cursor.expectWord('USING');
  const using = parseSources(cursor);
  cursor.expectWord('ON');
  const on = parseCondition(cursor);
  const clauses: MergeClause[] = [];
  while (cursor.isWord('WHEN')) {
    clauses.push(parseMergeClause(cursor));
  }
  if (clauses.length === 0) {
    cursor.fail();
  }
  checkClauses(clauses);
  const output = parseOutput(cursor);
  const options = parseOptions(cursor);
  requireSemicolon(cursor);
  return { ...at, ...prefix, kind: 'merge', top, target, using, on, clauses, output, options };
}

const WHEN: Readonly<Record<MergeClause['when'], string>> = {
  matched: 'WHEN MATCHED',
  notMatchedByTarget: 'WHEN NOT MATCHED',
  notMatchedBySource: 'WHEN NOT MATCHED BY SOURCE',
};

/** Source: learn.microsoft.com "MERGE (Transact-SQL)". @throws SqlError 5324, 10714, 10711 */
function checkClauses(clauses: readonly MergeClause[]): void {
  clauses.forEach((clause, index) => {
    for (const before of clauses.slice(0, index).filter((each) => each.when === clause.when)) {
      const name = WHEN[clause.when];
      if (before.action.kind === clause.action.kind) {
        throw new SqlError(
          10_714,
          `An action of type '${clause.action.kind.toUpperCase()}' cannot appear more than once in a '${name}' clause of a MERGE statement.`,
          { class: 15, line: clause.line },
        );
      }
      if (before.and === null) {
        throw new SqlError(
          5324,
          `In a MERGE statement, a '${name}' clause with a search condition cannot appear after a '${name}' clause with no search condition.`,
          { class: 15, line: clause.line },
        );
      }
    }
  });
}

/** @throws SqlError 10713. Source: learn.microsoft.com "MERGE (Transact-SQL)": the semicolon is required. */
function requireSemicolon(cursor: Cursor): void {
  if (!cursor.isSymbol(';')) {
    throw new SqlError(10713, 'A MERGE statement must be terminated by a semi-colon (;).', { class: 15, line: cursor.token.line });
  }
}

function parseMergeClause(cursor: Cursor): MergeClause {
  const at = cursor.here();
  cursor.expectWord('WHEN');
  const not = cursor.takeWord('NOT');
  cursor.expectWord('MATCHED');
  let when: MergeClause['when'] = not ? 'notMatchedByTarget' : 'matched';
  if (not && cursor.takeWord('BY')) {
    when = cursor.takeWord('SOURCE') ? 'notMatchedBySource' : 'notMatchedByTarget';
    if (when === 'notMatchedByTarget') {
      cursor.expectWord('TARGET');
    }
  }
  const and = cursor.takeWord('AND') ? parseCondition(cursor) : null;
  cursor.expectWord('THEN');
  if (when === 'notMatchedByTarget') {
    cursor.expectWord('INSERT');
    const columns = cursor.isSymbol('(') ? cursor.nameList() : [];
    if (cursor.takeWord('DEFAULT')) {
      cursor.expectWord('VALUES');
      return { ...at, when, and, action: { kind: 'insert', columns, values: null } };
    }
    cursor.expectWord('VALUES');
    return { ...at, when, and, action: { kind: 'insert', columns, values: cursor.bracketed(() => parseExpression(cursor)) } };
  }
  if (cursor.takeWord('DELETE')) {
    return { ...at, when, and, action: { kind: 'delete' } };
  }
  cursor.expectWord('UPDATE', 'SET');
  return { ...at, when, and, action: { kind: 'update', assignments: cursor.list(() => parseAssignment(cursor)) } };
}
