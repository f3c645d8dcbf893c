/**
 * The syntax tree of the sandbox's T-SQL: plain readonly data, discriminated by `kind`. Statements and queries are here, expressions in
 * ast-expression.ts, definitions in ast-definition.ts, control of flow in ast-control.ts. A node says what was written and where, nothing about what it means: names are not resolved, types not checked.
 * Identifiers stand as written, without their quotes; comparing them is the catalog's business. A list is empty, not absent; what may be
 * missing is null.
 */
import type { FlowStatement, SettingStatement, TransactionStatement } from './ast-control.ts';
import type { CheckIdentityStatement, DefinitionStatement, SecurityStatement, TypeStatement } from './ast-definition.ts';
import type {
  CallExpression,
  ColumnExpression,
  Expression,
  Node,
  ObjectName,
  OrderItem,
  TypeName,
  VariableExpression,
} from './ast-expression.ts';

/** What parse() returns: every statement of one batch. A batch with a syntax error has no tree: parse() throws. */
export interface Batch {
  readonly text: string;
  readonly statements: readonly Statement[];
}

// --- Queries -------------------------------------------------------------------------------------------------------------------------

/** WITH name (columns) AS (query). */
export interface CommonTable extends Node {
  readonly name: string;
  readonly columns: readonly string[];
  readonly query: Query;
}

/** A query with what may follow it: ORDER BY, OFFSET, FETCH. A subquery, a derived table, a CTE and a SELECT statement all hold one. */
export interface Query extends Node {
  readonly kind: 'query';
  readonly body: QueryBody;
  readonly orderBy: readonly OrderItem[];
  readonly offset: Expression | null;
  readonly fetch: Expression | null;
  /** FOR JSON PATH | AUTO; null without one. */
  readonly forJson: ForJson | null;
}

export interface ForJson {
  readonly mode: 'path' | 'auto';
  readonly root: string | null;
  readonly includeNulls: boolean;
  readonly withoutArrayWrapper: boolean;
}

/** A bracketed operand of a set operation or a bracketed whole is its inner body: `(SELECT 1)` has no node of its own. */
export type QueryBody = QuerySpecification | SetOperation;

export interface SetOperation extends Node {
  readonly kind: 'setOperation';
  readonly operator: 'union' | 'unionAll' | 'except' | 'intersect';
  readonly left: QueryBody;
  readonly right: QueryBody;
}

export interface QuerySpecification extends Node {
  readonly kind: 'specification';
  readonly distinct: boolean;
  readonly top: Top | null;
  readonly items: readonly SelectItem[];
  /** SELECT … INTO table. */
  readonly into: ObjectName | null;
  readonly from: TableSource | null;
  readonly where: Expression | null;
  readonly groupBy: readonly Expression[];
  /** Of ROLLUP, CUBE and GROUPING SETS: the sets that the rows are grouped by, as positions in `groupBy`; null for a plain GROUP BY. */
  readonly groupingSets: readonly (readonly number[])[] | null;
  readonly having: Expression | null;
}

export interface Top {
  readonly expression: Expression;
  readonly percent: boolean;
  readonly withTies: boolean;
}

export type SelectItem =
  | (Node & { readonly kind: 'expression'; readonly expression: Expression; readonly alias: string | null })
  | (Node & { readonly kind: 'star'; readonly qualifier: readonly string[] })
  /** SELECT @v = …; operator is '=' or a compound one such as '+='. */
  | (Node & { readonly kind: 'assign'; readonly variable: string; readonly operator: AssignmentOperator; readonly expression: Expression });

export type AssignmentOperator = '=' | '+=' | '-=' | '*=' | '/=' | '%=' | '&=' | '|=' | '^=';

/** Several sources separated by commas are cross joins, left to right. */
export type TableSource =
  | NamedTable
  | TableVariable
  | DerivedTable
  | ValuesTable
  | JoinedTable
  | ApplyTable
  | ChangesTable
  | VersionTable
  | OpenJsonTable
  | FunctionTable
  | PivotTable
  | UnpivotTable;

export interface NamedTable extends Node {
  readonly kind: 'table';
  readonly name: ObjectName;
  readonly alias: string | null;
  /** Upper case: NOLOCK, UPDLOCK, HOLDLOCK, READPAST, … INDEX(…) and FORCESEEK stand here too. */
  readonly hints: readonly string[];
}

/** `@t` or an EXEC'd table parameter. */
export interface TableVariable extends Node {
  readonly kind: 'tableVariable';
  readonly name: string;
  readonly alias: string | null;
}

