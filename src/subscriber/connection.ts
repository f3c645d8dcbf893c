/**
 * One pair of Redis connections for any number of subscriptions: one is subscribed to their channels, one reads. Both reconnect by themselves,
 * after a back-off with jitter; nothing is re-sent. Knows nothing of what is on the channels.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { backoffDelayMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { hearLateErrors } from '../lib/late-errors.ts';
import type { Random } from '../lib/random.ts';
import { isUnknownCommand, mapSubscriberError, replyCode } from './redis-errors.ts';
import type { PatchwireError } from '../model/failure.ts';
import { CREDENTIALS } from '../model/retry-delay.ts';
import type { RedisPlaces } from '../wire/redis-target.ts';
import { Sentinels } from './sentinel-connector.ts';

/** ioredis options, with `sentinels` and `name` or a `cluster`; those that decide about protocol, re-sending and reconnecting are set here. */
export type ConnectionOptions = Omit<RedisOptions, 'protocol' | 'replyMapping' | keyof RedisPlaces> & RedisPlaces;

export interface PairOptions {
  /** A redis:// or rediss:// URL, or ioredis options. */
  readonly redis: string | ConnectionOptions;
  /** It is a node of a cluster: channels are subscribed in both ways, sharded too. */
  readonly node?: boolean;
  /** How Redis names it in CLIENT LIST. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly reconnect: { readonly minMs: number; readonly maxMs: number };
  /** A command without an answer after so long counts as failed. */
  readonly commandTimeoutMs: number;
}

/** Who listens to a channel. All but `text` may come again and again. */
export interface Listener {
  readonly channel: string;
  /** The channel is subscribed and Redis can be read. */
  up(): void;
  /** It is not, or (again) could not be: `error` says why, where that is known. */
  down(error: PatchwireError | null): void;
  text(text: string): void;
  /** The pair was closed; nothing follows. */
  closed(): void;
}

/** What one section needs of its connections. */
export interface SectionConnections {
  readonly reader: Redis;
  /** Listens to a channel until the returned function is called; the first one makes it connect. Subscribes also where others listen to it already. */
  join(listener: Listener): () => void;
  /** Nothing was heard: drops the subscribing connection and makes a new one. */
  resubscribe(): void;
  /** The publisher is silent: perhaps it writes elsewhere by now, and this is an old primary that lives on. Goes there, if that is so. */
  look(): void;
  /** Nothing was answered: drops the reading connection and makes a new one. */
  reread(): void;
  /** Redis does not serve the section for the moment, or not there. @returns the error as it is to be told */
  doubt(error: PatchwireError): PatchwireError;
}

/** Connections that subscriptions share. */
export interface Connection extends AsyncDisposable {
  /** @param key any of the section's: it decides where the section lies */
  section(key: string): SectionConnections;
}

type Role = 'subscriber' | 'reader';

interface Seat {
  readonly listener: Listener;
  subscribed: boolean;
  up: boolean;
  /** How often in a row Redis has refused the channel. */
  refusals: number;
}

export class ConnectionPair implements Connection, SectionConnections {
  readonly #options: PairOptions;
  readonly #sentinels: Sentinels | null;
  readonly #subscriber: Redis;
  readonly #reader: Redis;
  readonly #ready = { subscriber: false, reader: false };
  readonly #seats = new Map<Listener, Seat>();
  readonly #over = new AbortController();
  #started = false;
  /** Sharded subscriptions that are not answered yet. */
  #sharding = 0;
  /** How often a slot was said to lie elsewhere: in answer to one of these, or to nobody's question. */
  #taken = 0;

