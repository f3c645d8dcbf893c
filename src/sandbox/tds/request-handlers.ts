/**
 * One function per kind of request: each reads its message, asks the session, and writes the tokens of the answer. None sends or waits for
 * the network: that is the connection's.
 */
import type { BackendSession } from '../session.ts';
import { SqlError } from '../session.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { readBulkRows } from './bulk-stream.ts';
import { messageOf } from './handshake.ts';
import type { MessageWriter } from './message-writer.ts';
import type { Message } from './packets.ts';
import { runCall } from './procedures.ts';
import type { CallResult, PreparedStatements } from './procedures.ts';
import { DONE, PACKET, TOKEN } from './protocol.ts';
import { readBatch, readCalls, readTransactionRequest } from './requests.ts';
import type { RpcCall, TransactionRequest } from './requests.ts';
import { StatementSink } from './statement-sink.ts';
import { writeDone, writeMessage, writeReturnStatus, writeReturnValue, writeTransactionChange } from './tokens.ts';

/** What a request is served with. */
export interface RequestContext {
  readonly session: BackendSession;
  readonly prepared: PreparedStatements;
  readonly out: MessageWriter;
  /** Aborts at an attention and when the connection is gone. */
  readonly signal: AbortSignal;
  readonly serverName: string;
}

/**
 * Serves one request to the end of its tokens. SQL errors are part of the answer.
 * @throws ProtocolError when the message is broken; whatever the backend throws that is no SqlError.
 */
export async function serveRequest(message: Message, context: RequestContext): Promise<void> {
  if (message.ignored) {
    // The client took it back half way and waits for the end of an answer only.
    writeFinalDone(context, TOKEN.done, DONE.error);
    return;
  }
  switch (message.type) {
    case PACKET.batch:
      await serveBatch(readBatch(message.data), context);
      return;
    case PACKET.rpc:
      await serveCalls(message.data, context);
      return;
    case PACKET.transaction:
      await serveTransaction(readTransactionRequest(message.data), context);
      return;
    default:
      await serveBulkLoad(message.data, context);
  }
}

function writeError({ out, serverName }: RequestContext, error: SqlError): void {
  writeMessage(out.bytes, messageOf(error), serverName);
}

function inTransaction(session: BackendSession): number {
  return session.transactionId === 0n ? 0 : DONE.inTransaction;
}

function writeFinalDone({ out, session }: RequestContext, token: number, status: number): void {
  writeDone(out.bytes, token, status | inTransaction(session), 0, 0n);
}

async function serveBatch(sql: string, context: RequestContext): Promise<void> {
  const { out, session, signal, serverName } = context;
  const sink = new StatementSink({ out, inProcedure: false, signal, serverName });
  try {
    await session.execute(sql, { sink, signal });
  } catch (error) {
    report(error, sink, signal);
  }
  sink.endBatch(session.transactionId !== 0n);
}

async function serveBulkLoad(data: Buffer, context: RequestContext): Promise<void> {
  const { out, session, signal, serverName } = context;
  const sink = new StatementSink({ out, inProcedure: false, signal, serverName });
  try {
    await session.bulkLoad(readBulkRows(data, session.collation), { sink, signal });
  } catch (error) {
    report(error, sink, signal);
  }
  sink.endBatch(session.transactionId !== 0n);
}

/** An error that a request ended with instead of handing it to the sink. After an abort it only says so. */
function report(error: unknown, sink: StatementSink, signal: AbortSignal): void {
  if (error instanceof SqlError) {
    sink.message(messageOf(error));
  } else if (!signal.aborted) {
    throw error;
  }
}

async function serveCalls(data: Buffer, context: RequestContext): Promise<void> {
  let calls: RpcCall[];
  try {
    calls = readCalls(data, context.session.collation);
  } catch (error) {
    if (!(error instanceof SqlError)) {
      throw error;
    }
    writeError(context, error);
    writeFinalDone(context, TOKEN.done, DONE.error);
    return;
  }
  for (const [i, call] of calls.entries()) {
    await serveCall(call, i === calls.length - 1, context);
  }
}

async function serveCall(call: RpcCall, last: boolean, context: RequestContext): Promise<void> {
  const { out, session, signal, serverName, prepared } = context;
  const sink = new StatementSink({ out, inProcedure: true, signal, serverName });
  let result: CallResult | null = null;
  try {
    result = signal.aborted ? null : await runCall(call, { session, prepared, sink, signal });
  } catch (error) {
    report(error, sink, signal);
  }
  if (result !== null && !signal.aborted) {
    writeReturnStatus(out.bytes, result.status);
    for (const output of result.outputs) {
      writeReturnValue(out.bytes, output);
    }
  }
  const failed = result === null || sink.failed ? DONE.error : 0;
  writeFinalDone(context, TOKEN.doneProcedure, failed | (last ? 0 : DONE.more));
}

async function serveTransaction(request: TransactionRequest, context: RequestContext): Promise<void> {
  try {
    await runTransactionRequest(request, context);
    writeFinalDone(context, TOKEN.done, 0);
  } catch (error) {
    if (!(error instanceof SqlError)) {
      throw error;
    }
    writeError(context, error);
    writeFinalDone(context, TOKEN.done, DONE.error);
  }
}

async function runTransactionRequest(request: TransactionRequest, context: RequestContext): Promise<void> {
  const { session } = context;
  switch (request.kind) {
    case 'begin':
      begin(request, context);
      return;
    case 'save':
      session.save(request.name);
      return;
    case 'commit':
    case 'rollback': {
      const before = session.transactionId;
      try {
        await (request.kind === 'commit' ? session.commit() : session.rollback(request.name));
      } finally {
        if (before !== 0n && session.transactionId === 0n) {
          writeTransactionChange(context.out.bytes, request.kind, before);
        }
      }
      if (request.then !== null) {
        begin(request.then, context);
      }
      return;
    }
    case 'unsupported':
      throw new UnsupportedError(`the transaction request ${request.what}`);
    default:
      return request satisfies never;
  }
}

function begin(
  { level, name }: { readonly level: Parameters<BackendSession['begin']>[0]; readonly name: string },
  context: RequestContext,
): void {
  const { session, out } = context;
  const before = session.transactionId;
  session.begin(level, name);
  // An inner BEGIN TRANSACTION only counts: the client's transaction stays the same.
  if (before === 0n && session.transactionId !== 0n) {
    writeTransactionChange(out.bytes, 'begin', session.transactionId);
  }
}
