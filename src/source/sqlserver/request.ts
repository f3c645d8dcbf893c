/**
 * Runs one request on one connection and streams its rows: a watchdog over the whole request (the driver's timer ends at the first packet),
 * cancellation by attention, and the first error of the server. Decides nothing about what the rows mean.
 */
import mssql from 'mssql';
import type { Clock } from '../../lib/clock.ts';
import { PatchwireError } from '../../model/errors.ts';
import type { SingleConnection } from './connection.ts';
import type { DriverRow } from './plan.ts';

export interface Parameter {
  readonly name: string;
  readonly type: mssql.ISqlType | (() => mssql.ISqlType);
  readonly value: unknown;
}

export interface SourceRequest {
  readonly text: string;
  readonly parameters?: readonly Parameter[];
  /** Called for every row with the number of its result set; 'cut' cancels the request: no row comes after it. */
  readonly onRow: (set: number, row: DriverRow) => 'more' | 'cut';
}

export interface RequestLimits {
  readonly timeoutMs: number;
  /** How long a cancelled request may take to end at the server, ms; then its connection is abandoned. Default CANCEL_GRACE_MS. */
  readonly graceMs?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The driver gives an attention 5 s, but not one for which it is still connecting. Source: tedious 19, cancelTimeout. */
export const CANCEL_GRACE_MS = 6000;

type End = 'running' | 'cut' | 'abort' | 'timeout' | 'broken';

/**
 * @returns whether the request was cut by onRow
 * @throws the signal's reason; PatchwireError PW-S216 from the watchdog; what onRow threw; else the driver's first error, the later ones in
 * `precedingErrors`. When it settles the request has ended at the server, but a transaction that it had opened may be open; a request
 * that did not end within the grace has lost its connection instead.
 */
export async function runRequest(
  connection: SingleConnection,
  request: SourceRequest,
  limits: RequestLimits,
): Promise<{ readonly cut: boolean }> {
  limits.signal.throwIfAborted();
  const pool = await abortable(connection.pool(), limits.signal);
  const driver = new mssql.Request(pool);
  driver.stream = true;
  for (const { name, type, value } of request.parameters ?? []) {
    driver.input(name, type, value);
  }

  let end: End = 'running';
  let broken: unknown = null;
  let set = -1;
  const errors: Error[] = [];
  const watch = new AbortController();
  let giveUp = (): void => {};
  const stop = (how: End): void => {
    if (end === 'running') {
      end = how;
      driver.cancel();
      limits.clock.sleep(limits.graceMs ?? CANCEL_GRACE_MS, { signal: watch.signal }).then(
        () => giveUp(),
        () => {},
      );
    }
  };
  driver.on('recordset', () => {
    set += 1;
  });
  driver.on('row', (row: DriverRow) => {
    if (end !== 'running') {
      return;
    }
    try {
      if (request.onRow(set, row) === 'cut') {
        stop('cut');
      }
    } catch (error) {
      broken = error;
      stop('broken');
    }
  });
  driver.on('error', (error: Error) => {
    errors.push(error);
  });

  const abort = (): void => stop('abort');
  limits.signal.addEventListener('abort', abort, { once: true });
  limits.clock.sleep(limits.timeoutMs, { signal: watch.signal }).then(
    () => stop('timeout'),
    () => {},
  );
  try {
    await new Promise<void>((resolve) => {
      giveUp = () => {
        connection.abandon();
        resolve();
      };
      driver.on('done', () => resolve());
      void driver.query(request.text);
    });
  } finally {
    watch.abort();
    limits.signal.removeEventListener('abort', abort);
  }
  if (end !== 'running' && errors.some(isLost)) {
    // There is nothing left to roll back by: the server does it when it sees the connection gone.
    connection.abandon();
  }
  return conclude(end, { errors, broken, limits });
}

function conclude(
  end: End,
  { errors, broken, limits }: { readonly errors: Error[]; readonly broken: unknown; readonly limits: RequestLimits },
): { readonly cut: boolean } {
  switch (end) {
    case 'abort':
      throw limits.signal.reason;
    case 'broken':
      throw broken;
    case 'timeout':
      throw new PatchwireError('PW-S216', `SQL Server did not finish a request within ${limits.timeoutMs} ms; it was cancelled.`);
    case 'cut': {
      const [serious] = errors.filter((error) => !isCancel(error));
      if (serious !== undefined) {
        throw serious;
      }
      return { cut: true };
    }
    case 'running': {
      const [first, ...later] = errors;
      if (first !== undefined) {
        throw later.length === 0 ? first : Object.assign(first, { laterErrors: later });
      }
      return { cut: false };
    }
  }
}

/** The attention was not answered in time, or nobody is there: the driver has closed the connection. Source: tedious 19, connection.js, cancelTimeout. */
function isLost(error: unknown): boolean {
  return ['ETIMEOUT', 'ESOCKET', 'ECLOSE', 'ECONNCLOSED'].includes(String((error as { readonly code?: unknown }).code));
}

function isCancel(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'ECANCEL';
}

/** Settles with the promise, or rejects with the signal's reason; the promise goes on unobserved then. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => {};
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        abort = () => reject(signal.reason as Error);
        signal.addEventListener('abort', abort, { once: true });
      }),
    ]);
  } finally {
    signal.removeEventListener('abort', abort);
    promise.catch(() => {});
  }
}
