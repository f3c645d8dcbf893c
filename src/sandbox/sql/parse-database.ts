/** The grammar of CREATE and ALTER DATABASE, BACKUP, RESTORE. */
import { SqlError } from '../session.ts';
import type { AlterDatabaseAction, AlterDatabaseStatement, BackupOption, ChangeTrackingOption } from './ast-definition.ts';
import type { Expression, Node } from './ast-expression.ts';
import type { Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { UnsupportedError } from './unsupported.ts';

/** Options that SET takes with ON or OFF, a word or a number; the executor knows which of them mean something. */
const SWITCHES = new Set(
  (
    'ALLOW_SNAPSHOT_ISOLATION READ_COMMITTED_SNAPSHOT ANSI_NULL_DEFAULT ANSI_NULLS ANSI_PADDING ANSI_WARNINGS ARITHABORT AUTO_CLOSE ' +
    'AUTO_CREATE_STATISTICS AUTO_SHRINK AUTO_UPDATE_STATISTICS AUTO_UPDATE_STATISTICS_ASYNC CONCAT_NULL_YIELDS_NULL ' +
    'CURSOR_CLOSE_ON_COMMIT DATE_CORRELATION_OPTIMIZATION DB_CHAINING MEMORY_OPTIMIZED_ELEVATE_TO_SNAPSHOT NUMERIC_ROUNDABORT ' +
    'QUOTED_IDENTIFIER RECURSIVE_TRIGGERS TRUSTWORTHY ACCELERATED_DATABASE_RECOVERY OPTIMIZED_LOCKING'
  ).split(' '),
);
const WORDS = new Set(['RECOVERY', 'PAGE_VERIFY', 'CURSOR_DEFAULT', 'PARAMETERIZATION', 'DELAYED_DURABILITY', 'QUERY_STORE']);
const BARE = new Set([
  'SINGLE_USER',
  'RESTRICTED_USER',
  'MULTI_USER',
  'READ_ONLY',
  'READ_WRITE',
  'ONLINE',
  'OFFLINE',
  'EMERGENCY',
  'ENABLE_BROKER',
  'DISABLE_BROKER',
  'NEW_BROKER',
]);

export function parseCreateDatabase(cursor: Cursor, at: Node): Statement {
  const name = cursor.name();
  if (cursor.isWord('ON') || cursor.isWord('AS') || cursor.isWord('CONTAINMENT')) {
    const snapshot = /\bAS\s+SNAPSHOT\b/i.test(cursor.text.slice(cursor.token.position));
    throw new UnsupportedError(`CREATE DATABASE … ${snapshot ? 'AS SNAPSHOT OF' : cursor.token.value}`, cursor.token.line);
  }
  return { ...at, kind: 'createDatabase', name, collation: cursor.takeWord('COLLATE') ? cursor.name() : null };
}

/** What follows ALTER DATABASE. */
export function parseAlterDatabase(cursor: Cursor, at: Node): Statement {
  const database = cursor.takeWord('CURRENT') ? null : cursor.name();
  if (cursor.takeWord('COLLATE')) {
    return alter(at, database, [{ kind: 'collate', collation: cursor.name() }]);
  }
  if (cursor.takeWord('MODIFY')) {
    if (!cursor.takeWord('NAME')) {
      throw new UnsupportedError(`ALTER DATABASE … MODIFY ${cursor.token.text}`, at.line);
    }
    cursor.expectSymbol('=');
    return alter(at, database, [{ kind: 'rename', name: cursor.name() }]);
  }
  if (cursor.isWord('ADD') || cursor.isWord('REMOVE')) {
    throw new UnsupportedError(`ALTER DATABASE … ${cursor.token.value}`, at.line);
  }
  cursor.expectWord('SET');
  const actions = cursor.list(() => parseAction(cursor));
  let termination: AlterDatabaseStatement['termination'] = null;
  if (cursor.takeWord('WITH')) {
    termination = cursor.takeWord('NO_WAIT') ? 'noWait' : 'rollbackImmediate';
    if (termination === 'rollbackImmediate') {
      cursor.expectWord('ROLLBACK');
      if (cursor.takeWord('AFTER')) {
        cursor.integer();
        cursor.takeWord('SECONDS');
      } else {
        cursor.expectWord('IMMEDIATE');
      }
    }
  }
  return { ...alter(at, database, actions), termination };
}

function alter(at: Node, database: string | null, actions: readonly AlterDatabaseAction[]): AlterDatabaseStatement {
  return { ...at, kind: 'alterDatabase', database, actions, termination: null };
}

function parseAction(cursor: Cursor): AlterDatabaseAction {
  if (cursor.takeWord('CHANGE_TRACKING')) {
    return parseChangeTracking(cursor);
  }
  if (cursor.takeWord('COMPATIBILITY_LEVEL')) {
    cursor.expectSymbol('=');
    return { kind: 'option', name: 'COMPATIBILITY_LEVEL', value: String(cursor.integer()) };
  }
  const token = cursor.token;
  const name = cursor.word();
  if (SWITCHES.has(name)) {
    cursor.takeSymbol('=');
    return { kind: 'option', name, value: parseSwitch(cursor) ? 'ON' : 'OFF' };
  }
  if (WORDS.has(name)) {
    cursor.takeSymbol('=');
    return { kind: 'option', name, value: cursor.word() };
  }
  if (BARE.has(name)) {
    return { kind: 'option', name, value: 'ON' };
  }
  return cursor.fail(token);
}

function parseSwitch(cursor: Cursor): boolean {
  if (cursor.takeWord('ON')) {
    return true;
  }
  cursor.expectWord('OFF');
  return false;
}

function parseChangeTracking(cursor: Cursor): AlterDatabaseAction {
  let state: 'on' | 'off' | null = null;
  if (cursor.takeSymbol('=')) {
    state = parseSwitch(cursor) ? 'on' : 'off';
    if (state === 'off' || !cursor.isSymbol('(')) {
      return { kind: 'changeTracking', state, options: [] };
    }
  }
  return { kind: 'changeTracking', state, options: cursor.bracketed(() => parseOption(cursor)) };
}

function parseOption(cursor: Cursor): ChangeTrackingOption {
  if (cursor.takeWord('AUTO_CLEANUP')) {
    cursor.expectSymbol('=');
    return { kind: 'autoCleanup', on: parseSwitch(cursor) };
  }
  cursor.expectWord('CHANGE_RETENTION');
  cursor.expectSymbol('=');
  const count = cursor.integer();
  const token = cursor.token;
  switch (cursor.word()) {
    case 'DAYS':
      return { kind: 'retention', count, unit: 'days' };
    case 'HOURS':
      return { kind: 'retention', count, unit: 'hours' };
    case 'MINUTES':
      return { kind: 'retention', count, unit: 'minutes' };
    default:
      throw new SqlError(155, `'${token.text}' is not a recognized CHANGE_RETENTION option.`, { class: 15, line: token.line });
  }
}

/** BACKUP or RESTORE DATABASE with one disk device. */
export function parseBackup(cursor: Cursor): Statement {
  const at = cursor.here();
  const kind = cursor.word() === 'BACKUP' ? 'backup' : 'restore';
  const verb = kind.toUpperCase();
  if (!cursor.takeWord('DATABASE')) {
    throw new UnsupportedError(`${verb} ${cursor.token.value}`, at.line);
  }
  const database = cursor.name();
  if (!cursor.takeWord(kind === 'backup' ? 'TO' : 'FROM')) {
    throw new UnsupportedError(`${verb} DATABASE … without a device`, at.line);
  }
  if (!cursor.takeWord('DISK')) {
    throw new UnsupportedError(`${verb} DATABASE … ${cursor.token.value}`, at.line);
  }
  cursor.expectSymbol('=');
  const device = parseDevice(cursor);
  if (cursor.isSymbol(',')) {
    throw new UnsupportedError(`${verb} DATABASE with several devices`, at.line);
  }
  const options = cursor.takeWord('WITH') ? cursor.list(() => parseBackupOption(cursor)) : [];
  return { ...at, kind, database, device, options };
}

function parseDevice(cursor: Cursor): Expression {
  const { type } = cursor.token;
  return type === 'variable' || type === 'string' || type === 'nationalString' ? cursor.grammar.expression(cursor) : cursor.fail();
}

function parseBackupOption(cursor: Cursor): BackupOption {
  const name = cursor.word();
  if (name === 'MOVE') {
    const file = cursor.string();
    cursor.expectWord('TO');
    cursor.string();
    return { name, value: file };
  }
  return { name, value: cursor.takeSymbol('=') ? cursor.next().value : null };
}
