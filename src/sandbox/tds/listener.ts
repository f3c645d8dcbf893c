/**
 * The TCP server of the sandbox: takes connections and keeps track of them. What is said on them is the connection's.
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { ServerBackend } from '../session.ts';
import { selfSignedIdentity } from './certificate.ts';
import type { TlsIdentity } from './certificate.ts';
import { Connection } from './connection.ts';
import type { ClientConnection } from './connection.ts';
import type { EncryptionMode } from './prelogin.ts';
import type { ServerVersion } from './tokens.ts';

export type { ClientConnection } from './connection.ts';
export type { ServerVersion } from './tokens.ts';
export type { TlsIdentity } from './certificate.ts';
export type { EncryptionMode } from './prelogin.ts';
export type { Encryption } from './transport.ts';

const DEFAULTS = {
  host: '127.0.0.1',
  version: { major: 16, minor: 0, build: 4135 },
  maxMessageBytes: 256 * 1024 * 1024,
  maxConnections: 1000,
  loginTimeoutMs: 15_000,
} as const;

export interface ListenOptions {
  /** Default 127.0.0.1: the sandbox is no server for a network. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What LOGINACK and PRELOGIN report; default 16.0.4135. */
  readonly version?: ServerVersion;
  /** Bytes of a request; a longer one cuts the connection. Default 256 MiB. */
  readonly maxMessageBytes?: number;
  /** Default 1000; more are refused at once. */
  readonly maxConnections?: number;
  /** Time from connect to login. Default 15,000 ms. */
  readonly loginTimeoutMs?: number;
  /** Default `optional`. */
  readonly encryption?: EncryptionMode;
  /** Key and certificate for TLS; default: made when they are first needed, signed by themselves. */
  readonly tls?: TlsIdentity;
  /**
   * Awaited after a request was executed and before the first packet of its answer leaves (for long answers: before the first full packets).
   * Ends early when `signal` aborts: at an attention, or when the connection is gone. So slow answers, and answers lost after a commit, can be
   * provoked.
   */
  readonly beforeAnswer?: (connection: ClientConnection, signal: AbortSignal) => Promise<void>;
  /** Told of exceptions that are no SQL errors: bugs of the backend or of the protocol. The connection concerned is cut. */
  readonly onInternalError?: (error: unknown) => void;
}

/** A running server. */
export interface TdsListener {
  readonly host: string;
  readonly port: number;
  /** The certificate that clients are shown, PEM: what they have to trust. */
  readonly certificate: string;
  /** Clients that have logged in, oldest first. */
  connections(): readonly ClientConnection[];
  /**
   * Destroys the sockets of clients, all or those that the filter picks (it is asked for logged-in clients only; without a filter those still
   * logging in are cut too). Their sessions roll back.
   * @returns how many were cut.
   */
  cutConnections(filter?: (connection: ClientConnection) => boolean): number;
  /** Takes no more connections, cuts all, resolves when the port is free. */
  close(): Promise<void>;
}

/** Starts to listen. @throws Error when the port cannot be had (EADDRINUSE and the like). */
export async function listen(backend: ServerBackend, options: ListenOptions): Promise<TdsListener> {
  const open = new Set<Connection>();
  let made: TlsIdentity | undefined = options.tls;
  const identity = (): TlsIdentity => (made ??= selfSignedIdentity());
  const connectionOptions = {
    version: options.version ?? DEFAULTS.version,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULTS.maxMessageBytes,
    loginTimeoutMs: options.loginTimeoutMs ?? DEFAULTS.loginTimeoutMs,
    encryption: options.encryption ?? ('optional' as const),
    identity,
    beforeAnswer: options.beforeAnswer,
    onInternalError: options.onInternalError,
  };
  const server = createServer((socket) => {
    const connection = new Connection(socket, backend, connectionOptions);
    open.add(connection);
    socket.once('close', () => open.delete(connection));
  });
  server.maxConnections = options.maxConnections ?? DEFAULTS.maxConnections;
  const host = options.host ?? DEFAULTS.host;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // A failed accept (too many open files) concerns one client, not the server.
  server.on('error', (error) => options.onInternalError?.(error));
  const { port } = server.address() as AddressInfo;

  const cutConnections: TdsListener['cutConnections'] = (filter) => {
    const chosen = [...open].filter((connection) => {
      const { client } = connection;
      return filter === undefined || (client !== null && filter(client));
    });
    for (const connection of chosen) {
      connection.destroy();
    }
    return chosen.length;
  };

  return {
    host,
    port,
    get certificate() {
      return identity().cert;
    },
    connections: () => [...open].flatMap((connection) => connection.client ?? []),
    cutConnections,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      cutConnections();
      await closed;
    },
  };
}
