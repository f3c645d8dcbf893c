/**
 * The stream beneath a TLS session of TDS: brings TLS records to and from the socket, at first inside PRELOGIN messages where the
 * handshake is negotiated that way (MS-TDS 2.2.6.5), bare after it. It decrypts nothing.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { toPackets } from './packets.ts';
import { HEADER_BYTES, PACKET, PACKET_SIZE, ProtocolError, TLS_RECORD } from './protocol.ts';

/** Bytes that may wait here: no handshake and no login is longer. */
const MAX_PENDING_BYTES = 128 * 1024;

/** Where the records of the peer stand: in PRELOGIN messages; bare until the login's first packet has been read; bare to the end. */
export type TunnelMode = 'handshake' | 'login' | 'all';

export interface TunnelOptions {
  /** Whether the handshake is wrapped in PRELOGIN messages. */
  readonly wrapped: boolean;
  /** Whether only the first packet of the login is encrypted. */
  readonly loginOnly: boolean;
}

/** One TLS session's way to the socket. */
export class TlsTunnel extends Duplex {
  readonly #socket: Socket;
  readonly #options: TunnelOptions;
  #mode: TunnelMode;
  #wrapping: boolean;
  #pending: Buffer = Buffer.alloc(0);
  #flight: Buffer[] = [];
  #ended = false;

  constructor(socket: Socket, options: TunnelOptions) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#options = options;
    this.#wrapping = options.wrapped;
    this.#mode = options.wrapped ? 'handshake' : 'all';
  }

  /** Takes what the socket gave. @throws ProtocolError for what is neither a handshake nor a record. */
  receive(chunk: Buffer): void {
    if (this.#mode === 'all') {
      this.push(chunk);
      return;
    }
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#pending.length > MAX_PENDING_BYTES) {
      throw new ProtocolError(`a TLS handshake of more than ${MAX_PENDING_BYTES} bytes`);
    }
    while (this.#next()) {
      // Piece by piece.
    }
  }

  /** Hands the next packet or record on; false when it is not all there. */
  #next(): boolean {
    const data = this.#pending;
    if (data.length === 0 || this.#ended) {
      return false;
    }
    const type = data.readUInt8(0);
    if (this.#mode === 'handshake' && type === PACKET.prelogin) {
      return this.#take(HEADER_BYTES, data.length < HEADER_BYTES ? null : data.readUInt16BE(2));
    }
    if (!TLS_RECORD.types.has(type)) {
      if (this.#mode === 'login') {
        // The rest of a login of several packets, which is not encrypted: kept until the first one has been decrypted.
        return false;
      }
      throw new ProtocolError(`a byte 0x${type.toString(16).padStart(2, '0')} inside a TLS handshake`);
    }
    if (!this.#options.loginOnly) {
      this.#mode = 'all';
      this.#pending = Buffer.alloc(0);
      this.push(data);
      return false;
    }
    this.#mode = 'login';
    return this.#take(0, data.length < TLS_RECORD.headerBytes ? null : data.readUInt16BE(3) + TLS_RECORD.headerBytes);
  }

  #take(header: number, length: number | null): boolean {
    if (length !== null && (length < header || length > PACKET_SIZE.max)) {
      throw new ProtocolError(`a handshake packet of ${length} bytes`);
    }
    if (length === null || this.#pending.length < length) {
      return false;
    }
    const payload = this.#pending.subarray(header, length);
    this.#pending = this.#pending.subarray(length);
    if (payload.length > 0) {
      this.push(payload);
    }
    return true;
  }

  /** From now on records leave bare: the peer has sent data, so it has the whole handshake. */
  unwrap(): void {
    this.#sendFlight();
    this.#wrapping = false;
  }

  /** Lets the socket go and returns what has come behind the last record. */
  detach(): Buffer {
    this.#ended = true;
    return this.#pending;
  }

  override _read(): void {
    // The socket pushes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#ended || this.#socket.destroyed) {
      done();
    } else if (this.#wrapping) {
      // What OpenSSL writes in one go is one message: clients wait for one answer to each of theirs.
      if (this.#flight.push(chunk) === 1) {
        setImmediate(() => this.#sendFlight());
      }
      done();
    } else {
      this.#socket.write(chunk, () => done());
    }
  }

  #sendFlight(): void {
    const payload = Buffer.concat(this.#flight);
    this.#flight = [];
    if (payload.length > 0 && !this.#socket.destroyed) {
      this.#socket.write(
        toPackets(payload, { type: PACKET.prelogin, packetSize: PACKET_SIZE.default, sessionId: 0, firstPacketId: 1, end: true }),
      );
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#ended) {
      this.#sendFlight();
      this.#socket.end();
    }
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#ended) {
      this.#socket.destroySoon();
    }
    done(error);
  }
}
