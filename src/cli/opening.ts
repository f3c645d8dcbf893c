/** Opens for one command what the daemon keeps open: Redis, a source. A command does not wait for a server: it says that it is not there. */
import type { Config } from '../config/schema.ts';
import { createManager, createTracker } from '../daemon/parts.ts';
import { systemClock } from '../lib/clock.ts';
import type { DistributedDataManager } from '../manager/distributed-data-manager.ts';
import { createLogger } from '../observe/create-logger.ts';
import type { Logger } from '../observe/logger.ts';
import type { ChangeTracker } from '../source/change-tracker.ts';

/** What parts log while a command runs: nothing, since the command itself says what happens. */
export function silentLog(): Logger {
  return createLogger({ level: 'silent', pretty: false });
}

/** The manager, open: tried for all that a leader does. @throws PatchwireError of the M range: PW-M301 when Redis cannot be reached */
export async function openManager(config: Config, signal: AbortSignal): Promise<DistributedDataManager> {
  const manager = createManager(config, { clock: systemClock, log: silentLog() });
  return await opened(manager, () => manager.open({ signal }));
}

/**
 * The manager for a command that only looks: it connects when it is asked something, and writes nothing, not even to try whether it could: it
 * answers where Redis takes no writes (full, a replica, cannot save), which is when people look.
 */
export function readingManager(config: Config): DistributedDataManager {
  return createManager(config, { clock: systemClock, log: silentLog() });
}

/** A source's tracker, open. @throws PatchwireError of the S range: PW-S201 when SQL Server cannot be reached */
export async function openTracker(config: Config, source: string, signal: AbortSignal): Promise<ChangeTracker> {
  const tracker = createTracker(config, source, { clock: systemClock, log: silentLog() });
  return await opened(tracker, () => tracker.open({ signal }));
}

async function opened<T extends AsyncDisposable>(part: T, open: () => Promise<unknown>): Promise<T> {
  try {
    await open();
    return part;
  } catch (error) {
    await part[Symbol.asyncDispose]();
    throw error;
  }
}
