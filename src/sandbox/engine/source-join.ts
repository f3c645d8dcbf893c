/**
 * Joins. The right side is found by key for each row of the left where that works, by a hash of equal values where there are some, else row
 * by row. An inner join begins with the side that leaves the other one to be found by key.
 */
import type { EvalContext } from '../sql/context.ts';
import type { SqlValue } from '../sql-types.ts';
import { equalityHashes } from './expressions.ts';
import type { Conjunct, Rows, Source, SourceTable } from './plan.ts';
import { isSubset, nullRow, passes } from './plan.ts';
import type { QueryScope } from './query-scope.ts';
import { recordingScope } from './query-scope.ts';
import type { StatementContext } from './statement-context.ts';

export type JoinType = 'inner' | 'left' | 'right' | 'full' | 'cross';

export function joinSource(
  context: StatementContext,
  options: { readonly type: JoinType; readonly left: Source; readonly right: Source; readonly on: readonly Conjunct[] },
): Source {
  const { type, on } = options;
  if (type === 'right') {
    const turned = joinSource(context, { type: 'left', left: options.right, right: options.left, on });
    // Written order, for *: what was the left side stands last in the turned join.
    const count = options.right.tables.length;
    return { ...turned, tables: [...turned.tables.slice(count), ...turned.tables.slice(0, count)] };
  }
  const { left, right } = options;
  const slots = [...left.slots, ...right.slots];
  const shared = {
    tables: [...left.tables, ...right.tables],
    slots,
    lateral: left.lateral,
    seeks: () => false,
    order: [],
  };
  if (type === 'inner' || type === 'cross') {
    return {
      ...shared,
      prepare: (conjuncts, known) => {
        const all = [...on, ...conjuncts];
        const withRight = union(known, right.slots);
        const turn = !right.lateral && left.seeks(all, withRight) && !left.seeks(all, known) && !right.seeks(all, union(known, left.slots));
        return turn ? innerRows(context, right, left, all, known) : innerRows(context, left, right, all, known);
      },
    };
  }
  const full = type === 'full';
  return {
    ...shared,
    tables: [...(full ? left.tables.map(missable) : left.tables), ...right.tables.map(missable)],
    prepare: (conjuncts, known) => outerRows(context, { left, right, on, full }, conjuncts, known),
  };
}

/** A table on the side of a join that may have no row: none of its columns is without NULL. */
function missable(table: SourceTable): SourceTable {
  return { ...table, columns: table.columns.map((column) => ({ ...column, nullable: true })) };
}

function union(known: ReadonlySet<number>, slots: readonly number[]): Set<number> {
  return new Set([...known, ...slots]);
}

function innerRows(
  context: StatementContext,
  left: Source,
  right: Source,
  conjuncts: readonly Conjunct[],
  known: ReadonlySet<number>,
): Rows {
  const withLeft = union(known, left.slots);
  const onLeft = conjuncts.filter((each) => isSubset(each.slots, withLeft));
  const rest = conjuncts.filter((each) => !onLeft.includes(each));
  const leftRows = left.prepare(onLeft, known);
  const matches = matcher(context, left, right, rest, known);
  return function* rows() {
    matches.open();
    for (const _ of leftRows()) {
      yield* matches.each();
    }
  };
}

interface OuterJoin {
  readonly left: Source;
  readonly right: Source;
  readonly on: readonly Conjunct[];
  readonly full: boolean;
}

function outerRows(context: StatementContext, join: OuterJoin, conjuncts: readonly Conjunct[], known: ReadonlySet<number>): Rows {
  const { left, right, on, full } = join;
  const ctx = context.eval;
  const withLeft = union(known, left.slots);
  const onLeft = full ? [] : conjuncts.filter((each) => isSubset(each.slots, withLeft));
  const after = conjuncts.filter((each) => !onLeft.includes(each));
  const leftRows = left.prepare(onLeft, known);
  const matches = matcher(context, left, right, on, known, full);
  const missing = (source: Source): void => {
    for (const table of source.tables) {
      ctx.rows[table.slot] = nullRow(table);
    }
  };
  return function* rows() {
    matches.open();
    for (const _ of leftRows()) {
      let found = false;
      for (const __ of matches.each()) {
        found = true;
        if (passes(after, ctx)) {
          yield;
        }
      }
      if (!found) {
        missing(right);
        if (passes(after, ctx)) {
          yield;
        }
      }
    }
    if (full) {
      for (const _ of matches.unmatched()) {
        missing(left);
        if (passes(after, ctx)) {
          yield;
        }
      }
    }
  };
}

