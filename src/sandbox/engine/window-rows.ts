/** The rows of a query with its window functions: partitions, their order, and a slot of its own for the values. */
import type { Expression } from '../sql/ast-expression.ts';
import type { SqlValue } from '../sql-types.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { eachCall, expressionKey } from './expression-key.ts';
import { rowHasher, valueOrder } from './expressions.ts';
import type { Rows } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { refineScope } from './query-scope.ts';
import type { Entry, WindowFunction } from './window-functions.ts';
import { windowFunction } from './window-functions.ts';

export interface Windows {
  readonly scope: QueryScope;
  rows(base: Rows): Rows;
}

/** null when no window function is there. */
export function windowRows(
  env: PlanEnvironment,
  query: { readonly expressions: readonly Expression[]; readonly scope: QueryScope; readonly slots: readonly number[] },
): Windows | null {
  const { scope, slots } = query;
  const functions = new Map<string, WindowFunction>();
  for (const expression of query.expressions) {
    eachCall(expression, (call) => {
      if (call.over === null) {
        return true;
      }
      const key = expressionKey(call);
      if (!functions.has(key)) {
        functions.set(key, windowFunction(call, scope));
      }
      return false;
    });
  }
  if (functions.size === 0) {
    return null;
  }
  const slot = env.context.newSlot();
  const list = [...functions.values()];
  const places = new Map([...functions.keys()].map((key, index) => [key, index]));
  const ctx = env.context.eval;
  const put = (entry: Entry): void => {
    slots.forEach((each, index) => {
      ctx.rows[each] = entry[index] ?? [];
    });
  };
  return {
    scope: refineScope(scope, {
      substitute: (expression) => {
        const place = expression.kind === 'call' && expression.over !== null ? places.get(expressionKey(expression)) : undefined;
        const found = place === undefined ? undefined : list[place];
        return place === undefined || found === undefined
          ? scope.substitute(expression)
          : { slot, index: place, type: found.type, nullable: true };
      },
    }),
    rows: (base) =>
      function* rows() {
        const entries: Entry[] = [];
        for (const _ of base()) {
          entries.push(slots.map((each) => ctx.rows[each] ?? []));
        }
        const results = new Map<Entry, SqlValue[]>(entries.map((entry) => [entry, []]));
        let last = entries;
        list.forEach((each, index) => {
          last = [];
          for (const partition of partitions(each, entries, put, env)) {
            each.values(partition.rows, partition.peers, put).forEach((value, row) => {
              const entry = partition.rows[row];
              const result = entry === undefined ? undefined : results.get(entry);
              if (result !== undefined) {
                result[index] = value;
              }
            });
            partition.rows.forEach((entry) => last.push(entry));
          }
        });
        for (const entry of last) {
          put(entry);
          ctx.rows[slot] = results.get(entry) ?? [];
          yield;
        }
      },
  };
}

function partitions(
  each: WindowFunction,
  entries: readonly Entry[],
  put: (entry: Entry) => void,
  env: PlanEnvironment,
): { rows: Entry[]; peers: number[] }[] {
  const ctx = env.context.eval;
  const hash = rowHasher(each.partition.map((value) => value.type));
  const orders = each.order.map((item) => ({ compare: valueOrder(item.value.type), sign: item.descending ? -1 : 1 }));
  const found = new Map<string, { entry: Entry; keys: SqlValue[] }[]>();
  for (const entry of entries) {
    put(entry);
    const key = hash(each.partition.map((value) => value.evaluate(ctx)));
    const row = { entry, keys: each.order.map((item) => item.value.evaluate(ctx)) };
    const list = found.get(key);
    if (list === undefined) {
      found.set(key, [row]);
    } else {
      list.push(row);
    }
  }
  const compare = (a: { keys: SqlValue[] }, b: { keys: SqlValue[] }): number => {
    for (const [index, order] of orders.entries()) {
      const result = order.compare(a.keys[index] ?? null, b.keys[index] ?? null) * order.sign;
      if (result !== 0) {
        return result;
      }
    }
    return 0;
  };
  return [...found.values()].map((list) => {
    list.sort(compare);
    let peer = 0;
    const peers = list.map((row, index) => {
      const before = list[index - 1];
      if (before !== undefined && compare(before, row) !== 0) {
        peer += 1;
      }
      return peer;
    });
    return { rows: list.map((row) => row.entry), peers };
  });
}
