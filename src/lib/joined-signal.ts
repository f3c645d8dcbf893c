/** One signal out of two. Not AbortSignal.any: on Node 20 each one stays referenced by a signal that lives as long as the daemon. */

/** Fires when one of the two does, with its reason, until `release` lets go of both. */
export function joinedSignal(a: AbortSignal, b: AbortSignal): { readonly signal: AbortSignal; readonly release: () => void } {
  const joined = new AbortController();
  const ends = [a, b].map((signal) => {
    const abort = (): void => joined.abort(signal.reason);
    if (signal.aborted) {
      abort();
    }
    signal.addEventListener('abort', abort, { once: true });
    return (): void => signal.removeEventListener('abort', abort);
  });
  return { signal: joined.signal, release: () => ends.forEach((end) => end()) };
}
