/**
 * Identities: the data key (data-key.ts) folded under the columns' collations: equal exactly where SQL Server calls two keys equal, as far as
 * that can be known outside of SQL Server; where two spellings of one identity meet, SQL Server itself is asked.
 */
import { encodeDataKey } from './data-key.ts';

/** The collation of a character key column as far as identity needs it. */
export interface KeyCollation {
  readonly name: string;
  readonly caseSensitive: boolean;
  readonly accentSensitive: boolean;
  readonly widthSensitive: boolean;
  readonly kanaSensitive: boolean;
  /** _BIN or _BIN2: compared by code; only trailing spaces are ignored. */
  readonly binary: boolean;
}

/** Reads what a collation's name says: CI/CS, AI/AS, WS, KS, BIN, BIN2. Source: learn.microsoft.com, "Windows Collation Name". */
export function parseCollation(name: string): KeyCollation {
  const parts = name.toUpperCase().split('_');
  const has = (part: string): boolean => parts.includes(part);
  const binary = has('BIN') || has('BIN2');
  return {
    name,
    binary,
    caseSensitive: binary || has('CS'),
    accentSensitive: binary || !has('AI'),
    widthSensitive: binary || has('WS'),
    kanaSensitive: binary || has('KS'),
  };
}

/**
 * Folds one key value under its collation: trailing spaces never count; case, accents, width and kana count as the collation says.
 * `collation` is null for columns that are not characters: their canonical text is their identity.
 */
export function foldKeyValue(value: string, collation: KeyCollation | null): string {
  if (collation === null) {
    return value;
  }
  let folded = value.replace(/ +$/u, '');
  if (collation.binary) {
    return folded;
  }
  if (!collation.widthSensitive) {
    folded = folded.normalize('NFKC');
  }
  if (!collation.accentSensitive) {
    folded = folded.normalize('NFD').replace(/\p{Mn}+/gu, '');
  }
  if (!collation.kanaSensitive) {
    folded = folded.replace(/[\u30a1-\u30f6]/gu, (kana) => String.fromCharCode(kana.charCodeAt(0) - 0x60));
  }
  if (!collation.caseSensitive) {
    // In Turkish i and I are two letters with two cases each.
    folded = TURKIC.test(collation.name) ? folded.toLocaleUpperCase('tr').toLocaleLowerCase('tr') : folded.toUpperCase().toLowerCase();
  }
  folded = folded.replace(/[\u00df\u1e9e\u00e6\u00c6\u0153\u0152\u00fe\u00de]/gu, (letter) => EXPANSIONS[letter] ?? letter);
  return folded.normalize('NFC').replace(/ +$/u, '');
}

const TURKIC = /^(turkish|azeri)/i;

/**
 * Letters that the linguistic collations sort as two. Folding too much is safe (SQL Server is asked before two spellings of one identity are
 * taken as one row), folding too little is not.
 */
const EXPANSIONS: Readonly<Record<string, string>> = {
  '\u00df': 'ss',
  '\u1e9e': 'SS',
  '\u00e6': 'ae',
  '\u00c6': 'AE',
  '\u0153': 'oe',
  '\u0152': 'OE',
  '\u00fe': 'th',
  '\u00de': 'TH',
};

/**
 * The text that stands for a key value among those that SQL Server calls equal though their bytes differ, of types without a collation:
 * varbinary compares as if filled up with zeros (0x01 = 0x0100), datetimeoffset by its instant. Any other type's text is returned as it is.
 * Source: learn.microsoft.com, "binary and varbinary", "datetimeoffset".
 */
export function comparableKeyText(type: string, text: string): string {
  switch (type) {
    case 'varbinary': {
      const bytes = Buffer.from(text, 'base64');
      const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
      return bytes.subarray(0, length).toString('base64');
    }
    case 'datetimeoffset':
      return instantOf(text);
    default:
      return text;
  }
}

const OFFSET_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)((?:\.\d+)?)([+-])(\d\d):(\d\d)$/;

/** 2026-01-31T01:30:00.0000000+05:30 as 2026-01-30T20:00:00.0000000Z: an offset has whole minutes, so the fraction stays. */
function instantOf(text: string): string {
  const [, local = '', fraction = '', sign = '', hours = '0', minutes = '0'] = OFFSET_TIME.exec(text) ?? [];
  if (local === '') {
    return text;
  }
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  return `${new Date(Date.parse(`${local}Z`) - offsetMs).toISOString().slice(0, -5)}${fraction}Z`;
}

/** The identity of a key given by its values in key order. */
export function identityOf(values: readonly string[], collations: readonly (KeyCollation | null)[]): string {
  return encodeDataKey(values.map((value, i) => foldKeyValue(value, collations[i] ?? null)));
}
