/** How long to wait before the next try: exponential with full jitter and a cap. Knows nothing of what is tried. */
import type { Random } from './random.ts';

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  readonly random: Random;
}

/**
 * The delay before try number `attempt` (1 for the first retry), in milliseconds: uniform between `minMs` and
 * `minMs * 2^attempt`, never above `maxMs`. Never 0 for a positive `minMs`, so that no retry path spins.
 */
export function backoffDelayMs(attempt: number, { minMs, maxMs, random }: BackoffOptions): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return Math.min(maxMs, minMs + random() * Math.max(0, ceiling - minMs));
}
