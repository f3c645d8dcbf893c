/** Cuts the text of a filter into tokens. Refuses every character that the filter grammar has no use for, naming its position (S210). */
import { PatchwireError } from '../../model/errors.ts';

export interface Token {
  /** name: a column; word: a keyword in upper case; the rest say what they are. `end` stands after the last token. */
  readonly kind: 'name' | 'word' | 'string' | 'number' | 'binary' | 'symbol' | 'end';
  /** Without quotes, unescaped. */
  readonly text: string;
  /** 1-based position of the first character. */
  readonly position: number;
}

const KEYWORDS = new Set(['AND', 'OR', 'NOT', 'IN', 'BETWEEN', 'LIKE', 'ESCAPE', 'IS', 'NULL']);

const PATTERN =
  /(?<space>\s+)|(?<string>N?'(?:[^']|'')*')|(?<bracket>\[(?:[^\]]|\]\])+\])|(?<quoted>"(?:[^"]|"")+")|(?<binary>0[xX][0-9A-Fa-f]*)|(?<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?<word>[\p{L}_][\p{L}\p{N}_@#$]*)|(?<symbol><>|<=|>=|[=<>(),-])/uy;

/** @throws PatchwireError PW-S210 */
export function filterTokens(text: string): readonly Token[] {
  const tokens: Token[] = [];
  PATTERN.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    PATTERN.lastIndex = at;
    const groups = PATTERN.exec(text)?.groups;
    if (groups === undefined) {
      throw refused(text, at + 1, `a column, a literal or an operator, not ${JSON.stringify(firstCharacter(text, at))}`);
    }
    const token = tokenOf(groups, at + 1);
    if (token !== null) {
      tokens.push(token);
    }
    at = PATTERN.lastIndex;
  }
  tokens.push({ kind: 'end', text: '', position: text.length + 1 });
  return tokens;
}

/** The error of every refusal: where, and what was expected there. */
export function refused(filter: string, position: number, expected: string): PatchwireError {
  return new PatchwireError('PW-S210', `The filter is not accepted at position ${position}: expected ${expected}.`, {
    details: { filter, position, expected },
  });
}

function tokenOf(groups: Readonly<Record<string, string | undefined>>, position: number): Token | null {
  const { string, bracket, quoted, binary, number, word, symbol } = groups;
  if (string !== undefined) {
    const body = string.slice(string.indexOf("'") + 1, -1);
    return { kind: 'string', text: body.replaceAll("''", "'"), position };
  }
  if (bracket !== undefined) {
    return { kind: 'name', text: bracket.slice(1, -1).replaceAll(']]', ']'), position };
  }
  if (quoted !== undefined) {
    return { kind: 'name', text: quoted.slice(1, -1).replaceAll('""', '"'), position };
  }
  if (binary !== undefined) {
    return { kind: 'binary', text: binary.slice(2).toUpperCase(), position };
  }
  if (number !== undefined) {
    return { kind: 'number', text: number, position };
  }
  if (word !== undefined) {
    const upper = word.toUpperCase();
    return KEYWORDS.has(upper) ? { kind: 'word', text: upper, position } : { kind: 'name', text: word, position };
  }
  return symbol === undefined ? null : { kind: 'symbol', text: symbol, position };
}

function firstCharacter(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}
