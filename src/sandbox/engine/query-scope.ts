/** Resolves the names of a query: columns of its sources, then of the queries around it; variables of the batch. */
import type { CallExpression, Expression, Node } from '../sql/ast-expression.ts';
import type { ColumnSlot, CompiledSubquery, Scope, VariableSlot } from '../sql/context.ts';
import type { Query } from '../sql/ast.ts';
import { isWindowOnly } from '../sql/aggregate-names.ts';
import { SqlError } from '../session.ts';
import { sameName } from './catalog.ts';
import { ambiguousColumn, invalidColumn } from './errors.ts';
import type { PlanColumn, SourceTable } from './plan.ts';
import type { StatementContext } from './statement-context.ts';

/** A scope of the engine: it can be refined, and subqueries compiled in the refined one. */
export interface QueryScope extends Scope {
  readonly context: StatementContext;
  /** Compiles a subquery whose outer query has the scope `outer`. */
  readonly plan: (query: Query, outer: QueryScope) => CompiledSubquery;
}

/** A scope that differs in some answers; subqueries see the difference. */
export function refineScope(
  scope: QueryScope,
  changes: Partial<Pick<Scope, 'resolveColumn' | 'substitute' | 'refuseAggregate'>>,
): QueryScope {
  const refined: QueryScope = { ...scope, ...changes, compileSubquery: (query) => scope.plan(query, refined) };
  return refined;
}

export interface ScopeOptions {
  readonly context: StatementContext;
  readonly tables: readonly SourceTable[];
  readonly parent: QueryScope | null;
  readonly plan: QueryScope['plan'];
}

export function createQueryScope(options: ScopeOptions): QueryScope {
  const { context, tables, parent, plan } = options;
  const scope: QueryScope = {
    context,
    plan,
    collation: context.database.collation,
    resolveColumn: (qualifier, name, node) => {
      const found = findColumn(tables, qualifier, name, node);
      if (found !== null) {
        return found;
      }
      if (parent !== null) {
        return parent.resolveColumn(qualifier, name, node);
      }
      throw qualifier.length > 0 && !tables.some((table) => namesTable(table, qualifier))
        ? new SqlError(4104, `The multi-part identifier "${[...qualifier, name].join('.')}" could not be bound.`, { line: node.line })
        : invalidColumn(name, node.line);
    },
    resolveVariable: (name, node) => resolveVariable(context, name, node),
    compileSubquery: (query) => plan(query, scope),
    substitute: () => null,
    refuseAggregate: (call) => refuseAggregate(call),
  };
  return scope;
}

export function resolveVariable(context: StatementContext, name: string, node: Node): VariableSlot {
  const found = context.frame.variables.get(name.toLowerCase());
  if (found === undefined) {
    throw new SqlError(137, `Must declare the scalar variable "${name}".`, { line: node.line, state: 2, class: 15 });
  }
  return found;
}

function refuseAggregate(call: CallExpression): never {
  if (call.over === null && isWindowOnly(call)) {
    throw new SqlError(10_753, `The function '${call.name.name}' must have an OVER clause.`, { line: call.line, class: 15 });
  }
  if (call.over !== null) {
    throw new SqlError(4108, 'Windowed functions can only appear in the SELECT or ORDER BY clauses.', { line: call.line, class: 15 });
  }
  throw new SqlError(
    147,
    'An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.',
    { line: call.line, class: 15 },
  );
}

function namesTable(table: SourceTable, qualifier: readonly string[]): boolean {
  const name = qualifier.at(-1);
  if (name === undefined || !sameName(name, table.name)) {
    return false;
  }
  const outer = qualifier.slice(0, -1);
  const known = table.qualifiers.slice(-outer.length);
  return outer.length === 0 || (known.length === outer.length && outer.every((part, index) => sameName(part, known[index] ?? '')));
}

function findColumn(tables: readonly SourceTable[], qualifier: readonly string[], name: string, node: Node): ColumnSlot | null {
  let found: ColumnSlot | null = null;
  for (const table of tables) {
    if (qualifier.length > 0 && !namesTable(table, qualifier)) {
      continue;
    }
    const index = columnPosition(table.columns, name);
    const column = table.columns[index];
    if (column === undefined) {
      continue;
    }
    if (found !== null) {
      throw ambiguousColumn(name, node.line);
    }
    if (column.denied !== undefined) {
      throw column.denied();
    }
    found = { slot: table.slot, index, type: column.type, nullable: column.nullable };
  }
  return found;
}

function columnPosition(columns: readonly PlanColumn[], name: string): number {
  const exact = columns.findIndex((column) => column.name === name);
  return exact >= 0 ? exact : columns.findIndex((column) => sameName(column.name, name));
}

/** A scope that notes the slots of the columns that it resolved. */
export function recordingScope(scope: QueryScope): { readonly scope: QueryScope; readonly slots: Set<number> } {
  const slots = new Set<number>();
  const recording = refineScope(scope, {
    resolveColumn: (qualifier, name, node) => {
      const column = scope.resolveColumn(qualifier, name, node);
      slots.add(column.slot);
      return column;
    },
    substitute: (expression: Expression) => {
      const column = scope.substitute(expression);
      if (column !== null) {
        slots.add(column.slot);
      }
      return column;
    },
  });
  return { scope: recording, slots };
}

/** The tables that `qualifier.*` stands for; all of them without a qualifier. @throws SqlError 107 when it names none */
export function tablesOfStar(tables: readonly SourceTable[], qualifier: readonly string[], node: Node): readonly SourceTable[] {
  if (qualifier.length === 0) {
    return tables;
  }
  const named = tables.filter((table) => namesTable(table, qualifier));
  if (named.length === 0) {
    throw new SqlError(
      107,
      `The column prefix '${qualifier.join('.')}' does not match with a table name or alias name used in the query.`,
      { line: node.line, class: 15 },
    );
  }
  return named;
}
