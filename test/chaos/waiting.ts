/** Waiting for conditions, with a limit that names what did not come. */

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `look` gives something. An error of a look counts as nothing. @throws Error that names what did not come, and why not */
export async function until<T>(what: string, look: () => Promise<T | null>, limitMs: number, everyMs = 50): Promise<T> {
  const end = Date.now() + limitMs;
  let last: unknown = null;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== null) {
        return seen;
      }
      last = null;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`it did not come in ${limitMs / 1000} s: ${what}`, { cause: last });
    }
    await sleep(everyMs);
  }
}

/** The promise, or an error after so long: for what may hang. */
export async function within<T>(what: string, promise: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
