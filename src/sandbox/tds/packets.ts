/**
 * Framing: bytes of a socket become messages, an answer becomes packets. Source: MS-TDS 2.2.3.
 * It checks sizes and types of packets and looks at no content.
 */
import { HEADER_BYTES, PACKET, PACKET_SIZE, ProtocolError, STATUS } from './protocol.ts';

/** A whole message of a client. */
export interface Message {
  readonly type: number;
  /** The status byte of its first packet: the reset bits count there. */
  readonly status: number;
  /** Given up by the client half way (status bit IGNORE): its content is incomplete and must not be executed. */
  readonly ignored: boolean;
  readonly data: Buffer;
}

const REQUEST_TYPES: ReadonlySet<number> = new Set([
  PACKET.batch,
  PACKET.rpc,
  PACKET.attention,
  PACKET.bulkLoad,
  PACKET.transaction,
  PACKET.login7,
  PACKET.prelogin,
]);

interface OpenMessage {
  readonly type: number;
  readonly status: number;
  readonly parts: Buffer[];
  bytes: number;
}

/** Puts messages together from bytes that are cut anywhere. */
export class MessageAssembler {
  #chunks: Buffer[] = [];
  #waiting = 0;
  #open: OpenMessage | null = null;

  /** The most bytes that a message may have. It may be changed between messages: before the login little is believed. */
  maxMessageBytes: number;

  constructor(maxMessageBytes: number) {
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Whether nothing of a message is here that has not been returned. */
  get isEmpty(): boolean {
    return this.#waiting === 0 && this.#open === null;
  }

  /**
   * Takes what the socket gave and returns the messages that are complete with it, in order.
   * @throws ProtocolError for a packet of unknown type or impossible length, or a message that is too long.
   */
  push(chunk: Buffer): Message[] {
    this.#chunks.push(chunk);
    this.#waiting += chunk.length;
    const messages: Message[] = [];
    for (let packet = this.#nextPacket(); packet !== null; packet = this.#nextPacket()) {
      const message = this.#accept(packet);
      if (message !== null) {
        messages.push(message);
      }
    }
    return messages;
  }

  #nextPacket(): Buffer | null {
    if (this.#waiting === 0) {
      return null;
    }
    const header = this.#peek(Math.min(HEADER_BYTES, this.#waiting));
    const type = header.readUInt8(0);
    if (!REQUEST_TYPES.has(type)) {
      throw new ProtocolError(`a packet of type 0x${type.toString(16).padStart(2, '0')}`);
    }
    if (header.length < HEADER_BYTES) {
      return null;
    }
    const length = header.readUInt16BE(2);
    if (length < HEADER_BYTES || length > PACKET_SIZE.max) {
      throw new ProtocolError(`a packet of ${length} bytes`);
    }
    return this.#waiting < length ? null : this.#consume(length);
  }

  #peek(bytes: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= bytes) {
      return first.subarray(0, bytes);
    }
    // Only when cuts fall into a header, or a chunk ends with it.
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined.subarray(0, bytes);
  }

  #consume(bytes: number): Buffer {
    const first = this.#chunks[0];
    const whole = first !== undefined && first.length >= bytes ? first : Buffer.concat(this.#chunks);
    if (whole !== first) {
      this.#chunks = [whole];
    }
    if (whole.length === bytes) {
      this.#chunks.shift();
    } else {
      this.#chunks[0] = whole.subarray(bytes);
    }
    this.#waiting -= bytes;
    return whole.subarray(0, bytes);
  }

  #accept(packet: Buffer): Message | null {
    const type = packet.readUInt8(0);
    const status = packet.readUInt8(1);
    const payload = packet.subarray(HEADER_BYTES);
    if (type === PACKET.attention) {
      // It has no content, and it takes back a message that is only half here.
      this.#open = null;
      return { type, status, ignored: false, data: Buffer.alloc(0) };
    }
    const open = this.#open ?? { type, status, parts: [], bytes: 0 };
    if (open.type !== type) {
      throw new ProtocolError(`a packet of type ${type} inside a message of type ${open.type}`);
    }
    open.parts.push(payload);
    open.bytes += payload.length;
    if (open.bytes > this.maxMessageBytes) {
      throw new ProtocolError(`a message of more than ${this.maxMessageBytes} bytes`);
    }
    if ((status & STATUS.endOfMessage) === 0) {
      this.#open = open;
      return null;
    }
    this.#open = null;
    const [only] = open.parts;
    const data = open.parts.length === 1 && only !== undefined ? only : Buffer.concat(open.parts, open.bytes);
    return { type, status: open.status, ignored: (status & STATUS.ignore) !== 0, data };
  }
}

/** What the packets of one answer share. */
export interface PacketOptions {
  readonly type: number;
  /** Bytes of a packet, header included. */
  readonly packetSize: number;
  readonly sessionId: number;
  /** The number of the first of these packets; it counts modulo 256. */
  readonly firstPacketId: number;
  /** Whether the last packet ends the message. Without it the payload must fill its packets exactly. */
  readonly end: boolean;
}

/** How many packets a payload takes. An empty one takes one. */
export function packetCount(bytes: number, packetSize: number): number {
  return Math.max(1, Math.ceil(bytes / (packetSize - HEADER_BYTES)));
}

/** Cuts a payload into packets, in one buffer for one write. */
export function toPackets(payload: Buffer, options: PacketOptions): Buffer {
  const room = options.packetSize - HEADER_BYTES;
  const count = packetCount(payload.length, options.packetSize);
  const out = Buffer.allocUnsafe(payload.length + count * HEADER_BYTES);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const from = i * room;
    const bytes = Math.min(room, payload.length - from);
    out.writeUInt8(options.type, at);
    out.writeUInt8(options.end && i === count - 1 ? STATUS.endOfMessage : 0, at + 1);
    out.writeUInt16BE(bytes + HEADER_BYTES, at + 2);
    out.writeUInt16BE(options.sessionId & 0xffff, at + 4);
    out.writeUInt8((options.firstPacketId + i) & 0xff, at + 6);
    out.writeUInt8(0, at + 7);
    payload.copy(out, at + HEADER_BYTES, from, from + bytes);
    at += bytes + HEADER_BYTES;
  }
  return out;
}
