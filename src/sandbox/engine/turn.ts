/**
 * Turns of the sessions: this process has one thread, and a batch whose statements never wait would keep it for itself: other sessions, and
 * the attention that is to end it, would not be heard. Within a statement nothing is heard.
 */

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
