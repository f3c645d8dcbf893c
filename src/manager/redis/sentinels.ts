/**
 * Sentinels: asked for the primary at every connect, and listened to. When they name another one, the old one may live on for as long as it is cut
 * off from them and take writes that nobody will see: whoever writes leaves it at once. A Sentinel that cannot be heard is tried again for ever, and
 * asked what it says now when it can; whoever told of a change last is asked first, since another one may be cut off with the old primary.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { formatHostPort, type HostPort } from '../../lib/host-port.ts';
import { hearLateErrors } from '../../lib/late-errors.ts';
import { PatchwireError } from '../../model/errors.ts';
import { readAddresses, SENTINEL_PORT } from '../../wire/redis-target.ts';
import type { RedisTargetOptions } from './connection.ts';
import { mapRedisError, replyCode } from './errors.ts';

/** Published by every Sentinel: `<name> <old ip> <old port> <new ip> <new port>`. Source: redis.io, "High availability with Redis Sentinel", Pub/Sub messages. */
const SWITCHED = '+switch-master';
/** One that hears is enough; so many are asked, since any of them may be cut off. */
const MOST = 3;
const RETRY_MS = 1000;
const KEEP_ALIVE_MS = 10_000;
const CREDENTIALS_HINT = 'Check manager.redis.sentinelUsername and sentinelPassword: they are the Sentinels’ own.';

export interface SentinelsOptions {
  readonly options: RedisTargetOptions;
  readonly timeoutMs: number;
  /** Another server is the primary now. */
  readonly switched: () => void;
}

export class Sentinels implements Disposable {
  readonly #options: SentinelsOptions;
  readonly #name: string;
  readonly #settings;
  /** Whoever told of the last change first. */
  #order: readonly HostPort[];
  /** By Sentinel: whom it named last. */
  readonly #told = new Map<string, string>();
  /** Whom `primary` named last. */
  #current: string | null = null;
  #watching = false;
  /** All that are open: those that watch, and those that ask. */
  readonly #clients = new Set<Redis>();
  #over = false;

  /** @throws RangeError for an address that is none */
  constructor(options: SentinelsOptions) {
    const { sentinels = [], name = '', tls, sentinelTLS = tls, sentinelUsername, sentinelPassword, family } = options.options;
    this.#options = options;
    this.#name = name;
    this.#order = readAddresses(sentinels, SENTINEL_PORT);
    this.#settings = {
      ...{
        protocol: 2 as const,
        lazyConnect: true,
        enableReadyCheck: false,
        disableClientInfo: true,
        autoResubscribe: false,
        maxRetriesPerRequest: 0,
      },
      // One that has vanished without a word is noticed, though nothing is ever sent to it.
      keepAlive: KEEP_ALIVE_MS,
      ...{ enableOfflineQueue: false, connectTimeout: options.timeoutMs, commandTimeout: options.timeoutMs },
      ...(sentinelUsername === undefined ? {} : { username: sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
      ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
      ...(family === undefined ? {} : { family }),
    } satisfies RedisOptions;
  }

  /** The primary that the first one names which answers; from the first call on they are listened to. @throws what the last one threw: PW-M301, PW-M302, PW-M303 */
  async primary(): Promise<HostPort> {
    let failure: unknown = null;
    for (const sentinel of this.#order) {
      try {
        const primary = await this.#ask(sentinel, true);
        this.#current = this.#tell(sentinel, primary);
        this.#watch();
        return this.#reachable(primary);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#clients.forEach((client) => client.disconnect());
  }

  /** @param listening whether it is tried, too, if it may be listened to */
  async #ask(sentinel: HostPort, listening: boolean): Promise<HostPort> {
    const address = formatHostPort(sentinel);
    const client = this.#client(sentinel, null);
    let lost: unknown = null;
    client.on('error', (error: unknown) => {
      lost = error;
    });
    try {
      await client.connect();
      const reply = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.#name);
      if (!Array.isArray(reply)) {
        throw new PatchwireError('PW-M301', `Sentinel ${address} knows no primary called ${this.#name}`, {
          hint: 'Check manager.redis.name: it is the name in `sentinel monitor`.',
        });
      }
      if (listening) {
        await client.subscribe(SWITCHED);
      }
      const [host, port] = reply as unknown as readonly [string, string];
      return { host, port: Number(port) };
    } catch (error) {
      // Of a connection that is not made ioredis tells the cause by its event.
      const cause = replyCode(error) === null ? (lost ?? error) : error;
      const known = mapRedisError(cause, 'connect', `asking Sentinel ${address} for the primary ${this.#name}`);
      const { code, message, details, waitMs, retry } = known;
      throw new PatchwireError(code, message, { hint: code === 'PW-M302' ? CREDENTIALS_HINT : known.hint, details, waitMs, retry, cause });
    } finally {
      this.#clients.delete(client);
      client.disconnect();
    }
  }

  /** Listens from the first call on. */
  #watch(): void {
    if (!this.#watching && !this.#over) {
      this.#watching = true;
      this.#order.slice(0, MOST).forEach((sentinel) => this.#listen(sentinel));
    }
  }

  #listen(sentinel: HostPort): void {
    const watch = this.#client(sentinel, RETRY_MS);
    watch.on('error', () => {});
    watch.on('message', (_channel: string, text: string) => {
      const [name, , , host = '', port] = text.split(' ');
      if (name === this.#name) {
        this.#hear(sentinel, { host, port: Number(port) });
      }
    });
    watch.on('ready', () => {
      // In this order nothing is missed; what cannot be asked now is asked when it is back.
      watch
        .subscribe(SWITCHED)
        .then(() => this.#ask(sentinel, false))
        .then(
          (primary) => this.#hear(sentinel, primary),
          () => watch.disconnect(!this.#over),
        );
    });
    watch.connect().catch(() => {});
  }

  #client({ host, port }: HostPort, retryMs: number | null): Redis {
    const client = new Redis({ ...this.#settings, host, port, retryStrategy: () => retryMs });
    hearLateErrors(client);
    this.#clients.add(client);
    return client;
  }

  /** What a Sentinel says for the first time is no change: it may be the one that is late. */
  #hear(sentinel: HostPort, primary: HostPort): void {
    const before = this.#told.get(formatHostPort(sentinel));
    const now = this.#tell(sentinel, primary);
    if (before !== undefined && before !== now && !this.#over) {
      this.#order = [sentinel, ...this.#order.filter((other) => other !== sentinel)];
      if (now !== this.#current) {
        this.#options.switched();
      }
    }
  }

  /** As ioredis takes it: what the Sentinels see is not what is seen from here. */
  #reachable(primary: HostPort): HostPort {
    const { natMap } = this.#options.options;
    const address = formatHostPort(primary);
    return (typeof natMap === 'function' ? natMap(address) : natMap?.[address]) ?? primary;
  }

  #tell(sentinel: HostPort, primary: HostPort): string {
    const now = formatHostPort(primary);
    this.#told.set(formatHostPort(sentinel), now);
    return now;
  }
}
