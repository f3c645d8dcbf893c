/**
 * The expressions of the syntax tree, and the small nodes that everything shares. Predicates are expressions like any other here; which
 * of them may stand where is checked when they are compiled.
 */
import type { Query } from './ast.ts';

/** Where a node begins: 1-based line of the batch, and the position (offset) in its text. */
export interface Node {
  readonly line: number;
  readonly position: number;
}

/** [server.][database.][schema.]name; a missing part is null. Temp tables keep their '#'. */
export interface ObjectName extends Node {
  readonly server: string | null;
  readonly database: string | null;
  readonly schema: string | null;
  readonly name: string;
}

/** A type as declared: lower-case name and the numbers in brackets. resolveType() makes a SqlType of it. */
export interface TypeName extends Node {
  readonly schema: string | null;
  readonly name: string;
  readonly args: readonly (number | 'max')[];
}

export interface OrderItem extends Node {
  readonly expression: Expression;
  readonly descending: boolean;
}

export type Expression =
  | LiteralExpression
  | DefaultExpression
  | ColumnExpression
  | VariableExpression
  | GlobalExpression
  | UnaryExpression
  | BinaryExpression
  | ComparisonExpression
  | QuantifiedExpression
  | LogicalExpression
  | NotExpression
  | IsNullExpression
  | DistinctFromExpression
  | InListExpression
  | InQueryExpression
  | BetweenExpression
  | LikeExpression
  | ExistsExpression
  | SubqueryExpression
  | CaseExpression
  | CallExpression
  | CastExpression
  | CollateExpression
  | AtTimeZoneExpression;

/**
 * A constant. `text` is what it says: digits of a number (without sign), the characters of a string without quotes, the hex digits of a
 * binary without 0x, '' for NULL.
 */
export interface LiteralExpression extends Node {
  readonly kind: 'literal';
  readonly literal: 'integer' | 'decimal' | 'float' | 'money' | 'string' | 'nationalString' | 'binary' | 'null';
  readonly text: string;
}

/** The word DEFAULT where a value stands: INSERT … VALUES, SET column = DEFAULT, an argument of EXEC. */
export interface DefaultExpression extends Node {
  readonly kind: 'default';
}

/** A column, `$action`, `$identity`. `qualifier` is [[database.]schema.]table or alias. */
export interface ColumnExpression extends Node {
  readonly kind: 'column';
  readonly qualifier: readonly string[];
  readonly name: string;
}

/** '@name', as written. Names are compared without case. */
export interface VariableExpression extends Node {
  readonly kind: 'variable';
  readonly name: string;
}

/** '@@name' in lower case. */
export interface GlobalExpression extends Node {
  readonly kind: 'global';
  readonly name: string;
}

export interface UnaryExpression extends Node {
  readonly kind: 'unary';
  readonly operator: '-' | '+' | '~';
  readonly operand: Expression;
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^';

export interface BinaryExpression extends Node {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}

/** `!=` is '<>', `!<` is '>=', `!>` is '<='. */
export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export interface ComparisonExpression extends Node {
  readonly kind: 'comparison';
  readonly operator: ComparisonOperator;
  readonly left: Expression;
  readonly right: Expression;
}

/** left = ANY (query), left > ALL (query); SOME is ANY. */
export interface QuantifiedExpression extends Node {
  readonly kind: 'quantified';
  readonly operator: ComparisonOperator;
  readonly quantifier: 'any' | 'all';
  readonly left: Expression;
  readonly query: Query;
}

export interface LogicalExpression extends Node {
  readonly kind: 'logical';
  readonly operator: 'and' | 'or';
  readonly left: Expression;
  readonly right: Expression;
}

export interface NotExpression extends Node {
  readonly kind: 'not';
  readonly operand: Expression;
}

export interface IsNullExpression extends Node {
  readonly kind: 'isNull';
  readonly not: boolean;
  readonly operand: Expression;
}

/** left IS [NOT] DISTINCT FROM right: NULL is a value like any other. */
export interface DistinctFromExpression extends Node {
  readonly kind: 'distinctFrom';
  readonly not: boolean;
  readonly left: Expression;
  readonly right: Expression;
}

export interface InListExpression extends Node {
  readonly kind: 'inList';
  readonly not: boolean;
  readonly operand: Expression;
  readonly items: readonly Expression[];
}

export interface InQueryExpression extends Node {
  readonly kind: 'inQuery';
  readonly not: boolean;
  readonly operand: Expression;
  readonly query: Query;
}

export interface BetweenExpression extends Node {
  readonly kind: 'between';
  readonly not: boolean;
  readonly operand: Expression;
  readonly low: Expression;
  readonly high: Expression;
}

export interface LikeExpression extends Node {
  readonly kind: 'like';
  readonly not: boolean;
  readonly operand: Expression;
  readonly pattern: Expression;
  readonly escape: Expression | null;
}

export interface ExistsExpression extends Node {
  readonly kind: 'exists';
  readonly query: Query;
}

/** A query in brackets that stands for one value. */
export interface SubqueryExpression extends Node {
  readonly kind: 'subquery';
  readonly query: Query;
}

/** Simple CASE has an input; searched CASE has none and its `when` are predicates. */
export interface CaseExpression extends Node {
  readonly kind: 'case';
  readonly input: Expression | null;
  readonly branches: readonly { readonly when: Expression; readonly then: Expression }[];
  readonly otherwise: Expression | null;
}

/** A function call, also COALESCE, NULLIF, IIF, aggregates and window functions. DATEADD's and DATEPART's first argument is a column node. */
export interface CallExpression extends Node {
  readonly kind: 'call';
  readonly name: ObjectName;
  readonly args: readonly Expression[];
  /** COUNT(*). */
  readonly star: boolean;
  readonly distinct: boolean;
  /** What else was written: IGNORE NULLS, RESPECT NULLS; LEADING, TRAILING, BOTH of TRIM; NULL ON NULL, ABSENT ON NULL of JSON_OBJECT, JSON_ARRAY. */
  readonly modifier: string | null;
  readonly over: WindowSpecification | null;
  /** WITHIN GROUP (ORDER BY …) of STRING_AGG. */
  readonly withinGroup: readonly OrderItem[];
}

export interface WindowSpecification extends Node {
  readonly partitionBy: readonly Expression[];
  readonly orderBy: readonly OrderItem[];
  /** null: without ORDER BY the whole partition, with it RANGE up to the current row. */
  readonly frame: WindowFrame | null;
}

/** ROWS or RANGE. `from` and `to` are relative to the current row: -1 is the one before, Infinity the last one; of RANGE they are 0 or infinite. */
export interface WindowFrame {
  readonly unit: 'rows' | 'range';
  readonly from: number;
  readonly to: number;
}

export interface FrameBound {
  readonly kind: 'unbounded preceding' | 'preceding' | 'current' | 'following' | 'unbounded following';
  /** Rows away, of PRECEDING and FOLLOWING. */
  readonly count: number;
}

/** CAST, CONVERT, TRY_CAST, TRY_CONVERT. */
export interface CastExpression extends Node {
  readonly kind: 'cast';
  readonly operand: Expression;
  readonly type: TypeName;
  /** CONVERT's third argument; null without one. */
  readonly style: Expression | null;
  readonly attempt: boolean;
}

export interface CollateExpression extends Node {
  readonly kind: 'collate';
  readonly operand: Expression;
  readonly collation: string;
}

export interface AtTimeZoneExpression extends Node {
  readonly kind: 'atTimeZone';
  readonly operand: Expression;
  readonly zone: Expression;
}
