/** A value with the source version that its database had when it was read. Nothing but the two. */

export class ReadAt<V> {
  readonly value: V;
  readonly version: string;

  constructor(value: V, version: string) {
    this.value = value;
    this.version = version;
  }
}

/**
 * What a load returns that read the version first, by `SELECT CHANGE_TRACKING_CURRENT_VERSION()` on the connection of the read: needed wherever the
 * read may see an older state than the one that was told of, as on a readable secondary or in a transaction that is open already.
 */
export function readAt<V>(version: bigint | string, value: V): ReadAt<V> {
  return new ReadAt(value, String(version));
}
