/** Runs the statements of a batch: control of flow, errors and TRY, transactions, and what goes to the client when. An error outside
 *  TRY goes to the sink; the next statement follows unless the error ends the batch. */
import type { Statement } from '../sql/ast.ts';
import type { ResultSink } from '../session.ts';
import { SqlError } from '../session.ts';
import { runOverflow } from '../sql/nesting.ts';
import type { SqlValue } from '../sql-types.ts';
import { atomically } from './atomic-statement.ts';
import { condition } from './batch-steps.ts';
import { BatchBinding } from './batch-binding.ts';
import { BatchEnd, ScopeEnd, atTheEnd } from './batch-end.ts';
import type { BatchCache, PreparedBatch } from './batch-cache.ts';
import { emptyScope } from './bind-source.ts';
import { describeInstead } from './describe-statement.ts';
import { createEnvironment } from './environment.ts';
import { caughtError, endsBatch, endsConnection, endsTransaction, isRaised, messageOf } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { runAtomicStatement } from './fire-triggers.ts';
import { thrownError } from './flow-statements.ts';
import { insertExecuted } from './insert-executed.ts';
import { beginImplicitly } from './implicit-transactions.ts';
import { runProcedure } from './procedures.ts';
import { isAtomic } from './run-statement.ts';
import { sendResult } from './send-result.ts';
import type { SessionState } from './session-state.ts';
import { isSimple, runSimple } from './simple-statements.ts';
import { terminationOf } from './terminated-statement.ts';
import type { Frame, StatementContext } from './statement-context.ts';
import { createFrame } from './statement-context.ts';
import type { Transaction } from './transaction.ts';

type Outcome = 'next' | 'break' | 'continue' | 'return' | { readonly goto: string };

export interface RunnerOptions {
  readonly session: SessionState;
  readonly frame: Frame;
  readonly sink: ResultSink;
  readonly signal: AbortSignal;
  readonly cache: BatchCache;
  /** Nesting of EXEC; @@NESTLEVEL's limit is 32. */
  readonly depth: number;
}

export class BatchRunner {
  readonly session: SessionState;
  readonly frame: Frame;
  readonly sink: ResultSink;
  readonly signal: AbortSignal;
  readonly cache: BatchCache;
  readonly depth: number;
  status = 0;
  /** It ended with an error that ends batches. */
  aborted = false;
  /** How many TRY blocks stand around, those of the batches outside included. */
  #tryDepth = 0;
  #outerTries = 0;
  #text = '';
  readonly #binding = new BatchBinding(this);

  constructor(options: RunnerOptions) {
    this.session = options.session;
    this.frame = options.frame;
    this.sink = options.sink;
    this.signal = options.signal;
    this.cache = options.cache;
    this.depth = options.depth;
  }

  /** What runs it, as messages name it: a trigger, or nothing. */
  get procedure(): string {
    return this.frame.trigger?.name ?? '';
  }

  /** Runs a whole batch. Errors go to the sink; only an attention and errors inside an outer TRY are thrown. */
  async run(batch: PreparedBatch): Promise<void> {
    try {
      const refused = await this.#binding.prepare(batch);
      if (refused !== null) {
        this.#notCompiled(refused);
        return;
      }
      this.#text = batch.text;
      await this.#sequence(batch.statements, batch.text.length);
    } catch (error) {
      if (error instanceof ScopeEnd) {
        return;
      }
      if (this.depth > 0 && error instanceof SqlError && this.#binding.isOwn(error) && this.#outerTries === 0) {
        this.tell(error);
        this.#failed(error);
        return;
      }
      if (this.depth > 0 || !(error instanceof SqlError || error instanceof BatchEnd)) {
        throw error;
      }
      if (error instanceof SqlError) {
        atTheEnd(() => this.refused(error));
      }
    }
  }

  /** Tells an error, with what it does to its statement and to the transaction. @throws BatchEnd when the batch ends with it */
  refused(error: SqlError, statement: Statement | null = null): void {
    this.tell(error);
    const terminated = statement === null ? null : terminationOf(this.session, statement, error);
    if (terminated !== null) {
      this.sink.message(terminated);
    }
    this.#failed(error);
  }

