/**
 * What Redis or its client threw, as a PatchwireError: by the reply's code, never by its prose. A reader meets few replies, so it does not carry
 * the daemon's table (wire/redis-replies.ts) with its hints: a test holds the two together.
 */
import type { ErrorCode } from '../model/error-catalogue.ts';
import { PatchwireError } from '../model/failure.ts';

export const READER_REPLIES: Readonly<Record<string, ErrorCode>> = {
  NOAUTH: 'PW-M302',
  WRONGPASS: 'PW-M302',
  NOPERM: 'PW-M303',
  LOADING: 'PW-M310',
  BUSY: 'PW-M310',
  MASTERDOWN: 'PW-M310',
  CLUSTERDOWN: 'PW-M310',
  TRYAGAIN: 'PW-M310',
  READONLY: 'PW-M310',
  WRONGTYPE: 'PW-M312',
  MOVED: 'PW-M330',
  ASK: 'PW-M330',
};

/** @param what what was being done, for the message: 'loading section orders' */
export function mapSubscriberError(error: unknown, what: string): PatchwireError {
  if (error instanceof PatchwireError) {
    return error;
  }
  const [first] = (error as { readonly previousErrors?: readonly unknown[] } | null)?.previousErrors ?? [];
  // EXECABORT says only that there was an error: the first one is it. No further: where a connection is lost it may be among its own.
  return mapped(first instanceof Error ? first : error, what);
}

/** The code that an error reply begins with; null when the error is no reply of the server. */
export function replyCode(error: unknown): string | null {
  return error instanceof Error && error.name === 'ReplyError' ? (/^[A-Z]+/.exec(error.message)?.[0] ?? '') : null;
}

/** Whether a server is too old for a command, or was built without it. */
export function isUnknownCommand(error: unknown): boolean {
  return replyCode(error) === 'ERR' && (error as Error).message.startsWith('ERR unknown command');
}

function mapped(error: unknown, what: string): PatchwireError {
  const text = error instanceof Error ? error.message : String(error);
  if (replyCode(error) === null) {
    return new PatchwireError('PW-W403', `${what}: ${text}`, { cause: error });
  }
  // An EXEC that is refused itself says why behind this.
  const reply = text.replace(/^EXECABORT Transaction discarded because of: /, '');
  return new PatchwireError(READER_REPLIES[/^[A-Z]+/.exec(reply)?.[0] ?? ''] ?? 'PW-M316', `${what}: ${reply}`, { cause: error });
}
