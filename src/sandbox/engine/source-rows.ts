/** Sources whose rows come from somewhere else than a store: a subquery, VALUES, CHANGETABLE, catalog views, functions. */
import type { EvalContext } from '../sql/context.ts';
import type { SqlValue } from '../sql-types.ts';
import type { PlanColumn, Rows, Source } from './plan.ts';
import { passes } from './plan.ts';
import type { StatementContext } from './statement-context.ts';

export interface ComputedRows {
  readonly name: string;
  readonly qualifiers?: readonly string[];
  readonly columns: readonly PlanColumn[];
  /** It reads slots of sources to its left. */
  readonly lateral: boolean;
  rows(ctx: EvalContext): Iterable<readonly SqlValue[]>;
}

export function computedSource(context: StatementContext, computed: ComputedRows): Source {
  const slot = context.newSlot();
  const ctx = context.eval;
  return {
    tables: [{ name: computed.name, qualifiers: computed.qualifiers ?? [], slot, columns: computed.columns }],
    slots: [slot],
    lateral: computed.lateral,
    seeks: () => false,
    order: [],
    prepare: (conjuncts): Rows =>
      function* rows() {
        for (const row of computed.rows(ctx)) {
          ctx.rows[slot] = row;
          if (passes(conjuncts, ctx)) {
            yield;
          }
        }
      },
  };
}
