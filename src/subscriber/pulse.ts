/**
 * The publisher's pulse: when it was heard last, how long its silence may last, and whether a silence is its own or the channel's (S3). Knows
 * nothing of documents.
 */
import type { HeartbeatMessage } from '../wire/messages.ts';
import type { Publisher } from './events.ts';

/** What a heartbeat may say of its interval: beyond it lies nonsense, or what no timer can wait for. */
const INTERVAL_MS = { least: 100, most: 3_600_000 } as const;

/** The patience with a publisher that does not beat grows to 3 * 2^2 intervals. */
const MOST_DOUBLINGS = 2;

export class Pulse {
  #heardAtMs = 0;
  /** When the publisher beat last, by its own clock, as far as is known. */
  #beatAtMs: number | null = null;
  #everHeard = false;
  /** How often in a row silence was found to be the publisher's own. */
  #silences = 0;
  #intervalMs: number;

  /** @param intervalMs until the first heartbeat names its own */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** When so long a silence is a gap, ms since 1970. */
  get silentAtMs(): number {
    return this.#heardAtMs + 3 * this.#intervalMs * 2 ** Math.min(this.#silences, MOST_DOUBLINGS);
  }

  get publisher(): Publisher {
    if (this.#silences > 0) {
      return 'silent';
    }
    return this.#everHeard ? 'beating' : 'unknown';
  }

  /** The clock was set back by so much. */
  setBack(ms: number): void {
    this.#heardAtMs -= ms;
  }

  /** From now on silence counts. */
  listen(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  /**
   * Whether a heartbeat was beaten before the one that is known: it was under way while meta was read. A later one that stands at an earlier message
   * of mine is of a section that went back in time, and has published nothing since.
   */
  knows({ time }: HeartbeatMessage): boolean {
    return this.#beatAtMs !== null && Date.parse(time) <= this.#beatAtMs;
  }

  hear(message: HeartbeatMessage, nowMs: number): void {
    this.#heardAtMs = nowMs;
    this.#everHeard = true;
    this.#silences = 0;
    this.#beatAtMs = Date.parse(message.time);
    this.#intervalMs = Math.min(INTERVAL_MS.most, Math.max(INTERVAL_MS.least, message.intervalMs));
  }

  /**
   * Meta was read. Whether it shows, after a silence, that the publisher beat and was not heard: the channel is deaf. If it did not, the next
   * silence is waited for longer, so that a publisher which is gone causes no churn.
   */
  deaf(beatAtMs: number | null, silent: boolean): boolean {
    const beaten = beatAtMs !== this.#beatAtMs;
    this.#beatAtMs = beatAtMs;
    this.#silences = silent && !beaten ? this.#silences + 1 : 0;
    return silent && beaten;
  }
}
