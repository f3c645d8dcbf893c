/** The sandbox's time: what the wall clock says and how long a wait takes. Tests put their own in. */

export interface SandboxClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after `ms`. The returned function takes it back. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: SandboxClock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};
