/**
 * What each window function gives for the rows of a partition. Which rows those are, and in which order, is window-rows.ts's business.
 * Source: learn.microsoft.com, "Ranking functions", "Analytic functions", "SELECT - OVER clause (Transact-SQL)".
 */
import type { CallExpression, Expression, WindowFrame } from '../sql/ast-expression.ts';
import type { EvalContext } from '../sql/context.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { compileAggregate, isAggregateCall } from './aggregates.ts';
import type { CompiledExpression } from './expressions.ts';
import { coerce, compileExpression } from './expressions.ts';
import type { QueryScope } from './query-scope.ts';

/** One row as it stood, to be put back. */
export type Entry = readonly (readonly SqlValue[])[];

export interface WindowFunction {
  readonly type: SqlType;
  readonly partition: readonly CompiledExpression[];
  readonly order: readonly { readonly value: CompiledExpression; readonly descending: boolean }[];
  /** The values of a partition's rows, in its order. `peers[i]` numbers the groups of rows that ORDER BY does not tell apart. */
  values(rows: readonly Entry[], peers: readonly number[], put: (entry: Entry) => void): SqlValue[];
}

const RANKING = new Set(['row_number', 'rank', 'dense_rank', 'ntile', 'percent_rank', 'cume_dist']);
const ANALYTIC = new Set(['lag', 'lead', 'first_value', 'last_value']);
const BIG: SqlType = { name: 'bigint' };
const FLOAT: SqlType = { name: 'float' };

/** @throws SqlError 5308, 5309 */
function refuseConstant(expression: Expression): void {
  if (expression.kind === 'literal') {
    const integer = expression.literal === 'integer';
    throw new SqlError(
      integer ? 5308 : 5309,
      `Windowed functions, aggregates and NEXT VALUE FOR functions do not support ${integer ? 'integer indices' : 'constants'} as ORDER BY clause expressions.`,
      { line: expression.line },
    );
  }
}

/** @throws SqlError 4112, 5308, 5309, 10752, 10759, 174, 189; UnsupportedError */
export function windowFunction(call: CallExpression, scope: QueryScope): WindowFunction {
  const { over, line } = call;
  const name = call.name.name.toLowerCase();
  const partition = (over?.partitionBy ?? []).map((expression) => compileExpression(expression, scope));
  const order = (over?.orderBy ?? []).map((item) => ({ value: compileExpression(item.expression, scope), descending: item.descending }));
  for (const item of over?.orderBy ?? []) {
    refuseConstant(item.expression);
  }
  const ranked = RANKING.has(name);
  if ((ranked || ANALYTIC.has(name)) && order.length === 0) {
    throw new SqlError(4112, `The function '${call.name.name}' must have an OVER clause with ORDER BY.`, { line, class: 15 });
  }
  if ((ranked || name === 'lag' || name === 'lead') && over !== null && over.frame !== null) {
    throw new SqlError(10752, `The function '${call.name.name}' may not have a window frame.`, { line, class: 15, state: 3 });
  }
  if (call.modifier !== null && !ANALYTIC.has(name)) {
    throw new UnsupportedError(`${call.modifier} of ${name.toUpperCase()}`, line);
  }
  const shared = { partition, order };
  if (ranked) {
    return { ...shared, ...ranking(name, call, scope) };
  }
  const frame: WindowFrame = over?.frame ?? { unit: 'range', from: -Infinity, to: order.length === 0 ? Infinity : 0 };
  switch (name) {
    case 'lag':
    case 'lead':
      return { ...shared, ...neighbour(name, call, scope) };
    case 'first_value':
    case 'last_value':
      return { ...shared, ...edge(name === 'first_value', call, scope, frame) };
    default:
      return { ...shared, ...aggregated(call, scope, frame) };
  }
}

type Values = Pick<WindowFunction, 'type' | 'values'>;

function argumentCount(call: CallExpression, min: number, max: number): void {
  const name = call.name.name.toLowerCase();
  const count = call.args.length;
  if (count < min || count > max || call.star) {
    throw min === max
      ? new SqlError(174, `The ${name} function requires ${min} argument(s).`, { line: call.line, class: 15 })
      : new SqlError(189, `The ${name} function requires ${min} to ${max} arguments.`, { line: call.line, class: 15 });
  }
}

function ranking(name: string, call: CallExpression, scope: QueryScope): Values {
  argumentCount(call, name === 'ntile' ? 1 : 0, name === 'ntile' ? 1 : 0);
  switch (name) {
    case 'row_number':
      return { type: BIG, values: (rows) => rows.map((_, index) => BigInt(index + 1)) };
    case 'rank':
      return { type: BIG, values: (_, peers) => ranks(peers).map((rank) => BigInt(rank)) };
    case 'dense_rank':
      return { type: BIG, values: (_, peers) => peers.map((peer) => BigInt(peer + 1)) };
    case 'percent_rank':
      return { type: FLOAT, values: (rows, peers) => ranks(peers).map((rank) => (rows.length === 1 ? 0 : (rank - 1) / (rows.length - 1))) };
    case 'cume_dist':
      return { type: FLOAT, values: (rows, peers) => edges(peers).last.map((last) => (last + 1) / rows.length) };
    default:
      return tiles(call, scope);
  }
}

function ranks(peers: readonly number[]): number[] {
  let first = 0;
  return peers.map((peer, index) => {
    first = peer === peers[index - 1] ? first : index;
    return first + 1;
  });
}

