/**
 * The ladder of adaptive polling (R7): how long a poller waits between rounds. Knows steps and a clock, not what is polled; parsing
 * '50ms x5' belongs to the configuration.
 */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { PollPacing } from '../source/change-tracker.ts';
import { Alarm } from './alarm.ts';

/** One step: `count` waits of `delayMs`. */
export interface LadderStep {
  readonly delayMs: number;
  /** Infinity on the last step, which is never left upwards. */
  readonly count: number;
}

/** 50 ms for the first 5 waits, 200 ms to the 20th, 1 s to the 100th, then 5 s. */
export const DEFAULT_LADDER: readonly LadderStep[] = [
  { delayMs: 50, count: 5 },
  { delayMs: 200, count: 15 },
  { delayMs: 1000, count: 80 },
  { delayMs: 5000, count: Number.POSITIVE_INFINITY },
];

export interface LadderOptions {
  readonly steps: readonly LadderStep[];
  /** No wait is longer than this before jitter; the table's own `max`. */
  readonly maxMs?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

const JITTER = 0.1;

/** The delay of wait number `index` (0 for the first after a change), before jitter. Past the steps' counts the last one stays. */
export function ladderDelayMs(steps: readonly LadderStep[], index: number, maxMs: number = Number.POSITIVE_INFINITY): number {
  let first = 0;
  let delayMs = 0;
  for (const step of steps) {
    delayMs = step.delayMs;
    first += step.count;
    if (index < first) {
      break;
    }
  }
  return Math.min(delayMs, maxMs);
}

/** Climbs with every round that found nothing; any change puts it back to the bottom. */
export class Ladder implements PollPacing {
  readonly #options: LadderOptions;
  readonly #alarm: Alarm;
  #waits = 0;
  #wantedAt: number | null = null;
  #resumedAtMs: number;

  constructor(options: LadderOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
    this.#resumedAtMs = options.clock.now();
  }

  /** When the last wait ended, and so the round under way began. */
  get resumedAtMs(): number {
    return this.#resumedAtMs;
  }

  /** No wait goes beyond this monotonic time, in ms: a load or a sweep wants its next turn then. null: nothing does. */
  want(at: number | null): void {
    this.#wantedAt = at;
  }

  /** Ends the wait under way, or skips the next one, and goes back to the bottom: somebody asked for a poll now (L6). */
  wake(): void {
    this.#waits = 0;
    this.#alarm.ring();
  }

  async wait(outcome: 'empty' | 'changes' | 'full', signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (outcome !== 'empty') {
      this.#waits = 0;
    }
    const mostMs = this.#wantedAt === null ? Number.POSITIVE_INFINITY : this.#wantedAt - this.#options.clock.monotonic();
    if (outcome !== 'full' && mostMs > 0) {
      await this.#climb(mostMs, signal);
    }
    this.#resumedAtMs = this.#options.clock.now();
  }

  async #climb(mostMs: number, signal: AbortSignal): Promise<void> {
    const { steps, maxMs, random } = this.#options;
    const delayMs = ladderDelayMs(steps, this.#waits, maxMs) * (1 - JITTER + 2 * JITTER * random());
    this.#waits += 1;
    if (await this.#alarm.wait(Math.min(delayMs, mostMs), signal)) {
      this.#waits = 0;
    }
  }
}
