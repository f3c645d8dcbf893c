/**
 * The bytes of one connection, plain or under TLS: strict (TLS from the first byte, TDS 8), negotiated in PRELOGIN for everything, or
 * for the first packet of the login only. Whoever reads and writes here does not see the difference. It knows no messages.
 */
import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { TlsIdentity } from './certificate.ts';
import { HEADER_BYTES, ProtocolError, STRICT_PROTOCOL, TLS_RECORD } from './protocol.ts';
import { TlsTunnel } from './tls-tunnel.ts';

/** How much of a connection is encrypted. */
export type Encryption = 'none' | 'login' | 'all' | 'strict';

export interface TransportOptions {
  /** Key and certificate; asked for when the first TLS session begins. */
  readonly identity: () => TlsIdentity;
  /** Whether a connection may begin with TLS. */
  readonly strictAllowed: boolean;
  /** Takes what the client sent, decrypted, in its order. */
  readonly onData: (chunk: Buffer) => void;
  /** TLS broke, or what came is none. Nothing more is read. */
  readonly onFailure: (error: unknown) => void;
  readonly onClose: () => void;
}

/** One socket and, where there is one, its TLS session. */
export class Transport {
  readonly #raw: Socket;
  readonly #options: TransportOptions;
  #secure: TLSSocket | null = null;
  #tunnel: TlsTunnel | null = null;
  #encryption: Encryption = 'none';
  #begun = false;
  #handshaking = false;
  #linger: NodeJS.Timeout | undefined;
  /** The first packet of a login that alone is encrypted, as far as it is here. */
  #login: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, options: TransportOptions) {
    this.#raw = socket;
    this.#options = options;
    socket.setNoDelay(true);
    // 'close' always follows and does what there is to do.
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('close', () => {
      clearTimeout(this.#linger);
      this.#tunnel?.detach();
      this.#secure?.destroy();
      this.#tunnel?.destroy();
      options.onClose();
    });
  }

  /** What answers are written to now. */
  get socket(): Socket {
    return this.#secure ?? this.#raw;
  }

  get encryption(): Encryption {
    return this.#encryption;
  }

  /** Whether a handshake was agreed on and nothing has come through it yet: what comes now is not protected. */
  get isHandshaking(): boolean {
    return this.#handshaking;
  }

  /** Whether nothing can be sent any more. */
  get destroyed(): boolean {
    return this.#raw.destroyed;
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#raw.destroy();
  }

  /** Ends the connection: when everything written has left and the client has closed its side too, or after so many ms. */
  end(lingerMs: number): void {
    this.#linger ??= setTimeout(() => this.destroy(), lingerMs).unref();
    this.socket.end();
  }

  /** Cuts the connection as soon as everything written has left, or after so many ms. */
  destroySoon(lingerMs: number): void {
    this.#linger ??= setTimeout(() => this.destroy(), lingerMs).unref();
    this.socket.destroySoon();
  }

  /**
   * Packets have so many bytes from now on, at most PACKET_SIZE.maxEncrypted under TLS. There each is a record of its own, as
   * SQL Server sends them: drivers may stop reading where a record ends inside a packet.
   */
  setPacketSize(bytes: number): void {
    this.#secure?.setMaxSendFragment(bytes);
  }

  /** Reads a TLS handshake inside PRELOGIN messages from here on. */
  startTls(encryption: 'login' | 'all'): void {
    this.#start(encryption);
  }

  #start(encryption: 'login' | 'all' | 'strict'): void {
    this.#encryption = encryption;
    this.#handshaking = true;
    const strict = encryption === 'strict';
    const tunnel = new TlsTunnel(this.#raw, { wrapped: !strict, loginOnly: encryption === 'login' });
    this.#tunnel = tunnel;
    // The TLS session reports what matters.
    tunnel.on('error', () => undefined);
    // It never listens: connections are put into it. TLS 1.3 inside PRELOGIN is beyond what clients do.
    const server = createServer({
      ...this.#options.identity(),
      minVersion: 'TLSv1.2',
      ...(strict ? { ALPNProtocols: [STRICT_PROTOCOL] } : { maxVersion: 'TLSv1.2' }),
    });
    server.on('tlsClientError', (error) => this.#fail(error));
    server.on('secureConnection', (secure) => this.#secured(secure));
    server.emit('connection', tunnel);
  }

  #secured(secure: TLSSocket): void {
    this.#secure = secure;
    secure.on('error', (error) => this.#fail(error));
    secure.on('close', () => {
      if (this.#secure === secure) {
        this.#raw.destroySoon();
      }
    });
    secure.on('data', (chunk: Buffer) => this.#decrypted(chunk));
  }

  #receive(chunk: Buffer): void {
    if (!this.#begun) {
      this.#begun = true;
      if (this.#options.strictAllowed && chunk.readUInt8(0) === TLS_RECORD.handshake) {
        this.#start('strict');
      }
    }
    if (this.#tunnel === null) {
      this.#options.onData(chunk);
      return;
    }
    try {
      this.#tunnel.receive(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  #decrypted(chunk: Buffer): void {
    this.#handshaking = false;
    this.#tunnel?.unwrap();
    if (this.#encryption === 'login') {
      this.#loginPacket(chunk);
    } else {
      this.#options.onData(chunk);
    }
  }

  /** Clients end the TLS session behind the first packet of the login, without a word. Source: MS-TDS 3.3.5.3, ENCRYPT_OFF. */
  #loginPacket(chunk: Buffer): void {
    this.#login = Buffer.concat([this.#login, chunk]);
    const { length } = this.#login;
    const wanted = length < HEADER_BYTES ? HEADER_BYTES : Math.max(HEADER_BYTES, this.#login.readUInt16BE(2));
    if (length < wanted || this.#tunnel === null) {
      return;
    }
    if (length > wanted) {
      this.#fail(new ProtocolError('more than one packet under the encryption of the login'));
      return;
    }
    const rest = this.#tunnel.detach();
    const secure = this.#secure;
    this.#tunnel = null;
    this.#secure = null;
    secure?.destroy();
    this.#options.onData(this.#login);
    if (rest.length > 0) {
      this.#options.onData(rest);
    }
  }

  #fail(error: unknown): void {
    // What OpenSSL says of a client is the client's doing, not this server's.
    this.#options.onFailure(error instanceof ProtocolError ? error : new ProtocolError(`TLS: ${String(error)}`));
  }
}
