/**
 * Sends one message of the server: tokens are collected, full packets leave as they come, the last one ends the message.
 * It keeps at most a few packets in memory: whoever produces rows waits for `flush` while the client does not read.
 */
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteWriter } from './byte-writer.ts';
import { toPackets } from './packets.ts';
import { HEADER_BYTES, PACKET } from './protocol.ts';

/** Collected bytes at which a producer of rows has to flush. */
const FLUSH_BYTES = 64 * 1024;

export interface MessageWriterOptions {
  readonly packetSize: number;
  readonly sessionId: number;
  /** Ends every waiting here: what is still to be sent is sent at once. */
  readonly signal: AbortSignal;
  /** Waited for before the first packet leaves. */
  readonly beforeFirst?: (() => Promise<void>) | undefined;
}

/** One message to a client. */
export class MessageWriter {
  readonly bytes = new ByteWriter();
  readonly #socket: Socket;
  readonly #options: MessageWriterOptions;
  #packetId = 1;
  #begun = false;

  constructor(socket: Socket, options: MessageWriterOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Whether so much has been collected that `flush` must be awaited before the next row. */
  get isFull(): boolean {
    return this.bytes.length >= FLUSH_BYTES;
  }

  /**
   * Sends the packets that are full and waits until the client has room for more. It gives the event loop a turn in any case, so that an
   * attention is noticed while rows stream.
   */
  async flush(): Promise<void> {
    await this.#begin();
    const room = this.#options.packetSize - HEADER_BYTES;
    // One packet is kept back: the last one of the message must say that it is the last.
    const packets = Math.max(0, Math.ceil(this.bytes.length / room) - 1);
    if (packets > 0) {
      this.#send(packets * room, false);
    }
    await this.#drained();
    await nextTurn();
  }

  /** Sends everything that is left and ends the message. */
  async end(): Promise<void> {
    await this.#begin();
    this.#send(this.bytes.length, true);
    await this.#drained();
  }

  async #begin(): Promise<void> {
    if (this.#begun) {
      return;
    }
    this.#begun = true;
    const { beforeFirst, signal } = this.#options;
    if (beforeFirst !== undefined && !signal.aborted) {
      const { promise, stop } = aborted(signal);
      try {
        await Promise.race([beforeFirst(), promise]);
      } finally {
        stop();
      }
    }
  }

  #send(bytes: number, end: boolean): void {
    if (this.#socket.destroyed) {
      this.bytes.drop(bytes);
      return;
    }
    const { packetSize, sessionId } = this.#options;
    const packets = toPackets(this.bytes.first(bytes), {
      type: PACKET.response,
      packetSize,
      sessionId,
      firstPacketId: this.#packetId,
      end,
    });
    this.#packetId = (this.#packetId + Math.ceil(bytes / (packetSize - HEADER_BYTES))) & 0xff;
    this.bytes.drop(bytes);
    this.#socket.write(packets);
  }

  async #drained(): Promise<void> {
    const socket = this.#socket;
    const { signal } = this.#options;
    if (!socket.writableNeedDrain || socket.destroyed || signal.aborted) {
      return;
    }
    const { promise, stop } = aborted(signal);
    const { promise: room, stop: stopRoom } = roomIn(socket);
    try {
      await Promise.race([promise, room]);
    } finally {
      stop();
      stopRoom();
    }
  }
}

function aborted(signal: AbortSignal): { readonly promise: Promise<void>; readonly stop: () => void } {
  let stop = (): void => {};
  const promise = new Promise<void>((resolve) => {
    const fire = (): void => resolve();
    signal.addEventListener('abort', fire, { once: true });
    stop = () => signal.removeEventListener('abort', fire);
  });
  return { promise, stop: () => stop() };
}

function roomIn(socket: Socket): { readonly promise: Promise<void>; readonly stop: () => void } {
  let stop = (): void => {};
  const promise = new Promise<void>((resolve) => {
    const fire = (): void => resolve();
    socket.once('drain', fire);
    socket.once('close', fire);
    stop = () => {
      socket.off('drain', fire);
      socket.off('close', fire);
    };
  });
  return { promise, stop: () => stop() };
}
