/** Window functions: ROW_NUMBER, RANK, DENSE_RANK, NTILE, LAG, LEAD and aggregates OVER a partition; their values stand in a slot of their own. */
import type { CallExpression, Expression } from '../sql/ast-expression.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { compileAggregate, isAggregateCall } from './aggregates.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { eachCall, expressionKey } from './expression-key.ts';
import type { Compiled } from './expressions.ts';
import { compileExpression, rowHasher, valueOrder } from './expressions.ts';
import type { Rows } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { refineScope } from './query-scope.ts';

export interface Windows {
  readonly scope: QueryScope;
  rows(base: Rows): Rows;
}

/** One row as it stood, to be put back. */
type Entry = readonly (readonly SqlValue[])[];

interface WindowFunction {
  readonly type: SqlType;
  readonly partition: readonly Compiled[];
  readonly order: readonly { readonly value: Compiled; readonly descending: boolean }[];
  /** The values of a partition's rows, in its order. `peers[i]` numbers the groups of rows that ORDER BY does not tell apart. */
  values(rows: readonly Entry[], peers: readonly number[], put: (entry: Entry) => void): SqlValue[];
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
            last.push(...partition.rows);
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

function windowFunction(call: CallExpression, scope: QueryScope): WindowFunction {
  const over = call.over;
  const partition = (over?.partitionBy ?? []).map((expression) => compileExpression(expression, scope));
  const order = (over?.orderBy ?? []).map((item) => ({ value: compileExpression(item.expression, scope), descending: item.descending }));
  const name = call.name.name.toLowerCase();
  const shared = { partition, order };
  const big: SqlType = { name: 'bigint' };
  if (['row_number', 'rank', 'dense_rank', 'ntile', 'lag', 'lead'].includes(name) && order.length === 0) {
    throw new SqlError(4112, `The function '${call.name.name}' must have an OVER clause with ORDER BY.`, { line: call.line, class: 15 });
  }
  switch (name) {
    case 'row_number':
      return { ...shared, type: big, values: (rows) => rows.map((_, index) => BigInt(index + 1)) };
    case 'rank':
      return { ...shared, type: big, values: (_, peers) => peers.map((peer) => BigInt(peers.indexOf(peer) + 1)) };
    case 'dense_rank':
      return { ...shared, type: big, values: (_, peers) => peers.map((peer) => BigInt(peer + 1)) };
    case 'lag':
    case 'lead': {
      const [argument, ...rest] = call.args;
      if (argument === undefined || rest.length > 0) {
        throw new UnsupportedError(`${name.toUpperCase()} with an offset or a default`, call.line);
      }
      const value = compileExpression(argument, scope);
      const step = name === 'lag' ? -1 : 1;
      return {
        ...shared,
        type: value.type,
        values: (rows, _, put) =>
          rows.map((__, index) => {
            const other = rows[index + step];
            if (other === undefined) {
              return null;
            }
            put(other);
            return value.evaluate(scope.context.eval);
          }),
      };
    }
    default: {
      if (!isAggregateCall({ ...call, over: null })) {
        throw new UnsupportedError(`the window function ${call.name.name.toUpperCase()}`, call.line);
      }
      const aggregate = compileAggregate({ ...call, over: null }, scope);
      return {
        ...shared,
        type: aggregate.type,
        values: (rows, peers, put) => {
          const state = aggregate.start();
          const results: SqlValue[] = [];
          rows.forEach((entry, index) => {
            put(entry);
            state.add(scope.context.eval);
            const ends = order.length === 0 ? index === rows.length - 1 : peers[index + 1] !== peers[index];
            if (ends) {
              results.push(...Array.from({ length: index + 1 - results.length }, () => state.result()));
            }
          });
          return results;
        },
      };
    }
  }
}
