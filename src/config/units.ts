/**
 * The values that carry their unit in the configuration: durations (`50ms`, `5s`, `1h`), sizes (`256KiB`) and the polling ladder
 * (`50ms x5`). Text to number and back; printing gives the shortest exact text, so that parsing it again yields the same number.
 */

const DURATION_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const SIZE_BYTES = { GiB: 1_073_741_824, MiB: 1_048_576, KiB: 1024, B: 1 } as const;

export const DURATION_RULE = 'a duration with its unit: ms, s, m, h or d, such as 50ms or 5s';
export const SIZE_RULE = 'a size with its unit: B, KiB, MiB or GiB, such as 256KiB';
export const LADDER_RULE =
  'a list of steps such as [50ms x5, 200ms x15, 5s]: a duration and how often it is waited, the last one without a number';

/** One step of the ladder: wait `delayMs`, `count` times; the last step is for ever. */
export interface LadderStep {
  readonly delayMs: number;
  readonly count: number;
}

/** Milliseconds, or null when the text is no duration of whole milliseconds. */
export function parseDuration(text: string): number | null {
  return parseQuantity(text, DURATION_MS);
}

export function formatDuration(ms: number): string {
  return formatQuantity(ms, DURATION_MS, 'ms');
}

/** Bytes, or null when the text is no size of whole bytes. */
export function parseSize(text: string): number | null {
  return parseQuantity(text, SIZE_BYTES);
}

export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZE_BYTES, 'B');
}

/** The ladder's steps, or null when a text is no step, a step waits 0 ms, or a number stands where none may. */
export function parseLadder(texts: readonly string[]): LadderStep[] | null {
  const steps: LadderStep[] = [];
  for (const [i, text] of texts.entries()) {
    const [, duration, times] = /^\s*(\S+?)(?:\s*x\s*([1-9][0-9]{0,6}))?\s*$/u.exec(text) ?? [];
    const delayMs = duration === undefined ? null : parseDuration(duration);
    const last = i === texts.length - 1;
    if (delayMs === null || delayMs === 0 || last !== (times === undefined)) {
      return null;
    }
    steps.push({ delayMs, count: times === undefined ? Number.POSITIVE_INFINITY : Number(times) });
  }
  return steps.length === 0 ? null : steps;
}

export function formatLadder(steps: readonly LadderStep[]): string[] {
  return steps.map(({ delayMs, count }) => formatDuration(delayMs) + (Number.isFinite(count) ? ` x${count}` : ''));
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | null {
  const [, digits, unit] = /^\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([A-Za-z]+)\s*$/u.exec(text) ?? [];
  const factor = unit === undefined || !Object.hasOwn(units, unit) ? undefined : units[unit];
  if (digits === undefined || factor === undefined) {
    return null;
  }
  const exact = Number(digits) * factor;
  const value = Math.round(exact);
  return Number.isSafeInteger(value) && Math.abs(exact - value) < 1e-6 ? value : null;
}

function formatQuantity(value: number, units: Readonly<Record<string, number>>, smallest: string): string {
  for (const [unit, factor] of Object.entries(units)) {
    if (value !== 0 && value % factor === 0) {
      return `${value / factor}${unit}`;
    }
  }
  return `${value}${smallest}`;
}
