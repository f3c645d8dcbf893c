/**
 * Comparison of texts under a collation name. Sensitivity comes from the name (CI/CS, AI/AS, KS, WS, _BIN, _BIN2); the alphabet's order is
 * that of ICU's root locale, which is near SQL Server's tables but not the same for every symbol. Trailing spaces never count.
 */
import { SqlError } from '../session.ts';

export interface Collation {
  readonly name: string;
  readonly binary: boolean;
  readonly ignoreCase: boolean;
  readonly ignoreAccent: boolean;
  readonly ignoreWidth: boolean;
  readonly ignoreKana: boolean;
  /** Below 0, 0 or above 0. */
  compare(a: string, b: string): number;
  /** Equal exactly for texts that compare as equal; says nothing of their order. */
  key(text: string): string;
  /** What the collation ignores taken away, trailing spaces kept: for LIKE, CHARINDEX and REPLACE. */
  fold(text: string): string;
}

const cache = new Map<string, Collation>();

/** What stands before the sensitivities, without its version or code page. */
const FAMILY = /^((?:SQL_)?[A-Za-z][A-Za-z0-9_]*?)(?:_(?:90|100|140|160))?(?:_CP\d+|_Pref_CP\d+)?_(?:BIN|C[IS]_A[IS])/i;

/** Source: learn.microsoft.com "Windows collation name (Transact-SQL)", "SQL Server collation name (Transact-SQL)". */
const FAMILIES: ReadonlySet<string> = new Set(
  (
    'albanian arabic assamese azeri_cyrillic azeri_latin bashkir bengali bosnian_cyrillic bosnian_latin breton chinese_hong_kong_stroke ' +
    'chinese_prc chinese_prc_stroke chinese_simplified_pinyin chinese_simplified_stroke_order chinese_taiwan_bopomofo chinese_taiwan_stroke ' +
    'chinese_traditional_bopomofo chinese_traditional_pinyin chinese_traditional_stroke_count chinese_traditional_stroke_order corsican ' +
    'croatian cyrillic_general czech danish_greenlandic danish_norwegian dari divehi estonian finnish_swedish french frisian ' +
    'georgian_modern_sort german_phonebook greek hebrew hungarian hungarian_technical icelandic indic_general japanese ' +
    'japanese_bushu_kakusu japanese_unicode japanese_xjis kazakh khmer korean korean_wansung lao latin1_general latvian lithuanian ' +
    'macedonian macedonian_fyrom maltese maori mapudungan modern_spanish mohawk nepali norwegian pashto persian polish romanian romansh ' +
    'sami_norway sami_sweden_finland serbian_cyrillic serbian_latin slovak slovenian syriac tamazight tatar thai tibetan traditional_spanish ' +
    'turkish turkmen uighur ukrainian upper_sorbian urdu uzbek_latin vietnamese welsh yakut ' +
    'sql_1xcompat sql_altdiction sql_altdiction2 sql_croatian sql_czech sql_danish sql_estonian sql_hungarian sql_icelandic ' +
    'sql_latin1_general sql_latvian sql_lithuanian sql_maltese sql_polish sql_romanian sql_scandinavian sql_slovak sql_slovenian ' +
    'sql_swedishphone sql_swedishstd sql_ukrainian sql_ebcdic037'
  ).split(' '),
);

/** Whether a name has the form of a collation: a family, then its sensitivities. */
export function isCollationName(name: string): boolean {
  const family = FAMILY.exec(name)?.[1]?.toLowerCase() ?? '';
  if (!FAMILIES.has(family)) {
    return false;
  }
  return /^[A-Za-z][A-Za-z0-9_]*_(?:BIN2?|C[IS]_A[IS](?:_KS)?(?:_WS)?(?:_VSS)?(?:_SC)?)(?:_UTF8)?$/i.test(name);
}

/** @throws SqlError 448 when there is no such collation. */
export function collationOf(name: string): Collation {
  const found = cache.get(name);
  if (found !== undefined) {
    return found;
  }
  if (!isCollationName(name)) {
    throw new SqlError(448, `Invalid collation '${name}'.`);
  }
  const collation = build(name);
  cache.set(name, collation);
  return collation;
}

/** Key of a text under a collation: equal exactly for texts that are equal there. */
export function collationKey(text: string, collation: string): string {
  return collationOf(collation).key(text);
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 32) {
    end -= 1;
  }
  return end === text.length ? text : text.slice(0, end);
}

