/** A toy server with a real driver's pool on it. */
import mssql from 'mssql';
import { listen } from '../../../src/sandbox/tds/listener.ts';
import type { ListenOptions, TdsListener } from '../../../src/sandbox/tds/listener.ts';
import { ToyBackend } from './toy-backend.ts';

export interface Toy extends AsyncDisposable {
  readonly backend: ToyBackend;
  readonly listener: TdsListener;
  readonly internalErrors: unknown[];
  /** A pool of one connection unless told otherwise; closed with the server. */
  connect(config?: Partial<mssql.config>): Promise<mssql.ConnectionPool>;
}

export const PASSWORD = 'Tøp sécret €';

export async function toyServer(options: Partial<ListenOptions> = {}): Promise<Toy> {
  const backend = new ToyBackend();
  const internalErrors: unknown[] = [];
  const listener = await listen(backend, { port: 0, onInternalError: (error) => internalErrors.push(error), ...options });
  const pools: mssql.ConnectionPool[] = [];
  return {
    backend,
    listener,
    internalErrors,
    connect: async (config = {}) => {
      const pool = new mssql.ConnectionPool({
        server: '127.0.0.1',
        port: listener.port,
        user: 'sa',
        password: PASSWORD,
        database: 'shop',
        // No SELECT 1 before each request: the tests look at what the server was asked.
        validateConnection: false,
        ...config,
        pool: { max: 1, min: 0, ...config.pool },
        options: { encrypt: false, trustServerCertificate: true, useUTC: true, ...config.options },
      });
      // A cut connection is reported here as well as to the request.
      pool.on('error', () => undefined);
      pools.push(pool);
      return pool.connect();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled(pools.map((pool) => pool.close()));
      await listener.close();
    },
  };
}
