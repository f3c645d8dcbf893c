/** Rows of a stored table as a source: by key where the conditions allow it, else all of them, each in the version that the statement sees. */
import type { NamedTable } from '../sql/ast.ts';
import type { Table } from './catalog.ts';
import { indexPositions, primaryKey } from './catalog.ts';
import { columnDenied, unreadableColumns } from './column-permissions.ts';
import type { KeyLayout } from './key-access.ts';
import { keyAccess } from './key-access.ts';
import type { Conjunct, PlanColumn, Rows, Source, SourceTable } from './plan.ts';
import { passes } from './plan.ts';
import type { ReadMode, Row, RowChain } from './row-store.ts';
import { visibleRow } from './row-store.ts';
import type { StatementContext } from './statement-context.ts';

export interface StoredSource extends Source {
  readonly table: Table;
  /** The chain of the current row: what a write goes to. */
  current(): RowChain | null;
  /** The chain of a row that was read before: joins put kept rows back. */
  chainOf(row: Row): RowChain | null;
}

export function planColumns(table: Table): PlanColumn[] {
  return table.columns.map((column) => ({
    name: column.name,
    type: column.type,
    nullable: column.nullable,
    identity: column.identity !== null,
    computed: column.computed !== null,
  }));
}

/** The columns as the session may read them. */
function readableColumns(context: StatementContext, table: Table, node: NamedTable | null): PlanColumn[] {
  const plain = planColumns(table);
  const columns =
    node !== null && context.session.options.browse
      ? plain.map((column) => ({ ...column, origin: { node, table, column: column.name } }))
      : plain;
  const denied = context.binding || context.owner === table.database ? null : unreadableColumns(context.session, table);
  return denied === null || denied.size === 0
    ? columns
    : columns.map((column, index) =>
        denied.has(table.columns[index]?.id ?? 0) ? { ...column, denied: () => columnDenied(table, column.name) } : column,
      );
}

/** @param mode how rows are read; for the target of a write it is not what a SELECT would do. */
export function storedSource(
  context: StatementContext,
  table: Table,
  options: {
    readonly name: string;
    readonly qualifiers: readonly string[];
    readonly keepsChains?: boolean;
    /** Where the table stands in the text. */
    readonly node?: NamedTable;
    mode(): ReadMode;
  },
): StoredSource {
  const slot = context.newSlot();
  const columns = readableColumns(context, table, options.node ?? null);
  const named: SourceTable = { name: options.name, qualifiers: options.qualifiers, slot, columns };
  const key = primaryKey(table);
  const positions = key === null ? [] : indexPositions(table, key);
  const layout: KeyLayout = { slot, positions, columns: positions.flatMap((position) => columns[position] ?? []) };
  const ascending = key !== null && key.columns.every((column) => !column.descending);
  const ctx = context.eval;
  let current: RowChain | null = null;
  let chains: WeakMap<Row, RowChain> | null = null;

  const access = (conjuncts: readonly Conjunct[], known: ReadonlySet<number>): ReturnType<typeof keyAccess> => {
    const found = key === null ? null : keyAccess(layout, conjuncts, known);
    return found !== null && (found.complete || ascending) ? found : null;
  };

  const prepare = (conjuncts: readonly Conjunct[], known: ReadonlySet<number>): Rows => {
    const seek = access(conjuncts, known);
    const mode = options.mode();
    if (options.keepsChains === true) {
      chains = new WeakMap();
    }
    const { transaction } = context;
    const accept = (chain: RowChain): boolean => {
      const row = visibleRow(chain, transaction, mode);
      if (row === null) {
        return false;
      }
      ctx.rows[slot] = row;
      current = chain;
      chains?.set(row, chain);
      return passes(conjuncts, ctx);
    };
    return function* rows() {
      const range = seek?.range(ctx) ?? null;
      if (range !== null && 'keys' in range) {
        const seen = new Set<RowChain>();
        for (const each of range.keys) {
          const chain = table.store.get(each);
          if (chain !== undefined && !seen.has(chain)) {
            seen.add(chain);
            if (accept(chain)) {
              yield;
            }
          }
        }
        return;
      }
      for (const chain of range === null ? table.store.walk() : table.store.walk(range.from, range.to)) {
        if (accept(chain)) {
          yield;
        }
      }
    };
  };

  return {
    table,
    tables: [named],
    slots: [slot],
    lateral: false,
    seeks: (conjuncts, known) => access(conjuncts, known)?.complete ?? false,
    prepare,
    order: ascending ? positions.map((index) => ({ slot, index })) : [],
    current: () => current,
    chainOf: (row) => chains?.get(row) ?? null,
  };
}
