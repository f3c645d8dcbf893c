/**
 * Turns of the sessions: this process has one thread, and a batch whose statements never wait would keep it for itself: other sessions, and
 * the attention that is to end it, would not be heard. Within a statement nothing is heard: it may not take longer than half a minute.
 */
import { UnsupportedError } from '../sql/unsupported.ts';

const TURN_MS = 20;

let began = performance.now();

/** @returns undefined while the turn lasts, else what ends when everybody else had theirs */
export function turnOfOthers(): Promise<void> | undefined {
  if (performance.now() - began < TURN_MS) {
    return undefined;
  }
  return new Promise((resolve) => {
    setImmediate(() => {
      began = performance.now();
      resolve();
    });
  });
}

const LONGEST_MS = 30_000;
/** How many rows are read between two looks at the clock. */
const ROWS_BETWEEN = 4096;

let statementBegan = performance.now();
let rowsRead = 0;

/** A statement begins to run. */
export function beginsToRun(): void {
  statementBegan = performance.now();
}

/** A row of a source was read. @throws UnsupportedError when its statement has kept everybody waiting for too long */
export function rowWasRead(): void {
  rowsRead += 1;
  if (rowsRead % ROWS_BETWEEN === 0 && performance.now() - statementBegan > LONGEST_MS) {
    throw new UnsupportedError('statements that run for more than 30 seconds');
  }
}
