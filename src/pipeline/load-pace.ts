/**
 * How fast a load may go (what an operator allows it) and how far it has come: when the next page is due, its rows, and rows per second, percent
 * and time left. Waits for nothing: windows go on between its pages, and the lane asks what is due.
 */
import type { LoadCursor } from '../manager/distributed-data-manager.ts';

export interface LoadLimits {
  /** Rows of the table read in a second, at most. */
  readonly rowsPerSecond?: number;
  /** The greatest share of the time that reading and storing load pages takes, 0 < share <= 1. */
  readonly timeShare?: number;
  /** Load even where Redis seems to have no room for it. */
  readonly ignoreMemory?: boolean;
}

/** Of one load. Times are monotonic, in ms. */
export class LoadPace {
  readonly #limits: LoadLimits;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(limits: LoadLimits) {
    this.#limits = limits;
  }

  /** The most rows of a page: a second's worth, so that no burst goes far beyond the rate; undefined: a whole page. */
  get pageRows(): number | undefined {
    const { rowsPerSecond } = this.#limits;
    return rowsPerSecond === undefined ? undefined : Math.max(1, Math.floor(rowsPerSecond));
  }

  /** When the next page may be read. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** Until when a page of so many rows takes by the rate, however soon it is read. */
  until(rows: number, beganAt: number): number {
    const { rowsPerSecond } = this.#limits;
    return rowsPerSecond === undefined ? beganAt : beganAt + (1000 * rows) / rowsPerSecond;
  }

  /** A page of so many rows was read and stored. */
  read(rows: number, beganAt: number, endedAt: number): void {
    const { timeShare = 1 } = this.#limits;
    this.#dueAt = Math.max(this.until(rows, beganAt), endedAt + (endedAt - beganAt) * (1 / timeShare - 1));
  }
}

export interface LoadProgress {
  /** Whole percents; null where the number of rows is not known. */
  readonly percent: number | null;
  /** null before the first page. */
  readonly rowsPerSecond: number | null;
  readonly secondsLeft: number | null;
}

/** What a stored cursor tells of the load's pace; null of everything once all rows are read. */
export function progressOf({ phase, rows, estimate, activeMs = 0 }: LoadCursor): LoadProgress {
  if (phase !== 'load') {
    return { percent: phase === 'clear' ? null : 100, rowsPerSecond: null, secondsLeft: null };
  }
  const rowsPerSecond = activeMs > 0 ? (1000 * rows) / activeMs : null;
  // An estimate may be too low: 100 % is said when it is over.
  const percent = estimate === null || estimate === 0 ? null : Math.min(99, Math.floor((100 * rows) / estimate));
  const left = estimate === null ? null : Math.max(0, estimate - rows);
  return {
    percent,
    rowsPerSecond: rowsPerSecond === null ? null : Math.round(rowsPerSecond),
    secondsLeft: left === null || rowsPerSecond === null || rowsPerSecond === 0 ? null : Math.ceil(left / rowsPerSecond),
  };
}
