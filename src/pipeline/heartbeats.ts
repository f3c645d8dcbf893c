/**
 * When heartbeats are sent (C7): every interval, and early after a page whose rows all diffed to nothing, four a second at most. They go
 * through the delivery queue and need only the lead: a slow or absent SQL Server does not hold them up. What they say is composed in Redis.
 */
import type { Clock } from '../lib/clock.ts';
import type { Alarm } from './alarm.ts';

/** The least time between two heartbeats. */
export const URGENT_GAP_MS = 250;

export interface HeartbeatOptions {
  readonly delivery: { heartbeat(): Promise<void> };
  /** Rings when an idle advance should not wait. */
  readonly alarm: Alarm;
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
}

/** Sends heartbeats until the signal fires. @throws the signal's reason, or the refusal of a heartbeat */
export async function keepBeating({ delivery, alarm, clock, intervalMs, signal }: HeartbeatOptions): Promise<never> {
  let lastAt = clock.now();
  for (;;) {
    await alarm.wait(intervalMs, signal);
    // Never longer than the gap, also when the clock was set back.
    await clock.sleep(Math.min(URGENT_GAP_MS, lastAt + URGENT_GAP_MS - clock.now()), { signal });
    lastAt = clock.now();
    await delivery.heartbeat();
  }
}
