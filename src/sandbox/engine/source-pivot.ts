/**
 * PIVOT and UNPIVOT. PIVOT groups by every column that it does not name; UNPIVOT leaves NULLs out. Source: learn.microsoft.com "FROM - Using
 * PIVOT and UNPIVOT".
 */
import type { PivotTable, UnpivotTable } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Accumulator } from './aggregates.ts';
import { compileAggregate, isAggregateCall } from './aggregates.ts';
import type { CompiledExpression } from './expressions.ts';
import { compileExpression, converter, rowHasher, valueHasher } from './expressions.ts';
import type { PlanColumn, Source } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { computedSource } from './source-rows.ts';
import type { StatementContext } from './statement-context.ts';

/** What a source's row is made of, column by column. */
interface Place {
  readonly slot: number;
  readonly index: number;
  readonly column: PlanColumn;
}

function placesOf(source: Source): Place[] {
  return source.tables.flatMap((table) => table.columns.map((column, index) => ({ slot: table.slot, index, column })));
}

function sameSlot(scope: QueryScope, expression: PivotTable['column']): { readonly slot: number; readonly index: number } {
  return scope.resolveColumn(expression.qualifier, expression.name, expression);
}

function has(places: readonly { readonly slot: number; readonly index: number }[], place: Place): boolean {
  return places.some((each) => each.slot === place.slot && each.index === place.index);
}

/** @throws SqlError 102 for anything but an aggregate of a column */
export function pivotSource(context: StatementContext, pivot: PivotTable, source: Source, scope: QueryScope): Source {
  const ctx = context.eval;
  if (!isAggregateCall(pivot.aggregate) || pivot.aggregate.star || pivot.aggregate.distinct) {
    throw new SqlError(102, `Incorrect syntax near '${pivot.aggregate.name.name}'.`, { class: 15, line: pivot.line });
  }
  const aggregate = compileAggregate(pivot.aggregate, scope);
  const used = pivot.aggregate.args.flatMap((arg) => (arg.kind === 'column' ? [sameSlot(scope, arg)] : []));
  const axis: CompiledExpression = compileExpression(pivot.column, scope);
  const places = placesOf(source).filter((place) => !has([...used, sameSlot(scope, pivot.column)], place));
  const hashValue = valueHasher(axis.type);
  const text: SqlType = { name: 'nvarchar', length: 128, collation: context.database.collation };
  const convert = converter(text, axis.type);
  const wanted = pivot.values.map((value) => hashValue(convert(value)));
  const hash = rowHasher(places.map((place) => place.column.type));
  const columns = [
    ...places.map(({ column }) => ({ name: column.name, type: column.type, nullable: column.nullable })),
    ...pivot.values.map((name) => ({ name, type: aggregate.type, nullable: true })),
  ];
  const rows = source.prepare([], ownSlots(context, source));
  return computedSource(context, {
    name: pivot.alias,
    columns,
    lateral: false,
    *rows() {
      const groups = new Map<string, { readonly keys: SqlValue[]; readonly states: Accumulator[] }>();
      for (const _ of rows()) {
        const keys = places.map(({ slot, index }) => ctx.rows[slot]?.[index] ?? null);
        const key = hash(keys);
        let group = groups.get(key);
        if (group === undefined) {
          group = { keys, states: wanted.map(() => aggregate.start()) };
          groups.set(key, group);
        }
        const value = axis.evaluate(ctx);
        if (value !== null) {
          group.states[wanted.indexOf(hashValue(value))]?.add(ctx);
        }
      }
      for (const { keys, states } of groups.values()) {
        yield [...keys, ...states.map((state) => state.result())];
      }
    },
  });
}

/** Slots that have their rows before the source runs: all that are not its own. */
function ownSlots(context: StatementContext, source: Source): Set<number> {
  const all = new Set(Array.from({ length: context.slotCount }, (_, slot) => slot));
  for (const slot of source.slots) {
    all.delete(slot);
  }
  return all;
}

/** @throws SqlError 8167 when the columns differ in type */
export function unpivotSource(context: StatementContext, unpivot: UnpivotTable, source: Source, scope: QueryScope): Source {
  const ctx = context.eval;
  const from = unpivot.columns.map((column) => {
    const slot = sameSlot(scope, column);
    return { ...slot, name: column.name, type: compileExpression(column, scope).type };
  });
  const [first] = from;
  if (first === undefined) {
    throw new TypeError('UNPIVOT names a column');
  }
  const other = from.find((each) => JSON.stringify(each.type) !== JSON.stringify(first.type));
  if (other !== undefined) {
    throw new SqlError(8167, `The type of column "${other.name}" conflicts with the type of other columns specified in the UNPIVOT list.`, {
      line: unpivot.line,
    });
  }
  const places = placesOf(source).filter((place) => !has(from, place));
  const columns = [
    ...places.map(({ column }) => ({ name: column.name, type: column.type, nullable: column.nullable })),
    { name: unpivot.value, type: first.type, nullable: false },
    { name: unpivot.name, type: { name: 'nvarchar', length: 128, collation: context.database.collation } as const, nullable: false },
  ];
  const rows = source.prepare([], ownSlots(context, source));
  return computedSource(context, {
    name: unpivot.alias,
    columns,
    lateral: false,
    *rows() {
      for (const _ of rows()) {
        const keys = places.map(({ slot, index }) => ctx.rows[slot]?.[index] ?? null);
        const values = from.map(({ slot, index, name }) => ({ value: ctx.rows[slot]?.[index] ?? null, name }));
        for (const { value, name } of values) {
          if (value !== null) {
            yield [...keys, value, name];
          }
        }
      }
    },
  });
}
