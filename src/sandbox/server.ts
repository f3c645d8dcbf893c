/**
 * A sandbox: a stand-in for SQL Server on loopback, in this process. It glues the protocol (tds/) to the engine (engine/); what it can and
 * cannot do stands in its README. A test instrument: production code never imports it.
 */
import { randomBytes } from 'node:crypto';
import type { SandboxControl } from './control/control.ts';
import { createControl } from './control/control.ts';
import type { SandboxClock } from './engine/clock.ts';
import { systemClock } from './engine/clock.ts';
import { cleanUpExpired } from './engine/cleanup.ts';
import type { SnapshotProfile } from './engine/instance.ts';
import { Instance } from './engine/instance.ts';
import { wholeMilliseconds } from './engine/milliseconds.ts';
import { createBackend } from './engine/backend.ts';
import { listen } from './tds/listener.ts';
import type { ClientConnection, EncryptionMode, TlsIdentity } from './tds/listener.ts';

export type { SandboxControl } from './control/control.ts';
export type { SandboxClock } from './engine/clock.ts';
export type { SnapshotProfile } from './engine/instance.ts';
export type { ClientConnection, Encryption, EncryptionMode, TlsIdentity } from './tds/listener.ts';

export interface SandboxOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** Password of `sa`; default: a random one. */
  readonly password?: string;
  /** Name of a user database that exists from the start; default `sandbox`. */
  readonly database?: string;
  readonly serverName?: string;
  /** Which of the answers that nobody documents it gives; default `implied`. */
  readonly profile?: SnapshotProfile;
  /** Milliseconds between the moment when a commit's version can be asked for and the moment when its rows can be read; default 0. */
  readonly visibilityGap?: number;
  readonly clock?: SandboxClock;
  /**
   * Default `optional`: what the client wants, strict included. `required` and `strict` turn away who wants less, `unsupported` is a server
   * without a certificate.
   */
  readonly encryption?: EncryptionMode;
  /** Private key and certificate, PEM; default: one for this sandbox, signed by itself, for localhost and the loopback addresses. */
  readonly tls?: TlsIdentity;
  /** Told of exceptions that are no SQL errors: bugs of the sandbox. Default: thrown as uncaught. */
  readonly onInternalError?: (error: unknown) => void;
}

export interface Sandbox extends AsyncDisposable {
  readonly port: number;
  readonly password: string;
  /** `Server=127.0.0.1,PORT;User Id=sa;…` for a database (default: the user database from the start). */
  connectionString(database?: string): string;
  readonly control: SandboxControl;
  /** The certificate that clients are shown, PEM: `options.cryptoCredentialsDetails.ca` of `mssql` makes it trusted. */
  readonly certificate: string;
  /** Clients that have logged in, oldest first, and how they are encrypted. */
  connections(): readonly ClientConnection[];
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/** How often the background cleanup looks for expired changes. Source: learn.microsoft.com, "Cleanup and troubleshoot change tracking". */
const CLEANUP_INTERVAL_MS = 30 * 60_000;

/** Starts a sandbox. @throws Error when the port is taken; RangeError for a gap that is no number of milliseconds */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const clock = options.clock ?? systemClock;
  const password = options.password ?? `Pw1!${randomBytes(12).toString('base64url')}`;
  const userDatabase = options.database ?? 'sandbox';
  const instance = new Instance({
    name: options.serverName ?? 'SANDBOX',
    clock,
    profile: options.profile ?? 'implied',
    saPassword: password,
  });
  instance.manager.visibilityGapMs = wholeMilliseconds('visibilityGap', options.visibilityGap ?? 0);
  instance.createDatabase(userDatabase);
  const listener = await listen(createBackend(instance), {
    port: options.port ?? 0,
    ...(options.encryption === undefined ? {} : { encryption: options.encryption }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    beforeAnswer: async (connection, signal) => {
      await instance.gate.beforeAnswer(connection.appName, signal);
    },
    ...(options.onInternalError === undefined ? {} : { onInternalError: options.onInternalError }),
  });
  instance.cut = (id) => {
    listener.cutConnections((connection) => connection.id === id);
  };
  let cancelCleanup: () => void = () => undefined;
  const schedule = (): void => {
    const cleanUp = (): void => {
      cleanUpExpired(instance);
      schedule();
    };
    cancelCleanup = clock.after(CLEANUP_INTERVAL_MS, cleanUp, { background: true });
  };
  schedule();
  const control = createControl(instance, (appName) =>
    listener.cutConnections(appName === undefined ? undefined : (connection) => connection.appName.toLowerCase() === appName.toLowerCase()),
  );
  const close = async (): Promise<void> => {
    cancelCleanup();
    instance.gate.clear();
    instance.manager.closeGaps();
    await listener.close();
  };
  return {
    port: listener.port,
    password,
    connectionString: (database = userDatabase) =>
      `Server=127.0.0.1,${listener.port};User Id=sa;Password=${password};Encrypt=false;Database=${database}`,
    control,
    get certificate() {
      return listener.certificate;
    },
    connections: () => listener.connections(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
