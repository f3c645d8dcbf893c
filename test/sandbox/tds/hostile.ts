/** Recorded conversations and what can be done to them: seeded, so that a round that fails can be had again. */
import { PACKET } from '../../../src/sandbox/tds/protocol.ts';

/** Numbers from a seed (mulberry32): the same on every machine. */
export interface Chance {
  /** A whole number from 0 to below `end`. */
  below(end: number): number;
  pick<T>(from: readonly T[]): T;
}

export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    below,
    pick: (from) => {
      const found = from[below(from.length)];
      if (found === undefined) {
        throw new RangeError('nothing to pick from');
      }
      return found;
    },
  };
}

/** What one client said, packet by packet. Only of a conversation in the clear. */
export function packetsOf(bytes: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2)) {
    packets.push(bytes.subarray(at, at + bytes.readUInt16BE(at + 2)));
  }
  return packets;
}

export interface Hostile {
  readonly bytes: Buffer;
  /** Every packet is as long as it says, so what is sent next begins a packet. */
  readonly framed: boolean;
  readonly title: string;
}

const EXTREMES: readonly (readonly number[])[] = [
  [0xff],
  [0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0, 0],
  [0, 0, 0, 0],
  [0, 0, 0, 0x80],
];

type Way = (packets: readonly Buffer[], random: Chance) => Buffer[];

/** Changes inside a packet's payload: its header stays true. */
function inPayload(change: (payload: Buffer, random: Chance) => void): Way {
  return (packets, random) => {
    const at = random.below(packets.length);
    return packets.map((packet, i) => {
      if (i !== at || packet.length <= 8) {
        return packet;
      }
      const copy = Buffer.from(packet);
      change(copy.subarray(8), random);
      return copy;
    });
  };
}

const FRAMED: readonly (readonly [string, Way])[] = [
  [
    'bits flipped',
    inPayload((payload, random) => {
      for (let i = random.below(4); i >= 0; i--) {
        const at = random.below(payload.length);
        payload[at] = (payload[at] ?? 0) ^ (1 << random.below(8));
      }
    }),
  ],
  [
    'bytes replaced',
    inPayload((payload, random) => {
      for (let i = random.below(4); i >= 0; i--) {
        payload[random.below(payload.length)] = random.below(256);
      }
    }),
  ],
  [
    'an extreme number',
    inPayload((payload, random) => {
      payload.set(random.pick(EXTREMES).slice(0, payload.length), random.below(Math.max(1, payload.length - 8)));
    }),
  ],
  ['a packet repeated', (packets, random) => insertAt(packets, random.below(packets.length), random.pick(packets))],
  ['a packet left out', (packets, random) => packets.toSpliced(random.below(packets.length), 1)],
  [
    'two packets changed over',
    (packets, random) => {
      const [one, other] = [random.below(packets.length), random.below(packets.length)];
      return packets.map((packet, i) => (i === one ? (packets[other] ?? packet) : i === other ? (packets[one] ?? packet) : packet));
    },
  ],
  [
    'a header changed',
    (packets, random) => {
      const at = random.below(packets.length);
      return packets.map((packet, i) => {
        const copy = Buffer.from(packet);
        if (i === at) {
          // The type, or the status: the end of the message, a reset, an ignore.
          const field = random.below(2);
          copy[field] = field === 0 ? random.pick(Object.values(PACKET)) : random.below(32);
        }
        return copy;
      });
    },
  ],
  [
    'an attention in between',
    (packets, random) => insertAt(packets, random.below(packets.length), Buffer.from([PACKET.attention, 1, 0, 8, 0, 0, 1, 0])),
  ],
];

function insertAt(packets: readonly Buffer[], at: number, packet: Buffer): Buffer[] {
  return packets.toSpliced(at, 0, packet);
}

const LOOSE: readonly (readonly [string, (bytes: Buffer, random: Chance) => Buffer])[] = [
  ['cut off', (bytes, random) => bytes.subarray(0, random.below(bytes.length))],
  [
    'anything flipped',
    (bytes, random) => {
      const copy = Buffer.from(bytes);
      for (let i = random.below(6); i >= 0; i--) {
        const at = random.below(copy.length);
        copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      }
      return copy;
    },
  ],
  [
    'bytes left out',
    (bytes, random) => {
      const at = random.below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(20))]);
    },
  ],
  [
    'bytes put in',
    (bytes, random) => {
      const at = random.below(bytes.length);
      const extra = Buffer.from(Array.from({ length: 1 + random.below(20) }, () => random.below(256)));
      return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
    },
  ],
  [
    'a piece repeated',
    (bytes, random) => {
      const at = random.below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at + random.below(200)), bytes.subarray(at)]);
    },
  ],
];

/** Makes something hostile of a conversation whose first packets stay as they are: so the fuzz gets beyond the login. */
export function hostile(conversation: Buffer, kept: number, random: Chance): Hostile {
  if (random.below(3) > 0) {
    const packets = packetsOf(conversation);
    let rest = packets.slice(kept);
    const titles: string[] = [];
    for (let i = random.below(3); i >= 0; i--) {
      const [title, way] = random.pick(FRAMED);
      titles.push(title);
      rest = way(rest, random);
    }
    return { bytes: Buffer.concat([...packets.slice(0, kept), ...rest]), framed: true, title: titles.join(', ') };
  }
  return loose(
    conversation,
    packetsOf(conversation)
      .slice(0, kept)
      .reduce((sum, packet) => sum + packet.length, 0),
    random,
  );
}

/** The same for bytes that have no packets to see, because they are encrypted. */
export function loose(conversation: Buffer, keptBytes: number, random: Chance): Hostile {
  const [title, way] = random.pick(LOOSE);
  return {
    bytes: Buffer.concat([conversation.subarray(0, keptBytes), way(conversation.subarray(keptBytes), random)]),
    framed: false,
    title,
  };
}
