/**
 * Writes rows of one table for one statement: NOT NULL, CHECK, keys, foreign keys, identity and rowversion values, and what change tracking
 * notes of it. Key checks come at the end of the statement, as SQL Server has them.
 */
import type { EvalContext } from '../sql/context.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { RemovedRow } from './cascades.ts';
import { cascade } from './cascades.ts';
import type { CheckConstraint, Column, Table } from './catalog.ts';
import { indexPositions, primaryKey } from './catalog.ts';
import * as errors from './errors.ts';
import { compileCondition, compileExpression } from './expressions.ts';
import { checkReferences, referencesFrom, referencesTo } from './foreign-keys.ts';
import { threePartName } from './object-names.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { assignTo } from './assign-value.ts';
import { createQueryScope } from './query-scope.ts';
import type { Row, RowChain } from './row-store.ts';
import { planColumns } from './source-table.ts';
import { WaitSignal } from './transaction.ts';

/** The end of 547 for a check that is written at a column. */
export function checkedColumn(table: Table, check: CheckConstraint): string {
  const column = table.columns.find((each) => each.id === check.columnId);
  return column === undefined ? '' : `, column '${column.name}'`;
}

export interface PendingUpdate {
  readonly chain: RowChain;
  readonly before: Row;
  readonly after: SqlValue[];
}

export class TableWriter {
  readonly table: Table;
  readonly #env: PlanEnvironment;
  readonly #slot: number;
  readonly #tests: boolean;
  readonly #computed: { readonly index: number; evaluate(ctx: EvalContext): SqlValue }[];
  readonly #checks: { readonly name: string; readonly column: string; test(ctx: EvalContext): boolean | null }[];
  readonly #keyPositions: readonly number[];
  readonly #versionIndex: number;
  readonly #touched = new Set<RowChain>();
  readonly #removed: RemovedRow[] = [];