/** NTILE: the larger groups come first. */
function tiles(call: CallExpression, scope: QueryScope): Values {
  const [argument] = call.args;
  const count = argument === undefined ? null : coerce(compileExpression(argument, scope), BIG);
  return {
    type: BIG,
    values: (rows, _, put) => {
      const [first] = rows;
      if (first !== undefined) {
        put(first);
      }
      const wanted = Number(count?.evaluate(scope.context.eval) ?? 0);
      if (wanted < 1) {
        throw new UnsupportedError('NTILE of less than 1', call.line);
      }
      const size = Math.floor(rows.length / wanted);
      const larger = rows.length % wanted;
      const border = larger * (size + 1);
      return rows.map((__, index) =>
        BigInt(index < border ? Math.floor(index / (size + 1)) + 1 : larger + Math.floor((index - border) / size) + 1),
      );
    },
  };
}

/** LAG and LEAD: offset 1 and NULL by default. @throws SqlError 8730 for a negative offset */
function neighbour(name: 'lag' | 'lead', call: CallExpression, scope: QueryScope): Values {
  argumentCount(call, 1, 3);
  const [argument, offset, fallback] = call.args.map((arg) => compileExpression(arg, scope));
  if (argument === undefined) {
    throw new TypeError('the arguments were counted');
  }
  const step = offset === undefined ? null : coerce(offset, BIG);
  const missing = fallback === undefined ? null : coerce(fallback, argument.type);
  const ctx = scope.context.eval;
  return {
    type: argument.type,
    values: (rows, _, put) => {
      const known = valuesOf(rows, argument, put, ctx);
      return rows.map((entry, index) => {
        put(entry);
        const distance = step === null ? 1 : step.evaluate(ctx);
        if (distance === null || Number(distance) < 0) {
          throw new SqlError(8730, 'Offset parameter for Lag and Lead functions cannot be a negative value.', { line: call.line });
        }
        const found =
          call.modifier === 'IGNORE NULLS'
            ? nonNull(known, index, Number(distance), name === 'lag' ? -1 : 1)
            : known[index + Number(distance) * (name === 'lag' ? -1 : 1)];
        return found === undefined ? (missing?.evaluate(ctx) ?? null) : found;
      });
    },
  };
}

function valuesOf(rows: readonly Entry[], value: CompiledExpression, put: (entry: Entry) => void, ctx: EvalContext): SqlValue[] {
  return rows.map((entry) => {
    put(entry);
    return value.evaluate(ctx);
  });
}

function nonNull(values: readonly SqlValue[], from: number, distance: number, step: 1 | -1): SqlValue | undefined {
  if (distance === 0) {
    return values[from];
  }
  let left = distance;
  for (let index = from + step; index >= 0 && index < values.length; index += step) {
    left -= values[index] === null ? 0 : 1;
    if (left === 0) {
      return values[index];
    }
  }
  return undefined;
}

function edge(first: boolean, call: CallExpression, scope: QueryScope, frame: WindowFrame): Values {
  argumentCount(call, 1, 1);
  const [argument] = call.args.map((arg) => compileExpression(arg, scope));
  if (argument === undefined) {
    throw new TypeError('the arguments were counted');
  }
  return {
    type: argument.type,
    values: (rows, peers, put) => {
      const known = valuesOf(rows, argument, put, scope.context.eval);
      const bounds = frames(frame, peers);
      return rows.map((_, index) => {
        const [from, to] = bounds(index);
        let [at, left] = [first ? from : to, call.modifier === 'IGNORE NULLS' ? to - from : 0];
        for (; left > 0 && (known[at] ?? null) === null; left -= 1) {
          at += first ? 1 : -1;
        }
        return from > to ? null : (known[at] ?? null);
      });
    },
  };
}

/** Of each row the first and the last of those that ORDER BY does not tell apart from it. */
function edges(peers: readonly number[]): { readonly first: readonly number[]; readonly last: readonly number[] } {
  const first: number[] = [];
  const last: number[] = [];
  for (let from = 0, to = 0; from < peers.length; from = to) {
    to = from + 1;
    while (to < peers.length && peers[to] === peers[from]) {
      to += 1;
    }
    for (let index = from; index < to; index += 1) {
      first.push(from);
      last.push(to - 1);
    }
  }
  return { first, last };
}

/** The first and the last row of each row's frame; the last is before the first where the frame is empty. */
function frames(frame: WindowFrame, peers: readonly number[]): (index: number) => [number, number] {
  const end = peers.length - 1;
  const { first, last } = edges(peers);
  return (index) => {
    const from = frame.from === -Infinity ? 0 : frame.unit === 'rows' ? index + frame.from : (first[index] ?? 0);
    const to = frame.to === Infinity ? end : frame.unit === 'rows' ? index + frame.to : (last[index] ?? end);
    return [Math.max(0, from), Math.min(end, to)];
  };
}

function aggregated(call: CallExpression, scope: QueryScope, frame: WindowFrame): Values {
  if (!isAggregateCall({ ...call, over: null })) {
    throw new UnsupportedError(`the window function ${call.name.name.toUpperCase()}`, call.line);
  }
  if (call.distinct) {
    throw new SqlError(10_759, 'Use of DISTINCT is not allowed with the OVER clause.', { line: call.line, class: 15 });
  }
  const aggregate = compileAggregate({ ...call, over: null }, scope, true);
  const ctx = scope.context.eval;
  return {
    type: aggregate.type,
    values: (rows, peers, put) => {
      // Frames that begin with the partition only grow: each row is counted once.
      let state = aggregate.start();
      let next = 0;
      let result: SqlValue = state.result();
      const bounds = frames(frame, peers);
      return rows.map((_, index) => {
        const [from, to] = bounds(index);
        const grows = frame.from === -Infinity;
        if (!grows) {
          state = aggregate.start();
          next = from;
        }
        const before = next;
        for (; next <= to; next += 1) {
          put(rows[next] ?? []);
          state.add(ctx);
        }
        if (!grows || next > before || index === 0) {
          result = state.result();
        }
        return result;
      });
    },
  };
}
