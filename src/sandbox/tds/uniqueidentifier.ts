/**
 * uniqueidentifier between its text and its sixteen bytes: the first three groups are little-endian. Source: MS-DTYP 2.3.4.2.
 */

const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** The bytes of a uniqueidentifier's text, whatever its case. */
export function guidToBytes(text: string): Buffer {
  const plain = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Buffer.from(ORDER.map((from) => plain.readUInt8(from)));
}

/** The text in upper case with hyphens, as values stand in memory. */
export function guidFromBytes(bytes: Buffer): string {
  const hex = Buffer.from(ORDER.map((from) => bytes.readUInt8(from)))
    .toString('hex')
    .toUpperCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
