/** SET options of a session. What would change results and is not built is refused; what changes nothing here is kept. */
import type { SetOptionStatement } from '../sql/ast-control.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { IsolationLevel } from '../session.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { emptyScope } from './bind-source.ts';
import { cannotFindObject } from './errors.ts';
import { createEnvironment } from './environment.ts';
import { compileExpression } from './expressions.ts';
import { describeName, findTable } from './object-names.ts';
import type { SessionState } from './session-state.ts';
import type { StatementContext } from './statement-context.ts';
import { textSizeOf } from './text-size.ts';

/** Options that must have this value, because the sandbox always behaves so. */
const FIXED: Record<string, 'ON' | 'OFF'> = {
  ANSI_NULLS: 'ON',
  ANSI_PADDING: 'ON',
  ANSI_WARNINGS: 'ON',
  ANSI_NULL_DFLT_ON: 'ON',
  ARITHABORT: 'ON',
  CONCAT_NULL_YIELDS_NULL: 'ON',
  QUOTED_IDENTIFIER: 'ON',
  CURSOR_CLOSE_ON_COMMIT: 'OFF',
  NUMERIC_ROUNDABORT: 'OFF',
  ANSI_NULL_DFLT_OFF: 'OFF',
  NOEXEC: 'OFF',
  PARSEONLY: 'OFF',
  SHOWPLAN_ALL: 'OFF',
  SHOWPLAN_TEXT: 'OFF',
  SHOWPLAN_XML: 'OFF',
};

/** Options that change nothing that can be seen here, whatever their value. */
const WITHOUT_EFFECT = new Set([
  'ANSI_DEFAULTS',
  'STATISTICS',
  'FORCEPLAN',
  'REMOTE_PROC_TRANSACTIONS',
  'IO',
  'TIME',
  'XML',
  'PROFILE',
  'QUERY_GOVERNOR_COST_LIMIT',
  'ARITHIGNORE',
  'OFFSETS',
]);

export function setIsolation(session: SessionState, level: IsolationLevel): void {
  session.isolation = level;
}

function valueOf(context: StatementContext, statement: SetOptionStatement): SqlValue {
  const { value } = statement;
  return typeof value === 'string' ? value : compileExpression(value, emptyScope(createEnvironment(context))).evaluate(context.eval);
}

function shown(value: SqlValue): string {
  return typeof value === 'object' ? '' : String(value);
}

export function setOption(context: StatementContext, statement: SetOptionStatement): void {
  const { session } = context;
  const value = valueOf(context, statement);
  const on = value === 'ON';
  for (const name of statement.names) {
    const fixed = FIXED[name];
    if (fixed !== undefined) {
      // ARITHABORT OFF (drivers send it) differs only for errors that are errors here anyway.
      if (value !== fixed && name !== 'ARITHABORT') {
        throw new UnsupportedError(`SET ${name} ${on ? 'ON' : 'OFF'}`, statement.line);
      }
      session.options.flags.set(name, shown(value));
      continue;
    }
    switch (name) {
      case 'NOCOUNT':
        session.options.nocount = on;
        break;
      case 'FMTONLY':
        session.options.formatOnly = on;
        break;
      case 'NO_BROWSETABLE':
        session.options.browse = on;
        break;
      case 'IMPLICIT_TRANSACTIONS':
        session.options.implicitTransactions = on;
        break;
      case 'TEXTSIZE':
        session.options.textSize = textSizeOf(Number(value));
        break;
      case 'XACT_ABORT':
        session.options.xactAbort = on;
        break;
      case 'LOCK_TIMEOUT':
        session.options.lockTimeoutMs = Math.max(-1, Number(value));
        break;
      case 'DEADLOCK_PRIORITY':
        session.options.deadlockPriority = priorityOf(value);
        break;
      case 'ROWCOUNT':
        session.options.rowCount = Number(value);
        break;
      case 'DATEFIRST':
        session.options.dateFirst = Number(value);
        break;
      case 'DATEFORMAT':
        session.options.dateFormat = dateFormatOf(value);
        break;
      case 'CONTEXT_INFO':
        session.contextInfo = Buffer.isBuffer(value) ? Buffer.concat([value, Buffer.alloc(Math.max(0, 128 - value.length))]) : null;
        break;
      case 'LANGUAGE':
        if (!/^(?:us_)?english$/i.test(shown(value))) {
          throw new UnsupportedError(`SET LANGUAGE ${shown(value)}`, statement.line);
        }
        session.options.flags.set(name, shown(value));
        break;
      case 'IDENTITY_INSERT':
        identityInsert(context, statement, on);
        break;
      default:
        if (!WITHOUT_EFFECT.has(name)) {
          throw new UnsupportedError(`SET ${name}`, statement.line);
        }
        session.options.flags.set(name, shown(value));
    }
  }
}

function priorityOf(value: SqlValue): number {
  const words: Record<string, number> = { LOW: -5, NORMAL: 0, HIGH: 5 };
  const priority = typeof value === 'string' ? (words[value.toUpperCase()] ?? Number(value)) : Number(value);
  if (!Number.isInteger(priority) || priority < -10 || priority > 10) {
    throw new SqlError(1042, 'Conflicting or invalid DEADLOCK_PRIORITY.', { class: 15 });
  }
  return priority;
}

function dateFormatOf(value: SqlValue): SessionState['options']['dateFormat'] {
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  if (text === 'mdy' || text === 'dmy' || text === 'ymd' || text === 'ydm' || text === 'myd' || text === 'dym') {
    return text;
  }
  throw new SqlError(2741, `SET DATEFORMAT date order '${shown(value)}' is invalid.`);
}

function identityInsert(context: StatementContext, statement: SetOptionStatement, on: boolean): void {
  const { session } = context;
  const name = statement.table;
  if (name === null) {
    throw new SqlError(102, "Incorrect syntax near 'IDENTITY_INSERT'.", { class: 15 });
  }
  const table = findTable(session, name, () => cannotFindObject(describeName(name)));
  if (!table.columns.some((column) => column.identity !== null)) {
    throw new SqlError(8106, `Table '${describeName(name)}' does not have the identity property. Cannot perform SET operation.`);
  }
  if (on && session.identityInsert !== null && session.identityInsert !== table) {
    const other = session.identityInsert;
    throw new SqlError(
      8107,
      `IDENTITY_INSERT is already ON for table '${other.database.name}.${other.schema.name}.${other.name}'. Cannot perform SET operation for table '${describeName(name)}'.`,
    );
  }
  session.identityInsert = on ? table : session.identityInsert === table ? null : session.identityInsert;
}
