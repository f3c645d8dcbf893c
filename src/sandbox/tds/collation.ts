/**
 * Collations on the wire: their five bytes and the code page of their char and varchar data. It compares nothing: that is the language's.
 * A collation whose family is not in the table below counts as Latin1_General.
 */

/** What a collation means for the protocol. */
export interface WireCollation {
  /** Language id, flags, version and sort id, as COLMETADATA and ENVCHANGE carry them. Source: MS-TDS 2.2.5.1.2. */
  readonly bytes: Buffer;
  readonly encode: (text: string) => Buffer;
  readonly decode: (bytes: Buffer) => string;
}

const FLAG = { ignoreCase: 1, ignoreAccent: 2, ignoreKana: 4, ignoreWidth: 8, binary: 0x10, binary2: 0x20, utf8: 0x40 } as const;
const LATIN1 = { lcid: 0x0409, codePage: 'windows-1252' } as const;

/** Language ids and code pages of Windows collations. Source: "Windows Collation Name", learn.microsoft.com. */
const FAMILIES: ReadonlyMap<string, { readonly lcid: number; readonly codePage: string }> = new Map([
  ['latin1_general', LATIN1],
  ['danish_norwegian', { lcid: 0x0406, codePage: 'windows-1252' }],
  ['german_phonebook', { lcid: 0x0001_0407, codePage: 'windows-1252' }],
  ['greek', { lcid: 0x0408, codePage: 'windows-1253' }],
  ['finnish_swedish', { lcid: 0x040b, codePage: 'windows-1252' }],
  ['french', { lcid: 0x040c, codePage: 'windows-1252' }],
  ['hebrew', { lcid: 0x040d, codePage: 'windows-1255' }],
  ['polish', { lcid: 0x0415, codePage: 'windows-1250' }],
  ['cyrillic_general', { lcid: 0x0419, codePage: 'windows-1251' }],
  ['turkish', { lcid: 0x041f, codePage: 'windows-1254' }],
  ['modern_spanish', { lcid: 0x0c0a, codePage: 'windows-1252' }],
]);

/** Sort ids of SQL collations in code page 1252. Source: "SQL Server Collation Name", learn.microsoft.com. */
const SORT_IDS: ReadonlyMap<string, number> = new Map([
  ['sql_latin1_general_cp1_cs_as', 51],
  ['sql_latin1_general_cp1_ci_as', 52],
  ['sql_latin1_general_pref_cp1_ci_as', 53],
  ['sql_latin1_general_cp1_ci_ai', 54],
]);

/** Versions by the number in the name. */
const VERSIONS: ReadonlyMap<string, number> = new Map([
  ['90', 1],
  ['100', 2],
  ['140', 3],
]);

const known = new Map<string, WireCollation>();

/** The wire form of a collation by its name, e.g. SQL_Latin1_General_CP1_CI_AS (09 04 d0 00 34). */
export function wireCollation(name: string): WireCollation {
  const found = known.get(name);
  if (found !== undefined) {
    return found;
  }
  const collation = build(name.toLowerCase());
  known.set(name, collation);
  return collation;
}

/** The code page that five bytes from a client name; `fallback` when they are all zero, as in drivers that send none. */
export function decoderOf(bytes: Buffer, fallback: WireCollation): (data: Buffer) => string {
  if (bytes.equals(fallback.bytes) || bytes.readUInt32LE(0) === 0) {
    return fallback.decode;
  }
  const word = bytes.readUInt32LE(0);
  if (((word >>> 20) & 0xff & FLAG.utf8) !== 0) {
    return decodeUtf8;
  }
  const lcid = word & 0xf_ffff;
  const family = [...FAMILIES.values()].find((candidate) => candidate.lcid === lcid) ?? LATIN1;
  return codePage(family.codePage).decode;
}

function build(name: string): WireCollation {
  const parts = name.split('_');
  const has = (part: string): boolean => parts.includes(part);
  const utf8 = has('utf8');
  const family = FAMILIES.get(name.replace(/_(\d+_)?(bin|bin2|ci|cs)(_.*)?$/u, '')) ?? LATIN1;
  const version = parts.reduce((sum, part) => sum + (VERSIONS.get(part) ?? 0), 0);
  let flags = utf8 ? FLAG.utf8 : 0;
  if (has('bin')) {
    flags |= FLAG.binary;
  } else if (has('bin2')) {
    flags |= FLAG.binary2;
  } else {
    flags |= has('cs') ? 0 : FLAG.ignoreCase;
    flags |= has('ai') ? FLAG.ignoreAccent : 0;
    flags |= has('ks') ? 0 : FLAG.ignoreKana;
    flags |= has('ws') ? 0 : FLAG.ignoreWidth;
  }
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32LE((family.lcid | (flags << 20) | (version << 28)) >>> 0, 0);
  bytes.writeUInt8(SORT_IDS.get(name) ?? 0, 4);
  return utf8 ? { bytes, encode: encodeUtf8, decode: decodeUtf8 } : { bytes, ...codePage(family.codePage) };
}

function encodeUtf8(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

function decodeUtf8(bytes: Buffer): string {
  return bytes.toString('utf8');
}

interface CodePage {
  readonly encode: (text: string) => Buffer;
  readonly decode: (bytes: Buffer) => string;
}

/** Windows-1252 from 0x80, spelled out: Node 20's TextDecoder takes that label for ISO 8859-1. */
const WINDOWS_1252 =
  '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ' + Array.from({ length: 0x60 }, (_, i) => String.fromCharCode(0xa0 + i)).join('');

const codePages = new Map<string, CodePage>();

function codePage(label: string): CodePage {
  const found = codePages.get(label);
  if (found !== undefined) {
    return found;
  }
  const characters = label === LATIN1.codePage ? WINDOWS_1252 : charactersOf(label);
  const bytesOf = new Map(Array.from({ length: characters.length }, (_, i) => [characters.charAt(i), 0x80 + i]));
  // Bytes that stand for nothing all decode to this; it must not stand for one of them.
  bytesOf.delete('\uFFFD');
  const page: CodePage = {
    encode: (text) => encodeSingleByte(text, bytesOf),
    decode: (bytes) => decodeSingleByte(bytes, characters),
  };
  codePages.set(label, page);
  return page;
}

/** The characters of the bytes from 0x80, in order. */
function charactersOf(label: string): string {
  return new TextDecoder(label).decode(Uint8Array.from({ length: 0x80 }, (_, i) => 0x80 + i));
}

function decodeSingleByte(bytes: Buffer, characters: string): string {
  // ASCII, the usual case, needs no table.
  const text = bytes.toString('latin1');
  return text.replaceAll(/[\x80-\xff]/gu, (character) => characters.charAt(character.charCodeAt(0) - 0x80));
}

/** A character that the code page does not have becomes a question mark, as SQL Server's conversions do. */
function encodeSingleByte(text: string, bytesOf: ReadonlyMap<string, number>): Buffer {
  const out = Buffer.allocUnsafe(text.length);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    out[at++] = code < 0x80 ? code : (bytesOf.get(text.charAt(i)) ?? 0x3f);
  }
  return out;
}
