/**
 * Hears from Sentinels that another server is the primary now. The old one may live on for seconds and take writes that nobody will see: whoever
 * writes leaves it at once. A watch that cannot connect is quiet and comes back by itself: the old primary's demotion says the same, later.
 */
import { Redis, type RedisOptions } from 'ioredis';
import type { HostPort } from '../../lib/host-port.ts';

/** Published by every Sentinel: `<name> <old ip> <old port> <new ip> <new port>`. Source: redis.io, "High availability with Redis Sentinel", Pub/Sub messages. */
const SWITCHED = '+switch-master';
/** One that hears is enough; so many are asked, since any of them may be cut off. */
const MOST = 3;
const RETRY_MS = 1000;

/** @returns how to end it */
export function watchSentinels(
  sentinels: readonly HostPort[],
  name: string,
  { sentinelUsername, sentinelPassword, sentinelTLS }: Pick<RedisOptions, 'sentinelUsername' | 'sentinelPassword' | 'sentinelTLS'>,
  switched: () => void,
): () => void {
  const watches = sentinels.slice(0, MOST).map(({ host, port }) => {
    const watch = new Redis({
      ...{ host, port, protocol: 2, lazyConnect: true, enableReadyCheck: false, disableClientInfo: true, maxRetriesPerRequest: null },
      ...(sentinelUsername === undefined ? {} : { username: sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
      ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
      retryStrategy: () => RETRY_MS,
    });
    watch.on('error', () => {});
    watch.on('message', (_channel: string, text: string) => {
      if (text.startsWith(`${name} `)) {
        switched();
      }
    });
    watch.subscribe(SWITCHED).catch(() => {});
    return watch;
  });
  return () => watches.forEach((watch) => watch.disconnect());
}