  constructor(options: PairOptions) {
    this.#options = options;
    const { redis, commandTimeoutMs } = options;
    this.#sentinels = typeof redis === 'string' || redis.sentinels === undefined ? null : new Sentinels(redis, commandTimeoutMs);
    this.#subscriber = this.#client('subscriber');
    this.#reader = this.#client('reader');
    const heard = (channel: string, text: string): void => {
      for (const { listener } of this.#seats.values()) {
        if (listener.channel === channel) {
          listener.text(text);
        }
      }
    };
    this.#subscriber.on('message', heard);
    this.#subscriber.on('smessage', heard);
    this.#subscriber.on('moved', () => {
      this.#taken += 1;
      this.#checkTaken();
    });
  }

  section(): SectionConnections {
    return this;
  }

  /** Who listens. */
  get listeners(): number {
    return this.#seats.size;
  }

  /** Redis can be read. */
  get ready(): boolean {
    return this.#ready.reader;
  }

  get reader(): Redis {
    return this.#reader;
  }

  join(listener: Listener): () => void {
    if (this.#over.signal.aborted) {
      listener.closed();
      return () => {};
    }
    const seat: Seat = { listener, subscribed: false, up: false, refusals: 0 };
    this.#seats.set(listener, seat);
    if (!this.#started) {
      this.#started = true;
      // What connect() rejects with comes as an event too, and the client tries again.
      this.#subscriber.connect().catch(() => {});
      this.#reader.connect().catch(() => {});
    } else if (this.#ready.subscriber) {
      this.#subscribe(seat);
    }
    return () => this.#leave(listener);
  }

  resubscribe(): void {
    this.#subscriber.disconnect(true);
    if (this.#sentinels !== null) {
      // It may be an old primary that lives on, which nobody writes to any more.
      this.#reader.disconnect(true);
    }
  }

  look(): void {
    void this.#sentinels?.moved().then((moved) => {
      if (moved && !this.#over.signal.aborted) {
        this.resubscribe();
      }
    });
  }

  reread(): void {
    this.#reader.disconnect(true);
  }

  doubt(error: PatchwireError): PatchwireError {
    return error;
  }

  /** Closes both connections; whoever listens is told, and hears nothing any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    const listeners = [...this.#seats.keys()];
    this.#seats.clear();
    this.#subscriber.disconnect();
    this.#reader.disconnect();
    listeners.forEach((listener) => listener.closed());
    await Promise.resolve();
  }

  #leave(listener: Listener): void {
    const { channel } = listener;
    if (!this.#seats.delete(listener)) {
      return;
    }
    const others = [...this.#seats.keys()].some((other) => other.channel === channel);
    if (!others && this.#ready.subscriber) {
      // What comes all the same is heard by nobody.
      this.#subscriber.unsubscribe(channel).catch(() => {});
      if (this.#options.node === true) {
        this.#subscriber.sunsubscribe(channel).catch(() => {});
      }
    }
  }

  #client(role: Role): Redis {
    const { redis, name, random, reconnect, commandTimeoutMs } = this.#options;
    let failure: unknown = null;
    const refusesUs = (): boolean => failure !== null && mapSubscriberError(failure, 'connecting').code === 'PW-M302';
    const { sentinels: _, name: __, cluster: ___, ...given }: ConnectionOptions = typeof redis === 'string' ? {} : redis;
    const settings = {
      connectTimeout: commandTimeoutMs,
      ...given,
      ...(this.#sentinels === null ? {} : { Connector: this.#sentinels.connector }),
      connectionName: `${name}:${role}`,
      protocol: 2 as const,
      lazyConnect: true,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      enableAutoPipelining: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      maxRetriesPerRequest: 0,
      commandTimeout: commandTimeoutMs,
      retryStrategy: (attempt: number) => backoffDelayMs(attempt, { ...(refusesUs() ? CREDENTIALS : reconnect), random }),
      reconnectOnError: null,
    } satisfies RedisOptions;
    const client = typeof redis === 'string' ? new Redis(redis, settings) : new Redis(settings);
    hearLateErrors(client);
    client.on('error', (error: unknown) => {
      failure = error;
    });
    client.on('close', () => {
      this.#lost(role, failure);
      failure = null;
    });
    client.on('ready', () => this.#opened(role));
    return client;
  }

  #opened(role: Role): void {
    this.#ready[role] = true;
    for (const seat of this.#seats.values()) {
      if (role === 'subscriber') {
        this.#subscribe(seat);
      } else {
        this.#see(seat);
      }
    }
  }

  #subscribe(seat: Seat): void {
    const { channel } = seat.listener;
    const connection = this.#subscriber.stream;
    const stands = (): boolean => this.#subscriber.stream === connection && this.#seats.get(seat.listener) === seat;
    const subscribed = [this.#subscriber.subscribe(channel), ...(this.#options.node === true ? [this.#shard(channel)] : [])];
    Promise.all(subscribed).then(
      () => {
        if (stands()) {
          seat.subscribed = true;
          seat.refusals = 0;
          this.#see(seat);
        }
      },
      (error: unknown) => {
        if (stands()) {
          this.#down(seat, error, `subscribing to ${channel}`);
          this.#retry(seat, stands, error);
        }
      },
    );
  }

  /** Where the server has no sharded channels its publisher uses none. */
  async #shard(channel: string): Promise<void> {
    this.#sharding += 1;
    try {
      await this.#subscriber.ssubscribe(channel);
    } catch (error) {
      this.#taken -= replyCode(error) === 'MOVED' ? 1 : 0;
      if (!isUnknownCommand(error)) {
        throw error;
      }
    } finally {
      this.#sharding -= 1;
      this.#checkTaken();
    }
  }

  /** A node that loses a slot takes its channels' subscriptions away, and names them to nobody's question. */
  #checkTaken(): void {
    if (this.#sharding === 0 && this.#taken > 0) {
      this.#taken = 0;
      this.resubscribe();
    }
  }

  /** Refused by Redis: the other channels go on, this one is tried again. Anything else: the connection is not what it seems to be. */
  #retry(seat: Seat, stands: () => boolean, error: unknown): void {
    if (!(error instanceof Error && error.name === 'ReplyError')) {
      this.resubscribe();
      return;
    }
    seat.refusals += 1;
    const { clock, random, reconnect } = this.#options;
    clock.sleep(backoffDelayMs(seat.refusals, { ...reconnect, random }), { signal: this.#over.signal }).then(
      () => {
        if (stands() && this.#ready.subscriber) {
          this.#subscribe(seat);
        }
      },
      () => {},
    );
  }

  #see(seat: Seat): void {
    if (seat.subscribed && this.#ready.reader && !seat.up) {
      seat.up = true;
      seat.listener.up();
    }
  }

  #lost(role: Role, error: unknown): void {
    this.#ready[role] = false;
    this.#taken = role === 'subscriber' ? 0 : this.#taken;
    for (const seat of [...this.#seats.values()]) {
      if (role === 'subscriber') {
        seat.subscribed = false;
      }
      this.#down(seat, error, `connecting as ${role}`);
    }
  }

  #down(seat: Seat, error: unknown, what: string): void {
    if (seat.up || error !== null) {
      seat.up = false;
      seat.listener.down(error === null ? null : mapSubscriberError(error, what));
    }
  }
}
