/** Statements that neither control the flow of a batch nor run as a whole in a transaction: each is done and the next one follows. */
import type { Statement } from '../sql/ast.ts';
import type { BatchRunner } from './batch-runner.ts';
import { declare, kill, print, raise, transact, useDatabase, waitFor } from './batch-steps.ts';
import { checkIdentity } from './check-identity.ts';
import { setVariable } from './flow-statements.ts';
import { setIsolation, setOption } from './session-settings.ts';

const SIMPLE = [
  'raiseError',
  'print',
  'waitFor',
  'declare',
  'setVariable',
  'beginTransaction',
  'commit',
  'rollback',
  'save',
  'setOption',
  'setIsolation',
  'use',
  'kill',
  'checkIdentity',
  'checkpoint',
] as const satisfies readonly Statement['kind'][];

const SIMPLE_KINDS: ReadonlySet<Statement['kind']> = new Set(SIMPLE);

export type SimpleStatement = Extract<Statement, { kind: (typeof SIMPLE)[number] }>;

export function isSimple(statement: Statement): statement is SimpleStatement {
  return SIMPLE_KINDS.has(statement.kind);
}

/** @throws SqlError of the statement */
export async function runSimple(runner: BatchRunner, statement: SimpleStatement): Promise<void> {
  const { session } = runner;
  switch (statement.kind) {
    case 'raiseError':
      await raise(runner, statement);
      return;
    case 'print':
      await print(runner, statement);
      return;
    case 'waitFor':
      await waitFor(runner, statement);
      return;
    case 'declare':
      await declare(runner, statement);
      return;
    case 'checkIdentity':
      await checkIdentity(runner, statement);
      return;
    case 'setVariable':
      await runner.atomic((context) => setVariable(context, statement));
      session.rowCount = 1n;
      break;
    case 'beginTransaction':
    case 'commit':
    case 'rollback':
    case 'save':
      await transact(runner, statement);
      session.rowCount = 0n;
      break;
    case 'setOption':
      await runner.atomic((context) => setOption(context, statement));
      session.rowCount = 0n;
      break;
    case 'setIsolation':
      setIsolation(session, statement.level);
      session.rowCount = 0n;
      break;
    case 'use':
      useDatabase(runner, statement);
      session.rowCount = 0n;
      break;
    case 'kill':
      kill(runner, statement.session);
      break;
    case 'checkpoint':
      break;
  }
  runner.done();
}
