/**
 * Maps the driver's errors to PatchwireErrors, once, by number or code, never by message text. Aborts are not mapped: they are rethrown as
 * they are. Source: learn.microsoft.com, database engine events and errors; mssql 12 and tedious 19 error codes.
 */
import { byCode, classification, type Classified, unreachable, untrusted } from '../../model/classification.ts';
import type { ErrorCode } from '../../model/error-catalogue.ts';
import { PatchwireError } from '../../model/errors.ts';

const TEMPDB = { hint: 'None: tried again; tempdb is short of room for row versions: look at it.' } as const;
/** Expected to be gone at the next try. */
const AT_ONCE = { retry: 'now' } as const;
/** Azure asks for a pause. Source: learn.microsoft.com, troubleshoot common connection issues to Azure SQL Database. */
const THROTTLED = {
  waitMs: 10_000,
  hint: 'None: tried again after ten seconds; the database is at the limit of its service tier.',
} as const;
const RECOVERING = { waitMs: 5000, hint: 'None: tried again; the database is recovering, paused or failing over.' } as const;
/** What only ALTER TABLE, ALTER DATABASE or a changed statement of ours could raise. */
const NOT_OURS = { hint: 'Report it: patchwire sends no such statement; the number and message are in the details.' } as const;

/** Exported for the test that holds it to the list of errors; everybody else calls sourceError. */
export const BY_NUMBER: ReadonlyMap<number, Classified> = classification<number>([
  // Connections as SqlClient numbers them.
  ['PW-S201', [20, 64, 121, 233, 997, 10053, 10054, 10060]],
  ['PW-S202', [18401, 18451, 18452, 18456, 18461, 18470]],
  ['PW-S202', [18486], { hint: 'The account is locked: unlock it (ALTER LOGIN … WITH PASSWORD = … UNLOCK) and correct the password.' }],
  [
    'PW-S202',
    [18487, 18488],
    { hint: 'The password has expired or must be changed: ALTER LOGIN … WITH PASSWORD = …, and correct it here.' },
  ],
  ['PW-S203', [911, 916, 927, 4060]],
  ['PW-S203', [615, 926, 5120, 40613, 42108, 42109], RECOVERING],
  // Change tracking is off for the database; for the table; the table or a column is gone; there is no key.
  ['PW-S204', [1718]],
  ['PW-S205', [22105, 4998]],
  ['PW-S206', [208, 4701, 4902]],
  ['PW-S207', [4997]],
  ['PW-S208', [207]],
  ['PW-S209', [229, 230, 297, 300]],
  ['PW-S214', [976, 978, 3906, 3908, 4221, 22117]],
  // Locks, deadlocks, memory, log, Azure's limits and failovers, memory-optimised tables.
  ['PW-S215', [1205], { ...AT_ONCE, hint: 'None: tried again at once; this read was chosen as the victim of a deadlock.' }],
  ['PW-S215', [1204, 1222, 1807]],
  ['PW-S215', [701, 8645, 8651], { hint: 'None: tried again; the server is short of memory.' }],
  ['PW-S215', [1105, 9002], { waitMs: 10_000, hint: 'None: tried again; a filegroup, tempdb or the log is full: look at it.' }],
  ['PW-S215', [10928, 10929, 40501, 49918, 49919, 49920], THROTTLED],
  ['PW-S215', [40143, 40197, 40540]],
  ['PW-S215', [41301, 41302, 41305, 41325, 41839], AT_ONCE],
  ['PW-S217', [3960, 3961], AT_ONCE],
  ['PW-S217', [3950, 3953, 3956, 3957]],
  ['PW-S217', [3958, 3959, 3966, 3967], TEMPDB],
  ['PW-S222', [4999, 13563, 22106, 22107, 22116, 22118, 22119]],
  ['PW-S227', [3952]],
  // Statements of ours that the server does not take: bugs, or a version that nobody met yet.
  ['PW-S224', [102, 155, 156, 257, 2812, 3951, 3964, 8114, 8116, 22101, 22103, 22104, 22108, 22109, 22110, 22111]],
  ['PW-S224', [3999], { hint: 'The commit table could not be flushed: run DBCC CHECKDB, and look for fixes of change tracking cleanup.' }],
  ['PW-S224', [3727, 3735, 3987, 4996, 5069, 5088, 5089, 5090, 5091, 5092, 22113, 22114, 22115], NOT_OURS],
  // What cleanup writes to the server's log and sends to nobody.
  [
    'PW-S215',
    [22120, 22121, 22122, 22123, 22124, 22125],
    { waitMs: 10_000, hint: 'Change tracking cleanup is in trouble: see the log of the server.' },
  ],
]);

