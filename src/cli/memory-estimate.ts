/**
 * How much memory a section takes in Redis, from a sample of its rows. Per row: the document (key, value, the entry of the keyspace) and its
 * entry in the index (identity, version). Beside them at most manager.replay.maxBytes for the change log of the section.
 * Source of the sizes: Redis 7, 64 bit: dict.h (dictEntry 24 bytes and a bucket of 8, between half and all of them used), object.c (robj 16
 * bytes, texts to 44 bytes inside it), sds.h (headers of 2 to 6 bytes with the final zero), jemalloc's size classes.
 */

/** One row of the sample. */
export interface SampledRow {
  readonly dataKey: string;
  readonly identity: string;
  readonly document: unknown;
}

export interface MemoryEstimate {
  /** Rows that were looked at. */
  readonly sampled: number;
  /** Bytes of a document as JSON, on average. */
  readonly documentBytes: number;
  /** Bytes of Redis for one row, its share of the index included. */
  readonly rowBytes: number;
  /** All rows. */
  readonly totalBytes: number;
}

const DICT_ENTRY = 24;
/** Tables double: between one and two buckets of 8 bytes an entry. */
const BUCKET = 12;
const OBJECT = 16;
/** What a version, or an entry's own length in a listpack, takes: it hardly matters. */
const VERSION_BYTES = 12;
/** Smaller hashes are stored in one piece. Source: redis.conf, hash-max-listpack-entries. */
const LISTPACK_ROWS = 512;

/** @param prefix what stands before the data key: `{shop:Orders}:` */
export function estimateMemory(
  rows: readonly SampledRow[],
  { total, prefix }: { readonly total: number; readonly prefix: string },
): MemoryEstimate {
  const sizes = rows.map(({ dataKey, identity, document }) => {
    const documentBytes = Buffer.byteLength(JSON.stringify(document) ?? '');
    const key = DICT_ENTRY + BUCKET + text(Buffer.byteLength(prefix + dataKey));
    const value = documentBytes <= 44 ? allocated(OBJECT + documentBytes + 4) : OBJECT + text(documentBytes);
    const identityBytes = Buffer.byteLength(identity);
    const index = total <= LISTPACK_ROWS ? identityBytes + VERSION_BYTES : DICT_ENTRY + BUCKET + text(identityBytes) + text(VERSION_BYTES);
    return { documentBytes, rowBytes: key + value + index };
  });
  const average = (of: (size: (typeof sizes)[number]) => number): number =>
    sizes.length === 0 ? 0 : sizes.reduce((sum, size) => sum + of(size), 0) / sizes.length;
  const rowBytes = average((size) => size.rowBytes);
  return {
    sampled: rows.length,
    documentBytes: Math.round(average((size) => size.documentBytes)),
    rowBytes: Math.round(rowBytes),
    totalBytes: Math.round(rowBytes * total),
  };
}

/** A text of Redis (sds): its header, its bytes, a zero. */
function text(bytes: number): number {
  const header = bytes < 32 ? 2 : bytes < 256 - 4 ? 4 : bytes < 65_536 - 6 ? 6 : 10;
  return allocated(bytes + header);
}

/** What jemalloc gives for so many bytes: multiples of 16 to 128, then four classes in each doubling. */
function allocated(bytes: number): number {
  if (bytes <= 128) {
    return bytes <= 8 ? 8 : Math.ceil(bytes / 16) * 16;
  }
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
  return Math.ceil(bytes / step) * step;
}

/** `4.1 MiB` */
export function showBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[power] ?? ''}`;
}
