/** The grammar of triggers: CREATE and ALTER TRIGGER, ENABLE and DISABLE, and UPDATE(column), which only triggers know. */
import { SqlError } from '../session.ts';
import type { CreateTriggerStatement, TriggerAction } from './ast-definition.ts';
import type { Expression, Node, ObjectName } from './ast-expression.ts';
import type { Statement } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { UnsupportedError } from './unsupported.ts';

/** What follows CREATE, ALTER or CREATE OR ALTER: TRIGGER and all the rest of the batch, which is its body. */
export function parseTrigger(cursor: Cursor, at: Node, mode: CreateTriggerStatement['mode']): Statement {
  cursor.expectWord('TRIGGER');
  const name = cursor.objectName();
  cursor.expectWord('ON');
  if (cursor.isWord('DATABASE') || cursor.isWord('ALL', 'SERVER')) {
    throw new UnsupportedError('triggers on definitions and logons', at.line);
  }
  const table = cursor.objectName();
  if (cursor.isWord('WITH')) {
    throw new UnsupportedError('CREATE TRIGGER … WITH', cursor.token.line);
  }
  if (cursor.isWord('INSTEAD', 'OF')) {
    throw new UnsupportedError('INSTEAD OF triggers', cursor.token.line);
  }
  if (!cursor.takeWord('FOR')) {
    cursor.expectWord('AFTER');
  }
  const actions = cursor.list(() => parseAction(cursor));
  const twice = actions.find((action, index) => actions.indexOf(action) !== index);
  if (twice !== undefined) {
    throw new SqlError(1034, `Syntax error: Duplicate specification of the action "${twice}" in the trigger declaration.`, {
      class: 15,
      line: at.line,
    });
  }
  cursor.takeWord('NOT', 'FOR', 'REPLICATION');
  const as = cursor.token;
  cursor.expectWord('AS');
  if (cursor.atEnd) {
    throw new SqlError(102, "Incorrect syntax near 'AS'.", { class: 15, line: as.line });
  }
  const { line, position } = cursor.token;
  while (!cursor.atEnd) {
    // The body is kept as text; parsing it here refuses what no trigger can be made of.
    if (!cursor.takeSymbol(';')) {
      cursor.grammar.statement(cursor);
    }
  }
  return {
    ...at,
    kind: 'createTrigger',
    name,
    table,
    actions,
    mode,
    text: cursor.text.slice(at.position),
    body: '\n'.repeat(line - 1) + cursor.text.slice(position),
  };
}

function parseAction(cursor: Cursor): TriggerAction {
  const token = cursor.token;
  const word = cursor.word();
  return word === 'INSERT' || word === 'UPDATE' || word === 'DELETE' ? word : cursor.fail(token);
}

/** ENABLE | DISABLE TRIGGER names | ALL ON table. */
export function parseToggle(cursor: Cursor): Statement {
  const at = cursor.here();
  const enable = cursor.word() === 'ENABLE';
  cursor.expectWord('TRIGGER');
  const names = parseNames(cursor);
  cursor.expectWord('ON');
  if (cursor.isWord('DATABASE') || cursor.isWord('ALL', 'SERVER')) {
    throw new UnsupportedError('triggers on definitions and logons', at.line);
  }
  return { ...at, kind: 'toggleTriggers', enable, names, table: cursor.objectName(), altersTable: false };
}

/** What follows ALTER TABLE table: ENABLE | DISABLE TRIGGER names | ALL. */
export function parseTableToggle(cursor: Cursor, at: Node, table: ObjectName): Statement {
  const enable = cursor.word() === 'ENABLE';
  cursor.expectWord('TRIGGER');
  return { ...at, kind: 'toggleTriggers', enable, names: parseNames(cursor), table, altersTable: true };
}

function parseNames(cursor: Cursor): ObjectName[] {
  return cursor.takeWord('ALL') ? [] : cursor.list(() => cursor.objectName());
}

/** UPDATE(column) as a condition: the call of a function that says 1 or 0. */
export function parseUpdated(cursor: Cursor): Expression {
  const at = cursor.here();
  cursor.expectWord('UPDATE');
  cursor.expectSymbol('(');
  const column = cursor.name();
  cursor.expectSymbol(')');
  const name: ObjectName = { ...at, server: null, database: null, schema: null, name: 'UPDATE' };
  const text: Expression = { ...at, kind: 'literal', literal: 'nationalString', text: column };
  const left: Expression = {
    ...at,
    kind: 'call',
    name,
    args: [text],
    star: false,
    distinct: false,
    modifier: null,
    over: null,
    withinGroup: [],
  };
  return { ...at, kind: 'comparison', operator: '=', left, right: { ...at, kind: 'literal', literal: 'integer', text: '1' } };
}
