/** A session as the protocol sees it: batches, procedure calls, transaction requests. */
import type { BackendSession, BulkRows, IsolationLevel, Parameter, ResultSink } from '../session.ts';
import { SqlError } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import { releaseApplicationLocks } from './application-locks.ts';
import { BatchCache } from './batch-cache.ts';
import { atTheEnd } from './batch-end.ts';
import { BatchRunner } from './batch-runner.ts';
import { bulkInsert } from './bulk-insert.ts';
import { declareVariable } from './declarations.ts';
import { objectNameOf } from './object-names.ts';
import { callProcedure } from './procedures.ts';
import type { ConnectedSession } from './instance.ts';
import type { SessionState } from './session-state.ts';
import { withTriggers } from './fire-triggers.ts';
import type { Frame, StatementContext } from './statement-context.ts';
import type { StatementResult } from './statement-result.ts';
import { NO_RESULT } from './statement-result.ts';
import { createFrame } from './statement-context.ts';
import { declareTableParameter } from './define-table-type.ts';
import { UnsupportedError } from '../sql/unsupported.ts';

interface Answer {
  readonly outputs: ReadonlyMap<string, SqlValue>;
  readonly status: number;
}

const cache = new BatchCache();
const NEVER = new AbortController().signal;

export class SandboxSession implements BackendSession, ConnectedSession {
  readonly #state: SessionState;
  /** The database of the login, which a reset goes back to. */
  readonly #home: string;
  #closed = false;

  constructor(state: SessionState) {
    this.#state = state;
    this.#home = state.database.name;
    state.instance.sessions.set(state.id, this);
  }

  get id(): number {
    return this.#state.id;
  }

  get ended(): boolean {
    return this.#state.ended;
  }

  get database(): string {
    return this.#state.database.name;
  }

  get collation(): string {
    return this.#state.database.collation;
  }

  get transactionId(): bigint {
    return this.#state.transaction?.id ?? 0n;
  }

  get loginName(): string {
    return this.#state.login.name;
  }

  get appName(): string {
    return this.#state.appName;
  }

  get hostName(): string {
    return this.#state.hostName;
  }

  get encrypted(): boolean {
    return this.#state.encrypted;
  }

  get startedAt(): number {
    return this.#state.startedAt;
  }

  get running(): boolean {
    return this.#state.running;
  }

  get isolation(): string {
    return this.#state.isolation;
  }

  get openTransactions(): number {
    return this.#state.transactionCount;
  }

  async execute(
    sql: string,
    options: { readonly parameters?: readonly Parameter[]; readonly sink: ResultSink; readonly signal: AbortSignal },
  ): Promise<Answer> {
    this.#state.bulk = null;
    const frame = createFrame();
    const { parameters } = options;
    for (const parameter of parameters ?? []) {
      if (parameter.table === undefined) {
        declareVariable(frame, parameter.name, parameter.type, parameter.value);
      }
    }
    const temps = new Set(this.#state.tempTables.keys());
    const before = this.#state.transactionCount;
    return await this.#running(options, frame, async (runner) => {
      const endScope = parameters === undefined ? null : this.#state.scopeOptions();
      try {
        await declareTableParameters(runner, parameters ?? []);
        const batch = this.#parse(runner, sql);
        if (batch !== null) {
          await runner.run(batch);
          const mismatch = parameters === undefined || runner.aborted ? null : this.#state.mismatchedCount(before);
          if (mismatch !== null) {
            runner.tell(mismatch);
          }
        }
      } finally {
        endScope?.();
        // What sp_executesql makes ends with it.
        for (const name of parameters === undefined ? [] : [...this.#state.tempTables.keys()]) {
          if (!temps.has(name)) {
            this.#state.tempTables.delete(name);
          }
        }
      }
      return outputsOf(parameters ?? [], frame);
    });
  }