export interface DerivedTable extends Node {
  readonly kind: 'derived';
  readonly query: Query;
  readonly alias: string;
  readonly columns: readonly string[];
}

export interface ValuesTable extends Node {
  readonly kind: 'values';
  readonly rows: readonly (readonly Expression[])[];
  readonly alias: string;
  readonly columns: readonly string[];
}

export interface JoinedTable extends Node {
  readonly kind: 'join';
  readonly type: 'inner' | 'left' | 'right' | 'full' | 'cross';
  readonly left: TableSource;
  readonly right: TableSource;
  /** null for a cross join only. */
  readonly on: Expression | null;
}

export interface ApplyTable extends Node {
  readonly kind: 'apply';
  readonly outer: boolean;
  readonly left: TableSource;
  readonly right: TableSource;
}

/** CHANGETABLE(CHANGES table, version). `version` is an unsigned integer literal, NULL or a variable; anything else was error 102. */
export interface ChangesTable extends Node {
  readonly kind: 'changes';
  readonly table: ObjectName;
  readonly version: Expression;
  readonly forceSeek: boolean;
  /** null: the executor raises 22104. */
  readonly alias: string | null;
  readonly columns: readonly string[];
}

/** CHANGETABLE(VERSION table, (keys), (values)). */
export interface VersionTable extends Node {
  readonly kind: 'version';
  readonly table: ObjectName;
  readonly keys: readonly string[];
  readonly values: readonly Expression[];
  readonly forceSeek: boolean;
  readonly alias: string | null;
  readonly columns: readonly string[];
}

export interface OpenJsonTable extends Node {
  readonly kind: 'openJson';
  readonly json: Expression;
  readonly path: Expression | null;
  /** null without WITH: the columns are then key, value, type. */
  readonly schema: readonly OpenJsonColumn[] | null;
  readonly alias: string | null;
  readonly columns: readonly string[];
}

export interface OpenJsonColumn {
  readonly name: string;
  readonly type: TypeName;
  /** null: '$.name'. */
  readonly path: string | null;
  readonly asJson: boolean;
}

/** A table-valued function: STRING_SPLIT(…), GENERATE_SERIES(…), sys.dm_…(…). */
export interface FunctionTable extends Node {
  readonly kind: 'function';
  readonly name: ObjectName;
  readonly args: readonly Expression[];
  readonly alias: string | null;
  readonly columns: readonly string[];
}

/** source PIVOT (aggregate(column) FOR column IN (values)) AS alias. */
export interface PivotTable extends Node {
  readonly kind: 'pivot';
  readonly source: TableSource;
  readonly aggregate: CallExpression;
  readonly column: ColumnExpression;
  /** The values that become columns, by their texts. */
  readonly values: readonly string[];
  readonly alias: string;
}

/** source UNPIVOT (value FOR name IN (columns)) AS alias. */
export interface UnpivotTable extends Node {
  readonly kind: 'unpivot';
  readonly source: TableSource;
  readonly value: string;
  readonly name: string;
  readonly columns: readonly ColumnExpression[];
  readonly alias: string;
}

// --- Statements ----------------------------------------------------------------------------------------------------------------------

export type Statement =
  | SelectStatement
  | InsertStatement
  | InsertBulkStatement
  | UpdateStatement
  | DeleteStatement
  | MergeStatement
  | TruncateStatement
  | DefinitionStatement
  | TypeStatement
  | SecurityStatement
  | FlowStatement
  | TransactionStatement
  | SettingStatement
  | ExecuteStatement
  | ExecuteTextStatement
  | CheckIdentityStatement;

/** What WITH in front of a statement may hold. */
export interface WithPrefix {
  readonly ctes: readonly CommonTable[];
  /** WITH CHANGE_TRACKING_CONTEXT(expression); null without one. */
  readonly changeTrackingContext: Expression | null;
}

export interface SelectStatement extends Node, WithPrefix {
  readonly kind: 'select';
  readonly query: Query;
  /** OPTION(…), each hint in upper case as written. */
  readonly options: readonly string[];
}

/** What INSERT, UPDATE, DELETE and MERGE write to: a name (for UPDATE and DELETE it may be an alias of the FROM) or a table variable. */
export type DmlTarget = NamedTable | TableVariable;

