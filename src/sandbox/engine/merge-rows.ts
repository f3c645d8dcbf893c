/** MERGE: each row of the source meets its row of the target, and each clause that fits it first decides what happens. */
import type { MergeClause, MergeStatement } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { assignTo } from './assign-value.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { bindSource } from './bind-source.ts';
import { conjunctsOf } from './conjuncts.ts';
import { targetTable, writeMode } from './dml-target.ts';
import { compileCondition, compileExpression } from './expressions.ts';
import { refuseRowVersion, rowBuilder } from './insert-rows.ts';
import { outputRows } from './output-clause.ts';
import { knownSlots } from './query-plan.ts';
import type { Row, RowChain } from './row-store.ts';
import { createQueryScope } from './query-scope.ts';
import { joinSource } from './source-join.ts';
import { storedSource } from './source-table.ts';
import type { StatementResult } from './statement-result.ts';
import type { SetList } from './update-rows.ts';
import { setList } from './update-rows.ts';
import { TableWriter } from './table-writer.ts';
import { writeLimit } from './write-limit.ts';

interface Planned {
  readonly action: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly chain: RowChain | null;
  readonly before: Row | null;
  readonly after: SqlValue[] | null;
  readonly values: readonly (SqlValue | undefined)[];
  readonly clause: number;
  /** The source's rows, for OUTPUT. */
  readonly from: readonly Row[];
}

export function runMerge(env: PlanEnvironment, statement: MergeStatement): StatementResult {
  const { context } = env;
  const ctx = context.eval;
  const table = targetTable(env, statement.target, 'UPDATE');
  const limit = writeLimit(env, statement.top);
  const known = knownSlots(env);
  const hints = statement.target.kind === 'table' ? statement.target.hints : [];
  const name = statement.target.kind === 'table' ? (statement.target.alias ?? statement.target.name.name) : statement.target.name;
  const source = bindSource(env, statement.using, null);
  const target = storedSource(context, table, { name, qualifiers: [], keepsChains: true, mode: () => writeMode(context, table, hints) });
  const scope = createQueryScope({ context, tables: [...target.tables, ...source.tables], parent: null, plan: env.plan });
  const on = conjunctsOf(statement.on, scope);
  const bySource = statement.clauses.some((clause) => clause.when === 'notMatchedBySource');
  const joined = joinSource(context, { type: bySource ? 'full' : 'left', left: source, right: target, on });
  const clauses = statement.clauses.map((clause) => compileClause(env, clause, { table, scope, name, line: statement.line }));
  for (const { action } of statement.clauses) {
    context.triggerEvents.expect(
      table,
      action.kind === 'insert' ? 'INSERT' : action.kind === 'update' ? 'UPDATE' : 'DELETE',
      statement.output,
    );
  }
  const output = statement.output === null ? null : outputRows(env, statement.output, table, 'merge', source.tables);
  const [slot = 0] = target.slots;
  const planned: Planned[] = [];
  const seen = new Set<RowChain>();
  const rows = joined.prepare([], known);
  for (const _ of context.binding ? [] : rows()) {
    const row = ctx.rows[slot] ?? [];
    const chain = target.chainOf(row);
    const fromSource = source.tables.every((each) => ctx.rows[each.slot]?.length === 0 || !isMissing(ctx.rows[each.slot] ?? []));
    const when = chain === null ? 'notMatchedByTarget' : fromSource ? 'matched' : 'notMatchedBySource';
    const index = clauses.findIndex((clause) => clause.when === when && clause.fits());
    const clause = clauses[index];
    if (clause === undefined) {
      continue;
    }
    if (chain !== null) {
      if (seen.has(chain)) {
        throw new SqlError(
          8672,
          'The MERGE statement attempted to UPDATE or DELETE the same row more than once. This happens when a target row matches more than one source row. A MERGE statement cannot UPDATE/DELETE the same row of the target table multiple times. Refine the ON clause to ensure a target row matches at most one source row, or use the GROUP BY clause to group the source rows.',
          { line: statement.line },
        );
      }
      seen.add(chain);
    }
    const from = source.slots.map((each) => ctx.rows[each] ?? []);
    planned.push({ chain, before: chain === null ? null : row, clause: index, from, ...clause.plan(row) });
  }
  planned.length = limit.of(planned.length);
  const emit = (of: Planned, after: Row | null, before: Row | null): void => {
    source.slots.forEach((each, index) => {
      ctx.rows[each] = of.from[index] ?? [];
    });
    output?.add(after, before, of.action);
  };
  const writer = new TableWriter(env, table);
  for (const each of planned) {
    if (each.action === 'DELETE' && each.chain !== null && each.before !== null) {
      writer.delete(each.chain, each.before);
      emit(each, null, each.before);
    }
  }
  clauses.forEach((clause, index) => {
    const updates = planned.flatMap((each) => {
      const { action, chain, before, after, clause: of } = each;
      return action === 'UPDATE' && of === index && chain !== null && before !== null && after !== null
        ? [{ chain, before, after, each }]
        : [];
    });
    if (clause.set !== null && updates.length > 0) {
      writer.update(updates, clause.set.columnIds);
      for (const update of updates) {
        emit(update.each, update.after, update.before);
      }
    }
  });
  for (const each of planned) {
    if (each.action === 'INSERT') {
      const written = clauses[each.clause]?.insert(each.values);
      if (written !== undefined) {
        emit(each, written, null);
      }
    }
  }
  writer.finish();
  for (const clause of clauses) {
    clause.finish();
  }
  return { count: planned.length, columns: output?.columns ?? [], rows: output?.finish() ?? [], select: false };
}

