/**
 * Code page 1252, the one of the default collation. Node 20's TextDecoder reads windows-1252 as Latin-1, so the table is here.
 * Source: the Unicode Consortium's CP1252 table. Its five holes map to themselves, as Windows has it.
 */

/** The characters of the bytes 0x80 to 0x9F. */
const UPPER = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** Characters of bytes. */
export function decodeLatin(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replaceAll(/[\u0080-\u009f]/g, (char) => UPPER[char.charCodeAt(0) - 0x80] ?? char);
}

/** Bytes of characters; what the code page has not becomes '?'. */
export function encodeLatin(text: string): Buffer {
  return Buffer.from(
    text.replaceAll(/[^\0-\u007f\u00a0-\u00ff]/g, (char) => {
      const at = UPPER.indexOf(char);
      return at < 0 ? '?' : String.fromCharCode(0x80 + at);
    }),
    'latin1',
  );
}

/** Whether the code page has a character. */
export function inLatin(char: string): boolean {
  return char <= '\u007f' || (char >= '\u00a0' && char <= '\u00ff') || UPPER.includes(char);
}
