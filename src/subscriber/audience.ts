/** Reads who listens to sections, by what subscribers wrote of themselves (presence.ts). A connection of its own; writes nothing. */
import { Redis } from 'ioredis';
import type { ConnectionOptions } from './connection.ts';
import { sectionKeys } from '../wire/keys.ts';
import { decodePresence, type PresenceEntry } from '../wire/presence.ts';
import { mapSubscriberError } from './redis-errors.ts';

export interface Listening extends PresenceEntry {
  readonly section: string;
  readonly id: string;
}

/** In the order of the sections, the longest there first. @throws PatchwireError PW-W403 when Redis cannot be reached, PW-M303 when it may not be read */
export async function readAudience(options: {
  readonly redis: string | ConnectionOptions;
  readonly partition: string;
  readonly sections: readonly string[];
}): Promise<readonly Listening[]> {
  const { redis: target, partition, sections } = options;
  const settings = { protocol: 2 as const, lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null, commandTimeout: 10_000 };
  const redis = typeof target === 'string' ? new Redis(target, settings) : new Redis({ ...target, ...settings });
  let failure: unknown = null;
  redis.on('error', (error: unknown) => {
    failure = error;
  });
  try {
    await redis.connect();
    const lists = await Promise.all(
      sections.map(async (section) => {
        const entries = Object.entries(await redis.hgetall(sectionKeys(partition, section).subscribers));
        return entries.flatMap(([id, text]): Listening[] => {
          const entry = decodePresence(text);
          return entry === null ? [] : [{ section, id, ...entry }];
        });
      }),
    );
    return lists.flatMap((list) => list.toSorted((a, b) => a.sinceMs - b.sinceMs));
  } catch (error) {
    throw mapSubscriberError(failure ?? error, 'reading who listens');
  } finally {
    redis.disconnect();
  }
}
