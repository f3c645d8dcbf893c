/**
 * Leads ioredis to the primary that Sentinels name, at every connect. Its own way says of a Sentinel that refuses only that a connection is closed,
 * and gives up for good a client that is to reconnect while it asks. Asks one Sentinel after another, each time another one first: one that is cut
 * off together with an old primary goes on naming it.
 */
import { connect, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { formatHostPort, type HostPort } from '../lib/host-port.ts';
import { PatchwireError } from '../model/failure.ts';
import { readAddresses, SENTINEL_PORT } from '../wire/redis-target.ts';
import type { ConnectionOptions } from './connection.ts';
import { mapSubscriberError, replyCode } from './redis-errors.ts';

/** What ioredis is given beside what is the same for every server. What fails comes as its `error` and `close`. @throws RangeError for an address that is none */
export function sentinelSettings(options: ConnectionOptions, timeoutMs: number): Required<Pick<RedisOptions, 'Connector'>> {
  const sentinels = readAddresses(options.sentinels ?? [], SENTINEL_PORT);
  const Connector = class extends AbstractConnector {
    #client: Redis | null = null;

    constructor(given: unknown) {
      super((given as { readonly disconnectTimeout: number }).disconnectTimeout);
    }

    async connect(): Promise<Socket> {
      this.connecting = true;
      for (const _ of sentinels) {
        const [sentinel] = sentinels;
        sentinels.push(...sentinels.splice(0, 1));
        try {
          const primary = await this.#ask(sentinel);
          if (this.connecting) {
            const { tls } = options;
            this.stream = tls === undefined ? connect(primary) : connectTls({ ...primary, ...tls });
            return this.stream;
          }
        } catch (error) {
          this.firstError = error as PatchwireError;
        }
        if (!this.connecting) {
          break;
        }
      }
      return new Socket().destroy();
    }

    override disconnect(): void {
      super.disconnect();
      this.#client?.disconnect();
    }

    async #ask(sentinel: HostPort): Promise<HostPort> {
      const { name = '', tls, sentinelTLS = tls, sentinelUsername, sentinelPassword, natMap } = options;
      const client = new Redis({
        ...{ ...sentinel, connectTimeout: timeoutMs, commandTimeout: timeoutMs, protocol: 2, lazyConnect: true, maxRetriesPerRequest: 0 },
        ...{ enableReadyCheck: false, disableClientInfo: true, retryStrategy: () => null },
        ...(sentinelUsername === undefined ? {} : { username: sentinelUsername }),
        ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
        ...(sentinelTLS === undefined ? {} : { tls: sentinelTLS }),
      });
      this.#client = client;
      const what = `asking Sentinel ${formatHostPort(sentinel)} for the primary`;
      let lost: unknown = null;
      client.on('error', (error: unknown) => {
        lost = error;
      });
      try {
        await client.connect();
        const [host = '', port = ''] = ((await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as readonly string[] | null) ?? [];
        if (host === '') {
          throw new PatchwireError('PW-W403', `${what}: it knows none called ${name}`);
        }
        const address = formatHostPort({ host, port: Number(port) });
        return (typeof natMap === 'function' ? natMap(address) : natMap?.[address]) ?? { host, port: Number(port) };
      } catch (error) {
        throw mapSubscriberError(replyCode(error) === null ? (lost ?? error) : error, what);
      } finally {
        client.disconnect();
      }
    }
  };
  return { Connector };
}
