/** How a batch ends before its last statement. */

/** Ends the whole request: the error has been told already. */
export class BatchEnd extends Error {}

/** Ends the batch, but not the one that called it with EXEC. */
export class ScopeEnd extends Error {}

/** Does what may end the request, which is at its end anyway. */
export function atTheEnd(act: () => void): void {
  try {
    act();
  } catch (end) {
    if (!(end instanceof BatchEnd)) {
      throw end;
    }
  }
}
