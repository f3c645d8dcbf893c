/**
 * Tells who listens: writes a line about this subscriber into the section's `subscribers` hash, every ten seconds, as long as it may. Only a hint
 * for `patchwire subscribers`: whatever goes wrong here is nobody's trouble, and a user without the right costs one refused command.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Clock } from '../lib/clock.ts';
import type { PresenceEntry } from '../wire/presence.ts';
import type { Position, ReplicaState } from './events.ts';
import { replyCode } from './redis-errors.ts';

export interface PresenceOptions {
  readonly redis: Pick<Redis, 'pipeline' | 'hscan' | 'hdel'>;
  readonly key: string;
  readonly name: string | null;
  readonly clock: Clock;
  readonly mode: string;
  readonly standing: () => readonly [ReplicaState, Position | null];
  /** Ends it: nothing is written after. */
  readonly signal: AbortSignal;
}

export const PRESENCE_EVERY_MS = 10_000;
/** Without a connection it looks again soon: the first line is wanted early. */
const RETRY_MS = 1000;
/** The hash goes when nobody has written for so long. */
const EXPIRES_MS = 3 * PRESENCE_EVERY_MS;
/** Lines of programs that were killed go when another one begins. */
const FORGOTTEN_MS = 3_600_000;

/** Writes until the signal fires or Redis says that it may not; its line goes when the signal fires. Never rejects. */
export async function keepPresence({ redis, key, name, mode, clock, standing, signal }: PresenceOptions): Promise<void> {
  const id = randomUUID();
  const sinceMs = clock.now();
  let wrote = false;
  // At once: the connection is on its way out too. What is left behind expires.
  const leave = (): void => {
    if (wrote) {
      redis.hdel(key, id).catch(() => {});
    }
  };
  signal.addEventListener('abort', leave, { once: true });
  while (!signal.aborted) {
    const [{ status, equal, reasons }, at] = standing();
    const { epoch = null, seq = null, upTo = null } = at ?? {};
    const facts = { mode, status, equal, reasons: [...reasons], epoch, seq, upTo };
    const entry = { name, ...facts, sinceMs, atMs: clock.now(), everyMs: PRESENCE_EVERY_MS } satisfies PresenceEntry;
    const written = await write(redis, key, id, entry);
    if (written === 'refused') {
      return;
    }
    if (written === 'done' && !wrote) {
      wrote = true;
      await forget(redis, key, clock.now() - FORGOTTEN_MS).catch(() => {});
    }
    await clock.sleep(written === 'done' ? PRESENCE_EVERY_MS : RETRY_MS, { signal }).catch(() => {});
  }
}

async function write(
  redis: PresenceOptions['redis'],
  key: string,
  id: string,
  entry: PresenceEntry,
): Promise<'done' | 'refused' | 'failed'> {
  try {
    const replies = (await redis.pipeline().hset(key, id, JSON.stringify(entry)).pexpire(key, EXPIRES_MS).exec()) ?? [];
    const error = replies.map(([failure]) => failure).find((failure) => failure !== null) ?? null;
    return error === null ? 'done' : replyCode(error) === 'NOPERM' ? 'refused' : 'failed';
  } catch {
    return 'failed';
  }
}

async function forget(redis: PresenceOptions['redis'], key: string, beforeMs: number): Promise<void> {
  const [, flat] = await redis.hscan(key, '0', 'COUNT', 1000);
  for (let i = 0; i + 1 < flat.length; i += 2) {
    if (writtenAtMs(flat[i + 1] ?? '') < beforeMs) {
      await redis.hdel(key, flat[i] ?? '');
    }
  }
}

/** When a line was written; 0: it is none. */
function writtenAtMs(text: string): number {
  try {
    return Number((JSON.parse(text) as Partial<PresenceEntry> | null)?.atMs ?? 0);
  } catch {
    return 0;
  }
}