  async callProcedure(
    name: string,
    options: { readonly parameters: readonly Parameter[]; readonly sink: ResultSink; readonly signal: AbortSignal },
  ): Promise<Answer> {
    this.#state.bulk = null;
    const outputs = new Map<string, SqlValue>();
    return await this.#running(options, createFrame(), async (runner) => {
      try {
        const parsed = objectNameOf(name);
        if (options.parameters.some((each) => each.table !== undefined)) {
          throw new UnsupportedError(`a table-valued parameter of ${name}`);
        }
        if (parsed === null) {
          throw new SqlError(2812, `Could not find stored procedure '${name}'.`, { state: 62 });
        }
        await callProcedure(
          runner,
          parsed,
          options.parameters.map((parameter) => ({
            name: parameter.name === '' ? null : parameter.name,
            type: parameter.type,
            value: parameter.value,
            output: parameter.output ? (value: SqlValue): void => void outputs.set(parameter.name, value) : null,
          })),
        );
      } catch (error) {
        if (!(error instanceof SqlError)) {
          throw error;
        }
        runner.tell(error);
        runner.done({ error: true });
      }
      return outputs;
    });
  }

  async bulkLoad(load: BulkRows, options: { readonly sink: ResultSink; readonly signal: AbortSignal }): Promise<void> {
    const pending = this.#state.bulk;
    this.#state.bulk = null;
    await this.#running(options, createFrame(), async (runner) => {
      try {
        if (pending === null) {
          throw new SqlError(4002, 'The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended unexpectedly.');
        }
        await this.#state.instance.gate.beforeStatement(this.#state.appName, 'INSERT BULK', options.signal);
        const insert = (context: StatementContext): StatementResult => ({ ...NO_RESULT, count: bulkInsert(context, pending, load) });
        const { count } = await (pending.statement.fireTriggers
          ? withTriggers(runner, insert, (result) => result.count)
          : runner.atomic(insert));
        this.#state.rowCount = BigInt(count ?? 0);
        runner.done({ rowCount: count });
      } catch (error) {
        if (!(error instanceof SqlError) || options.signal.aborted) {
          throw error;
        }
        atTheEnd(() => runner.refused(error, pending?.statement));
      }
      return new Map();
    });
  }

  begin(level: IsolationLevel | null, name: string): bigint {
    if (level !== null) {
      this.#state.isolation = level;
    }
    this.#state.begin(name === '' ? null : name);
    return this.transactionId;
  }

  async commit(): Promise<void> {
    await this.#state.instance.gate.beforeStatement(this.#state.appName, 'COMMIT TRANSACTION', NEVER);
    await this.#state.commit();
  }

  rollback(savepoint: string): Promise<void> {
    this.#state.rollback(savepoint === '' || this.#state.isTransactionName(savepoint) ? null : savepoint);
    return Promise.resolve();
  }

  save(name: string): void {
    this.#state.save(name);
  }

  reset(keepTransaction: boolean): void {
    if (this.#state.impersonated.length > 0) {
      throw new SqlError(
        18_059,
        'The connection has been dropped because the principal that opened it subsequently assumed a new security context, and then tried to reset the connection under its impersonated security context. This scenario is not supported. See "Impersonation Overview" in Books Online.',
        { class: 20 },
      );
    }
    if (!keepTransaction && this.#state.transaction !== null) {
      this.#state.rollback(null);
    }
    releaseApplicationLocks(this.#state);
    this.#state.tempTables.clear();
    this.#state.resetOptions();
    if (this.#state.database.name !== this.#home) {
      this.#state.use(this.#home);
    }
  }

  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#state.closed = true;
    const { instance, transaction } = this.#state;
    instance.sessions.delete(this.id);
    for (const database of instance.databases.values()) {
      if (database.holder === this.id) {
        database.holder = null;
      }
    }
    if (transaction !== null) {
      this.#state.transaction = null;
      instance.manager.rollback(transaction);
    }
    releaseApplicationLocks(this.#state);
    this.#state.tempTables.clear();
  }

  async #running(
    options: { readonly sink: ResultSink; readonly signal: AbortSignal },
    frame: Frame,
    run: (runner: BatchRunner) => Promise<ReadonlyMap<string, SqlValue>>,
  ): Promise<Answer> {
    const { sink, signal } = options;
    const runner = new BatchRunner({ session: this.#state, frame, sink, signal, cache, depth: 0 });
    this.#state.running = true;
    try {
      const outputs = await run(runner);
      this.#endOfBatch(runner);
      return { outputs, status: runner.status };
    } catch (error) {
      if (!signal.aborted && !this.#closed) {
        throw error;
      }
      return { outputs: new Map(), status: 0 };
    } finally {
      this.#state.running = false;
      if (this.#closed) {
        this.#rollBackRest();
      }
    }
  }

  /** The connection went while a statement ran: what that statement opened goes too. */
  #rollBackRest(): void {
    const { transaction } = this.#state;
    if (transaction !== null) {
      this.#state.transaction = null;
      this.#state.instance.manager.rollback(transaction);
    }
  }

  #parse(runner: BatchRunner, sql: string): ReturnType<BatchCache['get']> | null {
    try {
      return cache.get(sql);
    } catch (error) {
      if (!(error instanceof SqlError)) {
        throw error;
      }
      runner.tell(error);
      runner.done({ error: true });
      return null;
    }
  }

  /** A transaction that cannot be committed does not outlive its batch. */
  #endOfBatch(runner: BatchRunner): void {
    if (!this.#state.doomed) {
      return;
    }
    const change = this.#state.rollback(null);
    if (change !== null) {
      runner.sink.environment(change);
    }
    runner.tell(
      new SqlError(3998, 'Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.', { line: 1 }),
    );
    runner.done({ error: true });
  }
}

/** @throws SqlError of a table-valued parameter: then the batch does not run */
async function declareTableParameters(runner: BatchRunner, parameters: readonly Parameter[]): Promise<void> {
  for (const [index, { name, table }] of parameters.entries()) {
    if (table !== undefined) {
      await runner.atomic((context) => declareTableParameter(context, name, index + 1, table));
    }
  }
}

function outputsOf(parameters: readonly Parameter[], frame: Frame): Map<string, SqlValue> {
  const outputs = new Map<string, SqlValue>();
  for (const parameter of parameters) {
    const place = frame.variables.get(parameter.name.toLowerCase());
    if (parameter.output && place !== undefined) {
      outputs.set(parameter.name, frame.values[place.index] ?? null);
    }
  }
  return outputs;
}
