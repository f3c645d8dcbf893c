/**
 * Maps the driver's errors to PatchwireErrors, once, by number or code, never by message text. Aborts are not mapped: they are rethrown as
 * they are. Source: learn.microsoft.com, database engine events and errors; mssql 12 and tedious 19 error codes.
 */
import type { ErrorCode } from '../../model/error-catalogue.ts';
import { PatchwireError } from '../../model/errors.ts';

const BY_NUMBER: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  // Connections as SqlClient numbers them.
  ...each('PW-S201', [20, 64, 121, 233, 997, 10053, 10054, 10060]),
  ...each('PW-S202', [18401, 18451, 18452, 18456, 18461, 18470, 18486, 18487, 18488]),
  ...each('PW-S203', [615, 911, 916, 926, 927, 4060, 5120]),
  // Change tracking is off for the table; the table or a column is gone.
  ...each('PW-S205', [22105, 4998]),
  ...each('PW-S206', [208, 4701, 4902]),
  ...each('PW-S208', [207]),
  ...each('PW-S209', [229, 230, 297, 300]),
  ...each('PW-S214', [978, 3906, 3908, 4221, 22117]),
  // Locks, deadlocks, memory, log, Azure's limits and failovers, memory-optimised tables.
  ...each('PW-S215', [701, 1105, 1204, 1205, 1222, 1807, 8645, 8651, 9002, 10928, 10929, 40143, 40197, 40501, 40540, 40613, 42108, 42109]),
  ...each('PW-S215', [41301, 41302, 41305, 41325, 41839, 49918, 49919, 49920]),
  ...each('PW-S217', [3950, 3953, 3956, 3957, 3958, 3959, 3960, 3961, 3966, 3967]),
  ...each('PW-S222', [1718, 4997, 4999, 22106, 22107, 22116, 22118, 22119]),
  ...each('PW-S227', [3952]),
]);

const BY_CODE: Readonly<Record<string, ErrorCode>> = {
  ELOGIN: 'PW-S202',
  ETIMEOUT: 'PW-S216',
  EENCRYPT: 'PW-S226',
  ESOCKET: 'PW-S201',
  ECLOSE: 'PW-S201',
  ECONNCLOSED: 'PW-S201',
  ECONNRESET: 'PW-S201',
  ECONNREFUSED: 'PW-S201',
  EPIPE: 'PW-S201',
  ENOTFOUND: 'PW-S201',
  EHOSTUNREACH: 'PW-S201',
  ENETUNREACH: 'PW-S201',
  EINSTLOOKUP: 'PW-S201',
  ENOTOPEN: 'PW-S201',
  ENOCONN: 'PW-S201',
  EINVALIDSTATE: 'PW-S201',
};

/** Certificate trouble as Node names it: it reaches us inside ESOCKET. */
const CERTIFICATE = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|CERT_|ERR_TLS_|ERR_SSL_|HOSTNAME_MISMATCH)/;

/** What happened, for the message: names only, no values. */
export interface ErrorContext {
  readonly source: string;
  readonly table?: string;
  /** What was being done, after "while": 'reading changes'. */
  readonly doing: string;
}

/** Errors whose text repeats the value that they are about, which may be a row's: a computed column can raise them. Source: learn.microsoft.com, the same page. */
const QUOTES_VALUE: ReadonlySet<number> = new Set([220, 232, 244, 245, 248, 2628]);

/** Any error of the driver as a PatchwireError; one that is already classified stays as it is. */
export function sourceError(thrown: unknown, context: ErrorContext): PatchwireError {
  if (thrown instanceof PatchwireError) {
    return thrown;
  }
  const error = withoutValue(thrown);
  const chain = [...causesOf(error)];
  const code = codeOf(chain);
  const number = numberOfChain(error);
  const where = context.table === undefined ? `source ${context.source}` : `${context.table} of source ${context.source}`;
  const said = error instanceof Error ? error.message : String(error);
  return new PatchwireError(
    code,
    `${number === null ? '' : `SQL Server error ${number} `}while ${context.doing}, ${where}: ${said}`.trimStart(),
    {
      details: {
        source: context.source,
        ...(context.table === undefined ? {} : { table: context.table }),
        ...(number === null ? {} : { number }),
      },
      cause: error,
    },
  );
}

/** The number that decided how an error is classified; null: it has none. */
function numberOfChain(error: unknown): number | null {
  return [...causesOf(error)].map(numberOf).find((each) => each !== null) ?? null;
}

/** A column or a table that the statement names is not there: what it was built from is not what is there. */
export function isMissingName(error: unknown): boolean {
  return !(error instanceof PatchwireError) && [207, 208].includes(numberOfChain(error) ?? 0);
}

/** Whether another definition of the table could be behind it: a statement refused for good, or a value that is none of its column's type. */
export function mayBeDefinition(error: unknown): boolean {
  const code = error instanceof PatchwireError ? error.code : codeOf([...causesOf(error)]);
  return MAY_BE_DEFINITION.has(code);
}

const MAY_BE_DEFINITION: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PW-S209', 'PW-S222', 'PW-S224', 'PW-S225', 'PW-I901']);

/** The same error without the value in its text: row contents are in no message and in no stack trace. */
function withoutValue(error: unknown): unknown {
  const number = numberOfChain(error);
  if (!(error instanceof Error) || number === null || !QUOTES_VALUE.has(number)) {
    return error;
  }
  const told = error.message.replace(/(value:?\s*)'.*'/su, "$1'…'").replace(/(value = )\S+?(?=[.,]?(?:\s|$))/gu, '$1…');
  return Object.assign(new Error(told), { number });
}

/** The first known number decides (the first error is the cause, later ones follow from it), then the first known code. */
function codeOf(chain: readonly unknown[]): ErrorCode {
  for (const error of chain) {
    const number = numberOf(error);
    const known = number === null ? undefined : BY_NUMBER.get(number);
    if (known !== undefined) {
      return known;
    }
  }
  for (const error of chain) {
    if (CERTIFICATE.test(textOf(error, 'code'))) {
      return 'PW-S226';
    }
  }
  for (const error of chain) {
    const known = BY_CODE[textOf(error, 'code')];
    if (known !== undefined) {
      return known;
    }
  }
  return chain.some((error) => numberOf(error) !== null) ? 'PW-S224' : 'PW-I901';
}

/** The error, what came before it, and what it wraps; the earliest error of the server first. */
function* causesOf(error: unknown, depth = 0): Generator<unknown> {
  if (typeof error !== 'object' || error === null || depth > 5) {
    return;
  }
  const { precedingErrors, originalError, cause, errors, info } = error as Readonly<Record<string, unknown>>;
  for (const list of [precedingErrors, errors]) {
    if (Array.isArray(list)) {
      for (const item of list) {
        yield* causesOf(item, depth + 1);
      }
    }
  }
  yield error;
  yield* causesOf(info, depth + 1);
  yield* causesOf(originalError, depth + 1);
  yield* causesOf(cause, depth + 1);
}

function numberOf(error: unknown): number | null {
  const number = (error as { readonly number?: unknown }).number;
  return typeof number === 'number' && number > 0 ? number : null;
}

function textOf(error: unknown, name: 'code'): string {
  const value = (error as { readonly code?: unknown })[name];
  return typeof value === 'string' ? value : '';
}

function each(code: ErrorCode, numbers: readonly number[]): [number, ErrorCode][] {
  return numbers.map((number) => [number, code]);
}
