/**
 * The grammar of calls: arguments, DISTINCT, WITHIN GROUP, OVER with frames, and the few functions whose arguments are no plain list. Values
 * inside are parsed by the grammar's own rule for expressions. Source: learn.microsoft.com "SELECT - OVER clause (Transact-SQL)".
 */
import { SqlError } from '../session.ts';
import type {
  CallExpression,
  Expression,
  FrameBound,
  Node,
  ObjectName,
  OrderItem,
  WindowFrame,
  WindowSpecification,
} from './ast-expression.ts';
import type { Cursor } from './cursor.ts';

export function plainCall(at: Node, name: ObjectName): CallExpression {
  return { ...at, kind: 'call', name, args: [], star: false, distinct: false, modifier: null, over: null, withinGroup: [] };
}

/** A call from its opening bracket on. */
export function parseCall(cursor: Cursor, at: Node, name: ObjectName): Expression {
  const plain = plainCall(at, name);
  const upper = name.schema === null ? name.name.toUpperCase() : '';
  cursor.expectSymbol('(');
  if (upper === 'TRIM') {
    return parseTrim(cursor, plain);
  }
  if (upper === 'JSON_OBJECT' || upper === 'JSON_ARRAY') {
    return parseJson(cursor, plain, upper === 'JSON_OBJECT');
  }
  const star = cursor.takeSymbol('*');
  const quantifier = cursor.token;
  const distinct = !star && cursor.takeWord('DISTINCT');
  const all = !star && !distinct && cursor.takeWord('ALL');
  const args = star || (!distinct && !all && cursor.isSymbol(')')) ? [] : cursor.list(() => cursor.grammar.expression(cursor));
  if ((distinct || all) && args.length !== 1) {
    cursor.fail(quantifier);
  }
  cursor.expectSymbol(')');
  const modifier = cursor.takeWord('IGNORE', 'NULLS') ? 'IGNORE NULLS' : cursor.takeWord('RESPECT', 'NULLS') ? 'RESPECT NULLS' : null;
  let withinGroup: OrderItem[] = [];
  if (cursor.takeWord('WITHIN', 'GROUP')) {
    cursor.expectSymbol('(');
    withinGroup = parseOrderBy(cursor);
    cursor.expectSymbol(')');
  }
  const over = cursor.takeWord('OVER') ? parseWindow(cursor) : null;
  if (modifier !== null && over === null) {
    cursor.fail();
  }
  return { ...plain, args, star, distinct, modifier, withinGroup, over };
}

/** TRIM([LEADING | TRAILING | BOTH] [characters FROM] text): the characters become the second argument. */
function parseTrim(cursor: Cursor, plain: CallExpression): Expression {
  const side = cursor.isAnyWord('LEADING', 'TRAILING', 'BOTH') && !cursor.isSymbol(')', 1) ? cursor.word() : null;
  const first = cursor.grammar.expression(cursor);
  if (!cursor.takeWord('FROM')) {
    if (side !== null) {
      cursor.fail();
    }
    cursor.expectSymbol(')');
    return { ...plain, args: [first] };
  }
  const text = cursor.grammar.expression(cursor);
  cursor.expectSymbol(')');
  return { ...plain, args: [text, first], modifier: side ?? 'BOTH' };
}

/** JSON_OBJECT(key: value, …) and JSON_ARRAY(value, …), each with [NULL | ABSENT] ON NULL; keys and values follow each other. */
function parseJson(cursor: Cursor, plain: CallExpression, keyed: boolean): Expression {
  const args: Expression[] = [];
  const ends = (): boolean => cursor.isWord('NULL', 'ON') || cursor.isWord('ABSENT', 'ON') || cursor.isSymbol(')');
  if (!ends()) {
    do {
      args.push(cursor.grammar.expression(cursor));
      if (keyed) {
        cursor.expectSymbol(':');
        args.push(cursor.grammar.expression(cursor));
      }
    } while (cursor.takeSymbol(','));
  }
  let modifier = keyed ? 'NULL ON NULL' : 'ABSENT ON NULL';
  if (cursor.isAnyWord('NULL', 'ABSENT')) {
    modifier = `${cursor.word()} ON NULL`;
    cursor.expectWord('ON', 'NULL');
  }
  cursor.expectSymbol(')');
  return { ...plain, args, modifier };
}

