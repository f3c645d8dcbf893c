/**
 * Turns the text of a column that is declared `json` into nested JSON, but only where writing it again would say the same: no number may
 * change, no member may vanish. Otherwise the text stays (R8).
 */
import type { JsonValue } from '../../model/document.ts';

/** Deeper nesting stays text: every later stage walks documents by recursion. */
const MAX_DEPTH = 100;

/** Where a string begins, numbers, and the colons that make members. */
const TOKEN = /"|-?\d[\d.eE+-]*|:/g;

/**
 * The nested value of a JSON object or array; scalars and what is no JSON stay text.
 * @param onKept called when a JSON object or array stays text because nesting it would change a number or lose a member
 */
export function parseJsonColumn(text: string, onKept: () => void): JsonValue {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof value !== 'object' || value === null) {
    return text;
  }
  const members = countMembers(value, 0);
  if (members === null || !isFaithful(text, members)) {
    onKept();
    return text;
  }
  return value as JsonValue;
}

/** Whether every number of the text keeps its value, and no member is written twice. */
function isFaithful(text: string, members: number): boolean {
  let colons = 0;
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
    const [literal] = token;
    if (literal === '"') {
      TOKEN.lastIndex = endOfString(text, token.index);
    } else if (literal === ':') {
      colons += 1;
    } else if (!keepsItsValue(literal)) {
      return false;
    }
  }
  return colons === members;
}

/** Behind the closing quote. Not by one expression: V8 gives up on one that walks through some million characters of a string. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') {
      backslashes += 1;
    }
    if (backslashes % 2 === 0) {
      return quote + 1;
    }
  }
  return text.length;
}

function keepsItsValue(literal: string): boolean {
  // Fifteen significant digits always survive a double.
  if (literal.length <= 15 && !/[eE]/.test(literal)) {
    return true;
  }
  const number = Number(literal);
  return Number.isFinite(number) && decimalOf(literal) === decimalOf(String(number));
}

/** A canonical spelling of a decimal literal: significant digits and the exponent of the last one. */
function decimalOf(literal: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal);
  if (match === null) {
    return literal;
  }
  const [, sign = '', whole = '', part = '', exponent = '0'] = match;
  const digits = `${whole}${part}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') {
    return '0';
  }
  return `${sign}${significant}e${BigInt(exponent) - BigInt(part.length) + BigInt(digits.length - significant.length)}`;
}

/** Members of all objects in the value; null when it is too deep. */
function countMembers(value: unknown, depth: number): number | null {
  if (typeof value !== 'object' || value === null) {
    return 0;
  }
  if (depth >= MAX_DEPTH) {
    return null;
  }
  const children: unknown[] = Object.values(value);
  let members = Array.isArray(value) ? 0 : children.length;
  for (const child of children) {
    const nested = countMembers(child, depth + 1);
    if (nested === null) {
      return null;
    }
    members += nested;
  }
  return members;
}
