/**
 * Binding, as SQL Server does it when it compiles a batch: every name and type of every statement is looked up before the first one runs,
 * in branches that are never taken too. A statement with a table that is not there is left for later (deferred name resolution) and bound
 * when it is reached; so is what the sandbox does not support. Nothing is run, no row is read, no lock is kept.
 * Source: learn.microsoft.com, "Deferred name resolution and compilation"; Batches.
 */
import type { Statement } from '../sql/ast.ts';
import type { Expression, ObjectName } from '../sql/ast-expression.ts';
import { UNSUPPORTED_ERROR } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { BoundBatch, PreparedBatch } from './batch-cache.ts';
import { declaredTwice, undeclaredVariable } from './batch-survey.ts';
import { emptyScope } from './bind-source.ts';
import type { Database } from './catalog.ts';
import { sameName } from './catalog.ts';
import { findSystemView } from './catalog-views.ts';
import { definitionStamp } from './definition-log.ts';
import { createEnvironment } from './environment.ts';
import { coerce, compileCondition, compileExpression } from './expressions.ts';
import { findObject } from './object-names.ts';
import { isAtomic, runStatement } from './run-statement.ts';
import type { Frame } from './statement-context.ts';
import { StatementContext } from './statement-context.ts';
import type { SessionState } from './session-state.ts';
import type { Transaction } from './transaction.ts';

/** Names and types of what a batch was given from outside. */
export function parametersOf(frame: Frame): string {
  if (frame.variables.size === 0 && frame.tables.size === 0) {
    return '';
  }
  let text = [...frame.tables.keys()].join(' ');
  for (const [name, { type }] of frame.variables) {
    text += ` ${name} ${type.name}`;
    if ('length' in type) {
      text += `(${type.length})`;
    } else if ('precision' in type) {
      text += `(${type.precision},${type.scale})`;
    } else if ('scale' in type) {
      text += `(${type.scale})`;
    }
  }
  return text;
}

/** What refuses a batch by its variables. @param parameters names of the parameters in lower case, before any DECLARE */
export function variableErrors(batch: PreparedBatch, frame: Frame, parameters: ReadonlySet<string>): SqlError[] {
  const twice = [...batch.declarations.flatMap((each) => each.variables), ...batch.tables]
    .filter((each) => parameters.has(each.name.toLowerCase()))
    .map((each) => declaredTwice(each.name, each.line));
  const missing = batch.undeclared.filter((use) => {
    const key = use.name.toLowerCase();
    return !(parameters.has(key) && (use.table ? frame.tables.has(key) : frame.variables.has(key)));
  });
  return [...batch.refusals, ...twice, ...missing.map((use) => undeclaredVariable(use))];
}

/** What was found out about this batch before, if it still holds. */
export function boundBefore(batch: PreparedBatch, database: Database, parameters: string): BoundBatch | null {
  const known = batch.bound.get(database);
  return known !== undefined && known.stamp === definitionStamp() && known.parameters === parameters ? known : null;
}

/**
 * Binds a whole batch, whose variables are declared in the frame already.
 * @returns the errors that refuse it, in the order of the text; and what is to be bound later.
 * @throws WaitSignal when another transaction is changing a definition that it looks at
 */
export function bindBatch(
  session: SessionState,
  transaction: Transaction,
  frame: Frame,
  batch: PreparedBatch,
  parameters: string,
): BoundBatch & { readonly errors: readonly SqlError[] } {
  const stamp = definitionStamp();
  const errors: SqlError[] = [];
  const deferred = new Set<Statement>();
  const database = session.database;
  const visit = (statements: readonly Statement[]): void => {
    for (const statement of statements) {
      if (statement.kind === 'use') {
        // What follows is compiled in that database. Source: learn.microsoft.com, USE.
        session.database = session.instance.database(statement.database) ?? session.database;
      }
      try {
        bindStatement(session, transaction, frame, statement);
      } catch (error) {
        if (!(error instanceof SqlError)) {
          throw error;
        }
        if (isDeferred(error) || lacksTable(session, transaction, frame, statement)) {
          deferred.add(statement);
        } else {
          error.line ||= statement.line;
          errors.push(error);
        }
      }
      visit(partsOf(statement));
    }
  };
  try {
    visit(batch.statements);
  } finally {
    session.database = database;
  }
  const bound = { stamp, parameters, deferred };
  if (errors.length === 0 && !batch.text.includes('#')) {
    batch.bound.set(database, bound);
  }
  return { ...bound, errors };
}

