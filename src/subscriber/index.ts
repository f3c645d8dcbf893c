/**
 * patchwire/subscriber: keeps a replica of a section's documents in step with what patchwire publishes. Needs Redis and nothing else: neither
 * the daemon nor a SQL Server driver is loaded.
 */
import { systemClock } from '../lib/clock.ts';
import type { Document } from '../model/document.ts';
import { sectionKeys } from '../wire/keys.ts';
import type { ConnectionOptions } from './connection.ts';
import { DocumentReplica } from './document-replica.ts';
import type { Recovery, SubscriberEvent } from './events.ts';
import type { Mode } from './holding.ts';
import {
  type InvalidateAllEvent,
  type InvalidateEvent,
  invalidateMode,
  type Invalidations,
  type InvalidationEvent,
  KeyInvalidations,
} from './invalidations.ts';
import { LazySection } from './lazy-cache.ts';
import { LazyMode } from './lazy-documents.ts';
import type { LazyCache as LazyCacheOf } from './lazy-interface.ts';
import type { OnInvalid, Parser, StandardSchema } from './parsing.ts';
import { replicaMode } from './replica.ts';
import type { Replica as ReplicaOf } from './replica-interface.ts';
import type { ReplicaStore } from './keeping.ts';
import { SharedConnections } from './shared-connections.ts';
import type { SubscriptionOptions } from './subscription.ts';

export type { Document, JsonValue, Patch, PatchOperation } from '../model/document.ts';
export { PatchwireError } from '../model/failure.ts';
export type { DroppedChanges, FlowItem, FlowLimits, WhenFull } from './change-flow.ts';
export type { ConnectionOptions } from './connection.ts';
export type {
  ChangeEvent,
  Counters,
  EventOf,
  GapReason,
  LiveEvent,
  Position,
  Publisher,
  Recovery,
  ReplicaState,
  ResetEvent,
  ResetReason,
  Status,
  SubscriberEvent,
  Unequal,
} from './events.ts';
export type { HandleOptions, Handling, OnError } from './handling.ts';
export type { Index, KeyOf, UniqueIndex } from './indexes.ts';
export type { InvalidateAllEvent, InvalidateEvent, InvalidationEvent, InvalidationOf, Invalidations } from './invalidations.ts';
export type { Key, KeyValue } from './keys.ts';
export type { LazyCounters, LazyState } from './lazy-interface.ts';
export type { OnInvalid, Parser, StandardResult, StandardSchema } from './parsing.ts';
export type { ChangesOptions } from './following.ts';
export type { ReplicaStore } from './keeping.ts';
export type { WaitOptions } from './subscription.ts';

/** A replica of the documents of one section, each of them a T. */
export type Replica<T extends object = Document> = ReplicaOf<T>;

/** The documents of one section that were asked for, each of them a T. */
export type LazyCache<T extends object = Document> = LazyCacheOf<T>;

/** Redis connections that several subscriptions share. */
export type Connection = SharedConnections;

export interface ConnectOptions {
  /**
   * A redis:// or rediss:// URL, or ioredis options (host, port, username, password, tls, …); instead of host and port `sentinels` and `name`, or
   * the nodes of a `cluster`, as host:port.
   */
  readonly redis: string | ConnectionOptions;
  /** A Redis command without an answer after so many ms counts as failed. Default 10,000. */
  readonly commandTimeoutMs?: number | undefined;
  /** The name in Redis's CLIENT LIST, before `:subscriber` and `:reader`. Default: patchwire. */
  readonly name?: string | undefined;
}

/** Hears which keys of a section have changed, for a cache that the program has; holds nothing. The daemon tells them where `manager.invalidations`. */
export interface InvalidateOptions extends Pick<
  SubscribeOptions,
  'redis' | 'partition' | 'section' | 'name' | 'signal' | 'buffer' | 'commandTimeoutMs' | 'maxAgeMs'
