/**
 * Data keys: the primary key's values in key order, each percent-encoded, joined by '|', as the row spells them. What of them SQL Server calls
 * equal is row-key.ts's; a program that subscribes loads that with the Redis client.
 */

/** With the u flag a pair is one character, so that this finds lone surrogates only. */
const ILL_FORMED = /\p{Surrogate}/u;

/** A surrogate without its partner: nvarchar stores UCS-2 units, so a key may hold one. */
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The three bytes that UTF-8 would give to a surrogate, percent-encoded. No well-formed text encodes to them. */
const ENCODED_SURROGATE = /%ED%([AB][0-9A-F])%([89AB][0-9A-F])/gi;

/** Encodes the key's values (canonical texts in key order) as a data key: injective over all strings, lone surrogates included. */
export function encodeDataKey(values: readonly string[]): string {
  const first = values[0];
  return values.length === 1 && first !== undefined ? encodeValue(first) : values.map(encodeValue).join('|');
}

/** The values of a data key. @throws RangeError when it is none. */
export function decodeDataKey(dataKey: string): string[] {
  return dataKey.split('|').map((part) => {
    try {
      return decodeValue(part);
    } catch {
      throw new RangeError(`not a data key: ${JSON.stringify(dataKey)}`);
    }
  });
}

/** Percent-encoding of UTF-8 as encodeURIComponent does it; a lone surrogate, at which that throws, as its generalised UTF-8. */
function encodeValue(value: string): string {
  if (!ILL_FORMED.test(value)) {
    return encodeURIComponent(value);
  }
  let encoded = '';
  let end = 0;
  for (const match of value.matchAll(LONE_SURROGATE)) {
    const unit = value.charCodeAt(match.index);
    encoded += encodeURIComponent(value.slice(end, match.index));
    encoded += `%ED%${hex(0x80 | ((unit >> 6) & 0x3f))}%${hex(0x80 | (unit & 0x3f))}`;
    end = match.index + 1;
  }
  return encoded + encodeURIComponent(value.slice(end));
}

function decodeValue(part: string): string {
  let decoded = '';
  let end = 0;
  for (const match of part.matchAll(ENCODED_SURROGATE)) {
    const [text, second, third] = match;
    decoded += decodeURIComponent(part.slice(end, match.index));
    decoded += String.fromCharCode(0xd000 | ((Number.parseInt(second ?? '', 16) & 0x3f) << 6) | (Number.parseInt(third ?? '', 16) & 0x3f));
    end = match.index + text.length;
  }
  return decoded + decodeURIComponent(part.slice(end));
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase();
}
