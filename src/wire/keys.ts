/**
 * The names of everything in Redis. All keys of a section share the hash tag {partition:section}, so that a section lives on one slot of a
 * Redis Cluster.
 */

/** What partition and section names may look like. */
export const NAME_PATTERN = /^[A-Za-z0-9_.-]+$/;

export interface SectionKeys {
  /** The prefix of documents: append the data key. */
  readonly document: string;
  readonly index: string;
  readonly meta: string;
  readonly changes: string;
  readonly lease: string;
  readonly quarantine: string;
  readonly requests: string;
  readonly operations: string;
  /** Who listens: a hint that subscribers write where they may. */
  readonly subscribers: string;
  readonly channel: string;
  /** The same chain without bodies: keys and versions (`manager.invalidations`). */
  readonly keysChannel: string;
}

/** The keys of one section. @throws RangeError when a name is not allowed. */
export function sectionKeys(partition: string, section: string): SectionKeys {
  for (const name of [partition, section]) {
    if (!NAME_PATTERN.test(name)) {
      throw new RangeError(`not a partition or section name: ${JSON.stringify(name)}`);
    }
  }
  const tag = `{${partition}:${section}}`;
  return {
    document: `${tag}:`,
    index: `${tag}/index`,
    meta: `${tag}/meta`,
    changes: `${tag}/changes`,
    lease: `${tag}/lease`,
    quarantine: `${tag}/quarantine`,
    requests: `${tag}/requests`,
    operations: `${tag}/operations`,
    subscribers: `${tag}/subscribers`,
    channel: `__dataChanged:${tag}`,
    keysChannel: `__dataKeys:${tag}`,
  };
}

/** Keys of a whole partition: on a slot of their own. @throws RangeError when the name is not allowed. */
export function partitionKeys(partition: string): { readonly daemons: string; readonly audit: string } {
  if (!NAME_PATTERN.test(partition)) {
    throw new RangeError(`not a partition name: ${JSON.stringify(partition)}`);
  }
  return { daemons: `{${partition}}/daemons`, audit: `{${partition}}/audit` };
}

/** The value of an index entry: the version, and the data key behind a space where it is spelled differently from the identity. */
export function encodeIndexEntry(entry: { readonly version: string; readonly identity: string; readonly dataKey: string }): string {
  return entry.dataKey === entry.identity ? entry.version : `${entry.version} ${entry.dataKey}`;
}

export function decodeIndexEntry(identity: string, value: string): { readonly version: string; readonly dataKey: string } {
  const space = value.indexOf(' ');
  return space < 0 ? { version: value, dataKey: identity } : { version: value.slice(0, space), dataKey: value.slice(space + 1) };
}
