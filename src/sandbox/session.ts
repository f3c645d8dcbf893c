/**
 * What the protocol (tds/) asks of the language and the store: logins become sessions, a session runs batches and answers through a sink.
 * tds/ knows nothing of SQL, the rest knows nothing of packets.
 */
import type { ResultColumn, SqlMessage, SqlType, SqlValue } from './sql-types.ts';

export interface LoginRequest {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly appName: string;
  readonly hostName: string;
  /** ApplicationIntent=ReadOnly of the login packet. */
  readonly readOnlyIntent: boolean;
  /** Whether the session is encrypted, beyond its login. */
  readonly encrypted: boolean;
}

export interface ServerBackend {
  /** Name reported by LOGINACK and SERVERPROPERTY('ServerName'). */
  readonly serverName: string;
  /** Opens a session. @throws SqlError 18456 (login failed), preceded by 4060 where the database cannot be opened. */
  login(request: LoginRequest): BackendSession;
}

/** A parameter of sp_executesql, sp_execute or a procedure call. Names carry their @. */
export interface Parameter {
  readonly name: string;
  readonly type: SqlType;
  readonly value: SqlValue;
  readonly output: boolean;
  /** Of a table-valued parameter; `type` and `value` then say nothing. */
  readonly table?: TableValue;
}

/** The value of a table-valued parameter. Source: MS-TDS 2.2.5.5.5. */
export interface TableValue {
  /** The type's name as it was declared, or as it was sent. */
  readonly typeName: string;
  /** READONLY stands in the declaration. */
  readonly readOnly: boolean;
  /** In the order of the type's columns; one that is `byDefault` has no value in the rows. null: no table, which is an empty one. */
  readonly columns: readonly { readonly type: SqlType; readonly byDefault: boolean }[] | null;
  readonly rows: readonly (readonly SqlValue[])[];
}

export type IsolationLevel = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | 'snapshot';

/** A column of a bulk load's stream, as its client described it. */
export interface BulkColumn {
  readonly name: string;
  readonly type: SqlType;
  /** null: the client does not say. */
  readonly nullable: boolean | null;
}

/** The rows of a bulk load (MS-TDS 2.2.6.1). They can be gone through again and again; each time they are read from the stream anew. */
export interface BulkRows {
  readonly columns: readonly BulkColumn[];
  readonly rows: Iterable<readonly SqlValue[]>;
}

/** The environment of a session as ENVCHANGE tokens tell it. A change is told as it happens, in the order of the statements. */
export type EnvironmentChange =
  | { readonly kind: 'database'; readonly from: string; readonly to: string }
  | { readonly kind: 'begin' | 'commit' | 'rollback'; readonly transactionId: bigint };

/**
 * Where a batch's answer goes, statement by statement, in this order for a statement: columns, rows, done. A statement without a
 * result set calls done alone. `row` returns a promise when the reader is slow: await it before the next row.
 */
export interface ResultSink {
  columns(columns: readonly ResultColumn[]): void;
  row(values: readonly SqlValue[]): void | Promise<void>;
  /** The end of a statement. rowCount null: no count (SET NOCOUNT ON, DDL, SET, …). `select` marks a result set. */
  done(result: {
    readonly rowCount: bigint | number | null;
    readonly select: boolean;
    readonly error: boolean;
    readonly inTransaction: boolean;
  }): void;
  message(message: SqlMessage): void;
  environment(change: EnvironmentChange): void;
}

export interface BackendSession {
  readonly id: number;
  readonly database: string;
  /** An error of severity 20 and more was told: the connection is to be closed after the answer. */
  readonly ended?: boolean;
  readonly collation: string;
  /** The id of the open transaction, or 0n. */
  readonly transactionId: bigint;
  /**
   * Runs a batch of T-SQL (several statements). Errors of statements go to the sink, it does not throw for them. With `parameters` it is
   * sp_executesql: variables and temp tables end with it. `signal` aborts at the attention: the running statement ends, its work is undone,
   * an open transaction stays open. Resolves when everything has been handed to the sink.
   * @returns the values of output parameters after the run, by name, and the return status (0).
   */
  execute(
    sql: string,
    options: { readonly parameters?: readonly Parameter[]; readonly sink: ResultSink; readonly signal: AbortSignal },
  ): Promise<{ readonly outputs: ReadonlyMap<string, SqlValue>; readonly status: number }>;
  /** Calls a stored procedure by name that tds/ does not serve itself (sp_executesql, sp_prepare, sp_execute, sp_prepexec, sp_unprepare are tds/'s). */
  callProcedure(
    name: string,
    options: { readonly parameters: readonly Parameter[]; readonly sink: ResultSink; readonly signal: AbortSignal },
  ): Promise<{ readonly outputs: ReadonlyMap<string, SqlValue>; readonly status: number }>;
  /**
   * Takes the rows of the INSERT BULK statement that was executed last; without one it is an error. It is one statement: all rows or none.
   * Errors go to the sink. What the rows' iterator throws that is no SqlError comes out of here, with nothing inserted.
   */
  bulkLoad(load: BulkRows, options: { readonly sink: ResultSink; readonly signal: AbortSignal }): Promise<void>;
  /** Transaction manager requests of the protocol. Errors are thrown as SqlError. The isolation level is null when the request leaves it as it is. */
  begin(level: IsolationLevel | null, name: string): bigint;
  commit(): Promise<void>;
  rollback(savepoint: string): Promise<void>;
  save(name: string): void;
  /**
   * RESETCONNECTION: rolls back, drops temp tables and SET options, goes back to the database of the login; the isolation level stays, as on
   * SQL Server. @throws SqlError when it cannot (18059 inside EXECUTE AS): the connection then ends.
   */
  reset(keepTransaction: boolean): void;
  /** The connection is gone: roll back and free everything. Never throws. */
  close(): void;
}

/** An error that becomes an ERROR token. */
export class SqlError extends Error {
  readonly number: number;
  readonly state: number;
  readonly class: number;
  line: number;
  /** schema.name of the trigger that it was raised in, empty outside of one; null while nobody has said. */
  procedure: string | null = null;
  /** An error that is told before this one: where SQL Server sends two, the second is the one that counts. */
  readonly preceding: SqlError | null;
  constructor(number: number, message: string, options: { state?: number; class?: number; line?: number; preceding?: SqlError } = {}) {
    super(message);
    this.name = 'SqlError';
    this.number = number;
    this.state = options.state ?? 1;
    this.class = options.class ?? 16;
    this.preceding = options.preceding ?? null;
    this.line = options.line ?? 0;
  }
}
