/**
 * How far the loads are, on the last line of a terminal: drawn over itself, and out of the way of the log's lines. Draws nothing while nothing
 * is loading. It knows a status and a terminal, not what loads.
 */
import type { SectionStatus } from '../observe/section-record.ts';

export interface Terminal {
  write(text: string): unknown;
  /** Characters of a line. */
  readonly columns?: number | undefined;
}

export interface ProgressLineOptions {
  readonly terminal: Terminal;
  readonly status: () => readonly SectionStatus[];
}

const DRAW_EVERY_MS = 500;
const NARROWEST = 40;

/** Draws twice a second until it is disposed of. */
export class ProgressLine implements Disposable {
  readonly #options: ProgressLineOptions;
  readonly #timer: NodeJS.Timeout;
  #shown = '';

  constructor(options: ProgressLineOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.draw(), DRAW_EVERY_MS);
    this.#timer.unref();
  }

  draw(): void {
    const { terminal, status } = this.#options;
    const text = progressText(status());
    const width = Math.max(NARROWEST, (terminal.columns || 80) - 1);
    this.#replace(text.length <= width ? text : `${text.slice(0, width - 1)}…`);
  }

  /** Before another line is written. */
  clear(): void {
    this.#replace('');
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.clear();
  }

  #replace(text: string): void {
    if (text !== this.#shown) {
      this.#options.terminal.write(`\r\u001B[K${text}`);
      this.#shown = text;
    }
  }
}

/** `orders: 42 % of about 1,000,000 rows, 52,000 rows/s, 11 s left`, for each section that loads; '' when none does. */
export function progressText(sections: readonly SectionStatus[]): string {
  return sections
    .flatMap(({ section, load, paused }) => {
      if (load === null) {
        return [];
      }
      const { phase, rows, estimate, percent, rowsPerSecond, secondsLeft } = load;
      const done = percent === null || estimate === null ? `${number(rows)} rows` : `${percent} % of about ${number(estimate)} rows`;
      const words = [
        phase === 'sweep' ? `sweeping, ${number(rows)} keys` : done,
        ...(paused === null ? [] : ['paused']),
        ...(rowsPerSecond === null || paused !== null ? [] : [`${number(rowsPerSecond)} rows/s`]),
        ...(secondsLeft === null || paused !== null ? [] : [`${duration(secondsLeft)} left`]),
      ];
      return [`${section}: ${words.join(', ')}`];
    })
    .join(' | ');
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function duration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
