/**
 * Leads ioredis to the primary that Sentinels name, at every connect. Its own way says of a Sentinel that refuses only that a connection is closed,
 * and gives up for good a client that is to reconnect while it asks. One Sentinel is asked after another, each time another one first: one that is
 * cut off together with an old primary goes on naming it.
 */
import { connect, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { formatHostPort, type HostPort } from '../lib/host-port.ts';
import { PatchwireError } from '../model/failure.ts';
import { readAddresses, SENTINEL_PORT } from '../wire/redis-target.ts';
import type { ConnectionOptions } from './connection.ts';
import { askOnce } from './one-question.ts';

/** Told who asks now; false: whoever wanted the answer does not any more. */
type Asking = (client: Redis | null) => boolean;
type Connector = NonNullable<RedisOptions['Connector']>;

export class Sentinels {
  readonly #options: ConnectionOptions;
  readonly #timeoutMs: number;
  readonly #addresses: HostPort[];
  #named = '';

  /** @throws RangeError for an address that is none */
  constructor(options: ConnectionOptions, timeoutMs: number) {
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#addresses = readAddresses(options.sentinels ?? [], SENTINEL_PORT);
  }

  /** For the options of a client; what fails comes as its `error` and `close`. */
  get connector(): Connector {
    const find = (asking: Asking): Promise<HostPort> => this.#find(asking);
    const { tls } = this.#options;
    return class extends AbstractConnector {
      #asking: Redis | null = null;

      constructor(given: unknown) {
        super((given as { readonly disconnectTimeout: number }).disconnectTimeout);
      }

      async connect(): Promise<Socket> {
        this.connecting = true;
        try {
          const primary = await find((client) => {
            this.#asking = client;
            return this.connecting;
          });
          if (this.connecting) {
            this.stream = tls === undefined ? connect(primary) : connectTls({ ...primary, ...tls });
            this.stream.on('error', () => {});
            return this.stream;
          }
        } catch (error) {
          this.firstError = error as PatchwireError;
        }
        return new Socket().destroy();
      }

      override disconnect(): void {
        super.disconnect();
        this.#asking?.disconnect();
      }
    };
  }

  /** Whether another primary is named now than was named last. False, too, when nobody answers. */
  async moved(): Promise<boolean> {
    const before = this.#named;
    await this.#find(() => true).catch(() => {});
    return this.#named !== before;
  }

  /** The primary, as the first one says that answers. @throws what the last one threw that was asked */
  async #find(asking: Asking): Promise<HostPort> {
    let failure: unknown = null;
    for (const sentinel of [...this.#addresses]) {
      this.#addresses.push(...this.#addresses.splice(0, 1));
      const client = this.#client(sentinel);
      if (!asking(client)) {
        break;
      }
      try {
        return await this.#ask(client, `asking Sentinel ${formatHostPort(sentinel)} for the primary`);
      } catch (error) {
        failure = error;
      } finally {
        asking(null);
      }
    }
    throw failure;
  }

  #client(sentinel: HostPort): Redis {
    const { tls, sentinelTLS = tls, sentinelUsername, sentinelPassword } = this.#options;
    return new Redis({
      ...{ ...sentinel, connectTimeout: this.#timeoutMs, commandTimeout: this.#timeoutMs, protocol: 2, lazyConnect: true },
      ...{ enableReadyCheck: false, disableClientInfo: true, maxRetriesPerRequest: 0, retryStrategy: () => null },
      ...(sentinelUsername === undefined ? {} : { username: sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
      ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
    });
  }

  #ask(client: Redis, what: string): Promise<HostPort> {
    const { name = '', natMap } = this.#options;
    return askOnce(client, what, async () => {
      const reply = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as readonly string[] | null;
      if (reply === null) {
        throw new PatchwireError('PW-W403', `${what}: it knows none called ${name}`);
      }
      const primary = { host: reply[0] ?? '', port: Number(reply[1]) };
      this.#named = formatHostPort(primary);
      return (typeof natMap === 'function' ? natMap(this.#named) : natMap?.[this.#named]) ?? primary;
    });
  }
}
