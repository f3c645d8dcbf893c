/**
 * The rows of INSERT … VALUES. Most of them are constants by the thousand: a constant is not compiled, it goes through a conversion that is
 * made once for each column and kind of literal.
 */
import type { Expression, LiteralExpression } from '../sql/ast-expression.ts';
import type { EvalContext } from '../sql/context.ts';
import type { LiteralValue } from '../sql/literal.ts';
import { literalValue } from '../sql/literal.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { Column, Table } from './catalog.ts';
import { compileExpression } from './expressions.ts';
import type { QueryScope } from './query-scope.ts';

/** One value of a row, ready to be stored; undefined asks for the column's default. */
type Cell = (ctx: EvalContext) => SqlValue | undefined;

/**
 * Prepares the rows for `columns`.
 * @returns rows of cells. @throws SqlError 207, 206, … of their expressions, whichever row they are in
 */
export function valueRows(
  table: Table,
  columns: readonly Column[],
  rows: readonly (readonly Expression[])[],
  scope: QueryScope,
): readonly (readonly (Cell | Constant)[])[] {
  const literals = columns.map((column) => new LiteralColumn(table, column, scope.collation));
  return rows.map((row) =>
    row.map((value, index) => {
      const column = columns[index];
      if (value.kind === 'default' || column === undefined) {
        return () => undefined;
      }
      const literal = value.kind === 'literal' ? (literals[index]?.take(value) ?? null) : null;
      return literal ?? assignTo(table, column, compileExpression(value, scope));
    }),
  );
}

export interface Constant {
  readonly value: SqlValue;
  readonly convert: (value: SqlValue, ctx: EvalContext) => SqlValue;
}

export function cellValue(cell: Cell | Constant, ctx: EvalContext): SqlValue | undefined {
  return typeof cell === 'function' ? cell(ctx) : cell.convert(cell.value, ctx);
}

const NULL_CONSTANT: Constant = { value: null, convert: () => null };

/** Conversions of literals to one column, by what of their type decides. */
class LiteralColumn {
  readonly #table: Table;
  readonly #column: Column;
  readonly #collation: string;
  readonly #known = new Map<string, Constant['convert']>();
  /** A sql_variant keeps the whole type of each value. */
  readonly #usable: boolean;

  constructor(table: Table, column: Column, collation: string) {
    this.#table = table;
    this.#column = column;
    this.#collation = collation;
    this.#usable = column.type.name !== 'sql_variant';
  }

  /** null: compile it as any other expression. */
  take(literal: LiteralExpression): Constant | null {
    if (!this.#usable) {
      return null;
    }
    if (literal.literal === 'null') {
      return NULL_CONSTANT;
    }
    const found = literalValue(literal, this.#collation);
    const signature = signatureOf(found.type);
    let convert = this.#known.get(signature);
    if (convert === undefined) {
      convert = this.#compile(found);
      this.#known.set(signature, convert);
    }
    return { value: found.value, convert };
  }

  #compile({ type, digits }: LiteralValue): Constant['convert'] {
    let current: SqlValue = null;
    const assign = assignTo(this.#table, this.#column, {
      type,
      nullable: false,
      evaluate: () => current,
      label: 'default',
      constant: false,
      untyped: false,
      digits,
    });
    return (value, ctx) => {
      current = value;
      return assign(ctx);
    };
  }
}

/** Lengths below (max) decide nothing: what is too long is told by the value. */
function signatureOf(type: SqlType): string {
  if ('precision' in type) {
    return `${type.name} ${type.precision} ${type.scale}`;
  }
  return 'length' in type ? `${type.name} ${type.length === 'max' ? 'max' : ''}` : type.name;
}
