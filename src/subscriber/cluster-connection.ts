/**
 * Connections to a Redis Cluster: a section joins the pair of the node that serves its slot, and goes over to another when that one does not serve
 * it any more. What asks the cluster is loaded with the first section (cluster.ts). Re-sends nothing, and knows nothing of what is on the channels.
 */
import type { Redis } from 'ioredis';
import type { Connection, Listener, PairOptions, SectionConnections } from './connection.ts';
import type { ClusterNodes, SectionPlace } from './cluster.ts';
import { readAddresses, REDIS_PORT } from '../wire/redis-target.ts';

export class ClusterConnection implements Connection {
  readonly #nodes: Promise<ClusterNodes>;
  #closed = false;

  /** @throws RangeError for an address that is none */
  constructor(options: PairOptions) {
    readAddresses((typeof options.redis === 'string' ? undefined : options.redis.cluster) ?? [], REDIS_PORT);
    this.#nodes = import('./cluster.ts').then(({ ClusterNodes: Nodes }) => new Nodes(options));
    // What it rejects with is met by whoever waits for it.
    this.#nodes.catch(() => {});
  }

  section(key: string): SectionConnections {
    let place: SectionPlace | null = null;
    let left = false;
    const away = (): Promise<never> => {
      const refused = Promise.reject(new Error('the node of the section is not found yet'));
      refused.catch(() => {});
      return refused;
    };
    const reader = new Proxy({} as Redis, {
      get: (_, name) => {
        const redis = place?.reader ?? null;
        const value: unknown = redis === null ? away : Reflect.get(redis, name);
        return typeof value === 'function' ? (value.bind(redis) as unknown) : value;
      },
    });
    const join = (listener: Listener): (() => void) => {
      void this.#nodes.then((nodes) => {
        if (this.#closed && !left) {
          listener.closed();
        } else if (!left) {
          place = nodes.place(key, listener);
        }
      });
      return () => {
        left = true;
        place?.leave();
      };
    };
    return {
      reader,
      join,
      resubscribe: () => place?.resubscribe(),
      look: () => place?.look(),
      reread: () => place?.reread(),
      doubt: (error) => place?.doubt(error) ?? error,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await (await this.#nodes)[Symbol.asyncDispose]();
  }
}
