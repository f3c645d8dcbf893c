/** The grammar of queries: SELECT, set operations, CTEs. What stands in FROM is in parse-source.ts. */
import { SqlError } from '../session.ts';
import type { Expression, Node, OrderItem } from './ast-expression.ts';
import type { AssignmentOperator, CommonTable, ForJson, Query, QueryBody, QuerySpecification, SelectItem, Top, WithPrefix } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { parseOrderBy } from './parse-call.ts';
import { parseCondition, parseExpression } from './parse-expression.ts';
import { parseSources } from './parse-source.ts';
import { UnsupportedError } from './unsupported.ts';

const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=']);

/** @returns the operator and takes it, or null. */
export function takeAssignment(cursor: Cursor): AssignmentOperator | null {
  const { type, value } = cursor.token;
  if (type !== 'symbol' || !isAssignment(value)) {
    return null;
  }
  cursor.next();
  return value;
}

function isAssignment(symbol: string): symbol is AssignmentOperator {
  return ASSIGNMENTS.has(symbol);
}

/** A query without brackets of its own, with ORDER BY, OFFSET, FETCH and FOR JSON. */
export function parseQuery(cursor: Cursor): Query {
  const at = cursor.here();
  if (cursor.isWord('WITH')) {
    throw new UnsupportedError('WITH inside a subquery', at.line);
  }
  const body = parseUnion(cursor);
  let orderBy: OrderItem[] = [];
  let offset: Expression | null = null;
  let fetch: Expression | null = null;
  if (cursor.isWord('ORDER')) {
    orderBy = parseOrderBy(cursor);
    if (cursor.takeWord('OFFSET')) {
      offset = parseExpression(cursor);
      takeRows(cursor);
      if (cursor.takeWord('FETCH')) {
        if (!cursor.takeWord('NEXT')) {
          cursor.expectWord('FIRST');
        }
        fetch = parseExpression(cursor);
        takeRows(cursor);
        cursor.expectWord('ONLY');
      }
    }
  }
  return { ...at, kind: 'query', body, orderBy, offset, fetch, forJson: cursor.takeWord('FOR') ? parseFor(cursor) : null };
}

/**
 * A query where its order means nothing: in a derived table, a subquery, a CTE, a view.
 * @throws SqlError 1033 for ORDER BY without TOP, OFFSET or FOR
 */
export function parseInnerQuery(cursor: Cursor): Query {
  const query = parseQuery(cursor);
  const limited = query.offset !== null || query.forJson !== null || (query.body.kind === 'specification' && query.body.top !== null);
  if (query.orderBy.length > 0 && !limited) {
    throw new SqlError(
      1033,
      'The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.',
      { class: 15, line: query.line },
    );
  }
  return query;
}

function takeRows(cursor: Cursor): void {
  if (!cursor.takeWord('ROWS')) {
    cursor.expectWord('ROW');
  }
}

function parseFor(cursor: Cursor): ForJson {
  if (!cursor.takeWord('JSON')) {
    throw new UnsupportedError(`FOR ${cursor.token.value}`, cursor.token.line);
  }
  const mode = cursor.takeWord('AUTO') ? 'auto' : 'path';
  if (mode === 'path') {
    cursor.expectWord('PATH');
  }
  let root: string | null = null;
  let includeNulls = false;
  let withoutArrayWrapper = false;
  while (cursor.takeSymbol(',')) {
    if (cursor.takeWord('ROOT')) {
      root = 'root';
      if (cursor.takeSymbol('(')) {
        root = cursor.string();
        cursor.expectSymbol(')');
      }
    } else if (cursor.takeWord('INCLUDE_NULL_VALUES')) {
      includeNulls = true;
    } else {
      cursor.expectWord('WITHOUT_ARRAY_WRAPPER');
      withoutArrayWrapper = true;
    }
  }
  return { mode, root, includeNulls, withoutArrayWrapper };
}

