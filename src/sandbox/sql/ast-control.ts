/** The statements of the syntax tree that steer: control of flow, variables, transactions, SET options, messages. */
import type { AssignmentOperator, Statement } from './ast.ts';
import type { ColumnDefinition, TableConstraint } from './ast-definition.ts';
import type { Expression, Node, ObjectName, TypeName } from './ast-expression.ts';

export type FlowStatement =
  | BlockStatement
  | IfStatement
  | WhileStatement
  | BreakStatement
  | JumpStatement
  | TryStatement
  | ReturnStatement
  | ThrowStatement
  | RaiseErrorStatement
  | PrintStatement
  | WaitForStatement
  | DeclareStatement
  | DeclareTableStatement
  | SetVariableStatement;

/** BEGIN … END. */
export interface BlockStatement extends Node {
  readonly kind: 'block';
  readonly statements: readonly Statement[];
}

export interface IfStatement extends Node {
  readonly kind: 'if';
  readonly condition: Expression;
  readonly then: Statement;
  readonly otherwise: Statement | null;
}

export interface WhileStatement extends Node {
  readonly kind: 'while';
  readonly condition: Expression;
  readonly body: Statement;
}

export interface BreakStatement extends Node {
  readonly kind: 'break' | 'continue';
}

/** `name:`, and GOTO name. */
export interface JumpStatement extends Node {
  readonly kind: 'label' | 'goto';
  readonly label: string;
}

export interface TryStatement extends Node {
  readonly kind: 'try';
  readonly body: readonly Statement[];
  readonly handler: readonly Statement[];
}

export interface ReturnStatement extends Node {
  readonly kind: 'return';
  readonly value: Expression | null;
}

/** THROW number, message, state; all null for a bare THROW. */
export interface ThrowStatement extends Node {
  readonly kind: 'throw';
  readonly number: Expression | null;
  readonly message: Expression | null;
  readonly state: Expression | null;
}

export interface RaiseErrorStatement extends Node {
  readonly kind: 'raiseError';
  /** A text, or a message number. */
  readonly message: Expression;
  readonly severity: Expression;
  readonly state: Expression;
  readonly args: readonly Expression[];
  /** Upper case: NOWAIT, LOG, SETERROR. */
  readonly options: readonly string[];
}

export interface PrintStatement extends Node {
  readonly kind: 'print';
  readonly message: Expression;
}

/** WAITFOR DELAY | TIME 'hh:mm:ss.mmm'. */
export interface WaitForStatement extends Node {
  readonly kind: 'waitFor';
  readonly mode: 'delay' | 'time';
  readonly value: Expression;
}

export interface DeclareStatement extends Node {
  readonly kind: 'declare';
  readonly variables: readonly (Node & { readonly name: string; readonly type: TypeName; readonly initial: Expression | null })[];
}

/** DECLARE @t TABLE (…), or of a type that is not SQL Server's own, which can only be a table type here. */
export interface DeclareTableStatement extends Node {
  readonly kind: 'declareTable';
  readonly name: string;
  readonly type: ObjectName | null;
  /** Its place among the variables of its DECLARE. */
  readonly ordinal: number;
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly TableConstraint[];
}

/** SET @v = expression. */
export interface SetVariableStatement extends Node {
  readonly kind: 'setVariable';
  readonly variable: string;
  readonly operator: AssignmentOperator;
  readonly expression: Expression;
}

export type TransactionStatement = BeginTransactionStatement | CommitStatement | RollbackStatement | SaveStatement;

/** A name is as written; a variable stands as an expression. */
export type TransactionName = string | Expression | null;

export interface BeginTransactionStatement extends Node {
  readonly kind: 'beginTransaction';
  readonly name: TransactionName;
}

export interface CommitStatement extends Node {
  readonly kind: 'commit';
  readonly name: TransactionName;
}

/** Whether the name is the outermost transaction's or a savepoint's is known only at run time. */
export interface RollbackStatement extends Node {
  readonly kind: 'rollback';
  readonly name: TransactionName;
}

export interface SaveStatement extends Node {
  readonly kind: 'save';
  readonly name: TransactionName;
}

export type SettingStatement = SetOptionStatement | SetIsolationStatement | UseStatement | CheckpointStatement | KillStatement;

/**
 * SET name value. `names` are upper case (SET ANSI_NULLS, QUOTED_IDENTIFIER ON has two; IDENTITY_INSERT has its table in `table`). `value`
 * is 'ON' or 'OFF', a word in upper case as a string literal, a literal or a variable.
 */
export interface SetOptionStatement extends Node {
  readonly kind: 'setOption';
  readonly names: readonly string[];
  readonly value: 'ON' | 'OFF' | Expression;
  readonly table: ObjectName | null;
}

export interface SetIsolationStatement extends Node {
  readonly kind: 'setIsolation';
  readonly level: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | 'snapshot';
}

export interface UseStatement extends Node {
  readonly kind: 'use';
  readonly database: string;
}

export interface CheckpointStatement extends Node {
  readonly kind: 'checkpoint';
}

export interface KillStatement extends Node {
  readonly kind: 'kill';
  readonly session: number;
}
