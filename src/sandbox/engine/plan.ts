/**
 * The shapes of a plan: sources of rows that write the current row of their slots, conditions with the slots that they look at, and a
 * query's rows. Everything runs synchronously inside one statement.
 */
import type { EvalContext } from '../sql/context.ts';
import type { Expression } from '../sql/ast-expression.ts';
import type { NamedTable } from '../sql/ast.ts';
import type { SqlError } from '../session.ts';
import type { ColumnOrigin, SqlType, SqlValue } from '../sql-types.ts';
import type { Table } from './catalog.ts';
import type { QueryScope } from './query-scope.ts';
import { rowWasRead } from './turn.ts';

export interface PlanColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly identity?: boolean;
  readonly computed?: boolean;
  /** The caller may not read it. */
  readonly denied?: () => SqlError;
  /** It is JSON already: FOR JSON puts it in as it stands. */
  readonly json?: boolean;
  /** The exposed name of the table that it comes from; what FOR JSON AUTO nests by. */
  readonly table?: string;
  /** Under SET NO_BROWSETABLE ON: the stored column that it is, and where its table stands in the text. */
  readonly origin?: { readonly node: NamedTable; readonly table: Table; readonly column: string };
  readonly browse?: ColumnOrigin | null;
}

/** A named row of a query: a table, a derived table, `inserted`. */
export interface SourceTable {
  /** The alias, or the table's own name. */
  readonly name: string;
  /** [database, schema] of a table without alias: it may be named with them. */
  readonly qualifiers: readonly string[];
  readonly slot: number;
  readonly columns: readonly PlanColumn[];
}

/** One condition of a conjunction. */
export interface Conjunct {
  readonly expression: Expression;
  /** The slots that it reads, those of outer queries included. */
  readonly slots: ReadonlySet<number>;
  /** Whether it is true (neither false nor unknown). */
  /** Where its names resolve. */
  readonly scope: QueryScope;
  test(ctx: EvalContext): boolean;
}

/** Rows one after another: at each step the source's slots hold the row. */
export type Rows = () => Iterable<void>;

export interface Source {
  readonly tables: readonly SourceTable[];
  readonly slots: readonly number[];
  /** It reads slots of a source to its left (APPLY): it cannot run before it. */
  readonly lateral: boolean;
  /** Whether it finds its rows by key, without a scan, once `known` slots have their rows. */
  seeks(conjuncts: readonly Conjunct[], known: ReadonlySet<number>): boolean;
  /** The rows for which all conjuncts are true. Conjuncts read known slots and its own, nothing else. */
  prepare(conjuncts: readonly Conjunct[], known: ReadonlySet<number>): Rows;
  /** Key columns in whose ascending order `prepare` yields rows, when it does. */
  readonly order: readonly { readonly slot: number; readonly index: number }[];
}

export interface QueryPlan {
  readonly columns: readonly PlanColumn[];
  run(): Iterable<readonly SqlValue[]>;
  /** Whether there is a row; the select list is not evaluated. Absent: run() has to tell. */
  readonly exists?: () => boolean;
}

export function nullRow(table: SourceTable): readonly SqlValue[] {
  return table.columns.map(() => null);
}

export function isSubset(slots: ReadonlySet<number>, of: ReadonlySet<number>): boolean {
  for (const slot of slots) {
    if (!of.has(slot)) {
      return false;
    }
  }
  return true;
}

export function passes(conjuncts: readonly Conjunct[], ctx: EvalContext): boolean {
  rowWasRead();
  for (const conjunct of conjuncts) {
    if (!conjunct.test(ctx)) {
      return false;
    }
  }
  return true;
}
