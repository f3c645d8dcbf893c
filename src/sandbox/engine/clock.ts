/** The sandbox's time: what the wall clock says and how long a wait takes. Tests put their own in. */

export interface SandboxClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls back once after `ms`. The returned function takes it back.
   * @param options.background a wait that nobody waits for: it keeps no process alive.
   */
  after(ms: number, callback: () => void, options?: { readonly background?: boolean }): () => void;
}

export const systemClock: SandboxClock = {
  now: () => Date.now(),
  after: (ms, callback, options) => {
    const timer = setTimeout(callback, ms);
    if (options?.background === true) {
      timer.unref();
    }
    return () => {
      clearTimeout(timer);
    };
  },
};
