/**
 * How long to wait before something that failed is tried again: one table for tables and breakers, so that no retry path has numbers of its own.
 * Every wait is longer than nothing.
 */
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Random } from '../lib/random.ts';
import type { ErrorCode } from './error-catalogue.ts';
import type { PatchwireError } from './errors.ts';

/** Least and greatest wait, ms; between them doubling, with full jitter. */
export interface Pace {
  readonly minMs: number;
  readonly maxMs: number;
}

/** A lost connection is tried again sooner than a refusal. */
const RECONNECT: Pace = { minMs: 100, maxMs: 10_000 };
const BACKOFF: Pace = { minMs: 100, maxMs: 30_000 };
/** What is expected to be gone at the next try: a deadlock, a version conflict. */
const NOW: Pace = { minMs: 10, maxMs: 50 };
/** Wrong passwords lock accounts, and fill logs. Source: learn.microsoft.com, Password policy (CHECK_POLICY applies Windows' lock-out to SQL logins). */
export const CREDENTIALS: Pace = { minMs: 15_000, maxMs: 60_000 };
/** Somebody must act; whether he has is looked at now and then. */
const UNTIL_SOMEBODY_ACTS: Pace = { minMs: 30_000, maxMs: 60_000 };

/** So many tries in a row are of class `now`; from then on it is a refusal like others. */
export const TRIES_AT_ONCE = 3;

const REFUSED_CREDENTIALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PW-S202', 'PW-M302']);

/** Whether whoever answered does not take user or password: trying often makes it worse. */
export function refusesCredentials({ code }: PatchwireError): boolean {
  return REFUSED_CREDENTIALS.has(code);
}

/** Whether no retry mends it. */
export function isFinal({ retry }: PatchwireError): boolean {
  return retry === 'never' || retry === 'resync';
}

/** The wait before try number `attempt` (1 for the first retry) after `error`, in ms; at least what the error asks for. */
export function retryDelayMs(error: PatchwireError, attempt: number, random: Random): number {
  return Math.max(error.waitMs, backoffDelayMs(attempt, { ...paceOf(error, attempt), random }));
}

function paceOf(error: PatchwireError, attempt: number): Pace {
  if (refusesCredentials(error)) {
    return CREDENTIALS;
  }
  if (isFinal(error)) {
    return UNTIL_SOMEBODY_ACTS;
  }
  if (error.retry === 'now' && attempt <= TRIES_AT_ONCE) {
    return NOW;
  }
  return error.retry === 'reconnect' ? RECONNECT : BACKOFF;
}
