/**
 * What a compiled expression meets outside itself: the names of its query (Scope, when it is compiled) and the row, the variables and the
 * session (EvalContext, when it runs). The executor provides both; nothing here stores anything.
 *
 * Every table source of a statement, its subqueries' included, gets a row slot of its own. `ctx.rows[slot]` is that source's current row,
 * so a correlated subquery reads its outer query's row in the same way as its own.
 */
import type { DateTimeValue, SqlType, SqlValue } from '../sql-types.ts';
import type { CallExpression, Expression, Node } from './ast-expression.ts';
import type { Query } from './ast.ts';

/** The state that closures read. One object for a running statement; `rows` and `variables` are written by the executor in place. */
export interface EvalContext {
  /** The current row of each slot. Of an outer join's missing side: a row of NULLs. */
  readonly rows: (readonly SqlValue[])[];
  readonly variables: SqlValue[];
  readonly system: SystemFunctions;
}

/** Where a column's value is found: ctx.rows[slot][index]. */
export interface ColumnSlot {
  readonly slot: number;
  readonly index: number;
  readonly type: SqlType;
  readonly nullable: boolean;
}

/** Where a variable's value is found: ctx.variables[index]. */
export interface VariableSlot {
  readonly index: number;
  readonly type: SqlType;
}

/** A subquery, ready to run for the current rows of `ctx`. A row that it hands out is not changed afterwards. */
export interface CompiledSubquery {
  readonly columns: readonly { readonly name: string; readonly type: SqlType; readonly nullable: boolean }[];
  /** Runs it. The caller may stop early. */
  run(ctx: EvalContext): Iterable<readonly SqlValue[]>;
  /** Whether it gives a row, without what its select list would compute. Absent: run() has to tell. */
  readonly exists?: (ctx: EvalContext) => boolean;
}

/** The names that an expression may use. The executor makes one for the sources of each query. */
export interface Scope {
  /** The collation of literals and variables: the current database's. */
  readonly collation: string;
  /** @throws SqlError 207 (no such column), 209 (ambiguous), 4104 (no such prefix). */
  resolveColumn(qualifier: readonly string[], name: string, node: Node): ColumnSlot;
  /** @throws SqlError 137 when it was not declared. */
  resolveVariable(name: string, node: Node): VariableSlot;
  compileSubquery(query: Query): CompiledSubquery;
  /**
   * Asked for every expression before it is compiled: a slot when its value stands ready (an aggregate, a window function, an expression of
   * GROUP BY), null else.
   */
  substitute(expression: Expression): ColumnSlot | null;
  /** Called for an aggregate or window function that substitute() did not know. @throws SqlError 147, 4108, 130, … */
  refuseAggregate(call: CallExpression): never;
}

/** What ERROR_NUMBER() and its kin say inside a CATCH block. */
export interface CaughtError {
  readonly number: number;
  readonly severity: number;
  readonly state: number;
  readonly line: number;
  readonly procedure: string | null;
  readonly message: string;
}

/** Values behind the functions that look at the session, the server or the catalog. null is SQL's NULL. */
export interface SystemFunctions {
  // Time and chance. A statement sees one time: the executor fixes it.
  utcNow(): DateTimeValue;
  /** Minutes east of UTC of the server's clock. */
  offsetMinutes(): number;
  randomBytes(count: number): Buffer;
  /** RAND([seed]): at least 0, below 1. */
  random(seed: number | null): number;

  // Session.
  spid(): number;
  transactionCount(): number;
  transactionState(): -1 | 0 | 1;
  rowCount(): bigint;
  /** @@ERROR: the error number of the previous statement, 0 without. */
  errorNumber(): number;
  /** null outside a CATCH block. */
  caughtError(): CaughtError | null;
  /** UPDATE(column): 1 when the statement that fired the trigger set it. @throws SqlError 140 outside a trigger, 207 */
  isUpdated(column: string): 0 | 1;
  /** COLUMNS_UPDATED(): bits by column id; null outside a trigger. */
  columnsUpdated(): Buffer | null;
  /** How many triggers run inside each other, all or those with this object id. */
  triggerNestLevel(objectId: number | null): number;
  /** @@NESTLEVEL. */
  nestLevel(): number;
  scopeIdentity(): bigint | null;
  lastIdentity(): bigint | null;
  identityCurrent(table: string): bigint | null;
  identityShape(table: string): { readonly seed: bigint; readonly increment: bigint } | null;
  loginName(): string;
  originalLogin(): string;
  userName(id: number | null): string | null;
  /** DATABASE_PRINCIPAL_ID; null: the current user. */
  principalId(name: string | null): number | null;
  /** SUSER_ID; null: the current login. */
  loginId(name: string | null): number | null;
  appName(): string;
  hostName(): string;
  sessionContext(key: string): { readonly type: SqlType; readonly value: SqlValue } | null;
  contextInfo(): Buffer | null;
  lockTimeout(): number;
  /** SET DATEFORMAT: the order of day, month and year in texts such as 1/2/2026. */
  dateFormat(): 'mdy' | 'dmy' | 'ymd' | 'ydm' | 'myd' | 'dym';
  /** SET DATEFIRST: 7 is Sunday. */
  dateFirst(): number;
  /** @@OPTIONS bits. */
  options(): number;
  isMember(role: string): boolean | null;
  isServerRoleMember(role: string): boolean | null;
  /** HAS_PERMS_BY_NAME. `securable` null: the server or the current database, by class. */
  hasPermission(securable: string | null, securableClass: string | null, permission: string, column: string | null): boolean | null;

  // Server.
  serverName(): string;
  /** @@VERSION. */
  version(): string;
  serverProperty(name: string): { readonly type: SqlType; readonly value: SqlValue } | null;

  // Catalog. Names may be quoted and have several parts, as OBJECT_ID takes them.
  databaseId(name: string | null): number | null;
  databaseName(id: number | null): string | null;
  databaseProperty(database: string, property: string): { readonly type: SqlType; readonly value: SqlValue } | null;
  hasDatabaseAccess(database: string): boolean | null;
  objectId(name: string, type: string | null): number | null;
  objectName(id: number, databaseId: number | null): string | null;
  objectSchemaName(id: number, databaseId: number | null): string | null;
  objectProperty(id: number, property: string): number | null;
  /** The text of a view, trigger, check or default. */
  objectDefinition(id: number): string | null;
  schemaId(name: string | null): number | null;
  schemaName(id: number | null): string | null;
  columnName(objectId: number, columnId: number): string | null;
  columnLength(table: string, column: string): number | null;
  columnProperty(objectId: number, column: string, property: string): number | null;
  indexProperty(objectId: number, index: string, property: string): number | null;
  typeId(name: string): number | null;
  typeName(id: number): string | null;

  // Change tracking.
  changeTrackingCurrentVersion(): bigint | null;
  changeTrackingMinValidVersion(objectId: number): bigint | null;
}
