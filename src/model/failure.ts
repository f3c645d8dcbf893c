/**
 * The one error class and what a supervisor needs to know of an error: its code (see error-catalogue.ts) and how to go on. Wire and
 * subscriber import it from here and know the codes of reader-errors.ts; everybody else from errors.ts, which adds all the others.
 */
import type { ErrorCode } from './error-catalogue.ts';
import { type CatalogueEntry, READER_ERRORS } from './reader-errors.ts';

const known: Record<string, CatalogueEntry> = { ...READER_ERRORS };

/** What errors that are made from now on know of their codes. */
export function learnCodes(entries: Readonly<Record<string, CatalogueEntry>>): void {
  Object.assign(known, entries);
}

export type ErrorKind = 'config' | 'source' | 'manager' | 'wire' | 'internal';

/**
 * now: try again at once, bounded; backoff: wait and try again; reconnect: on a fresh connection after a wait; resync: history is lost,
 * the table must be read anew or stopped; never: until someone acts.
 */
export type RetryClass = 'now' | 'backoff' | 'reconnect' | 'resync' | 'never';

export interface ErrorOptions {
  /** What to do, in one sentence. Defaults to the catalogue's action. */
  readonly hint?: string;
  /** Names and values for logs and --json; never secrets, never row contents. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Overrides the catalogue's class where the cause says more. */
  readonly retry?: RetryClass;
  /** The least wait before the next try that whoever refused asks for, ms. Default 0. */
  readonly waitMs?: number;
}

export class PatchwireError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly retry: RetryClass;
  readonly hint: string;
  readonly waitMs: number;
  readonly details: Readonly<Record<string, unknown>>;

  /** @param message one sentence that names the thing and its value */
  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PatchwireError';
    this.code = code;
    this.kind = kindOf(code);
    const entry = known[code] ?? READER_ERRORS['PW-I901'];
    this.retry = options.retry ?? entry.retry;
    this.hint = options.hint ?? entry.action;
    this.waitMs = options.waitMs ?? 0;
    this.details = options.details ?? {};
  }
}

function kindOf(code: ErrorCode): ErrorKind {
  switch (code.charAt(3)) {
    case 'C':
      return 'config';
    case 'S':
      return 'source';
    case 'M':
      return 'manager';
    case 'W':
      return 'wire';
    default:
      return 'internal';
  }
}

/** Any thrown value as a PatchwireError: itself, or PW-I901 around it. */
export function asPatchwireError(error: unknown): PatchwireError {
  if (error instanceof PatchwireError) {
    return error;
  }
  return new PatchwireError('PW-I901', error instanceof Error ? error.message : String(error), { cause: error });
}
