/**
 * JSON as SQL Server's functions see it: a tree that keeps each value's own text, so that no number changes, and the paths of JSON_VALUE,
 * JSON_QUERY and OPENJSON.
 */
import { SqlError } from '../session.ts';

export interface JsonNode {
  readonly kind: 'object' | 'array' | 'string' | 'number' | 'true' | 'false' | 'null';
  /** The text as it stands, without spaces around it. */
  readonly raw: string;
  /** Where it begins in the whole text. */
  readonly start: number;
  /** The characters of a string, the digits of a number, true, false, null. */
  readonly value: string;
  readonly items: readonly JsonNode[];
  /** Of an object, in order; a repeated name is there twice. */
  readonly members: readonly { readonly name: string; readonly start: number; readonly node: JsonNode }[];
}

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const MAX_DEPTH = 128;

/** A JSON text (an object, an array or, with `scalar`, any value), or null when it is none. */
export function parseJson(text: string, scalar = false): JsonNode | null {
  const reader = { text, at: 0 };
  const node = readValue(reader, 0);
  take(reader, SPACE);
  if (node === null || reader.at !== text.length) {
    return null;
  }
  return scalar || node.kind === 'object' || node.kind === 'array' ? node : null;
}

interface Reader {
  readonly text: string;
  at: number;
}

function take(reader: Reader, pattern: RegExp): string | null {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0];
  if (found === undefined) {
    return null;
  }
  reader.at += found.length;
  return found;
}

/** Control characters must be escaped. */
function takeString(reader: Reader): string | null {
  const raw = take(reader, STRING);
  return raw !== null && Array.from(raw).every((char) => char >= ' ') ? raw : null;
}

function takeChar(reader: Reader, char: string): boolean {
  take(reader, SPACE);
  if (reader.text[reader.at] !== char) {
    return false;
  }
  reader.at += 1;
  return true;
}

function readValue(reader: Reader, depth: number): JsonNode | null {
  take(reader, SPACE);
  const from = reader.at;
  const char = reader.text[from];
  if (depth > MAX_DEPTH) {
    return null;
  }
  if (char === '{') {
    return readObject(reader, from, depth);
  }
  if (char === '[') {
    return readArray(reader, from, depth);
  }
  if (char === '"') {
    const raw = takeString(reader);
    return raw === null ? null : leaf('string', raw, unquote(raw), from);
  }
  const word = take(reader, WORD);
  if (word === 'true' || word === 'false' || word === 'null') {
    return leaf(word, word, word, from);
  }
  const number = take(reader, NUMBER);
  return number === null ? null : leaf('number', number, number, from);
}

function unquote(raw: string): string {
  const parsed: unknown = JSON.parse(raw);
  return typeof parsed === 'string' ? parsed : '';
}

function leaf(kind: JsonNode['kind'], raw: string, value: string, start: number): JsonNode {
  return { kind, raw, value, start, items: [], members: [] };
}

function readObject(reader: Reader, from: number, depth: number): JsonNode | null {
  const members: { name: string; start: number; node: JsonNode }[] = [];
  reader.at += 1;
  if (!takeChar(reader, '}')) {
    do {
      take(reader, SPACE);
      const start = reader.at;
      const name = takeString(reader);
      if (name === null || !takeChar(reader, ':')) {
        return null;
      }
      const node = readValue(reader, depth + 1);
      if (node === null) {
        return null;
      }
      members.push({ name: unquote(name), start, node });
    } while (takeChar(reader, ','));
    if (!takeChar(reader, '}')) {
      return null;
    }
  }
  const raw = reader.text.slice(from, reader.at);
  return { kind: 'object', raw, value: raw, start: from, items: [], members };
}

function readArray(reader: Reader, from: number, depth: number): JsonNode | null {
  const items: JsonNode[] = [];
  reader.at += 1;
  if (!takeChar(reader, ']')) {
    do {
      const node = readValue(reader, depth + 1);
      if (node === null) {
        return null;
      }
      items.push(node);
    } while (takeChar(reader, ','));
    if (!takeChar(reader, ']')) {
      return null;
    }
  }
  const raw = reader.text.slice(from, reader.at);
  return { kind: 'array', raw, value: raw, start: from, items, members: [] };
}

export interface JsonPath {
  /** strict: a path that leads nowhere is an error. */
  readonly strict: boolean;
  readonly steps: readonly (string | number)[];
}

/** @throws SqlError 13607 when it is no path. */
export function parseJsonPath(text: string): JsonPath {
  const match = /^\s*(?:(lax|strict)\s+)?\$/i.exec(text);
  const steps: (string | number)[] = [];
  let at = match === null ? 0 : match[0].length;
  const step = /\.("(?:[^"\\]|\\.)*"|[\p{L}_$][\p{L}\p{N}_$]*)|\[(\d+)\]/uy;
  while (match !== null && at < text.trimEnd().length) {
    step.lastIndex = at;
    const found = step.exec(text);
    if (found === null) {
      break;
    }
    const [whole, name, index] = found;
    steps.push(index === undefined ? (name?.startsWith('"') === true ? unquote(name) : (name ?? '')) : Number(index));
    at += whole.length;
  }
  if (match === null || at < text.trimEnd().length) {
    throw new SqlError(
      13607,
      `JSON path is not properly formatted. Unexpected character '${text[at] ?? '.'}' is found at position ${at}.`,
      { state: 4 },
    );
  }
  return { strict: match[1]?.toLowerCase() === 'strict', steps };
}

/** A text as a JSON string, escaped as FOR JSON and STRING_ESCAPE do: the slash too. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replaceAll('/', String.raw`\/`);
}

/** The node that a path leads to, or null. */
export function selectJson(node: JsonNode, path: JsonPath): JsonNode | null {
  let current: JsonNode | null = node;
  for (const step of path.steps) {
    current =
      typeof step === 'number' ? (current.items[step] ?? null) : (current.members.find((member) => member.name === step)?.node ?? null);
    if (current === null) {
      return null;
    }
  }
  return current;
}

/** @throws SqlError 13609: the text is no JSON. */
export function requireJson(text: string): JsonNode {
  const node = parseJson(text);
  if (node === null) {
    const at = /[^ \t\r\n]/.exec(text);
    throw new SqlError(
      13609,
      `JSON text is not properly formatted. Unexpected character '${at?.[0] ?? '.'}' is found at position ${at?.index ?? 0}.`,
      { state: 4 },
    );
  }
  return node;
}
