/** OUTPUT of INSERT, UPDATE, DELETE and MERGE: columns of `inserted` and `deleted`, to the client or INTO a table. */
import type { OutputClause } from '../sql/ast.ts';
import type { SqlValue } from '../sql-types.ts';
import type { Table } from './catalog.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { compileExpression } from './expressions.ts';
import { insertRows } from './insert-rows.ts';
import type { PlanColumn, SourceTable } from './plan.ts';
import { createQueryScope, tablesOfStar } from './query-scope.ts';
import type { Row } from './row-store.ts';
import { planColumns } from './source-table.ts';

export interface OutputRows {
  /** Empty when the rows go INTO a table. */
  readonly columns: readonly PlanColumn[];
  add(inserted: Row | null, deleted: Row | null, action?: string): void;
  /** Puts the rows where they belong. @returns those for the client. */
  finish(): SqlValue[][];
}

/** One clause, or one INTO a table with the one after it. See oneOutput(). */
export function outputRows(...[env, clause, table, statement, others = []]: Parameters<typeof oneOutput>): OutputRows {
  const first = oneOutput(env, clause, table, statement, others);
  if (clause.following === null) {
    return first;
  }
  const second = oneOutput(env, clause.following, table, statement, others);
  return {
    columns: second.columns,
    add: (...row) => {
      first.add(...row);
      second.add(...row);
    },
    finish: () => {
      first.finish();
      return second.finish();
    },
  };
}

/** @param statement INSERT knows no `deleted`, DELETE no `inserted`. @param others sources whose current rows may be named too. @throws SqlError 4104 */
function oneOutput(
  env: PlanEnvironment,
  clause: OutputClause,
  table: Table,
  statement: 'insert' | 'update' | 'delete' | 'merge',
  others: readonly SourceTable[] = [],
): OutputRows {
  const { context } = env;
  const ctx = context.eval;
  const columns = planColumns(table);
  const inserted: SourceTable = { name: 'inserted', qualifiers: [], slot: context.newSlot(), columns };
  const deleted: SourceTable = { name: 'deleted', qualifiers: [], slot: context.newSlot(), columns };
  const action: SourceTable = {
    name: '$merge',
    qualifiers: [],
    slot: context.newSlot(),
    columns: [{ name: '$action', type: { name: 'nvarchar', length: 10, collation: context.database.collation }, nullable: false }],
  };
  const images = statement === 'insert' ? [inserted] : statement === 'delete' ? [deleted] : [inserted, deleted];
  const scope = createQueryScope({
    context,
    tables: [...images, ...(statement === 'merge' ? [action] : []), ...others],
    parent: null,
    plan: env.plan,
  });
  const items = clause.items.flatMap((item) => {
    if (item.kind === 'star') {
      return tablesOfStar([...images, ...others], item.qualifier, item).flatMap((source) =>
        source.columns.map((column, index) => ({
          column: { ...column, identity: false, computed: false },
          evaluate: (): SqlValue => ctx.rows[source.slot]?.[index] ?? null,
        })),
      );
    }
    const value = compileExpression(item.expression, scope);
    const name =
      item.kind === 'expression' && item.alias !== null ? item.alias : item.expression.kind === 'column' ? item.expression.name : '';
    return [{ column: { name, type: value.type, nullable: true }, evaluate: (): SqlValue => value.evaluate(ctx) }];
  });
  const nulls = columns.map(() => null);
  const rows: SqlValue[][] = [];
  const described = items.map((item) => item.column);
  return {
    columns: clause.into === null ? described : [],
    add: (after, before, verb) => {
      ctx.rows[inserted.slot] = after ?? nulls;
      ctx.rows[deleted.slot] = before ?? nulls;
      ctx.rows[action.slot] = [verb ?? null];
      rows.push(items.map((item) => item.evaluate()));
    },
    finish: () => {
      if (clause.into === null) {
        return rows;
      }
      insertRows(env, clause.into, clause.intoColumns, described, rows);
      return [];
    },
  };
}
