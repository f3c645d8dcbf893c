/**
 * A change tracking version: a bigint in code, a decimal string wherever it leaves the process, never a JavaScript number
 * (SQL Server's bigint reaches 2^63 - 1). Versions compare only within one epoch.
 */

export type Version = bigint;

const DECIMAL = /^(0|[1-9][0-9]{0,18})$/;

/** Reads a version from its decimal text. @throws RangeError when the text is no canonical non-negative bigint of SQL Server. */
export function parseVersion(text: string): Version {
  if (!DECIMAL.test(text)) {
    throw new RangeError(`not a version: ${JSON.stringify(text)}`);
  }
  return BigInt(text);
}

export function formatVersion(version: Version): string {
  return version.toString();
}

/** The order of two versions given as canonical decimal strings: by length, then by characters, as the Redis scripts compare them. */
export function compareVersionTexts(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export function maxVersion(a: Version, b: Version): Version {
  return a > b ? a : b;
}
