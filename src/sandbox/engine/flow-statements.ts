/** The small statements: PRINT, RAISERROR, THROW, WAITFOR, SET @v, DECLARE @t TABLE. */
import type {
  DeclareTableStatement,
  PrintStatement,
  RaiseErrorStatement,
  SetVariableStatement,
  ThrowStatement,
  WaitForStatement,
} from '../sql/ast-control.ts';
import type { Expression } from '../sql/ast-expression.ts';
import { formatMessage } from '../sql/message-format.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { emptyScope } from './bind-source.ts';
import { createDraft, fillDraft, tableOf } from './define-table.ts';
import { createEnvironment } from './environment.ts';
import { coerce, compileExpression } from './expressions.ts';
import type { StatementContext } from './statement-context.ts';
import { tableOfType } from './define-table-type.ts';

function evaluate(context: StatementContext, expression: Expression): SqlValue {
  return compileExpression(expression, emptyScope(createEnvironment(context))).evaluate(context.eval);
}

function textOf(context: StatementContext, expression: Expression): string {
  const value = compileExpression(expression, emptyScope(createEnvironment(context)));
  const text = coerce(value, { name: 'nvarchar', length: 'max', collation: context.database.collation }, { explicit: true }).evaluate(
    context.eval,
  );
  return typeof text === 'string' ? text : '';
}

export function printText(context: StatementContext, statement: PrintStatement): string {
  return textOf(context, statement.message).slice(0, 4000);
}

/** @throws SqlError 10704 for a bare THROW outside CATCH */
export function thrownError(context: StatementContext, statement: ThrowStatement): SqlError {
  if (statement.number === null || statement.message === null || statement.state === null) {
    const caught = context.session.caught.at(-1);
    if (caught === undefined) {
      throw new SqlError(
        10704,
        'To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW statement inside a CATCH block, or add error parameters to the THROW statement.',
        { class: 15 },
      );
    }
    const error = new SqlError(caught.number, caught.message, { class: caught.severity, state: caught.state, line: caught.line });
    error.procedure = caught.procedure ?? '';
    return error;
  }
  const number = Number(evaluate(context, statement.number));
  if (number < 50_000) {
    throw new SqlError(
      35_100,
      `Error number ${number} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647.`,
      { state: 10, line: statement.line },
    );
  }
  return new SqlError(number, textOf(context, statement.message), {
    state: Number(evaluate(context, statement.state)),
    line: statement.line,
  });
}

/** The message of RAISERROR with its %-places filled; class 10 and less is no error. */
export function raisedError(context: StatementContext, statement: RaiseErrorStatement): SqlError {
  const message = compileExpression(statement.message, emptyScope(createEnvironment(context)));
  const raw = message.evaluate(context.eval);
  if (typeof raw === 'number' || typeof raw === 'bigint') {
    throw new UnsupportedError('RAISERROR with a message number', statement.line);
  }
  const args = statement.args.map((arg, index) => substitute(context, arg, index + 4));
  const text = formatMessage(typeof raw === 'string' ? raw : '', args, (argument) => {
    throw new SqlError(
      2786,
      `The data type of substitution parameter ${argument} does not match the expected type of the format specification.`,
      { line: statement.line },
    );
  });
  // Beyond 25 is 25. Source: the page about RAISERROR.
  const severity = Math.min(25, Number(evaluate(context, statement.severity)));
  if (severity > 18 && !(statement.options.includes('LOG') && context.session.administrator)) {
    throw new SqlError(
      2754,
      'Error severity levels greater than 18 can only be specified by members of the sysadmin role, using the WITH LOG option.',
      { line: statement.line },
    );
  }
  return new SqlError(50_000, text, {
    class: Math.max(0, severity),
    state: Number(evaluate(context, statement.state)),
    line: statement.line,
    ...(severity >= 20 ? { preceding: terminating(context.session.id, severity, statement.line) } : {}),
  });
}

function terminating(spid: number, severity: number, line: number): SqlError {
  return new SqlError(
    2745,
    `Process ID ${spid} has raised user error 50000, severity ${severity}. SQL Server is terminating this process.`,
    { line, state: 2 },
  );
}

const SUBSTITUTES: ReadonlySet<string> = new Set('tinyint smallint int bigint char varchar nchar nvarchar binary varbinary'.split(' '));

/** What RAISERROR puts into its text. @param place among its parameters @throws SqlError 2748 */
function substitute(context: StatementContext, expression: Expression, place: number): SqlValue {
  const compiled = compileExpression(expression, emptyScope(createEnvironment(context)));
  if (!SUBSTITUTES.has(compiled.type.name)) {
    throw new SqlError(2748, `Cannot specify ${compiled.type.name} data type (parameter ${place}) as a substitution parameter.`, {
      line: expression.line,
    });
  }
  return compiled.evaluate(context.eval);
}

/**
 * Milliseconds that WAITFOR waits: those of DELAY, or those up to the next time that the clock shows what TIME says.
 * @throws SqlError 148
 */
export function delayOf(context: StatementContext, statement: WaitForStatement): number {
  const text = textOf(context, statement.value);
  const match = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,3})\d*)?)?$/.exec(text.trim());
  if (match === null || Number(match[1]) > 23 || Number(match[2]) > 59 || Number(match[3] ?? 0) > 59) {
    throw new SqlError(148, `Incorrect time syntax in time string '${text}' used with WAITFOR.`, { line: statement.line, class: 15 });
  }
  const [, hours = '0', minutes = '0', seconds = '0', fraction = '0'] = match;
  const wanted = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(fraction.padEnd(3, '0'));
  if (statement.mode === 'delay') {
    return wanted;
  }
  const day = 86_400_000;
  const now = (context.now + context.eval.system.offsetMinutes() * 60_000) % day;
  return (wanted - now + day) % day;
}

export function setVariable(context: StatementContext, statement: SetVariableStatement): void {
  const scope = emptyScope(createEnvironment(context));
  const place = scope.resolveVariable(statement.variable, statement);
  const { operator, line, position } = statement;
  const expression: Expression =
    operator === '='
      ? statement.expression
      : {
          kind: 'binary',
          operator: operator.slice(0, -1) as '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^',
          left: { kind: 'variable', name: statement.variable, line, position },
          right: statement.expression,
          line,
          position,
        };
  context.eval.variables[place.index] = coerce(compileExpression(expression, scope), place.type).evaluate(context.eval);
}

export function declareTable(context: StatementContext, statement: DeclareTableStatement): void {
  if (statement.type !== null) {
    const table = tableOfType(context, statement.type, statement.name, { ordinal: statement.ordinal, readOnly: false });
    context.frame.tables.set(statement.name.toLowerCase(), table);
    return;
  }
  const tempdb = context.instance.database('tempdb') ?? context.database;
  const draft = createDraft(tempdb, { id: 1, name: 'dbo' }, statement.name, true);
  fillDraft(context, draft, statement.columns, statement.constraints, null);
  const table = tableOf(context, draft);
  table.store.lasting = true;
  context.frame.tables.set(statement.name.toLowerCase(), table);
}
