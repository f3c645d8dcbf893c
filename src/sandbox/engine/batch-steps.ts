/** Statements of a batch that need no more of the runner than its session: variables, transactions, WAITFOR, KILL, conditions. */
import type { Statement } from '../sql/ast.ts';
import { SqlError } from '../session.ts';
import type { BatchRunner } from './batch-runner.ts';
import { emptyScope } from './bind-source.ts';
import { raisedByUser } from './errors.ts';
import { delayOf, printText, raisedError } from './flow-statements.ts';
import { declareVariables } from './declarations.ts';
import { createEnvironment } from './environment.ts';
import { coerce, compileCondition, compileExpression } from './expressions.ts';

export async function condition(runner: BatchRunner, test: Extract<Statement, { kind: 'if' }>['condition']): Promise<boolean> {
  return await runner.atomic((context) => {
    const env = createEnvironment(context);
    return compileCondition(test, emptyScope(env))(context.eval) === true;
  });
}

export async function declare(runner: BatchRunner, statement: Extract<Statement, { kind: 'declare' }>): Promise<void> {
  declareVariables(runner.frame, statement, runner.session.database.collation);
  for (const variable of statement.variables) {
    const { initial } = variable;
    const place = runner.frame.variables.get(variable.name.toLowerCase());
    if (initial !== null && place !== undefined) {
      const value = await runner.atomic((context) => {
        const scope = emptyScope(createEnvironment(context));
        return coerce(compileExpression(initial, scope), place.type).evaluate(context.eval);
      });
      runner.frame.values[place.index] = value;
    }
  }
}

export async function transact(
  runner: BatchRunner,
  statement: Extract<Statement, { kind: 'beginTransaction' | 'commit' | 'rollback' | 'save' }>,
): Promise<void> {
  const { session } = runner;
  const { name } = statement;
  const text = name === null || typeof name === 'string' ? name : await runner.evaluate(name);
  const named = typeof text === 'string' ? text : null;
  let change = null;
  switch (statement.kind) {
    case 'beginTransaction':
      change = session.begin(named);
      break;
    case 'commit':
      change = await session.commit();
      break;
    case 'rollback':
      change = session.rollback(named === null || session.isTransactionName(named) ? null : named);
      break;
    case 'save':
      session.save(named ?? '');
  }
  if (change !== null) {
    runner.sink.environment(change);
  }
}

/** RAISERROR: an error from severity 11 up, else a message. @throws SqlError */
export async function raise(runner: BatchRunner, statement: Extract<Statement, { kind: 'raiseError' }>): Promise<void> {
  const error = await runner.atomic((context) => raisedError(context, statement));
  if (error.class > 10) {
    throw raisedByUser(error);
  }
  runner.tell(error);
  runner.done();
}

export async function print(runner: BatchRunner, statement: Extract<Statement, { kind: 'print' }>): Promise<void> {
  const text = await runner.atomic((context) => printText(context, statement));
  runner.sink.message({ number: 0, state: 1, class: 0, message: text, procedure: runner.procedure, line: statement.line });
  runner.session.rowCount = 0n;
  runner.done();
}

export async function waitFor(runner: BatchRunner, statement: Extract<Statement, { kind: 'waitFor' }>): Promise<void> {
  await sleep(runner, await runner.atomic((context) => delayOf(context, statement)));
  runner.done();
}

async function sleep(runner: BatchRunner, ms: number): Promise<void> {
  let cancel: () => void = () => undefined;
  let stop: () => void = () => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      cancel = runner.session.instance.clock.after(ms, resolve);
      stop = () => {
        reject(runner.signal.reason instanceof Error ? runner.signal.reason : new Error('cancelled'));
      };
      runner.signal.addEventListener('abort', stop);
    });
  } finally {
    cancel();
    runner.signal.removeEventListener('abort', stop);
  }
}

export function kill(runner: BatchRunner, id: number): void {
  const other = runner.session.instance.sessions.get(id);
  if (!runner.session.administrator) {
    throw new SqlError(6102, 'User does not have permission to use the KILL statement.', { class: 14 });
  }
  if (other === undefined) {
    throw new SqlError(6106, `Process ID ${id} is not an active process ID.`);
  }
  runner.session.instance.cut(id);
}

export function useDatabase(runner: BatchRunner, statement: Extract<Statement, { kind: 'use' }>): void {
  runner.sink.environment(runner.session.use(statement.database));
  runner.sink.message({
    number: 5701,
    state: 1,
    class: 0,
    message: `Changed database context to '${runner.session.database.name}'.`,
    procedure: '',
    line: statement.line,
  });
}
