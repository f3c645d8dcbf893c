/** What Redis or its client threw, as a PatchwireError: by the reply's code, never by its prose. The table is that of wire/redis-replies.ts. */
import { PatchwireError } from '../model/failure.ts';
import { READER_ERRORS } from '../model/reader-errors.ts';
import { classifyReply, classifySilence, replyCode } from '../wire/redis-replies.ts';

/** @param what what was being done, for the message: 'loading section orders' */
export function mapSubscriberError(error: unknown, what: string): PatchwireError {
  if (error instanceof PatchwireError) {
    return error;
  }
  const [first] = (error as { readonly previousErrors?: readonly unknown[] } | null)?.previousErrors ?? [];
  // EXECABORT says only that there was an error: the first one is it. No further: where a connection is lost it may be among its own.
  return mapped(first instanceof Error ? first : error, what);
}

function mapped(error: unknown, what: string): PatchwireError {
  const text = error instanceof Error ? error.message : String(error);
  if (replyCode(error) !== null) {
    // An EXEC that is refused itself says why behind this.
    const message = text.replace(/^EXECABORT Transaction discarded because of: /, '');
    const known = classifyReply(message);
    // A reader meets fewer codes than the daemon.
    const { code, ...more } = known !== null && known.code in READER_ERRORS ? known : { code: 'PW-M316' as const };
    return new PatchwireError(code, `${what}: ${message}`, { cause: error, ...more });
  }
  const hint = classifySilence(error)?.hint;
  return new PatchwireError('PW-W403', `${what}: ${text}`, { cause: error, ...(hint === undefined ? {} : { hint }) });
}