  /** Runs another text in its place: EXEC('…') and sp_executesql. @throws what its statements throw */
  async nested(text: string, frame: Frame = createFrame()): Promise<void> {
    if (this.depth >= 31) {
      throw new SqlError(217, 'Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).');
    }
    const temps = new Set(this.session.tempTables.keys());
    const before = this.session.transactionCount;
    const inner = this.#inner({ frame });
    inner.#tryDepth = this.#tryDepth;
    inner.#outerTries = this.#tryDepth;
    frame.level = this.depth + 1;
    const endScope = this.session.scopeOptions();
    try {
      const batch = inner.#parsed(text);
      if (batch !== null) {
        await inner.run(batch);
      }
      const mismatch = this.#tryDepth > 0 ? null : this.session.mismatchedCount(before);
      if (mismatch !== null) {
        this.tell(mismatch);
      }
    } finally {
      endScope();
      for (const name of [...this.session.tempTables.keys()]) {
        if (!temps.has(name)) {
          this.session.tempTables.delete(name);
        }
      }
    }
  }

  /** Runs the body of a trigger. @throws SqlError 217, and what its statements throw into a TRY outside */
  async trigger(body: string, frame: Frame): Promise<void> {
    if (this.depth >= 32) {
      throw new SqlError(217, 'Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).');
    }
    frame.level = this.depth + 1;
    const inner = this.#inner({ frame });
    inner.#tryDepth = this.#tryDepth;
    // What does not compile is an error of the statement that fired it.
    inner.#outerTries = 1;
    await inner.run(this.cache.get(body));
  }

  tell(error: SqlError): void {
    if (error.preceding !== null) {
      this.tell(error.preceding);
    }
    this.sink.message(messageOf(error, this.procedure));
  }

  done(result: Partial<{ rowCount: number | bigint | null; select: boolean; error: boolean }> = {}): void {
    this.sink.done({ rowCount: null, select: false, error: false, ...result, inTransaction: this.session.transaction !== null });
  }

  atomic<T>(run: (context: StatementContext) => T, after?: (transaction: Transaction, result: T) => Promise<void> | undefined): Promise<T> {
    return atomically(this.session, this.frame, this.signal, run, after);
  }

