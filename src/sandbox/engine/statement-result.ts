/** What a statement leaves for the client. */
import type { SqlValue } from '../sql-types.ts';
import type { PlanColumn } from './plan.ts';

export interface StatementResult {
  /** Rows affected or returned; null: none is reported (DDL). */
  readonly count: number | null;
  /** Empty: no result set. */
  readonly columns: readonly PlanColumn[];
  readonly rows: readonly (readonly SqlValue[])[];
  /** A SELECT: DONE says so. */
  readonly select: boolean;
  /** The count is for @@ROWCOUNT alone: a SELECT that assigns variables tells a client of no rows. */
  readonly silent?: boolean;
  /** An aggregate left NULLs out: warning 8153. */
  readonly nullsEliminated?: boolean;
}

export const NO_RESULT: StatementResult = { count: null, columns: [], rows: [], select: false };
