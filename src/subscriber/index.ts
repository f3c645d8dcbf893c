/**
 * patchwire/subscriber: keeps a replica of a section's documents in step with what patchwire publishes. Needs Redis and nothing else: neither
 * the daemon nor a SQL Server driver is loaded.
 */
import { systemClock } from '../lib/clock.ts';
import { sectionKeys } from '../wire/keys.ts';
import type { SubscriberEvent } from './events.ts';
import type { ConnectionOptions } from './feed.ts';
import { type Replica, Subscription } from './subscription.ts';

export type { Document, Patch, PatchOperation } from '../model/document.ts';
export { PatchwireError } from '../model/failure.ts';
export type {
  ChangeEvent,
  Counters,
  EventOf,
  GapReason,
  Position,
  ReplicaState,
  ResetReason,
  Status,
  SubscriberEvent,
  Unequal,
} from './events.ts';
export type { ConnectionOptions } from './feed.ts';
export type { Replica, WaitOptions } from './subscription.ts';

export interface SubscribeOptions {
  /** A redis:// or rediss:// URL, or ioredis options. */
  readonly redis: string | ConnectionOptions;
  readonly partition: string;
  readonly section: string;
  /** Closes the replica when it fires. */
  readonly signal?: AbortSignal;
  /** Called for every event, in order, from the first one on. */
  readonly onEvent?: (event: SubscriberEvent) => void;
  /** A Redis command without an answer after so many ms counts as failed. Default 10,000. */
  readonly commandTimeoutMs?: number;
  /** Documents read in one go, in bytes. Default 8 MiB. */
  readonly pageBytes?: number;
}

const MIB = 1024 * 1024;

/**
 * A replica of all documents of a section. It returns at once and connects, loads and catches up by itself, also when the section or Redis is
 * not there yet: `state()` says what it waits for, `waitUntilLive()` waits.
 * @throws RangeError when partition or section are no names
 */
export function subscribe(options: SubscribeOptions): Replica {
  const { redis, partition, section, signal, onEvent, commandTimeoutMs = 10_000, pageBytes = 8 * MIB } = options;
  const random = Math.random;
  return new Subscription({
    clock: systemClock,
    machine: {
      random,
      heartbeatMs: 5000,
      backoff: { minMs: 50, maxMs: 5000 },
      buffer: { messages: 10_000, bytes: 16 * MIB },
    },
    feed: {
      redis,
      keys: sectionKeys(partition, section),
      name: `patchwire:${partition}:${section}`,
      random,
      reconnect: { minMs: 50, maxMs: 2000 },
      commandTimeoutMs,
      pages: { rows: 1000, bytes: pageBytes },
    },
    ...(signal === undefined ? {} : { signal }),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
}