/** UNION and EXCEPT, left to right; INTERSECT binds stronger. */
function parseUnion(cursor: Cursor): QueryBody {
  let left = parseIntersect(cursor);
  while (cursor.isAnyWord('UNION', 'EXCEPT')) {
    const at = cursor.here();
    const operator = cursor.word() === 'EXCEPT' ? 'except' : cursor.takeWord('ALL') ? 'unionAll' : 'union';
    left = { ...at, kind: 'setOperation', operator, left, right: parseIntersect(cursor) };
  }
  return left;
}

function parseIntersect(cursor: Cursor): QueryBody {
  let left = parseOperand(cursor);
  while (cursor.isWord('INTERSECT')) {
    const at = cursor.here();
    cursor.next();
    left = { ...at, kind: 'setOperation', operator: 'intersect', left, right: parseOperand(cursor) };
  }
  return left;
}

function parseOperand(cursor: Cursor): QueryBody {
  if (cursor.takeSymbol('(')) {
    const body = parseUnion(cursor);
    cursor.expectSymbol(')');
    return body;
  }
  return parseSpecification(cursor);
}

function parseSpecification(cursor: Cursor): QuerySpecification {
  const at = cursor.here();
  cursor.expectWord('SELECT');
  const distinct = cursor.takeWord('DISTINCT');
  if (!distinct) {
    cursor.takeWord('ALL');
  }
  const top = parseTop(cursor);
  const items = cursor.list(() => parseSelectItem(cursor));
  if (items.length > 4096) {
    throw new SqlError(1056, 'The number of elements in the select list exceeds the maximum allowed number of 4096 elements.', {
      class: 15,
      line: at.line,
    });
  }
  const into = cursor.takeWord('INTO') ? cursor.objectName() : null;
  const from = cursor.takeWord('FROM') ? parseSources(cursor) : null;
  const where = cursor.takeWord('WHERE') ? parseCondition(cursor) : null;
  const grouping = cursor.isWord('GROUP') ? parseGroupBy(cursor) : { items: [], sets: null };
  const having = cursor.takeWord('HAVING') ? parseCondition(cursor) : null;
  return {
    ...at,
    kind: 'specification',
    distinct,
    top,
    items,
    into,
    from,
    where,
    groupBy: grouping.items,
    groupingSets: grouping.sets,
    having,
  };
}

interface GroupBy {
  readonly items: Expression[];
  readonly sets: (readonly number[])[] | null;
}

/**
 * GROUP BY with ROLLUP, CUBE and GROUPING SETS, written out as sets of the items: GROUP BY a, ROLLUP (b) is ((a, b), (a)). Source:
 * learn.microsoft.com "SELECT - GROUP BY (Transact-SQL)".
 */
function parseGroupBy(cursor: Cursor): GroupBy {
  cursor.expectWord('GROUP', 'BY');
  const items: Expression[] = [];
  let extended = false;
  const single = (): number => {
    items.push(parseExpression(cursor));
    return items.length - 1;
  };
  /** An item of ROLLUP, CUBE or GROUPING SETS: an expression, or several in brackets. */
  const composite = (): number[] => (cursor.isSymbol('(') && isList(cursor) ? cursor.bracketed(single) : [single()]);
  const element = (inSets: boolean): number[][] => {
    extended ||= cursor.isAnyWord('ROLLUP', 'CUBE', 'GROUPING');
    if (cursor.isWord('ROLLUP') && cursor.isSymbol('(', 1)) {
      cursor.next();
      return rollup(cursor.bracketed(composite));
    }
    if (cursor.isWord('CUBE') && cursor.isSymbol('(', 1)) {
      cursor.next();
      return cube(cursor.bracketed(composite), cursor.token.line);
    }
    if (!inSets && cursor.takeWord('GROUPING')) {
      cursor.expectWord('SETS');
      return cursor.bracketed(() => element(true)).flat();
    }
    if (cursor.isSymbol('(') && cursor.isSymbol(')', 1)) {
      cursor.next();
      cursor.next();
      extended = true;
      return [[]];
    }
    return inSets ? [composite()] : [[single()]];
  };
  let sets: number[][] = [[]];
  do {
    const more = element(false);
    requireFewSets(sets.length * more.length, cursor.token.line);
    sets = sets.flatMap((set) => more.map((each) => [...set, ...each]));
  } while (cursor.takeSymbol(','));
  if (cursor.takeWord('WITH')) {
    const all = items.map((_, index) => [index]);
    const rolled = cursor.takeWord('ROLLUP');
    if (extended || (!rolled && !cursor.takeWord('CUBE'))) {
      cursor.fail();
    }
    return { items, sets: rolled ? rollup(all) : cube(all, cursor.token.line) };
  }
  return { items, sets: extended ? sets : null };
}