/** What Node says of sockets and certificates reaches us inside of the driver's codes, so it is looked for first. */
const BY_NODE_CODE = classification<string>([...untrusted('PW-S226'), ...unreachable('PW-S201')]);

/** Source: mssql 12, lib/error; tedious 19, errors and connection. */
const BY_DRIVER_CODE = classification<string>([
  ['PW-S202', ['ELOGIN', 'EFEDAUTH', 'ESSPI', 'ENTLM']],
  ['PW-S216', ['ETIMEOUT']],
  ['PW-S226', ['EENCRYPT']],
  ['PW-S201', ['EINSTLOOKUP'], { hint: 'The instance was not found: the SQL Server Browser (UDP 1434) must answer, or give the port.' }],
  ['PW-S201', ['ESOCKET', 'ECLOSE', 'ECONNCLOSED', 'ENOTOPEN', 'ENOCONN', 'EINVALIDSTATE', 'EROUTING']],
]);

/** A connection that was not made in time; later it is a request that was not answered. */
const CONNECT_TIMEOUT: Classified = { code: 'PW-S201', hint: 'Nobody answered in time: check server, port, network and firewall.' };

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
  const { code, ...more } = classified(chain);
  const number = numberOfError(error);
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
      ...more,
    },
  );
}

/** The number that decided how an error is classified; null: it has none. */
export function numberOfError(error: unknown): number | null {
  return [...causesOf(error)].map(numberOf).find((each) => each !== null) ?? null;
}

/** A column or a table that the statement names is not there: what it was built from is not what is there. */
export function isMissingName(error: unknown): boolean {
  return !(error instanceof PatchwireError) && [207, 208].includes(numberOfError(error) ?? 0);
}

/** Whether another definition of the table could be behind it: a statement refused for good, or a value that is none of its column's type. */
export function mayBeDefinition(error: unknown): boolean {
  return ['PW-S209', 'PW-S222', 'PW-S224', 'PW-S225', 'PW-I901'].includes(codeOf(error));
}

/** Whether a lock was waited for in vain. */
export function isLockTimeout(error: unknown): boolean {
  return [...causesOf(error)].some((cause) => numberOf(cause) === 1222);
}

/** Whether one table may be the cause, by a lock, a deadlock or a definition under way: not the connection, not the whole server. */
export function concernsTable(error: unknown): boolean {
  return ['PW-S215', 'PW-S216', 'PW-S217', 'PW-S224'].includes(codeOf(error));
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof PatchwireError ? error.code : classified([...causesOf(error)]).code;
}

/** The same error without the value in its text: row contents are in no message and in no stack trace. */
function withoutValue(error: unknown): unknown {
  const number = numberOfError(error);
  if (!(error instanceof Error) || number === null || !QUOTES_VALUE.has(number)) {
    return error;
  }
  const told = error.message.replace(/(value:?\s*)'.*'/su, "$1'…'").replace(/(value = )\S+?(?=[.,]?(?:\s|$))/gu, '$1…');
  return Object.assign(new Error(told), { number });
}

/** The first known number decides (the first error is the cause, later ones follow from it), then the first code of Node, then of the driver. */
function classified(chain: readonly unknown[]): Classified {
  const numbers = chain.map(numberOf).filter((number) => number !== null);
  for (const number of numbers) {
    const known = BY_NUMBER.get(number);
    if (known !== undefined) {
      return known;
    }
  }
  const known = byCode(BY_NODE_CODE, chain) ?? byCode(BY_DRIVER_CODE, chain);
  if (known?.code === 'PW-S216' && chain.some((error) => error instanceof Error && error.name === 'ConnectionError')) {
    return CONNECT_TIMEOUT;
  }
  return known ?? { code: numbers.length > 0 ? 'PW-S224' : 'PW-I901' };
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
