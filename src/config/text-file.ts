/**
 * The bytes of a configuration file as text: UTF-8, with or without a byte order mark. Every other encoding is refused by its name and never
 * guessed: a file read wrongly would be written back wrongly.
 */
import { readFileSync } from 'node:fs';
import { PatchwireError } from '../model/errors.ts';

const BYTE_ORDER_MARK = '\uFEFF';

export interface FileText {
  /** Without the byte order mark. */
  readonly text: string;
  readonly byteOrderMark: '' | typeof BYTE_ORDER_MARK;
}

/** The file's text. @throws PatchwireError PW-C101 when it cannot be read, PW-C102 when it is not UTF-8 */
export function readTextFile(path: string): FileText {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  return decodeText(bytes, path);
}

/** The bytes as text. @param origin how the message names them. @throws PatchwireError PW-C102 */
export function decodeText(bytes: Buffer, origin: string): FileText {
  const encoding = otherEncoding(bytes);
  if (encoding !== null) {
    throw new PatchwireError('PW-C102', `${origin}:1 is ${encoding}, not UTF-8`, {
      hint: 'Save the file as UTF-8.',
      details: { line: 1, encoding },
    });
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith(BYTE_ORDER_MARK) ? { text: text.slice(1), byteOrderMark: BYTE_ORDER_MARK } : { text, byteOrderMark: '' };
  } catch (error) {
    const line = badLine(bytes);
    throw new PatchwireError('PW-C102', `${origin}:${line} holds bytes that are not UTF-8`, {
      hint: 'Save the file as UTF-8: it looks like Latin-1 or a code page of Windows.',
      details: { line },
      cause: error,
    });
  }
}

/** What a file that cannot be read is refused with: PW-C101 with the system's own word for it. */
export function unreadable(path: string, error: unknown): PatchwireError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const told = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`;
  const hint = code === 'ENOENT' ? {} : { hint: 'Check that it is a file, and its rights.' };
  return new PatchwireError('PW-C101', `the configuration file ${path} ${told}`, {
    cause: error,
    details: { path, reason: code },
    ...hint,
  });
}

/** By the byte order marks of the others, or by the zero bytes that UTF-16 has without one. Source: Unicode 15, 23.8. */
function otherEncoding(bytes: Buffer): string | null {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xfe) {
    return c === 0 && d === 0 ? 'UTF-32 (little endian)' : 'UTF-16 (little endian)';
  }
  if (a === 0xfe && b === 0xff) {
    return 'UTF-16 (big endian)';
  }
  const zero = bytes.indexOf(0);
  return zero < 0 ? null : zero % 2 === 1 ? 'UTF-16 (little endian) or no text' : 'UTF-16 (big endian) or no text';
}

/** The first line, 1-based, whose bytes are not UTF-8. */
function badLine(bytes: Buffer): number {
  let line = 1;
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    if (!isUtf8(bytes.subarray(start, end))) {
      return line;
    }
    line += 1;
    start = end + 1;
  }
  return line;
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