function isMissing(row: Row): boolean {
  return row.every((value) => value === null);
}

interface CompiledClause {
  readonly when: MergeClause['when'];
  readonly set: SetList | null;
  fits(): boolean;
  plan(row: Row): Pick<Planned, 'action' | 'after' | 'values'>;
  insert(values: readonly (SqlValue | undefined)[]): Row;
  finish(): void;
}

function compileClause(
  env: PlanEnvironment,
  clause: MergeClause,
  target: {
    readonly table: ReturnType<typeof targetTable>;
    readonly scope: ReturnType<typeof createQueryScope>;
    readonly name: string;
    readonly line: number;
  },
): CompiledClause {
  const ctx = env.context.eval;
  const { table, scope } = target;
  const condition = clause.and === null ? null : compileCondition(clause.and, scope);
  const base = { when: clause.when, fits: (): boolean => condition === null || condition(ctx) === true };
  const none = { set: null, insert: (): Row => [], finish: (): void => undefined };
  const { action } = clause;
  switch (action.kind) {
    case 'delete':
      return { ...base, ...none, plan: () => ({ action: 'DELETE', after: null, values: [] }) };
    case 'update': {
      const set = setList(env, table, action.assignments, scope, target.name);
      return {
        ...base,
        ...none,
        set,
        plan: (row) => {
          const after = [...row];
          for (const setter of set.setters) {
            setter(ctx, after);
          }
          return { action: 'UPDATE', after, values: [] };
        },
      };
    }
    case 'insert': {
      const builder = rowBuilder(env, table, action.columns, target.line);
      const given = action.values ?? builder.columns.map(() => ({ kind: 'default', line: target.line, position: 0 }) as const);
      if (given.length !== builder.columns.length) {
        throw new SqlError(213, 'Column name or number of supplied values does not match table definition.', { line: target.line });
      }
      const values = given.map((value, index) => {
        const column = builder.columns[index];
        if (value.kind === 'default' || column === undefined) {
          return null;
        }
        refuseRowVersion(column, target.line);
        return assignTo(table, column, compileExpression(value, scope));
      });
      return {
        ...base,
        set: null,
        plan: () => ({ action: 'INSERT', after: null, values: values.map((value) => (value === null ? undefined : value(ctx))) }),
        insert: (row) => builder.insert(row).row,
        finish: () => {
          builder.writer.finish();
        },
      };
    }
  }
}