> {
  readonly mode: 'invalidate';
  /** Called in order, and at once: for every key that has changed, and whenever it cannot be said which keys have (`invalidateAll`). */
  readonly onInvalidate?: ((event: InvalidateEvent | InvalidateAllEvent) => void) | undefined;
  /**
   * What is done when messages were missed. replay (default): they are read from the replay stream, which holds the bodies too, so a long gap costs
   * as many bytes as documents would; all: only meta is read, and unless nothing was missed, everything is invalidated.
   */
  readonly onGap?: 'replay' | 'all' | undefined;
  /** strict: lost history closes it (PW-W406) instead of invalidating everything. Default: autoReset. */
  readonly recovery?: 'autoReset' | 'strict' | undefined;
  readonly onEvent?: ((event: InvalidationEvent) => void) | undefined;
}

export interface SubscribeOptions<T extends object = Document> {
  /** Default: all documents of the section are held. */
  readonly mode?: 'replica' | undefined;
  /** A redis:// or rediss:// URL, ioredis options, or what `connect` returned: then the connections are shared, and stay open when it closes. */
  readonly redis: string | ConnectionOptions | Connection;
  readonly partition: string;
  readonly section: string;
  /** What `patchwire subscribers` calls it, where its Redis user may write that it listens. */
  readonly name?: string | undefined;
  /** Makes documents of what is published: a zod schema, any other Standard Schema, or a function. Default: they are as published. */
  readonly parse?: Parser<T> | undefined;
  /** What becomes of a document that the parser refuses. Default: stop. */
  readonly onInvalid?: OnInvalid | undefined;
  /** What happens when history is lost. Default: autoReset. */
  readonly recovery?: Recovery | undefined;
  /** Documents whose source was last read longer ago, or nobody knows when, are not called equal (`too old`). Default: age does not count. */
  readonly maxAgeMs?: number | undefined;
  /** Keeps the replica while the process is away: it goes on from there if the replay stream still reaches back, else it loads. */
  readonly store?: ReplicaStore | undefined;
  /** Closes the replica when it fires. */
  readonly signal?: AbortSignal | undefined;
  /** Called for every event, in order, from the first one on. */
  readonly onEvent?: ((event: SubscriberEvent<T>) => void) | undefined;
  /** Messages kept while a load or a replay runs; what goes beyond is fetched from the replay stream. Default 10,000 messages, 16 MiB. */
  readonly buffer?: { readonly messages?: number; readonly bytes?: number } | undefined;
  /** Documents read in one go, in bytes. Default 8 MiB. */
  readonly pageBytes?: number | undefined;
  /** As for `connect`; not for shared connections. */
  readonly commandTimeoutMs?: number | undefined;
}

/** Only the keys that are asked for are held. Gaps that cannot be closed need no policy here: what is held is dropped, and read when it is asked for. */
export interface LazyOptions<T extends object = Document> extends Omit<SubscribeOptions<T>, 'mode' | 'store' | 'recovery'> {
  readonly mode: 'lazy';
  /** How many keys are held at most, absent ones included. Default 10,000, unless `maxBytes` is set. */
  readonly max?: number | undefined;
  /** About how many bytes are held at most: documents as JSON, keys, and 200 for each of them. Default: no bound but `max`. */
  readonly maxBytes?: number | undefined;
  /** How long a `get` waits that names no time-out of its own, ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** strict: lost history closes it (PW-W406). Default: autoReset. */
  readonly recovery?: 'autoReset' | 'strict' | undefined;
}

type WithSchema<O, T> = Omit<O, 'parse'> & { readonly parse: StandardSchema<T> };

const MIB = 1024 * 1024;

/**
 * Connections for several subscriptions: `subscribe({ redis: connection, … })`. They are made at the first one. Closing it (`await using`, or
 * `[Symbol.asyncDispose]()`) closes all that share it.
 * @throws RangeError when it is no place of a Redis
 */
export function connect(options: string | ConnectOptions): Connection {
  const { redis, commandTimeoutMs = 10_000, name = 'patchwire' } = typeof options === 'object' ? options : { redis: options };
  // What an environment variable that was never set would come to: a Redis on this machine.
  if (typeof redis === 'string' ? !/^rediss?:/.test(redis) || !URL.canParse(redis) : typeof (redis ?? '') !== 'object') {
    throw new RangeError('redis: neither a redis:// or rediss:// URL nor options');
  }
  const settings = {
    ...{ redis, commandTimeoutMs, name, clock: systemClock, random: Math.random },
    reconnect: { minMs: 50, maxMs: 2000 },
  };
  return new SharedConnections(settings);
}

