/**
 * A backend without SQL for the tests of the protocol: it answers texts that it was taught, echoes parameters, and keeps what it was asked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SqlError } from '../../../src/sandbox/session.ts';
import type {
  BackendSession,
  BulkRows,
  IsolationLevel,
  LoginRequest,
  Parameter,
  ResultSink,
  ServerBackend,
} from '../../../src/sandbox/session.ts';
import { DEFAULT_COLLATION } from '../../../src/sandbox/sql-types.ts';
import type { ResultColumn, SqlMessage, SqlValue } from '../../../src/sandbox/sql-types.ts';

export interface Ask {
  readonly session: ToySession;
  readonly parameters: readonly Parameter[];
  readonly sink: ResultSink;
  readonly signal: AbortSignal;
}

export type Answer = (ask: Ask) => void | Promise<void> | ReadonlyMap<string, SqlValue> | Promise<ReadonlyMap<string, SqlValue>>;

/** A message with the fields that rarely matter filled in. */
export function sqlMessage(number: number, message: string, rest: Partial<SqlMessage> = {}): SqlMessage {
  return { number, state: 1, class: 16, message, procedure: '', line: 1, ...rest };
}

/** One result set of the given rows. */
export async function answerRows(
  { sink, session, signal }: Ask,
  columns: readonly ResultColumn[],
  rows: Iterable<readonly SqlValue[]>,
): Promise<void> {
  sink.columns(columns);
  let count = 0;
  for (const row of rows) {
    if (signal.aborted) {
      return;
    }
    await sink.row(row);
    count++;
  }
  sink.done({ rowCount: count, select: true, error: false, inTransaction: session.transactionId !== 0n });
}

export class ToySession implements BackendSession {
  readonly id: number;
  database: string;
  collation = DEFAULT_COLLATION;
  transactionId = 0n;
  readonly login: LoginRequest;
  readonly log: string[] = [];
  closed = false;
  #depth = 0;
  readonly #backend: ToyBackend;

  constructor(backend: ToyBackend, id: number, login: LoginRequest) {
    this.#backend = backend;
    this.id = id;
    this.login = login;
    this.database = login.database === '' ? 'master' : login.database;
    this.collation = backend.collation;
  }

  async execute(
    sql: string,
    options: { parameters?: readonly Parameter[]; sink: ResultSink; signal: AbortSignal },
  ): Promise<{ outputs: ReadonlyMap<string, SqlValue>; status: number }> {
    this.log.push(options.parameters === undefined ? `batch ${sql}` : `execute ${sql}`);
    const answer = this.#backend.answers.get(sql.trim());
    const ask: Ask = { session: this, parameters: options.parameters ?? [], sink: options.sink, signal: options.signal };
    if (answer === undefined) {
      // What drivers send on their own: options, database, language.
      options.sink.done({ rowCount: null, select: false, error: false, inTransaction: this.transactionId !== 0n });
      return { outputs: new Map(), status: 0 };
    }
    return { outputs: (await answer(ask)) ?? new Map<string, SqlValue>(), status: 0 };
  }

  async callProcedure(
    name: string,
    options: { parameters: readonly Parameter[]; sink: ResultSink; signal: AbortSignal },
  ): Promise<{ outputs: ReadonlyMap<string, SqlValue>; status: number }> {
    this.log.push(`call ${name}`);
    const answer = this.#backend.answers.get(`exec ${name}`);
    if (answer === undefined) {
      throw new SqlError(2812, `Could not find stored procedure '${name}'.`, { state: 62 });
    }
    return { outputs: (await answer({ session: this, ...options })) ?? new Map<string, SqlValue>(), status: 7 };
  }

  bulkLoad(load: BulkRows, options: { sink: ResultSink; signal: AbortSignal }): Promise<void> {
    const rows = [...load.rows].length;
    this.log.push(`bulk ${load.columns.map(({ name }) => name).join(', ')}: ${rows}`);
    options.sink.done({ rowCount: rows, select: false, error: false, inTransaction: this.transactionId !== 0n });
    return Promise.resolve();
  }

  begin(level: IsolationLevel | null, name: string): bigint {
    this.log.push(`begin ${level ?? 'as it is'}${name === '' ? '' : ` ${name}`}`);
    this.#depth++;
    this.transactionId ||= BigInt(this.id) * 1000n + BigInt(this.log.length);
    return this.transactionId;
  }

  commit(): Promise<void> {
    this.log.push('commit');
    if (this.#depth === 0) {
      return Promise.reject(new SqlError(3902, 'The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.'));
    }
    this.#depth--;
    if (this.#depth === 0) {
      this.transactionId = 0n;
    }
    return Promise.resolve();
  }

  rollback(savepoint: string): Promise<void> {
    this.log.push(`rollback${savepoint === '' ? '' : ` ${savepoint}`}`);
    if (this.#depth === 0) {
      return Promise.reject(new SqlError(3903, 'The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.'));
    }
    if (savepoint === '') {
      this.#depth = 0;
      this.transactionId = 0n;
    }
    return Promise.resolve();
  }

  save(name: string): void {
    this.log.push(`save ${name}`);
  }

  reset(keepTransaction: boolean): void {
    this.log.push(`reset${keepTransaction ? ' keeping the transaction' : ''}`);
    if (!keepTransaction) {
      this.#depth = 0;
      this.transactionId = 0n;
    }
  }

  close(): void {
    this.closed = true;
  }
}

export class ToyBackend implements ServerBackend {
  readonly serverName = 'toy';
  readonly answers = new Map<string, Answer>();
  readonly sessions: ToySession[] = [];
  collation = DEFAULT_COLLATION;

  login(request: LoginRequest): BackendSession {
    if (request.user !== 'sa' || request.password !== 'Tøp sécret €') {
      throw new SqlError(18456, `Login failed for user '${request.user}'.`, { class: 14, line: 1 });
    }
    if (request.database === 'nowhere') {
      throw new SqlError(4060, 'Cannot open database "nowhere" requested by the login. The login failed.', { class: 11, line: 1 });
    }
    const session = new ToySession(this, 51 + this.sessions.length, request);
    this.sessions.push(session);
    return session;
  }

  /** Teaches an answer to a text. */
  on(sql: string, answer: Answer): void {
    this.answers.set(sql, answer);
  }

  get last(): ToySession {
    const session = this.sessions.at(-1);
    if (session === undefined) {
      throw new Error('nobody has logged in');
    }
    return session;
  }
}

/** Waits until something holds. */
export async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) {
      throw new Error(`never: ${condition.toString()}`);
    }
    await sleep(5);
  }
}
