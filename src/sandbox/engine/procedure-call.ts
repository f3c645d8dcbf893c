/** What a stored procedure is given, and how it finds its parameters in that. */
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { BatchRunner } from './batch-runner.ts';
import type { Table } from './catalog.ts';

export interface ProcedureArgument {
  /** With its @; null by position. */
  readonly name: string | null;
  readonly type: SqlType;
  readonly value: SqlValue;
  /** A table variable: `type` and `value` then say nothing. */
  readonly table?: Table;
  /** Takes an output value; null when the caller wants none. */
  readonly output: ((value: SqlValue, type: SqlType) => void) | null;
}

export interface ProcedureCall {
  readonly runner: BatchRunner;
  readonly args: readonly ProcedureArgument[];
  /** The argument of a parameter, by name or position. */
  get(name: string, position: number): ProcedureArgument | undefined;
}

export type Procedure = (call: ProcedureCall) => Promise<void> | void;

export function textArgument(arg: ProcedureArgument | undefined): string | null {
  return typeof arg?.value === 'string' ? arg.value : null;
}

export function numberArgument(arg: ProcedureArgument | undefined): number | null {
  return arg === undefined || arg.value === null || typeof arg.value === 'object' ? null : Number(arg.value);
}
