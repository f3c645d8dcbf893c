/** JSON texts and the paths into them that OPENJSON takes. Numbers beyond what a JavaScript number holds keep the text's digits. */
import { SqlError } from '../session.ts';

/** A number kept as it was written. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** @throws SqlError 13609 for a text that is not JSON */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(markNumbers(text), (_, value: unknown) =>
      typeof value === 'string' && value.startsWith('\u0001') ? new JsonNumber(value.slice(1)) : value,
    );
  } catch (cause) {
    const error = new SqlError(13609, 'JSON text is not properly formatted. Unexpected character is found.', { state: 4 });
    error.cause = cause;
    throw error;
  }
}

/** Puts numbers that a double would change into marked strings. */
function markNumbers(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') || String(Number(token)) === token ? token : `"\\u0001${token}"`,
  );
}

export type JsonPath = readonly (string | number)[];

/** `$.a."b c"[0]`, with lax or strict in front. @throws SqlError 13607 */
export function parseJsonPath(text: string): JsonPath {
  const steps: (string | number)[] = [];
  let rest = text.trim().replace(/^(?:lax|strict)\s+/i, '');
  if (!rest.startsWith('$')) {
    throw badPath(text);
  }
  rest = rest.slice(1);
  while (rest !== '') {
    const match = /^\.(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_$][\w$]*))|^\[(\d+)\]/.exec(rest);
    if (match === null) {
      throw badPath(text);
    }
    steps.push(match[3] === undefined ? (match[1] ?? match[2] ?? '') : Number(match[3]));
    rest = rest.slice(match[0].length);
  }
  return steps;
}

function badPath(text: string): SqlError {
  return new SqlError(13607, `JSON path is not properly formatted. Unexpected character is found in '${text}'.`, { state: 4 });
}

/** What stands at a path; undefined when nothing does. */
export function jsonAt(value: unknown, path: JsonPath): unknown {
  let at = value;
  for (const step of path) {
    if (
      typeof at !== 'object' ||
      at === null ||
      at instanceof JsonNumber ||
      Array.isArray(at) !== (typeof step === 'number') ||
      !Object.hasOwn(at, step)
    ) {
      return undefined;
    }
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}

/** The `type` column of OPENJSON. */
export function jsonKind(value: unknown): number {
  return value === null
    ? 0
    : typeof value === 'string'
      ? 1
      : typeof value === 'number' || value instanceof JsonNumber
        ? 2
        : typeof value === 'boolean'
          ? 3
          : Array.isArray(value)
            ? 4
            : 5;
}

/** A value as text; objects and arrays as JSON when `nested`, else null. */
export function jsonScalar(value: unknown, nested: boolean): string | null {
  if (value === null || value === undefined) {
    return null;
  }
  if (value instanceof JsonNumber) {
    return value.text;
  }
  if (typeof value === 'object') {
    return nested ? stringify(value) : null;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function stringify(value: unknown): string {
  if (value instanceof JsonNumber) {
    return value.text;
  }
  if (Array.isArray(value)) {
    return `[${value.map(stringify).join(',')}]`;
  }
  return typeof value === 'object' && value !== null
    ? `{${Object.entries(value)
        .map(([key, each]) => `${JSON.stringify(key)}:${stringify(each)}`)
        .join(',')}}`
    : JSON.stringify(value);
}
