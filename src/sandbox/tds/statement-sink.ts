/**
 * What the backend reports of its statements becomes tokens, in an order that clients accept: every DONE but the last of a batch says that
 * more follows, which is known only when the next part begins. After an attention nothing but changes of the environment is taken.
 */
import type { EnvironmentChange, ResultSink } from '../session.ts';
import type { ResultColumn, SqlMessage, SqlValue } from '../sql-types.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { MessageWriter } from './message-writer.ts';
import { DONE, TOKEN } from './protocol.ts';
import {
  rowWriter,
  writeColumnMetadata,
  writeDone,
  writeMessage,
  writeOrigins,
  writeTextChange,
  writeTransactionChange,
} from './tokens.ts';

/** The command that a DONE of a result set names. Source: MS-TDS 2.2.7.6, CurCmd. */
const SELECT_COMMAND = 0xc1;

interface PendingDone {
  readonly status: number;
  readonly command: number;
  readonly rowCount: bigint;
}

export interface StatementSinkOptions {
  readonly out: MessageWriter;
  /** Statements of a procedure end with DONEINPROC, those of a batch with DONE. */
  readonly inProcedure: boolean;
  readonly signal: AbortSignal;
  readonly serverName: string;
}

/** The sink of one batch or one procedure call. */
export class StatementSink implements ResultSink {
  readonly #options: StatementSinkOptions;
  readonly #bytes: ByteWriter;
  #pending: PendingDone | null = null;
  #writeRow: ReturnType<typeof rowWriter> | null = null;
  #failed = false;

  constructor(options: StatementSinkOptions) {
    this.#options = options;
    this.#bytes = options.out.bytes;
  }

  /** Whether an error was reported after the last statement that ended. */
  get failed(): boolean {
    return this.#failed;
  }

  columns(columns: readonly ResultColumn[]): void {
    if (this.#options.signal.aborted) {
      return;
    }
    this.#settle(true);
    writeColumnMetadata(this.#bytes, columns);
    writeOrigins(this.#bytes, columns);
    this.#writeRow = rowWriter(columns);
  }

  row(values: readonly SqlValue[]): void | Promise<void> {
    if (this.#options.signal.aborted) {
      return undefined;
    }
    if (this.#writeRow === null) {
      throw new Error('a row before its columns');
    }
    const start = this.#bytes.length;
    try {
      this.#writeRow(this.#bytes, values);
    } catch (error) {
      // A value that its column cannot hold: half a row would make the rest of the answer unreadable.
      this.#bytes.truncate(start);
      throw error;
    }
    return this.#options.out.isFull ? this.#options.out.flush() : undefined;
  }

  done(result: Parameters<ResultSink['done']>[0]): void {
    if (this.#options.signal.aborted) {
      return;
    }
    this.#settle(true);
    this.#writeRow = null;
    this.#failed = false;
    this.#pending = {
      status:
        (result.error ? DONE.error : 0) | (result.inTransaction ? DONE.inTransaction : 0) | (result.rowCount === null ? 0 : DONE.count),
      command: result.select ? SELECT_COMMAND : 0,
      rowCount: BigInt(result.rowCount ?? 0),
    };
    if (this.#options.inProcedure) {
      // The end of the procedure itself always follows.
      this.#settle(true);
    }
  }

  message(message: SqlMessage): void {
    if (this.#options.signal.aborted) {
      return;
    }
    this.#settle(true);
    this.#failed ||= message.class > 10;
    writeMessage(this.#bytes, message, this.#options.serverName);
  }

  environment(change: EnvironmentChange): void {
    this.#settle(true);
    if (change.kind === 'database') {
      writeTextChange(this.#bytes, 'database', change.to, change.from);
    } else {
      writeTransactionChange(this.#bytes, change.kind, change.transactionId);
    }
  }

  /** Ends a batch: the last DONE, or one of its own where no statement gave one. */
  endBatch(inTransaction: boolean): void {
    this.#pending ??= {
      status: (this.#failed || this.#options.signal.aborted ? DONE.error : 0) | (inTransaction ? DONE.inTransaction : 0),
      command: 0,
      rowCount: 0n,
    };
    this.#settle(false);
  }

  #settle(more: boolean): void {
    const done = this.#pending;
    if (done !== null) {
      this.#pending = null;
      const token = this.#options.inProcedure ? TOKEN.doneInProcedure : TOKEN.done;
      writeDone(this.#bytes, token, done.status | (more ? DONE.more : 0), done.command, done.rowCount);
    }
  }
}
