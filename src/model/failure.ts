/**
 * The one error class and what a supervisor needs to know of an error: its code (see error-catalogue.ts) and how to go on. Wire and
 * subscriber import it from here, so that a program which only subscribes does not carry the whole catalogue: of the errors that a subscriber
 * meets the class is known here. Everybody else imports errors.ts, which adds the catalogue.
 */
import type { CatalogueEntry, ErrorCode } from './error-catalogue.ts';

/** Those that a subscriber meets and whose class is not `never`. A test holds it to the catalogue. */
export const READER_CODES: Readonly<Partial<Record<ErrorCode, RetryClass>>> = {
  'PW-M302': 'backoff',
  'PW-M308': 'resync',
  'PW-M309': 'resync',
  'PW-M310': 'backoff',
  'PW-W403': 'reconnect',
  'PW-I901': 'backoff',
};

let catalogue: Readonly<Partial<Record<ErrorCode, CatalogueEntry>>> = {};

/** What errors that are made from now on know of their codes. */
export function learnCodes(entries: Readonly<Record<ErrorCode, CatalogueEntry>>): void {
  catalogue = entries;
}

export type ErrorKind = 'config' | 'source' | 'manager' | 'wire' | 'internal';

/**
 * now: try again at once, bounded; backoff: wait and try again; reconnect: on a fresh connection after a wait; resync: history is lost,
 * the table must be read anew or stopped; never: until someone acts.
 */
export type RetryClass = 'now' | 'backoff' | 'reconnect' | 'resync' | 'never';

export interface ErrorOptions {
  /** What to do, in one sentence. Defaults to the catalogue's action, or to where it stands. */
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
    const entry = catalogue[code];
    this.retry = options.retry ?? entry?.retry ?? READER_CODES[code] ?? 'never';
    this.hint = options.hint ?? entry?.action ?? `See: patchwire explain ${code}`;
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
