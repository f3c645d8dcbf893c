/**
 * One client from its first byte to its last: prelogin, login, then requests strictly one after another. An attention ends the request that
 * runs; anything malformed ends the connection. It owns the socket and the session and gives both back, whatever happens.
 */
import type { Socket } from 'node:net';
import type { BackendSession, ServerBackend } from '../session.ts';
import { SqlError } from '../session.ts';
import type { TlsIdentity } from './certificate.ts';
import { messageOf, openSession, writeRefusal, writeWelcome } from './handshake.ts';
import type { LoginContext } from './handshake.ts';
import { readLogin7 } from './login.ts';
import type { Login7 } from './login.ts';
import { MessageWriter } from './message-writer.ts';
import { MessageAssembler } from './packets.ts';
import type { Message } from './packets.ts';
import { negotiate, preloginAnswer, readPrelogin } from './prelogin.ts';
import type { EncryptionMode, PreloginRequest } from './prelogin.ts';
import { PreparedStatements } from './procedures.ts';
import { DONE, PACKET, PACKET_SIZE, ProtocolError, STATUS, TOKEN } from './protocol.ts';
import { serveRequest } from './request-handlers.ts';
import type { ServerVersion } from './tokens.ts';
import { Transport } from './transport.ts';
import type { Encryption } from './transport.ts';
import { writeDone, writeMessage, writeResetChange, writeTextChange, writeTransactionChange } from './tokens.ts';

/** Bytes of a message that are accepted from someone who has not logged in. */
const MAX_LOGIN_BYTES = 128 * 1024;
/** Requests that may wait for the one that runs. No client sends any: it waits for its answers. */
const MAX_WAITING = 64;
/** Time that a refused client has to read why, in ms. */
const REFUSED_LINGER_MS = 5000;

/** A client that has logged in, as the control of the server sees it. */
export interface ClientConnection {
  /** The session's id (spid). */
  readonly id: number;
  readonly user: string;
  readonly appName: string;
  readonly hostName: string;
  /** The current database. */
  readonly database: string;
  /** What TLS covers; `strict`: everything, from the first byte. */
  readonly encryption: Encryption;
}

export interface ConnectionOptions {
  readonly encryption: EncryptionMode;
  readonly identity: () => TlsIdentity;
  readonly version: ServerVersion;
  readonly maxMessageBytes: number;
  readonly loginTimeoutMs: number;
  readonly beforeAnswer?: ((connection: ClientConnection, signal: AbortSignal) => Promise<void>) | undefined;
  readonly onInternalError?: ((error: unknown) => void) | undefined;
}

interface LoggedIn {
  readonly session: BackendSession;
  readonly login: Login7;
  readonly prepared: PreparedStatements;
  readonly client: ClientConnection;
}

/** Serves one socket. Construct it and it runs; `destroy` ends it. */
export class Connection {
  readonly #transport: Transport;
  readonly #backend: ServerBackend;
  readonly #options: ConnectionOptions;
  readonly #assembler = new MessageAssembler(MAX_LOGIN_BYTES);
  readonly #loginTimer: NodeJS.Timeout;
  #prelogin: PreloginRequest | null = null;
  #loggedIn: LoggedIn | null = null;
  /** Nothing more is read or answered. */
  #refused = false;
  #waiting: Message[] = [];
  #serving = false;
  /** Of the request that runs. */
  #abort: AbortController | null = null;
  #attention = false;

