/**
 * Maps what Redis, ioredis and our own scripts answer to PatchwireErrors: by the code that an error reply begins with, never by its text.
 * Anything that is no reply (time-out, lost connection) leaves the fate of a write unknown (C2).
 */
import type { ErrorCode } from '../../model/error-catalogue.ts';
import { PatchwireError } from '../../model/errors.ts';

/** read: nothing can have been written; write: a lost answer leaves the fate unknown; connect: nothing was sent yet. */
export type Purpose = 'read' | 'write' | 'connect';

const UNAVAILABLE: readonly string[] = [
  'OOM',
  'READONLY',
  'LOADING',
  'MISCONF',
  'BUSY',
  'NOREPLICAS',
  'MASTERDOWN',
  'TRYAGAIN',
  'CLUSTERDOWN',
];

const BY_PREFIX: Readonly<Record<string, ErrorCode>> = {
  ...Object.fromEntries(UNAVAILABLE.map((code) => [code, 'PW-M310'] as const)),
  NOPERM: 'PW-M303',
  NOAUTH: 'PW-M302',
  WRONGPASS: 'PW-M302',
  WRONGTYPE: 'PW-M312',
  MOVED: 'PW-M330',
  ASK: 'PW-M330',
  CROSSSLOT: 'PW-M330',
  PWLEADER: 'PW-M305',
  PWTIP: 'PW-M306',
  PWPOSITION: 'PW-M306',
  PWSTREAM: 'PW-M306',
  PWPENDING: 'PW-M307',
  PWBASE: 'PW-M308',
  PWTYPE: 'PW-M312',
  PWFORMAT: 'PW-M313',
};

/** The code that an error reply begins with; null when the error is no reply of the server. */
export function replyCode(error: unknown): string | null {
  if (!(error instanceof Error) || error.name !== 'ReplyError') {
    return null;
  }
  return /^[A-Z][A-Z0-9_]*/.exec(error.message)?.[0] ?? '';
}

/** @param what the thing that was tried, for the message: 'publish to orders' */
export function mapRedisError(error: unknown, purpose: Purpose, what: string): PatchwireError {
  if (error instanceof PatchwireError) {
    return error;
  }
  const prefix = replyCode(error);
  const text = error instanceof Error ? error.message : String(error);
  if (prefix === null || prefix === 'NOSCRIPT') {
    return purpose === 'write'
      ? new PatchwireError('PW-M311', `${what}: ${text || 'the connection to Redis was lost'}`, { cause: error })
      : new PatchwireError('PW-M301', `${what}: ${text || 'Redis cannot be reached'}`, { cause: error });
  }
  const code = BY_PREFIX[prefix] ?? 'PW-M316';
  const details: Record<string, unknown> = { reply: text };
  let message = prefix.startsWith('PW') ? text.slice(prefix.length + 1) : text;
  if (prefix === 'PWBASE') {
    details['identities'] = Number(message);
    message = `${message} index entries are not the ones that were delivered last`;
  } else if (prefix === 'PWPENDING') {
    message = 'a script stopped half-way';
  } else if (code === 'PW-M330') {
    message = `this Redis is a node of a cluster (${text})`;
  } else if (prefix === 'PWFORMAT') {
    message = `the section has format ${message}, which a newer patchwire wrote`;
  }
  return new PatchwireError(code, `${what}: ${message}`, {
    cause: error,
    details,
    // A log that is ahead of the chain heals by a new epoch only: its first script deletes the log.
    ...(prefix === 'PWSTREAM' ? { retry: 'resync' as const } : {}),
  });
}