  /** The batch of a text that is run in this one's place; null when its errors have been told. @throws SqlError into a TRY outside */
  #parsed(text: string): PreparedBatch | null {
    try {
      return this.cache.get(text);
    } catch (error) {
      if (!(error instanceof SqlError)) {
        throw error;
      }
      this.#notCompiled(error);
      return null;
    }
  }

  /** A batch that does not compile does nothing: XACT_ABORT is not asked. @throws SqlError into a TRY outside */
  #notCompiled(error: SqlError): void {
    this.session.errorNumber = error.number;
    if (this.#outerTries > 0) {
      throw error;
    }
    this.tell(error);
    this.done({ error: true });
  }

  async #sequence(statements: readonly Statement[], end: number): Promise<Outcome> {
    for (let index = 0; index < statements.length; index += 1) {
      const statement = statements[index];
      const outcome = statement === undefined ? 'next' : await this.#guarded(statement, statements[index + 1]?.position ?? end);
      if (typeof outcome === 'object') {
        index = statements.findIndex((each) => each.kind === 'label' && each.label.toLowerCase() === outcome.goto);
        if (index < 0) {
          return outcome;
        }
      } else if (outcome !== 'next') {
        return outcome;
      }
    }
    return 'next';
  }

  /** The same batch with another sink, for INSERT … EXEC: an error goes to the statement outside. */
  #with(sink: ResultSink): BatchRunner {
    const inner = this.#inner({ sink, depth: this.depth });
    inner.#text = this.#text;
    inner.#tryDepth = this.#tryDepth + 1;
    inner.#outerTries = this.#outerTries + 1;
    return inner;
  }

  #inner(changes: Partial<RunnerOptions>): BatchRunner {
    const { session, frame, sink, signal, cache, depth } = this;
    return new BatchRunner({ session, frame, sink, signal, cache, depth: depth + 1, ...changes });
  }

  /** Runs one statement of this batch out of its turn. */
  async step(statement: Statement): Promise<void> {
    await this.#guarded(statement, this.#text.length);
  }

  /** One statement; an error outside TRY is told, and the batch goes on where SQL Server would. */
  async #guarded(statement: Statement, end: number): Promise<Outcome> {
    this.signal.throwIfAborted();
    try {
      const held = this.session.instance.gate.beforeStatement(this.session.appName, this.#text.slice(statement.position, end), this.signal);
      if (held !== undefined) {
        await held;
      }
      await this.#binding.reach(statement);
      const outcome = await this.#statement(statement, end);
      if (statement.kind !== 'execute' && statement.kind !== 'executeText') {
        this.session.errorNumber = 0;
      }
      return outcome;
    } catch (caught) {
      const error = runOverflow(caught);
      if (!(error instanceof SqlError)) {
        throw error;
      }
      for (let each: SqlError | null = error; each !== null; each = each.preceding) {
        each.line ||= statement.line;
        each.procedure ??= this.procedure;
      }
      this.session.errorNumber = error.number;
      this.session.rowCount = 0n;
      if (this.#tryDepth > 0) {
        throw error;
      }
      this.refused(error, statement);
      if (this.#binding.isOwn(error)) {
        throw new ScopeEnd();
      }
      return 'next';
    }
  }

  /** What an error outside TRY leaves behind. @throws BatchEnd when the batch ends with it */
  #failed(error: SqlError): void {
    const { session } = this;
    const rollsBack = endsTransaction(error) || (session.options.xactAbort && !isRaised(error));
    if (rollsBack && session.transaction !== null) {
      const change = session.rollback(null);
      if (change !== null) {
        this.sink.environment(change);
      }
    }
    this.done({ error: true });
    session.ended ||= endsConnection(error);
    if (rollsBack || (endsBatch(error) && !this.#binding.isOwn(error))) {
      this.aborted = true;
      throw new BatchEnd();
    }
  }

  async #statement(statement: Statement, end: number): Promise<Outcome> {
    const { session } = this;
    if (session.options.formatOnly && (await describeInstead(this, statement))) {
      return 'next';
    }
    if (statement.kind === 'insert' && statement.source.kind === 'execute') {
      const { statement: execute } = statement.source;
      const count = await insertExecuted(this, statement, (sink) => this.#with(sink).step(execute));
      session.rowCount = BigInt(count);
      this.done({ rowCount: session.options.nocount ? null : count });
      return 'next';
    }
    beginImplicitly(this, statement);
    if (isAtomic(statement)) {
      const result = await runAtomicStatement(this, statement);
      session.rowCount = BigInt(result.count ?? 0);
      await sendResult(this, result, statement.line);
      return 'next';
    }
    if (isSimple(statement)) {
      await runSimple(this, statement);
      return 'next';
    }
    switch (statement.kind) {
      // A table variable has been there since the batch began.
      case 'declareTable':
      case 'label':
        return 'next';
      case 'goto':
        return { goto: statement.label.toLowerCase() };
      case 'block':
        return await this.#sequence(statement.statements, end);
      case 'if': {
        const held = await condition(this, statement.condition);
        const branch = held ? statement.then : statement.otherwise;
        return branch === null ? 'next' : await this.#guarded(branch, held ? (statement.otherwise?.position ?? end) : end);
      }
      case 'while':
        while (await condition(this, statement.condition)) {
          const outcome = await this.#guarded(statement.body, end);
          if (outcome === 'break') {
            break;
          }
          if (outcome === 'return' || typeof outcome === 'object') {
            return outcome;
          }
        }
        return 'next';
      case 'break':
      case 'continue':
        return statement.kind;
      case 'try':
        return await this.#try(statement, end);
      case 'return':
        this.status = statement.value === null ? this.status : Number((await this.evaluate(statement.value)) ?? 0);
        return 'return';
      case 'throw': {
        const error = await this.atomic((context) => thrownError(context, statement));
        if (this.#tryDepth === 0) {
          this.tell(error);
          this.#failed(error);
          throw new BatchEnd();
        }
        throw error;
      }
      // @@ERROR is then what the last statement of the text left.
      case 'execute':
        session.errorNumber = 0;
        await runProcedure(this, statement);
        return 'next';
      case 'executeText': {
        const text = await this.evaluate(statement.text);
        session.errorNumber = 0;
        await this.nested(typeof text === 'string' ? text : '');
        return 'next';
      }
    }
  }

  async #try(statement: Extract<Statement, { kind: 'try' }>, end: number): Promise<Outcome> {
    const { session } = this;
    this.#tryDepth += 1;
    try {
      return await this.#sequence(statement.body, statement.handler[0]?.position ?? end);
    } catch (error) {
      if (!(error instanceof SqlError) || this.#binding.isOwn(error) || endsConnection(error)) {
        throw error;
      }
      this.#tryDepth -= 1;
      if (session.transaction !== null && (endsTransaction(error) || session.options.xactAbort)) {
        session.doomed = true;
      }
      session.caught.push(caughtError(error));
      try {
        return await this.#sequence(statement.handler, end);
      } finally {
        session.caught.pop();
        this.#tryDepth += 1;
      }
    } finally {
      this.#tryDepth -= 1;
    }
  }

  async evaluate(expression: Parameters<typeof compileExpression>[0]): Promise<SqlValue> {
    return await this.atomic((context) => compileExpression(expression, emptyScope(createEnvironment(context))).evaluate(context.eval));
  }
}
