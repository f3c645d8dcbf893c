/** A time that a caller sets. */

/** @throws RangeError for anything but a whole number, 0 or more. */
export function wholeMilliseconds(name: string, ms: number): number {
  if (!Number.isInteger(ms) || ms < 0) {
    throw new RangeError(`${name} takes a whole number of milliseconds, 0 or more; it is ${ms}`);
  }
  return ms;
}