  constructor(socket: Socket, backend: ServerBackend, options: ConnectionOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#transport = new Transport(socket, {
      identity: options.identity,
      strictAllowed: options.encryption !== 'unsupported',
      onData: (chunk) => this.#receive(chunk),
      onFailure: (error) => this.#fail(error),
      onClose: () => this.#closed(),
    });
    this.#loginTimer = setTimeout(() => this.destroy(), options.loginTimeoutMs);
    this.#loginTimer.unref();
  }

  /** Who is connected; null before the login. */
  get client(): ClientConnection | null {
    return this.#loggedIn?.client ?? null;
  }

  /** Cuts the connection. A running request is aborted, the session is closed when it has ended. */
  destroy(): void {
    this.#transport.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#refused) {
      return;
    }
    try {
      for (const message of this.#assembler.push(chunk)) {
        this.#take(message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(message: Message): void {
    if (this.#transport.isHandshaking) {
      throw new ProtocolError('a message between PRELOGIN and the TLS handshake');
    }
    if (message.type === PACKET.attention && this.#abort !== null) {
      this.#attention = true;
      this.#waiting = [];
      this.#abort.abort(new SqlError(3617, 'Operation canceled by user.', { class: 11 }));
      return;
    }
    if (message.type === PACKET.attention) {
      // What it takes back has not begun: it is answered as such, so that the client has its two messages.
      this.#waiting = this.#waiting.map((waiting) => ({ ...waiting, ignored: true }));
    }
    if (this.#waiting.length >= MAX_WAITING) {
      throw new ProtocolError(`more than ${MAX_WAITING} requests before an answer`);
    }
    this.#waiting.push(message);
    if (!this.#serving) {
      this.#serving = true;
      void this.#serveAll();
    }
  }

  /** The one loop that answers. It never throws. */
  async #serveAll(): Promise<void> {
    try {
      for (let message = this.#waiting.shift(); message !== undefined && !this.#transport.destroyed; message = this.#waiting.shift()) {
        await this.#serve(message);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#serving = false;
      if (this.#transport.destroyed) {
        this.#release();
      }
    }
  }

  async #serve(message: Message): Promise<void> {
    if (this.#refused) {
      return;
    }
    const loggedIn = this.#loggedIn;
    if (loggedIn !== null) {
      await (message.type === PACKET.attention ? this.#acknowledgeAttention(loggedIn) : this.#answer(message, loggedIn));
    } else if (message.type === PACKET.prelogin && this.#prelogin === null) {
      await this.#negotiate(readPrelogin(message.data));
    } else if (message.type === PACKET.login7) {
      const login = readLogin7(message.data);
      const { encryption } = this.#transport;
      const most = encryption === 'all' || encryption === 'strict' ? PACKET_SIZE.maxEncrypted : PACKET_SIZE.max;
      await this.#logIn({ ...login, packetSize: Math.min(login.packetSize, most) });
    } else {
      throw new ProtocolError(`a packet of type ${message.type} before the login`);
    }
  }

  async #negotiate(prelogin: PreloginRequest): Promise<void> {
    this.#prelogin = prelogin;
    const agreed = negotiate(this.#options.encryption, prelogin.encryption, this.#transport.encryption === 'strict');
    const out = this.#writer(0, PACKET_SIZE.default);
    out.bytes.bytes(preloginAnswer(this.#options.version, agreed));
    if (agreed.encryption !== 'none') {
      if (!this.#assembler.isEmpty) {
        // Whatever came before the handshake was not protected by it.
        throw new ProtocolError('data between PRELOGIN and the TLS handshake');
      }
      this.#transport.startTls(agreed.encryption);
    }
    await out.end();
  }

  #writer(
    sessionId: number,
    packetSize: number,
    rest: { signal?: AbortSignal; beforeFirst?: (() => Promise<void>) | undefined } = {},
  ): MessageWriter {
    return new MessageWriter(this.#transport.socket, {
      sessionId,
      packetSize,
      signal: rest.signal ?? new AbortController().signal,
      beforeFirst: rest.beforeFirst,
    });
  }

  async #logIn(login: Login7): Promise<void> {
    const { serverName } = this.#backend;
    const out = this.#writer(0, PACKET_SIZE.default);
    let session: BackendSession;
    try {
      session = openSession(login, this.#loginContext());
    } catch (error) {
      if (!(error instanceof SqlError)) {
        throw error;
      }
      this.#refused = true;
      writeRefusal(out.bytes, error, serverName);
      await out.end();
      this.#transport.end(REFUSED_LINGER_MS);
      return;
    }
    clearTimeout(this.#loginTimer);
    const { user, appName, hostName } = login.request;
    this.#loggedIn = {
      session,
      login,
      prepared: new PreparedStatements(),
      client: {
        id: session.id,
        user,
        appName,
        hostName,
        encryption: this.#transport.encryption,
        get database() {
          return session.database;
        },
      },
    };
    this.#assembler.maxMessageBytes = this.#options.maxMessageBytes;
    this.#transport.setPacketSize(login.packetSize);
    writeWelcome(out.bytes, { session, serverName, login, version: this.#options.version });
    await out.end();
  }

  /** @throws ProtocolError when the server wants encryption and the login came without. */
  #loginContext(): LoginContext {
    const { encryption } = this.#transport;
    const mode = this.#options.encryption;
    const plain = encryption === 'none';
    if (plain && (mode === 'required' || mode === 'strict')) {
      throw new ProtocolError('a login that is not encrypted');
    }
    return { backend: this.#backend, encryption, encryptionMissing: plain && this.#prelogin?.encryption === 'demanded' };
  }

  async #answer(message: Message, { session, login, prepared, client }: LoggedIn): Promise<void> {
    if (message.type === PACKET.prelogin || message.type === PACKET.login7) {
      throw new ProtocolError('a second login');
    }
    const abort = new AbortController();
    this.#abort = abort;
    const { signal } = abort;
    const { beforeAnswer } = this.#options;
    const beforeFirst = beforeAnswer === undefined ? undefined : () => beforeAnswer(client, signal);
    const out = this.#writer(session.id, login.packetSize, { signal, beforeFirst });
    const { serverName } = this.#backend;
    try {
      this.#resetIfAsked(message.status, { session, prepared, out });
      await serveRequest(message, { session, prepared, out, signal, serverName });
      await out.end();
    } catch (error) {
      if (error instanceof SqlError) {
        // A reset that cannot be done. What follows it must not run in the session as it is.
        writeMessage(out.bytes, messageOf(error), serverName);
        writeDone(out.bytes, TOKEN.done, DONE.error, 0, 0n);
        await out.end();
        throw new ProtocolError('a session that cannot be reset');
      }
      if (!(error instanceof ProtocolError)) {
        // The backend broke its word: tell the client what happened, as SQL Server does when an assertion fails, and go no further.
        const text = error instanceof Error ? error.message : String(error);
        writeMessage(out.bytes, messageOf(new SqlError(3624, `A system assertion check has failed: ${text}`, { class: 20 })), serverName);
        writeDone(out.bytes, TOKEN.done, DONE.error, 0, 0n);
        await out.end();
      }
      throw error;
    } finally {
      this.#abort = null;
    }
    if (session.ended === true) {
      throw new ProtocolError('an error that ends its connection');
    }
    if (this.#attention) {
      // Two messages: the answer, cut short, and the acknowledgement on its own. tedious waits for the second one.
      this.#attention = false;
      await this.#acknowledgeAttention({ session, login });
    }
  }

  async #acknowledgeAttention({ session, login }: Pick<LoggedIn, 'session' | 'login'>): Promise<void> {
    const out = this.#writer(session.id, login.packetSize);
    writeDone(out.bytes, TOKEN.done, DONE.attention | (session.transactionId === 0n ? 0 : DONE.inTransaction), 0, 0n);
    await out.end();
  }

  #resetIfAsked(
    status: number,
    { session, prepared, out }: { session: BackendSession; prepared: PreparedStatements; out: MessageWriter },
  ): void {
    const keepTransaction = (status & STATUS.resetKeepTransaction) !== 0;
    if ((status & STATUS.resetConnection) === 0 && !keepTransaction) {
      return;
    }
    const { transactionId, database } = session;
    session.reset(keepTransaction);
    prepared.clear();
    if (transactionId !== 0n && session.transactionId === 0n) {
      writeTransactionChange(out.bytes, 'rollback', transactionId);
    }
    if (session.database !== database) {
      writeTextChange(out.bytes, 'database', session.database, database);
    }
    writeResetChange(out.bytes);
  }

  #fail(error: unknown): void {
    if (!(error instanceof ProtocolError)) {
      this.#options.onInternalError?.(error);
    }
    this.#refused = true;
    this.#waiting = [];
    this.#abort?.abort(new SqlError(3617, 'The connection is being closed.', { class: 11 }));
    // What is already written may still arrive, where the client reads.
    this.#transport.destroySoon(REFUSED_LINGER_MS);
  }

  #closed(): void {
    clearTimeout(this.#loginTimer);
    this.#waiting = [];
    this.#abort?.abort(new SqlError(3617, 'The connection is gone.', { class: 11 }));
    if (!this.#serving) {
      this.#release();
    }
  }

  /** Once: when the socket is gone and no request runs. */
  #release(): void {
    const loggedIn = this.#loggedIn;
    this.#loggedIn = null;
    this.#refused = true;
    loggedIn?.session.close();
  }
}
