/** What Redis or its client threw, as a PatchwireError: by the reply's code, never by its prose. */
import type { ErrorCode } from '../model/error-catalogue.ts';
import { PatchwireError } from '../model/failure.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  NOAUTH: 'PW-M302',
  WRONGPASS: 'PW-M302',
  NOPERM: 'PW-M303',
  LOADING: 'PW-M310',
  BUSY: 'PW-M310',
  MASTERDOWN: 'PW-M310',
  CLUSTERDOWN: 'PW-M310',
  TRYAGAIN: 'PW-M310',
  WRONGTYPE: 'PW-M312',
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

function mapped(error: unknown, what: string): PatchwireError {
  if (error instanceof Error && error.name === 'ReplyError') {
    // An EXEC that is refused itself says why behind this.
    const message = error.message.replace(/^EXECABORT Transaction discarded because of: /, '');
    const code = /^[A-Z]+/.exec(message)?.[0] ?? '';
    return new PatchwireError(CODES[code] ?? 'PW-M316', `${what}: ${message}`, { cause: error });
  }
  return new PatchwireError('PW-W403', `${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