/** Whether the bracket that opens here holds a list of columns, not the beginning of an expression. */
function isList(cursor: Cursor): boolean {
  let depth = 0;
  let ahead = 0;
  do {
    depth += cursor.isSymbol('(', ahead) ? 1 : cursor.isSymbol(')', ahead) ? -1 : 0;
    ahead += 1;
  } while (depth > 0 && cursor.peek(ahead).type !== 'end');
  return cursor.isSymbol(',', ahead) || cursor.isSymbol(')', ahead);
}

function rollup(items: readonly (readonly number[])[]): number[][] {
  return [...items, []].map((_, index) => items.slice(0, items.length - index).flat());
}

/** @throws SqlError 10703 */
function requireFewSets(count: number, line: number): void {
  if (count > 4096) {
    throw new SqlError(10_703, 'Too many grouping sets. The maximum number is 4096.', { class: 15, line });
  }
}

/** @throws SqlError 10703 */
function cube(items: readonly (readonly number[])[], line: number): number[][] {
  requireFewSets(2 ** items.length, line);
  return subsets(items);
}

function subsets(items: readonly (readonly number[])[]): number[][] {
  const [first, ...rest] = items;
  return first === undefined ? [[]] : [...subsets(rest).map((set) => [...first, ...set]), ...subsets(rest)];
}

/** TOP (n) | TOP n [PERCENT] [WITH TIES]; null without TOP. */
export function parseTop(cursor: Cursor): Top | null {
  if (!cursor.takeWord('TOP')) {
    return null;
  }
  let expression: Expression;
  if (cursor.takeSymbol('(')) {
    expression = parseExpression(cursor);
    cursor.expectSymbol(')');
  } else {
    expression = ['integer', 'decimal', 'float'].includes(cursor.token.type) ? cursor.literal() : cursor.fail();
  }
  const percent = cursor.takeWord('PERCENT');
  const withTies = cursor.takeWord('WITH', 'TIES');
  return { expression, percent, withTies };
}

/** An item of a select list or of OUTPUT. */
export function parseSelectItem(cursor: Cursor): SelectItem {
  const at = cursor.here();
  if (cursor.takeSymbol('*')) {
    return { ...at, kind: 'star', qualifier: [] };
  }
  if (cursor.token.type === 'variable' && cursor.peek(1).type === 'symbol' && isAssignment(cursor.peek(1).value)) {
    const variable = cursor.variable();
    const operator = takeAssignment(cursor) ?? '=';
    return { ...at, kind: 'assign', variable, operator, expression: parseExpression(cursor) };
  }
  const star = qualifiedStar(cursor);
  if (star !== null) {
    return { ...at, kind: 'star', qualifier: star };
  }
  if ((cursor.isName || cursor.token.type === 'string') && cursor.isSymbol('=', 1)) {
    const alias = cursor.isName ? cursor.name() : cursor.string();
    cursor.expectSymbol('=');
    return { ...at, kind: 'expression', expression: parseExpression(cursor), alias };
  }
  const expression = parseExpression(cursor);
  return { ...at, kind: 'expression', expression, alias: parseColumnAlias(cursor) };
}

