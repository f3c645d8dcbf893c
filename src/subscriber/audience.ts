/** Reads who listens to sections, by what subscribers wrote of themselves (presence.ts). Connections of its own; writes nothing. */
import { Redis } from 'ioredis';
import { systemClock } from '../lib/clock.ts';
import { hearLateErrors } from '../lib/late-errors.ts';
import { sectionKeys } from '../wire/keys.ts';
import { decodePresence, type PresenceEntry } from '../wire/presence.ts';
import { ClusterNodes } from './cluster.ts';
import type { ConnectionOptions } from './connection.ts';
import { mapSubscriberError } from './redis-errors.ts';
import { Sentinels } from './sentinel-connector.ts';

export interface Listening extends PresenceEntry {
  readonly section: string;
  readonly id: string;
}

const TIMEOUT_MS = 10_000;
const NAME = 'patchwire:audience';

/** In the order of the sections, the longest there first. @throws PatchwireError PW-W403 when Redis cannot be reached, PW-M303 when it may not be read */
export async function readAudience(options: {
  readonly redis: string | ConnectionOptions;
  readonly partition: string;
  readonly sections: readonly string[];
}): Promise<readonly Listening[]> {
  const { redis: target, partition, sections } = options;
  const keys = new Map(sections.map((section) => [section, sectionKeys(partition, section).subscribers]));
  const clients = new Map<string, Redis>();
  let failure: unknown = null;
  const clientAt = async (address: string, make: () => Redis): Promise<Redis> => {
    const known = clients.get(address);
    if (known !== undefined) {
      return known;
    }
    const made = make();
    hearLateErrors(made);
    made.on('error', (error: unknown) => {
      failure = error;
    });
    clients.set(address, made);
    await made.connect();
    return made;
  };
  const nodes =
    typeof target === 'string' || target.cluster === undefined
      ? null
      : new ClusterNodes({
          ...{ redis: target, name: NAME, clock: systemClock, random: Math.random, commandTimeoutMs: TIMEOUT_MS },
          reconnect: { minMs: 50, maxMs: 2000 },
        });
  try {
    const found: Listening[] = [];
    for (const [section, key] of keys) {
      const address = nodes === null ? '' : await nodes.ownerOf(key, null);
      const redis = await clientAt(address, () => nodes?.client(address) ?? clientOf(target));
      const entries = Object.entries(await redis.hgetall(key)).flatMap(([id, text]): Listening[] => {
        const entry = decodePresence(text);
        return entry === null ? [] : [{ section, id, ...entry }];
      });
      found.push(...entries.toSorted((a, b) => a.sinceMs - b.sinceMs));
    }
    return found;
  } catch (error) {
    throw mapSubscriberError(failure ?? error, 'reading who listens');
  } finally {
    clients.forEach((client) => client.disconnect());
  }
}

/** To one server, or the primary that Sentinels name. */
function clientOf(target: string | ConnectionOptions): Redis {
  const settings = {
    ...{ protocol: 2 as const, lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null, commandTimeout: TIMEOUT_MS },
    connectionName: NAME,
  };
  if (typeof target === 'string') {
    return new Redis(target, settings);
  }
  const { sentinels, name: _, cluster: __, ...given } = target;
  return new Redis({
    ...given,
    ...(sentinels === undefined ? {} : { Connector: new Sentinels(target, TIMEOUT_MS).connector }),
    ...settings,
  });
}
