/** Sources whose rows come from somewhere else than a store: a subquery, VALUES, CHANGETABLE, catalog views, functions. */
import type { EvalContext } from '../sql/context.ts';
import { keyAccess } from './key-access.ts';
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

export interface CatalogRows extends Omit<ComputedRows, 'lateral' | 'rows'> {
  /** @param only an object id whose rows are all that is wanted; null: all */
  rows(only: number | null): Iterable<readonly SqlValue[]>;
}

/** A catalog view: where a condition gives the object id, only that object is looked at, as by the clustered index of a system table. */
export function catalogSource(context: StatementContext, catalog: CatalogRows): Source {
  const at = catalog.columns.findIndex(({ name }) => name === 'object_id');
  const column = catalog.columns[at];
  let only: number | null = null;
  const plain = computedSource(context, {
    ...catalog,
    lateral: false,
    *rows() {
      const wanted = only;
      for (const row of catalog.rows(wanted)) {
        if (wanted === null || row[at] === wanted) {
          yield row;
        }
      }
    },
  });
  if (column === undefined) {
    return plain;
  }
  const layout = { slot: plain.slots[0] ?? 0, positions: [at], columns: [column] };
  return {
    ...plain,
    seeks: (conjuncts, known) => keyAccess(layout, conjuncts, known)?.complete ?? false,
    prepare: (conjuncts, known) => {
      const seek = keyAccess(layout, conjuncts, known);
      const all = plain.prepare(conjuncts, known);
      return function* rows() {
        const range = seek?.range(context.eval) ?? null;
        for (const each of range !== null && 'keys' in range ? new Set(range.keys.map(([id]) => Number(id))) : [null]) {
          only = each;
          yield* all();
        }
      };
    },
  };
}
