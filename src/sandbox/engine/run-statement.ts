/** Runs one statement that reads, writes or defines, synchronously, in its context. Control of flow is not here. */
import type { Expression } from '../sql/ast-expression.ts';
import type { Statement, WithPrefix } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { PlanEnvironment } from './bind-source.ts';
import { emptyScope } from './bind-source.ts';
import { prepareBulk } from './bulk-insert.ts';
import { truncate } from './define-tracking.ts';
import { createEnvironment, refineEnvironment } from './environment.ts';
import { compileExpression } from './expressions.ts';
import { runInsert } from './insert-rows.ts';
import { targetTable } from './dml-target.ts';
import { runMerge } from './merge-rows.ts';
import { definedTable, describeName } from './object-names.ts';
import { outputRows } from './output-clause.ts';
import { requireAlter } from './permissions.ts';
import { runDefinition } from './run-definition.ts';
import { runSecurity } from './run-security.ts';
import { runSelect } from './run-select.ts';
import { withCommonTables } from './set-operation.ts';
import type { StatementContext } from './statement-context.ts';
import type { StatementResult } from './statement-result.ts';
import { NO_RESULT } from './statement-result.ts';
import { runTableType } from './define-table-type.ts';
import { runDelete, runUpdate } from './update-rows.ts';

const ATOMIC = [
  'select',
  'insert',
  'insertBulk',
  'update',
  'delete',
  'merge',
  'truncate',
  'createLogin',
  'createUser',
  'alterUser',
  'createRole',
  'alterRole',
  'permission',
  'executeAs',
  'createDatabase',
  'alterDatabase',
  'createSchema',
  'createTable',
  'createType',
  'dropType',
  'alterTable',
  'createIndex',
  'createView',
  'createSynonym',
  'alterIndex',
  'transfer',
  'createSequence',
  'drop',
  'dropIndex',
  'createTrigger',
  'toggleTriggers',
  'backup',
  'restore',
] as const satisfies readonly Statement['kind'][];

const ATOMIC_KINDS: ReadonlySet<Statement['kind']> = new Set(ATOMIC);

/** The statements that run here. */
export type AtomicStatement = Extract<Statement, { kind: (typeof ATOMIC)[number] }>;

export function isAtomic(statement: Statement): statement is AtomicStatement {
  return ATOMIC_KINDS.has(statement.kind);
}

function environmentOf(context: StatementContext, statement: WithPrefix & { readonly options?: readonly string[] }): PlanEnvironment {
  const env = createEnvironment(context);
  if (statement.changeTrackingContext !== null) {
    refuseContext(statement.changeTrackingContext);
    const value = compileExpression(statement.changeTrackingContext, emptyScope(env));
    if (!value.untyped && value.type.name !== 'varbinary' && value.type.name !== 'binary') {
      throw wrongContext();
    }
    const bytes = context.binding ? Buffer.alloc(0) : value.evaluate(context.eval);
    if (bytes === null) {
      throw wrongContext();
    }
    context.trackingContext = Buffer.isBuffer(bytes) ? bytes : null;
  }
  const recursion = /MAXRECURSION\s+(\d+)/.exec((statement.options ?? []).join(' '))?.[1];
  return statement.ctes.length === 0
    ? env
    : withCommonTables(
        env,
        statement.ctes,
        (base, ctes) => refineEnvironment(base, { ctes }),
        recursion === undefined ? 100 : Number(recursion),
      );
}

function wrongContext(): SqlError {
  return new SqlError(
    22109,
    'The "context" argument for the CHANGE_TRACKING_CONTEXT WITH clause must be of type varbinary data type with a maximum length of 128.',
  );
}

/** The grammar takes a constant that is not NULL, or a variable. @throws SqlError 102, 156 */
function refuseContext(expression: Expression): void {
  if (expression.kind === 'literal' && expression.literal === 'null') {
    throw new SqlError(156, "Incorrect syntax near the keyword 'NULL'.", { line: expression.line, class: 15 });
  }
  if (expression.kind !== 'literal' && expression.kind !== 'variable') {
    throw new SqlError(102, "Incorrect syntax near '+'.", { line: expression.line, class: 15 });
  }
}

export function runStatement(context: StatementContext, statement: AtomicStatement): StatementResult {
  switch (statement.kind) {
    case 'select':
      if (statement.changeTrackingContext !== null) {
        throw new SqlError(22108, 'The CHANGE_TRACKING_CONTEXT WITH clause cannot be used with a SELECT statement.');
      }
      return runSelect(environmentOf(context, statement), statement);
    case 'insert': {
      const env = environmentOf(context, statement);
      const output =
        statement.output === null ? null : outputRows(env, statement.output, targetTable(env, statement.target, 'INSERT'), 'insert');
      return runInsert(env, statement, output);
    }
    case 'insertBulk':
      context.session.bulk = prepareBulk(context, statement);
      return NO_RESULT;
    case 'update':
      return runUpdate(environmentOf(context, statement), statement);
    case 'delete':
      return runDelete(environmentOf(context, statement), statement);
    case 'merge':
      return runMerge(environmentOf(context, statement), statement);
    case 'truncate': {
      const name = describeName(statement.table);
      const table = definedTable(
        context.session,
        statement.table,
        () => new SqlError(4701, `Cannot find the object "${name}" because it does not exist or you do not have permissions.`),
        () => new SqlError(4708, `Could not truncate object '${name}' because it is not a table.`),
      );
      requireAlter(context.session, table, 'TRUNCATE TABLE');
      if (!table.temporary) {
        table.locks.hold(context.transaction, 'schema modification');
      }
      truncate(context, table, name);
      return NO_RESULT;
    }
    case 'createLogin':
    case 'createUser':
    case 'alterUser':
    case 'createRole':
    case 'alterRole':
    case 'permission':
    case 'executeAs':
      runSecurity(context, statement);
      return NO_RESULT;
    case 'createType':
    case 'dropType':
      runTableType(context, statement);
      return NO_RESULT;
    case 'createDatabase':
    case 'alterDatabase':
    case 'createSchema':
    case 'createTable':
    case 'alterTable':
    case 'createIndex':
    case 'createView':
    case 'createSynonym':
    case 'alterIndex':
    case 'transfer':
    case 'createSequence':
    case 'drop':
    case 'dropIndex':
    case 'createTrigger':
    case 'toggleTriggers':
    case 'backup':
    case 'restore':
      runDefinition(context, statement);
      return NO_RESULT;
  }
}
