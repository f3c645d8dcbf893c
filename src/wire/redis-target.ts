/**
 * Where the Redis of a publisher or subscriber is: one server, the primary that Sentinels name, or a cluster. Read here, once for both; nothing
 * is connected.
 */
import { type HostPort, parseHostPort } from '../lib/host-port.ts';

/** host:port, or its parts. */
export type Address = string | Partial<HostPort>;

/** The two forms that are more than one server, beside the options that are the same for every server. */
export interface RedisPlaces {
  /** They are asked for the primary at every connect. Default port 26379. */
  readonly sentinels?: readonly Address[] | undefined;
  /** How the Sentinels call the primary. */
  readonly name?: string | undefined;
  /** Nodes of a Redis Cluster: any one that answers tells the others. Default port 6379. */
  readonly cluster?: readonly Address[] | undefined;
}

export const SENTINEL_PORT = 26_379;
export const REDIS_PORT = 6379;

/** @throws RangeError for an address that is none, or an empty list */
export function readAddresses(list: readonly Address[], defaultPort: number): [HostPort, ...HostPort[]] {
  const [first, ...rest] = list.map((item) => {
    const address =
      typeof item === 'string' ? parseHostPort(item, defaultPort) : { host: item.host ?? '127.0.0.1', port: item.port ?? defaultPort };
    if (address === null) {
      throw new RangeError(`not an address such as redis-1:${defaultPort}: ${JSON.stringify(item)}`);
    }
    return address;
  });
  if (first === undefined) {
    throw new RangeError('at least one address of a Redis server is needed');
  }
  return [first, ...rest];
}