/** OUTPUT items [INTO target (columns) [OUTPUT items]]. Columns are qualified by `inserted` or `deleted`; MERGE also has the column `$action`. */
export interface OutputClause extends Node {
  readonly items: readonly SelectItem[];
  readonly into: DmlTarget | null;
  readonly intoColumns: readonly string[];
  /** After one INTO a table, what goes to the client. */
  readonly following: OutputClause | null;
}

export interface InsertStatement extends Node, WithPrefix {
  readonly kind: 'insert';
  readonly top: Top | null;
  readonly target: DmlTarget;
  /** Empty: every column but identity, computed and rowversion ones, in order. */
  readonly columns: readonly string[];
  readonly output: OutputClause | null;
  readonly source: InsertSource;
  readonly options: readonly string[];
}

/** One column of INSERT BULK … WITH (ORDER (…)). */
export interface BulkOrder {
  readonly column: string;
  readonly descending: boolean;
}

/** INSERT BULK table (column type, …) WITH (…): the rows follow in a message of their own. */
export interface InsertBulkStatement extends Node {
  readonly kind: 'insertBulk';
  readonly table: ObjectName;
  readonly columns: readonly (Node & { readonly name: string; readonly type: TypeName })[];
  readonly checkConstraints: boolean;
  readonly fireTriggers: boolean;
  readonly keepNulls: boolean;
  readonly lockTable: boolean;
  readonly order: readonly BulkOrder[];
}

export type InsertSource =
  /** A value may be `{ kind: 'default' }`. */
  | { readonly kind: 'values'; readonly rows: readonly (readonly Expression[])[] }
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'execute'; readonly statement: ExecuteStatement | ExecuteTextStatement }
  | { readonly kind: 'defaultValues' };

/** One item of SET in UPDATE and MERGE. */
export interface Assignment extends Node {
  /** SET @v = column = expression; null without a variable. */
  readonly variable: string | null;
  /** null only for SET @v = expression. The last part is the column, an earlier one the table. */
  readonly column: readonly string[] | null;
  readonly operator: AssignmentOperator;
  /** May be `{ kind: 'default' }`. */
  readonly expression: Expression;
  /** column.WRITE(expression, offset, length); null for an ordinary assignment. */
  readonly write: { readonly offset: Expression; readonly length: Expression } | null;
}

export interface UpdateStatement extends Node, WithPrefix {
  readonly kind: 'update';
  readonly top: Top | null;
  readonly target: DmlTarget;
  readonly assignments: readonly Assignment[];
  readonly output: OutputClause | null;
  readonly from: TableSource | null;
  readonly where: Expression | null;
  readonly options: readonly string[];
}

export interface DeleteStatement extends Node, WithPrefix {
  readonly kind: 'delete';
  readonly top: Top | null;
  readonly target: DmlTarget;
  readonly output: OutputClause | null;
  readonly from: TableSource | null;
  readonly where: Expression | null;
  readonly options: readonly string[];
}

export interface MergeStatement extends Node, WithPrefix {
  readonly kind: 'merge';
  readonly top: Top | null;
  readonly target: DmlTarget;
  readonly using: TableSource;
  readonly on: Expression;
  readonly clauses: readonly MergeClause[];
  readonly output: OutputClause | null;
  readonly options: readonly string[];
}

export interface MergeClause extends Node {
  readonly when: 'matched' | 'notMatchedByTarget' | 'notMatchedBySource';
  readonly and: Expression | null;
  readonly action:
    | { readonly kind: 'update'; readonly assignments: readonly Assignment[] }
    | { readonly kind: 'delete' }
    /** `values` null: DEFAULT VALUES. */
    | { readonly kind: 'insert'; readonly columns: readonly string[]; readonly values: readonly Expression[] | null };
}

export interface TruncateStatement extends Node {
  readonly kind: 'truncate';
  readonly table: ObjectName;
}

export type ExecuteArgument = Node & {
  /** '@name' of a named argument; null for a positional one. */
  readonly name: string | null;
  /** A literal, a variable, a bare word (as a string literal) or `{ kind: 'default' }`. */
  readonly value: Expression;
  readonly output: boolean;
};

/** EXEC [@status =] procedure arguments; also a batch that begins with a bare name. */
export interface ExecuteStatement extends Node {
  readonly kind: 'execute';
  readonly status: VariableExpression | null;
  readonly procedure: ObjectName;
  readonly args: readonly ExecuteArgument[];
}

/** EXEC('text' + @more): a batch of its own, in this session. */
export interface ExecuteTextStatement extends Node {
  readonly kind: 'executeText';
  readonly text: Expression;
}
