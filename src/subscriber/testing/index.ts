/**
 * patchwire/subscriber/testing: a publisher for tests of programs that subscribe. It writes one section into a real Redis as the daemon would,
 * and misbehaves when told to. Loads neither the daemon nor a SQL Server driver.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { sectionKeys } from '../../wire/keys.ts';
import { ScriptedPublisher } from './scripted-publisher.ts';
import { SectionWrites } from './section-writes.ts';

export type { BeginOptions, Mark, ScriptedPublisher } from './scripted-publisher.ts';
export type { Write } from './section-script.ts';

export interface ScriptedPublisherOptions {
  /** A redis:// or rediss:// URL, or ioredis options. */
  readonly redis: string | Omit<RedisOptions, 'protocol' | 'replyMapping'>;
  /** A partition of the test's own: a section that a daemon wrote is refused. */
  readonly partition: string;
  readonly section: string;
  /** What heartbeats say of their interval, and how often `beat` sends one. Default 1,000 ms. */
  readonly intervalMs?: number;
}

/**
 * Connects and takes the section over, empty. It exists from the first `load` (or `begin`) on. Disposing of it removes the section's keys.
 * @throws RangeError when partition or section are no names; Error when a daemon's section stands there; what ioredis throws
 */
export async function scriptedPublisher(options: ScriptedPublisherOptions): Promise<ScriptedPublisher> {
  const { redis: target, partition, section, intervalMs = 1000 } = options;
  const keys = sectionKeys(partition, section);
  const settings = { protocol: 2 as const, lazyConnect: true, connectionName: `patchwire:${partition}:${section}:scripted` };
  const redis = typeof target === 'string' ? new Redis(target, settings) : new Redis({ ...target, ...settings });
  // Errors reach whoever calls a step; without a listener they would end the process.
  redis.on('error', () => {});
  try {
    await redis.connect();
    const writes = new SectionWrites(redis, keys);
    await writes.claim();
    return new ScriptedPublisher({ partition, section, redis, writes, intervalMs });
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}