function parseWindow(cursor: Cursor): WindowSpecification {
  const at = cursor.here();
  cursor.expectSymbol('(');
  let partitionBy: Expression[] = [];
  if (cursor.takeWord('PARTITION')) {
    cursor.expectWord('BY');
    partitionBy = cursor.list(() => cursor.grammar.expression(cursor));
  }
  const orderBy = cursor.isWord('ORDER') ? parseOrderBy(cursor) : [];
  const frame = cursor.isAnyWord('ROWS', 'RANGE') ? parseFrame(cursor) : null;
  cursor.expectSymbol(')');
  if (frame !== null && orderBy.length === 0) {
    throw new SqlError(10756, 'Window frame with ROWS or RANGE must have an ORDER BY clause.', { class: 15, line: at.line });
  }
  return { ...at, partitionBy, orderBy, frame };
}

function parseFrame(cursor: Cursor): WindowFrame {
  const { line } = cursor.token;
  const unit = cursor.word() === 'ROWS' ? 'rows' : 'range';
  const between = cursor.takeWord('BETWEEN');
  const start = parseBound(cursor);
  let end: FrameBound = { kind: 'current', count: 0 };
  if (between) {
    cursor.expectWord('AND');
    end = parseBound(cursor);
  } else if (start.kind === 'following' || start.kind === 'unbounded following') {
    cursor.fail();
  }
  if (unit === 'range' && [start, end].some((bound) => bound.kind === 'preceding' || bound.kind === 'following')) {
    throw new SqlError(4194, 'RANGE is only supported with UNBOUNDED and CURRENT ROW window frame delimiters.', { line });
  }
  const place = (bound: FrameBound): number =>
    ({
      'unbounded preceding': -Infinity,
      preceding: -bound.count,
      current: 0,
      following: bound.count,
      'unbounded following': Infinity,
    })[bound.kind];
  const order = ['unbounded preceding', 'preceding', 'current', 'following', 'unbounded following'];
  if (start.kind === 'unbounded following' || end.kind === 'unbounded preceding' || order.indexOf(start.kind) > order.indexOf(end.kind)) {
    throw new SqlError(
      4193,
      `'BETWEEN ${shown(start)} AND ${shown(end)}' is not a valid window frame and cannot be used with the OVER clause.`,
      {
        line,
      },
    );
  }
  return { unit, from: place(start), to: place(end) };
}

function shown(bound: FrameBound): string {
  switch (bound.kind) {
    case 'unbounded preceding':
      return 'UNBOUNDED PRECEDING';
    case 'unbounded following':
      return 'UNBOUNDED FOLLOWING';
    case 'current':
      return 'CURRENT ROW';
    case 'preceding':
      return `${bound.count} PRECEDING`;
    case 'following':
      return `${bound.count} FOLLOWING`;
  }
}

function parseBound(cursor: Cursor): FrameBound {
  if (cursor.takeWord('CURRENT')) {
    cursor.expectWord('ROW');
    return { kind: 'current', count: 0 };
  }
  if (cursor.takeWord('UNBOUNDED')) {
    if (cursor.takeWord('PRECEDING')) {
      return { kind: 'unbounded preceding', count: 0 };
    }
    cursor.expectWord('FOLLOWING');
    return { kind: 'unbounded following', count: 0 };
  }
  const count = cursor.integer();
  if (cursor.takeWord('PRECEDING')) {
    return { kind: 'preceding', count };
  }
  cursor.expectWord('FOLLOWING');
  return { kind: 'following', count };
}

/** ORDER BY with its items. */
export function parseOrderBy(cursor: Cursor): OrderItem[] {
  cursor.expectWord('ORDER', 'BY');
  return cursor.list(() => {
    const at = cursor.here();
    const expression = cursor.grammar.expression(cursor);
    const descending = cursor.takeWord('DESC');
    if (!descending) {
      cursor.takeWord('ASC');
    }
    return { ...at, expression, descending };
  });
}