/** Whether an error of binding waits until the statement is reached. */
function isDeferred(error: SqlError): boolean {
  return error.number === 208 || error.number === UNSUPPORTED_ERROR;
}

/** The statements inside a statement. */
export function partsOf(statement: Statement): readonly Statement[] {
  if (statement.kind === 'block') {
    return statement.statements;
  }
  if (statement.kind === 'if') {
    return statement.otherwise === null ? [statement.then] : [statement.then, statement.otherwise];
  }
  if (statement.kind === 'while') {
    return [statement.body];
  }
  return statement.kind === 'try' ? [...statement.body, ...statement.handler] : [];
}

const ROWS = new Set<Statement['kind']>(['select', 'insert', 'update', 'delete', 'merge']);

/** Binds one statement without those inside it. @throws SqlError, WaitSignal */
export function bindStatement(session: SessionState, transaction: Transaction, frame: Frame, statement: Statement): void {
  const { kind } = statement;
  if (!ROWS.has(kind) && !HOLDS_EXPRESSIONS.has(kind)) {
    return;
  }
  const context = new StatementContext(session, transaction, frame);
  context.binding = true;
  if (isAtomic(statement)) {
    runStatement(context, statement);
    return;
  }
  const scope = emptyScope(createEnvironment(context));
  if (kind === 'if' || kind === 'while') {
    compileCondition(statement.condition, scope);
  } else if (kind === 'declare') {
    for (const { name, initial } of statement.variables) {
      const place = frame.variables.get(name.toLowerCase());
      if (initial !== null && place !== undefined) {
        coerce(compileExpression(initial, scope), place.type);
      }
    }
  } else if (kind === 'setVariable') {
    const place = scope.resolveVariable(statement.variable, statement);
    const value = compileExpression(statement.expression, scope);
    if (statement.operator === '=') {
      coerce(value, place.type);
    }
  } else {
    for (const expression of expressionsOf(statement)) {
      if (expression !== null) {
        compileExpression(expression, scope);
      }
    }
  }
}

const HOLDS_EXPRESSIONS = new Set<Statement['kind']>([
  'if',
  'while',
  'declare',
  'setVariable',
  'print',
  'raiseError',
  'throw',
  'return',
  'executeText',
]);

function expressionsOf(statement: Statement): readonly (Expression | null)[] {
  if (statement.kind === 'print') {
    return [statement.message];
  }
  if (statement.kind === 'raiseError') {
    return [statement.message, statement.severity, statement.state, ...statement.args];
  }
  if (statement.kind === 'throw') {
    return [statement.number, statement.message, statement.state];
  }
  if (statement.kind === 'return') {
    return [statement.value];
  }
  return statement.kind === 'executeText' ? [statement.text] : [];
}

/** Whether a statement names a table that is not there: then nothing of it is bound yet, whatever else is wrong with it. */
function lacksTable(session: SessionState, transaction: Transaction, frame: Frame, statement: Statement): boolean {
  const context = new StatementContext(session, transaction, frame);
  const tables: ObjectName[] = [];
  /** CTEs, and aliases, which an UPDATE or DELETE may have for its target. */
  const local: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      node.forEach(visit);
      return;
    }
    if (typeof node !== 'object' || node === null) {
      return;
    }
    const { kind, name, table, alias, query } = node as {
      kind?: string;
      name?: unknown;
      table?: unknown;
      alias?: unknown;
      query?: unknown;
    };
    if (kind === 'literal') {
      return;
    }
    if (kind === 'table' && isName(name)) {
      tables.push(name);
    } else if ((kind === 'changes' || kind === 'version') && isName(table)) {
      tables.push(table);
    } else if (kind === undefined && typeof name === 'string' && query !== undefined) {
      local.push(name);
    }
    if (typeof alias === 'string') {
      local.push(alias);
    }
    for (const value of Object.values(node)) {
      visit(value);
    }
  };
  const parts: readonly unknown[] = partsOf(statement);
  for (const value of Object.values(statement)) {
    if (!parts.includes(value) && !(Array.isArray(value) && value.some((each) => parts.includes(each)))) {
      visit(value);
    }
  }
  return tables.some((name) => {
    if (name.schema === null && local.some((each) => sameName(each, name.name))) {
      return false;
    }
    try {
      return findSystemView(context, name) === null && findObject(session, name) === undefined;
    } catch {
      return true;
    }
  });
}

function isName(value: unknown): value is ObjectName {
  return typeof value === 'object' && value !== null && 'server' in value;
}