interface Matcher {
  open(): void;
  /** The right rows that fit the current left row. */
  each(): Iterable<void>;
  /** The right rows that never fitted (kept rows only). */
  unmatched(): Iterable<void>;
}

function matcher(
  context: StatementContext,
  left: Source,
  right: Source,
  conjuncts: readonly Conjunct[],
  known: ReadonlySet<number>,
  keepUnmatched = false,
): Matcher {
  const ctx = context.eval;
  const withLeft = union(known, left.slots);
  if (!keepUnmatched && (right.lateral || right.seeks(conjuncts, withLeft))) {
    const rows = right.prepare(conjuncts, withLeft);
    return { open: () => undefined, each: rows, unmatched: () => [] };
  }
  const withRight = union(known, right.slots);
  const own = keepUnmatched ? [] : conjuncts.filter((each) => isSubset(each.slots, withRight));
  const rest = conjuncts.filter((each) => !own.includes(each));
  const rightRows = right.prepare(own, known);
  const hash = hashOf(rest, left, right, known);
  const slots = right.slots;
  let kept: (readonly SqlValue[])[][] = [];
  let buckets: Map<string, (readonly SqlValue[])[][]> | null = null;
  const matched = new Set<unknown>();
  const put = (entry: readonly (readonly SqlValue[])[]): void => {
    slots.forEach((slot, index) => {
      ctx.rows[slot] = entry[index] ?? [];
    });
  };
  return {
    open: () => {
      kept = [];
      matched.clear();
      buckets = hash === null ? null : new Map();
      for (const _ of rightRows()) {
        const entry = slots.map((slot) => ctx.rows[slot] ?? []);
        kept.push(entry);
        const key = hash?.right(ctx) ?? null;
        if (buckets !== null && key !== null) {
          const bucket = buckets.get(key);
          if (bucket === undefined) {
            buckets.set(key, [entry]);
          } else {
            bucket.push(entry);
          }
        }
      }
    },
    *each() {
      let candidates = kept;
      if (buckets !== null && hash !== null) {
        const key = hash.left(ctx);
        candidates = key === null ? [] : (buckets.get(key) ?? []);
      }
      for (const entry of candidates) {
        put(entry);
        if (passes(rest, ctx)) {
          if (keepUnmatched) {
            matched.add(entry);
          }
          yield;
        }
      }
    },
    *unmatched() {
      for (const entry of kept) {
        if (!matched.has(entry)) {
          put(entry);
          yield;
        }
      }
    },
  };
}

interface SideHash {
  left(ctx: EvalContext): string | null;
  right(ctx: EvalContext): string | null;
}

/** Hashes of all `left expression = right expression` among the conditions; null without one. NULL has no hash: it equals nothing. */
function hashOf(conjuncts: readonly Conjunct[], left: Source, right: Source, known: ReadonlySet<number>): SideHash | null {
  const withLeft = union(known, left.slots);
  const withRight = union(known, right.slots);
  const pairs: SideHash[] = [];
  for (const { expression, scope } of conjuncts) {
    if (expression.kind !== 'comparison' || expression.operator !== '=') {
      continue;
    }
    const first = slotsOf(expression.left, scope);
    const second = slotsOf(expression.right, scope);
    if (isSubset(first, withLeft) && isSubset(second, withRight)) {
      const hashes = equalityHashes(expression.left, expression.right, scope);
      if (hashes !== null) {
        pairs.push(hashes);
      }
    } else if (isSubset(first, withRight) && isSubset(second, withLeft)) {
      const hashes = equalityHashes(expression.left, expression.right, scope);
      if (hashes !== null) {
        pairs.push({ left: (ctx) => hashes.right(ctx), right: (ctx) => hashes.left(ctx) });
      }
    }
  }
  if (pairs.length === 0) {
    return null;
  }
  const all =
    (side: 'left' | 'right') =>
    (ctx: EvalContext): string | null => {
      let key = '';
      for (const pair of pairs) {
        const hash = pair[side](ctx);
        if (hash === null) {
          return null;
        }
        key += `${hash.length}:${hash}`;
      }
      return key;
    };
  return { left: all('left'), right: all('right') };
}

function slotsOf(expression: Parameters<typeof equalityHashes>[0], scope: QueryScope): Set<number> {
  const recording = recordingScope(scope);
  equalityHashes(expression, expression, recording.scope);
  return recording.slots;
}
