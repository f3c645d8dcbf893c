/**
 * What subscriptions share: connections that are made, and loaded, when the first one needs them. The Redis client and all that speaks to Redis
 * stand behind it, so that importing the library costs neither.
 */
import { readAddresses, REDIS_PORT, SENTINEL_PORT } from '../wire/redis-target.ts';
import type { Connection, PairOptions } from './connection.ts';

export class SharedConnections implements AsyncDisposable {
  readonly #options: PairOptions;
  #opened: Promise<Connection> | null = null;

  /** @throws RangeError for an address of a node or a Sentinel that is none */
  constructor(options: PairOptions) {
    const { cluster, sentinels } = typeof options.redis === 'string' ? {} : options.redis;
    if (cluster !== undefined) {
      readAddresses(cluster, REDIS_PORT);
    } else if (sentinels !== undefined) {
      readAddresses(sentinels, SENTINEL_PORT);
    }
    this.#options = options;
  }

  open(): Promise<Connection> {
    this.#opened ??= this.#load();
    return this.#opened;
  }

  /** Closes the connections; whoever listens is told, also who comes later. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.open())[Symbol.asyncDispose]();
  }

  async #load(): Promise<Connection> {
    const options = this.#options;
    if (typeof options.redis !== 'string' && options.redis.cluster !== undefined) {
      const { ClusterConnection } = await import('./cluster-connection.ts');
      return new ClusterConnection(options);
    }
    const { ConnectionPair } = await import('./connection.ts');
    return new ConnectionPair(options);
  }
}