function qualifiedStar(cursor: Cursor): string[] | null {
  let ahead = 0;
  while (['word', 'quoted'].includes(cursor.peek(ahead).type) && cursor.isSymbol('.', ahead + 1)) {
    ahead += 2;
  }
  if (ahead === 0 || !cursor.isSymbol('*', ahead)) {
    return null;
  }
  const qualifier: string[] = [];
  while (!cursor.takeSymbol('*')) {
    qualifier.push(cursor.name());
    cursor.expectSymbol('.');
  }
  return qualifier;
}

function parseColumnAlias(cursor: Cursor): string | null {
  const written = cursor.takeWord('AS');
  if (cursor.token.type === 'string' || cursor.token.type === 'nationalString') {
    return cursor.string();
  }
  if (cursor.isName) {
    return cursor.name();
  }
  return written ? cursor.fail() : null;
}

/** WITH CHANGE_TRACKING_CONTEXT (…) and CTEs in front of a statement; empty without WITH. */
export function parseWith(cursor: Cursor): WithPrefix {
  const ctes: CommonTable[] = [];
  let changeTrackingContext: Expression | null = null;
  if (!cursor.takeWord('WITH')) {
    return { ctes, changeTrackingContext };
  }
  do {
    if (cursor.isWord('XMLNAMESPACES')) {
      throw new UnsupportedError('WITH XMLNAMESPACES', cursor.token.line);
    }
    if (cursor.takeWord('CHANGE_TRACKING_CONTEXT')) {
      cursor.expectSymbol('(');
      changeTrackingContext = parseExpression(cursor);
      cursor.expectSymbol(')');
    } else {
      ctes.push(parseCommonTable(cursor, cursor.here()));
    }
  } while (cursor.takeSymbol(','));
  return { ctes, changeTrackingContext };
}

function parseCommonTable(cursor: Cursor, at: Node): CommonTable {
  const name = cursor.name();
  const columns = cursor.isSymbol('(') ? cursor.nameList() : [];
  cursor.expectWord('AS');
  cursor.expectSymbol('(');
  const query = parseInnerQuery(cursor);
  cursor.expectSymbol(')');
  return { ...at, name, columns, query };
}

/** OPTION (hint, …), each in upper case with single spaces; empty without OPTION. */
/** Query hints. All but MAXRECURSION concern plans only, so they change nothing here. */
const OPTIONS =
  /^(?:MAXRECURSION \d+|MAXDOP \d+|FAST \d+|RECOMPILE|FORCE ORDER|KEEP PLAN|KEEPFIXED PLAN|ROBUST PLAN|EXPAND VIEWS|QUERYTRACEON \d+|(?:LOOP|HASH|MERGE) JOIN|(?:HASH|ORDER) GROUP|(?:CONCAT|HASH|MERGE) UNION|(?:MIN|MAX)_GRANT_PERCENT = [\d.]+|OPTIMIZE FOR .*|USE HINT .*|LABEL = .*)$/;

export function parseOptions(cursor: Cursor): string[] {
  if (!cursor.takeWord('OPTION')) {
    return [];
  }
  return cursor.bracketed(() => {
    const words: string[] = [];
    let depth = 0;
    while (!cursor.atEnd && (depth > 0 || !(cursor.isSymbol(',') || cursor.isSymbol(')')))) {
      depth += cursor.isSymbol('(') ? 1 : cursor.isSymbol(')') ? -1 : 0;
      words.push(cursor.next().text.toUpperCase());
    }
    const option = words.length === 0 ? cursor.fail() : words.join(' ');
    if (!OPTIONS.test(option)) {
      throw new UnsupportedError(`OPTION (${option})`, cursor.token.line);
    }
    return option;
  });
}
