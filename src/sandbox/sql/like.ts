/** LIKE and PATINDEX: %, _, [set], [^set] and ESCAPE, under a collation. */
import { SqlError } from '../session.ts';
import type { Collation } from './collation.ts';
import { JOINT, joinedText } from './folded-text.ts';

/** Characters that mean something in a regular expression. */
const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g;

function literally(plain: string): string {
  return plain.replace(SPECIAL, String.raw`\$&`);
}

/** How a pattern's pieces are written as regular expressions over folded text, or over text whose expanded letters are joined. */
interface Form {
  readonly text: (plain: string) => string;
  readonly any: string;
  /** @param expanded the sources of what matches joined letters */
  set(negated: boolean, singles: string, expanded: readonly string[]): string;
}

/** Every letter folds to as many as it was. */
const FOLDED: Form = {
  text: literally,
  any: '[^]',
  set: (negated, singles) => (singles === '' ? (negated ? '[^]' : '(?!)') : `[${negated ? '^' : ''}${singles}]`),
};

/** Some letter folds to several: they are found one by one, and a wildcard takes them all. */
const JOINED: Form = {
  text: (plain) => (plain === '' ? '' : `(?<!${JOINT})${Array.from(plain, literally).join(`${JOINT}?`)}(?!${JOINT})`),
  any: `(?<!${JOINT})[^](?:${JOINT}[^])*`,
  set: (negated, singles, expanded) => {
    const members = [...(singles === '' ? [] : [`[${singles}]`]), ...expanded];
    const held = `(?:${members.join('|')})(?!${JOINT})`;
    return members.length === 0 ? (negated ? JOINED.any : '(?!)') : negated ? `(?!${held})${JOINED.any}` : `(?<!${JOINT})${held}`;
  },
};

/**
 * What stands between the % of a pattern, each as the source of a regular expression over folded text. From one place none of them can match
 * texts of two lengths: so the first place where one fits is the best, and no pattern costs more than its length times the text's.
 * @param escape one character, or null.
 * @throws SqlError 506 when ESCAPE is not one character.
 */
function likeParts(pattern: string, escape: string | null, collation: Collation, form: Form): string[] {
  if (escape !== null && escape.length !== 1) {
    throw new SqlError(506, `The invalid escape character "${escape}" was specified in a LIKE predicate.`);
  }
  const parts: string[] = [];
  let source = '';
  let plain = '';
  const flush = (): void => {
    source += form.text(collation.fold(plain));
    plain = '';
  };
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern[at] ?? '';
    if (char === escape && at + 1 < pattern.length) {
      at += 1;
      plain += pattern[at] ?? '';
    } else if (char === '%') {
      flush();
      parts.push(source);
      source = '';
    } else if (char === '_') {
      flush();
      source += form.any;
    } else if (char === '[') {
      const end = setEnd(pattern, at, escape);
      if (end < 0) {
        // A set without an end matches nothing.
        return ['(?!)'];
      }
      flush();
      source += setSource(pattern.slice(at + 1, end), escape, collation, form);
      at = end;
    } else {
      plain += char;
    }
  }
  flush();
  return [...parts, source];
}

/**
 * A search for a pattern. A wildcard stands for a character of the text itself, whatever the collation makes of it.
 * @returns where what follows a leading % begins, 0 without one; -1 where the text is not like the pattern
 * @throws SqlError 506
 */
export function likeSearch(pattern: string, escape: string | null, collation: Collation): (text: string) => number {
  const search = searchIn(pattern, likeParts(pattern, escape, collation, FOLDED));
  let inJoined: typeof search | null = null;
  return (text) => {
    const folded = collation.fold(text);
    if (folded.length === text.length) {
      return search(folded);
    }
    const joined = joinedText(text, collation);
    inJoined ??= searchIn(pattern, likeParts(pattern, escape, collation, JOINED));
    const found = inJoined(joined.folded);
    return found < 0 ? -1 : joined.placeOf(found);
  };
}

function searchIn(pattern: string, parts: readonly string[]): (folded: string) => number {
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) {
    const whole = new RegExp(`^${first}$`);
    return (folded) => (whole.test(folded) ? 0 : -1);
  }
  const begin = new RegExp(first, 'y');
  const between = rest.map((part) => new RegExp(part, 'g'));
  const end = new RegExp(`${last}$`, 'g');
  const open = pattern.startsWith('%');
  return (folded) => {
    begin.lastIndex = 0;
    if (!begin.test(folded)) {
      return -1;
    }
    let at = begin.lastIndex;
    let start = open ? -1 : 0;
    for (const part of [...between, end]) {
      part.lastIndex = at;
      const found = part.exec(folded);
      if (found === null) {
        return -1;
      }
      start = start < 0 ? (part === end && last === '' ? at : found.index) : start;
      at = found.index + found[0].length;
    }
    return start;
  };
}

/** Where the set that begins at `from` ends, or -1. The first ] ends it: [] is a set of nothing. */
function setEnd(pattern: string, from: number, escape: string | null): number {
  for (let at = from + (pattern[from + 1] === '^' ? 2 : 1); at < pattern.length; at += 1) {
    if (pattern[at] === escape) {
      at += 1;
    } else if (pattern[at] === ']') {
      return at;
    }
  }
  return -1;
}

function setSource(set: string, escape: string | null, collation: Collation, form: Form): string {
  const negated = set.startsWith('^');
  let singles = '';
  const expanded: string[] = [];
  const add = (char: string): void => {
    const folded = collation.fold(char);
    if (folded.length > 1) {
      expanded.push(Array.from(folded, literally).join(JOINT));
    } else {
      singles += literally(folded);
    }
  };
  for (let at = negated ? 1 : 0; at < set.length; at += 1) {
    if (set[at] === escape && at + 1 < set.length) {
      at += 1;
      add(set[at] ?? '');
    } else if (set[at + 1] === '-' && at + 2 < set.length) {
      const [low, high] = [collation.fold(set[at] ?? ''), collation.fold(set[at + 2] ?? '')];
      if (low.length === 1 && high.length === 1 && low <= high) {
        const range = `${literally(low)}-${literally(high)}`;
        singles += range;
        // A letter that sorts as several comes after its first: ß is in a-z, not in a-s.
        expanded.push(`(?!${literally(high)})[${range}]${JOINT}[^]`);
      }
      at += 2;
    } else {
      add(set[at] ?? '');
    }
  }
  return form.set(negated, singles, expanded);
}

export type LikeMatcher = (text: string) => boolean;

/**
 * A matcher of whole texts.
 * @param ignoreTrailing whether trailing spaces of the text may be left out, as for char and varchar.
 */
export function likeMatcher(pattern: string, escape: string | null, collation: Collation, ignoreTrailing: boolean): LikeMatcher {
  const search = likeSearch(pattern, escape, collation);
  return (text) => search(text) >= 0 || (ignoreTrailing && text.endsWith(' ') && search(text.trimEnd()) >= 0);
}
