/**
 * patchwire's own connections to a source: one pool of a single connection for each reader and one for probes, so that what a request
 * leaves behind (an open transaction, an isolation level) can only meet the next request of the same reader, which undoes it. Never shares
 * a pool, never weakens the encryption that was asked for.
 */
import mssql from 'mssql';
import { PatchwireError } from '../../model/errors.ts';
import type { Logger } from '../../observe/logger.ts';
import type { SqlServerConnection } from './connection-options.ts';
import { parseConnectionString } from './connection-string.ts';

/** The application name that the server's administrator sees. */
export const APPLICATION_NAME = 'patchwire';

/** The driver's configuration. @throws PatchwireError PW-C103 for a connection string that cannot be honoured */
export function driverConfig(connection: string | SqlServerConnection): mssql.config {
  const options = typeof connection === 'string' ? parseConnectionString(connection) : connection;
  const { encrypt = true } = options;
  if (typeof encrypt !== 'boolean' && encrypt !== 'strict') {
    throw new PatchwireError('PW-C103', 'encrypt must be true, false or strict.');
  }
  return {
    server: options.server,
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.database === undefined ? {} : { database: options.database }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.password === undefined ? {} : { password: options.password }),
    ...(options.domain === undefined ? {} : { domain: options.domain }),
    connectionTimeout: options.connectTimeoutMs ?? 15_000,
    // The watchdog of guest.ts bounds the whole request; the driver's own timer ends at the first packet.
    requestTimeout: 0,
    pool: { max: 1, min: 0, idleTimeoutMillis: 300_000 },
    // Looks at the socket instead of sending SELECT 1. Source: mssql 12, base/connection-pool.
    validateConnection: 'socket',
    options: {
      appName: APPLICATION_NAME,
      encrypt,
      trustServerCertificate: options.trustServerCertificate ?? false,
      enableArithAbort: true,
      useUTC: true,
      ...(options.hostNameInCertificate === undefined ? {} : { serverName: options.hostNameInCertificate }),
      ...(options.multiSubnetFailover === undefined ? {} : { multiSubnetFailover: options.multiSubnetFailover }),
      ...(options.instanceName === undefined ? {} : { instanceName: options.instanceName }),
    },
  };
}

/** A pool of one connection, opened when it is first needed and again after `reset`. */
export class SingleConnection implements AsyncDisposable {
  readonly #config: mssql.config;
  readonly #logger: Logger;
  #pool: Promise<mssql.ConnectionPool> | null = null;
  /** What #pool has become. */
  #open: mssql.ConnectionPool | null = null;
  #closed = false;

  constructor(config: mssql.config, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
  }

  /** The open pool. @throws the driver's error when it cannot be opened; the next call tries anew */
  async pool(): Promise<mssql.ConnectionPool> {
    if (this.#closed) {
      throw new PatchwireError('PW-S201', 'The source is closed.');
    }
    this.#pool ??= this.#connect();
    const pending = this.#pool;
    try {
      const open = await pending;
      if (this.#pool === pending) {
        this.#open = open;
      }
      return open;
    } catch (error) {
      if (this.#pool === pending) {
        this.#pool = null;
      }
      throw error;
    }
  }

  /** Whether it has been opened: otherwise there is nothing that could be undone. */
  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Drops the connection, whatever state it is in: the server rolls back what it had open. */
  async reset(): Promise<void> {
    const open = this.#forget();
    try {
      await open?.close();
    } catch (error) {
      this.#logger.debug({ err: error }, 'closing a connection failed');
    }
  }

  /** The same without waiting: for a connection that answers nothing any more. */
  abandon(): void {
    void this.reset();
  }

  /** One that is being opened is closed when it is open, which may take the whole connect time-out: nobody waits for that. */
  #forget(): mssql.ConnectionPool | null {
    const [opening, open] = [this.#pool, this.#open];
    this.#pool = null;
    this.#open = null;
    if (open === null) {
      opening?.then((late) => late.close()).catch(() => {});
    }
    return open;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.reset();
  }

  async #connect(): Promise<mssql.ConnectionPool> {
    const said: LoginError[] = [];
    let opening = true;
    const pool = new mssql.ConnectionPool({
      ...this.#config,
      beforeConnect: (connection) => {
        connection.on('connect', () => sendAtOnce(connection));
        connection.on('errorMessage', ({ number, message }: { readonly number: number; readonly message: string }) => {
          if (opening) {
            said.push({ number, message });
          }
        });
      },
    });
    // Without a listener an idle connection that breaks would end the process. The next request opens another.
    pool.on('error', (error: unknown) => {
      this.#logger.debug({ err: error }, 'an idle connection broke');
    });
    try {
      return await pool.connect();
    } catch (error) {
      throw firstOf(said, error);
    } finally {
      opening = false;
    }
  }
}

/**
 * The driver leaves Nagle's algorithm on: the second packet of a request waits until the first is acknowledged, which the other side may put
 * off by 40 ms. Source: tedious 19, connection.js (no setNoDelay); RFC 9293, 3.7.4.
 */
function sendAtOnce(connection: object): void {
  const { socket } = connection as { readonly socket?: { setNoDelay?: (on: boolean) => unknown } };
  socket?.setNoDelay?.(true);
}

interface LoginError {
  readonly number: number;
  readonly message: string;
}

/**
 * The first error of a refused login: it is the cause (4060, no such database), while the driver keeps the last (18456, login failed).
 * Source: tedious 19, token/handler; learn.microsoft.com, MSSQLSERVER_4060.
 */
function firstOf([first, ...rest]: readonly LoginError[], error: unknown): unknown {
  return first === undefined || rest.length === 0
    ? error
    : Object.assign(new Error(first.message, { cause: error }), { number: first.number });
}
