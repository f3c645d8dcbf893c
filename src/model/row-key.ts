/**
 * Data keys and identities. The data key is the primary key's values in key order, each percent-encoded, joined by '|', as the row spells
 * them. The identity is the data key folded under the columns' collations: equal exactly where SQL Server calls two keys equal, as far as
 * that can be known outside of SQL Server; where two spellings of one identity meet, SQL Server itself is asked.
 */

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

/** Encodes the key's values (canonical texts in key order) as a data key. */
export function encodeDataKey(values: readonly string[]): string {
  return values.map(encodeURIComponent).join('|');
}

/** The values of a data key. @throws RangeError when it is none. */
export function decodeDataKey(dataKey: string): string[] {
  return dataKey.split('|').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw new RangeError(`not a data key: ${JSON.stringify(dataKey)}`);
    }
  });
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
    folded = folded.toUpperCase().toLowerCase();
  }
  return folded.normalize('NFC').replace(/ +$/u, '');
}

/** The identity of a key given by its values in key order. */
export function identityOf(values: readonly string[], collations: readonly (KeyCollation | null)[]): string {
  return encodeDataKey(values.map((value, i) => foldKeyValue(value, collations[i] ?? null)));
}