  /** @param tests whether rows are tested against CHECK and FOREIGN KEY constraints; keys and NOT NULL always are. */
  constructor(env: PlanEnvironment, table: Table, tests = true) {
    const { context } = env;
    context.claimTable(table);
    this.table = table;
    this.#env = env;
    this.#tests = tests;
    this.#slot = context.newSlot();
    const scope = createQueryScope({
      context,
      tables: [{ name: table.name, qualifiers: [], slot: this.#slot, columns: planColumns(table) }],
      parent: null,
      plan: env.plan,
    });
    this.#computed = table.columns.flatMap((column, index) =>
      column.computed === null ? [] : [{ index, evaluate: assignTo(table, column, compileExpression(column.computed.expression, scope)) }],
    );
    this.#checks = table.checks
      .filter((check) => tests && check.enabled)
      .map((check) => ({ name: check.name, column: checkedColumn(table, check), test: compileCondition(check.expression, scope) }));
    const key = primaryKey(table);
    this.#keyPositions = key === null ? [] : indexPositions(table, key);
    this.#versionIndex = table.columns.findIndex((column) => column.type.name === 'rowversion');
  }

  /** Adds a row that has all its values but computed ones and the rowversion. @throws SqlError 515, 547, 2627; WaitSignal */
  insert(values: SqlValue[]): { readonly row: Row; readonly chain: RowChain } {
    this.#complete(values, 'INSERT');
    const { context } = this.#env;
    const chain = this.table.store.insert(context.transaction, values);
    this.#touched.add(chain);
    context.triggerEvents.note(this.table, 'INSERT', null, values);
    this.#track('I', values, null);
    return { row: values, chain };
  }

  delete(chain: RowChain, row: Row): void {
    this.#claim(chain);
    this.table.store.remove(this.#env.context.transaction, chain);
    this.#removed.push({ before: row, after: null });
    this.#env.context.triggerEvents.note(this.table, 'DELETE', row, null);
    this.#track('D', row, null);
  }

  /**
   * Replaces rows. With a key column in the SET list all old rows go before the new ones come, so that keys may be shifted.
   * @param set ids of the columns in the SET list.
   */
  update(updates: readonly PendingUpdate[], set: readonly number[]): void {
    const { table } = this;
    const { transaction, triggerEvents } = this.#env.context;
    triggerEvents.set(table, set);
    const keyIds = this.#keyPositions.map((position) => table.columns[position]?.id);
    const moves = set.some((id) => keyIds.includes(id));
    const mask = moves ? null : this.#mask(set, keyIds);
    for (const { chain, before, after } of updates) {
      this.#claim(chain);
      this.#complete(after, 'UPDATE');
      this.#removed.push({ before, after });
      triggerEvents.note(table, 'UPDATE', before, after);
      if (moves) {
        if (!this.#sameKey(before, after)) {
          table.store.remove(transaction, chain);
        }
        this.#track('D', before, null);
      }
    }
    for (const { chain, before, after } of updates) {
      if (moves && !this.#sameKey(before, after)) {
        this.#touched.add(table.store.insert(transaction, after));
      } else {
        table.store.replace(transaction, chain, after);
        this.#touched.add(chain);
      }
      this.#track(moves ? 'I' : 'U', after, mask);
    }
  }

  /** The end of the statement: what foreign keys do of their own, then keys and references of everything written. @throws SqlError 547, 2601, 2627; WaitSignal */
  finish(): void {
    const { context } = this.#env;
    cascade(this.#env, this.table, this.#removed, (table) => new TableWriter(this.#env, table));
    if (this.table.store.shape.uniques.length > 0) {
      for (const chain of this.#touched) {
        this.table.store.checkUniques(context.transaction, chain);
      }
    }
    checkReferences(context, {
      table: this.table,
      written:
        !this.#tests || referencesFrom(this.table).length === 0
          ? []
          : [...this.#touched].flatMap((chain) => (chain.head === null || chain.head.row === null ? [] : [chain.head.row])),
      removed: referencesTo(this.table).length === 0 ? [] : this.#removed.map(({ before }) => before),
    });
  }

  nextIdentity(column: Column): bigint {
    const { identity } = column;
    if (identity === null) {
      throw new Error('the column is no identity');
    }
    identity.last = identity.last === null ? identity.seed : identity.last + identity.increment;
    return identity.last;
  }

  #claim(chain: RowChain): void {
    const { context } = this.#env;
    const head = chain.head;
    if (head === null) {
      return;
    }
    if (head.writer !== null && head.writer !== context.transaction) {
      throw new WaitSignal(head.writer);
    }
    const view = context.isSnapshot ? context.transaction.snapshot : null;
    if (view !== null && head.writer === null && head.seq > view.seq) {
      throw errors.updateConflict(`${this.table.schema.name}.${this.table.name}`, this.table.database.name);
    }
  }

  #complete(values: SqlValue[], verb: 'INSERT' | 'UPDATE'): void {
    const { table } = this;
    const ctx = this.#env.context.eval;
    if (this.#versionIndex >= 0) {
      table.database.lastRowVersion += 1n;
      const version = Buffer.alloc(8);
      version.writeBigUInt64BE(table.database.lastRowVersion);
      values[this.#versionIndex] = version;
    }
    if (this.#computed.length > 0 || this.#checks.length > 0) {
      ctx.rows[this.#slot] = values;
    }
    for (const computed of this.#computed) {
      values[computed.index] = computed.evaluate(ctx);
    }
    for (let index = 0; index < table.columns.length; index += 1) {
      const column = table.columns[index];
      if (values[index] === null && column !== undefined && !column.nullable && column.computed === null) {
        throw errors.notNull(column.name, threePartName(table), verb);
      }
    }
    this.#test(verb);
  }

  /** Tests a stored row against the CHECK constraints. @throws SqlError 547 */
  check(row: Row, verb: string): void {
    this.#env.context.eval.rows[this.#slot] = row;
    this.#test(verb);
  }

  #test(verb: string): void {
    const { table } = this;
    for (const check of this.#checks) {
      if (check.test(this.#env.context.eval) === false) {
        throw new SqlError(
          547,
          `The ${verb} statement conflicted with the CHECK constraint "${check.name}". The conflict occurred in database "${table.database.name}", table "${table.schema.name}.${table.name}"${check.column}.`,
          { state: 0 },
        );
      }
    }
  }

  #sameKey(before: Row, after: Row): boolean {
    const { keyOf, compare } = this.table.store.shape;
    return keyOf === null || compare(keyOf(before), keyOf(after)) === 0;
  }

  /** The columns of the SET list for the mask, or null when it says nothing: every column was set. */
  #mask(set: readonly number[], keyIds: readonly (number | undefined)[]): number[] | null {
    const { table } = this;
    if (table.tracker?.tracksColumns !== true) {
      return null;
    }
    const settable = table.columns.filter(
      (column) => !keyIds.includes(column.id) && column.computed === null && column.type.name !== 'rowversion',
    );
    if (settable.every((column) => set.includes(column.id))) {
      return null;
    }
    const version = table.columns[this.#versionIndex];
    return version === undefined ? [...set] : [...set, version.id];
  }

  #track(operation: 'I' | 'U' | 'D', row: Row, columns: readonly number[] | null): void {
    const { table } = this;
    const { context } = this.#env;
    table.tracker?.record(context.transaction, table.database.tracking, {
      operation,
      key: this.#keyPositions.map((position) => row[position] ?? null),
      columns,
      context: context.trackingContext,
    });
  }
}