function build(name: string): Collation {
  const parts = name.toUpperCase().split('_');
  if (parts.includes('BIN') || parts.includes('BIN2')) {
    return {
      name,
      binary: true,
      ignoreCase: false,
      ignoreAccent: false,
      ignoreWidth: false,
      ignoreKana: false,
      compare: compareBinary,
      key: trimEnd,
      fold: (text) => text,
    };
  }
  const ignoreCase = parts.includes('CI');
  const ignoreAccent = parts.includes('AI');
  const ignoreWidth = !parts.includes('WS');
  const ignoreKana = !parts.includes('KS');
  const fold = folding({ ignoreCase, ignoreAccent, ignoreWidth, ignoreKana });
  const collator = new Intl.Collator('en', { sensitivity: 'variant', caseFirst: 'lower' });
  // Width may make an ideographic space a plain one, so the end is trimmed last.
  const key = (text: string): string => trimEnd(fold(text));
  return {
    name,
    binary: false,
    ignoreCase,
    ignoreAccent,
    ignoreWidth,
    ignoreKana,
    compare: (a, b) => {
      if (a === b) {
        return 0;
      }
      const keyA = key(a);
      const keyB = key(b);
      if (keyA === keyB) {
        return 0;
      }
      // Two different keys never compare as equal, even where ICU ignores what distinguishes them.
      return collator.compare(keyA, keyB) || (keyA < keyB ? -1 : 1);
    },
    key,
    fold,
  };
}

/** By code unit, the shorter padded with spaces. */
function compareBinary(a: string, b: string): number {
  const length = Math.max(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = index < a.length ? a.charCodeAt(index) : 32;
    const right = index < b.length ? b.charCodeAt(index) : 32;
    if (left !== right) {
      return left - right;
    }
  }
  return 0;
}

/** Letters that linguistic collations sort as two. */
const EXPANSIONS: ReadonlyMap<string, string> = new Map([
  ['ß', 'ss'],
  ['ẞ', 'SS'],
  ['æ', 'ae'],
  ['Æ', 'AE'],
  ['œ', 'oe'],
  ['Œ', 'OE'],
  ['þ', 'th'],
  ['Þ', 'TH'],
]);

/** The characters of the text with what the collation ignores taken away. */
function folding(options: Record<'ignoreCase' | 'ignoreAccent' | 'ignoreWidth' | 'ignoreKana', boolean>): (text: string) => string {
  return (text) => {
    let folded = text;
    // Plain ASCII needs the case only.
    if (/[^\0-\u007f]/.test(folded)) {
      if (options.ignoreWidth) {
        folded = folded
          .replaceAll(/[\uff01-\uff5e]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0))
          .replaceAll('\u3000', ' ');
        folded = folded.replaceAll(/[\uff61-\uff9f]+/g, (run) => run.normalize('NFKC'));
      }
      if (options.ignoreKana) {
        folded = folded.replaceAll(/[\u30a1-\u30f6]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0x60));
      }
      folded = folded.replaceAll(/[ßẞæÆœŒþÞ]/g, (letter) => EXPANSIONS.get(letter) ?? letter);
      folded = options.ignoreAccent ? folded.normalize('NFD').replaceAll(/\p{Mn}/gu, '') : folded.normalize('NFC');
      if (options.ignoreCase) {
        return folded.replaceAll(/[^\0-\u007f]+|[A-Z]+/g, (run) => run.toLowerCase());
      }
      return folded;
    }
    return options.ignoreCase ? folded.toLowerCase() : folded;
  };
}

/** One label decides a text expression's collation. Source: learn.microsoft.com "Collation precedence". */
export type CollationLabel = 'default' | 'implicit' | 'explicit' | 'none';

export interface LabelledCollation {
  readonly collation: string;
  readonly label: CollationLabel;
}

/**
 * The collation of two texts that meet.
 * @throws SqlError 468 when two explicit ones differ; differing implicit ones give the label 'none', an error where a collation is needed.
 */
export function meetCollations(a: LabelledCollation, b: LabelledCollation, operation: string): LabelledCollation {
  const same = a.collation.toLowerCase() === b.collation.toLowerCase();
  if (a.label === 'explicit' || b.label === 'explicit') {
    if (a.label === b.label && !same) {
      throw collationConflict(a.collation, b.collation, operation);
    }
    return a.label === 'explicit' ? a : b;
  }
  if (a.label === 'none' || b.label === 'none') {
    return a.label === 'none' ? a : b;
  }
  if (a.label === 'implicit' && b.label === 'implicit') {
    return same ? a : { collation: a.collation, label: 'none' };
  }
  return a.label === 'implicit' ? a : b;
}

export function collationConflict(a: string, b: string, operation: string): SqlError {
  return new SqlError(468, `Cannot resolve the collation conflict between "${a}" and "${b}" in the ${operation} operation.`, { state: 9 });
}