/**
 * A replica of all documents of a section. It returns at once and connects, loads and catches up by itself, also when the section or Redis is
 * not there yet: `state()` says what it waits for, `waitUntilLive()` waits.
 * @throws RangeError when partition or section are no names, `redis` is no place of a Redis, or an option is none of its words
 */
// Schemas first: some are functions as well, and would be asked as such what they return.
export function subscribe<T extends object>(options: WithSchema<SubscribeOptions<T>, T>): Replica<T>;
export function subscribe<T extends object>(options: WithSchema<LazyOptions<T>, T>): LazyCache<T>;
export function subscribe<T extends object = Document>(options: SubscribeOptions<T>): Replica<T>;
export function subscribe<T extends object = Document>(options: LazyOptions<T>): LazyCache<T>;
export function subscribe(options: InvalidateOptions): Invalidations;
export function subscribe<T extends object = Document>(
  options: SubscribeOptions<T> | LazyOptions<T> | InvalidateOptions,
): Replica<T> | LazyCache<T> | Invalidations {
  checkWords(options);
  if (options.mode === 'invalidate') {
    const { onGap = 'replay', onInvalidate, onEvent } = options;
    const subscription = settingsOf(options, invalidateMode);
    return new KeyInvalidations({ clock: systemClock, subscription, onGap, onInvalidate, onEvent });
  }
  const { parse, onInvalid, onEvent } = options;
  if (options.mode === 'lazy') {
    const { maxBytes, max = maxBytes === undefined ? 10_000 : undefined, timeoutMs = 10_000, pageBytes } = options;
    const mode = new LazyMode({ max, maxBytes });
    const subscription = settingsOf(options, mode, undefined, pageBytes);
    return new LazySection({ clock: systemClock, random: Math.random, parse, onInvalid, onEvent, subscription, mode, timeoutMs });
  }
  const subscription = settingsOf(options, replicaMode, options.store, options.pageBytes);
  return new DocumentReplica({ clock: systemClock, random: Math.random, parse, onInvalid, onEvent, subscription });
}

/** Without the compiler a misspelled `recovery: 'Strict'` would be the default one. @throws RangeError */
function checkWords(options: { readonly [Name in 'mode' | 'recovery' | 'onInvalid' | 'onGap']?: unknown }): void {
  const skips = (options.mode ?? 'replica') === 'replica' ? ['skipGap'] : [];
  const words = {
    mode: ['replica', 'lazy', 'invalidate'],
    recovery: ['autoReset', 'strict', ...skips],
    onInvalid: ['stop', 'skip', 'keep'],
    onGap: ['replay', 'all'],
  };
  for (const name of ['mode', 'recovery', 'onInvalid', 'onGap'] as const) {
    const word = options[name];
    if (word !== undefined && !words[name].includes(word as string)) {
      throw new RangeError(`${name}: ${JSON.stringify(word)} is none of ${words[name].join(', ')}`);
    }
  }
}

/** What is the same for all modes. @throws RangeError as subscribe */
function settingsOf(
  options: Omit<InvalidateOptions, 'mode' | 'onGap' | 'onInvalidate' | 'onEvent' | 'recovery'> & {
    readonly recovery?: Recovery | undefined;
  },
  mode: Mode,
  store?: ReplicaStore,
  pageBytes = 8 * MIB,
): Omit<SubscriptionOptions, 'observe' | 'clock'> {
  const { redis, partition, section, recovery = 'autoReset', maxAgeMs, signal, buffer, commandTimeoutMs, name = null } = options;
  const keys = sectionKeys(partition, section);
  const shared = redis instanceof SharedConnections;
  const connections = shared ? redis : connect({ redis, commandTimeoutMs, name: `patchwire:${partition}:${section}` });
  return {
    ...{ connections, owned: shared ? null : connections, of: { partition, section }, keys, store, signal },
    pages: { rows: 1000, bytes: pageBytes },
    presence: { name, mode: mode.name },
    machine: {
      ...{ mode, random: Math.random, recovery, maxAgeMs, heartbeatMs: 5000, backoff: { minMs: 50, maxMs: 5000 } },
      buffer: { messages: 10_000, bytes: 16 * MIB, ...buffer },
    },
  };
}
