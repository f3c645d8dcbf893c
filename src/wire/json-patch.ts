/**
 * JSON Patches (RFC 6902) between two states of a document, made and applied with fast-json-patch: the one place that imports it.
 * Decides nothing about versions or keys. Its default import is the only one that works in Node's ESM.
 */
import jsonPatch from 'fast-json-patch';
import type { Document, JsonValue, Patch, PatchOperation } from '../model/document.ts';

/**
 * The patch that turns `prev` into `next`: empty when they are equal (the order of properties does not count). null is "no document": a new
 * one is one `add` of the whole, a removed one one `remove` of the whole.
 *
 * Properties named `__proto__` or `constructor` may not be patched one by one (fast-json-patch refuses to walk through them, and other
 * libraries do worse), so a column that holds one, at any depth, is replaced whole; a column of that name makes it a replacement of the document.
 */
export function diff(prev: Document | null, next: Document | null): Patch {
  if (prev === null) {
    return next === null ? [] : [{ op: 'add', path: '', value: next }];
  }
  if (next === null) {
    return [{ op: 'remove', path: '' }];
  }
  const unsafe = unsafeColumns(prev, next);
  if (unsafe === null) {
    return compare(prev, next);
  }
  if (unsafe.some(isUnsafeName)) {
    return compare(prev, next).length === 0 ? [] : [{ op: 'replace', path: '', value: next }];
  }
  return [...compare(without(prev, unsafe), without(next, unsafe)), ...unsafe.flatMap((column) => replacement(prev, next, column))];
}

/**
 * The document after the patch; null when the patch removes it. `prev` stays as it is; what is returned shares nothing with it or the patch, but is
 * `prev` itself where the patch has no operations.
 * @throws Error when the patch does not fit the document
 */
export function applyPatch(prev: Document | null, patch: Patch): Document | null {
  if (patch.length === 0) {
    return prev;
  }
  // fast-json-patch deep-clones the document but aliases the values of the patch.
  const copy = structuredClone(patch) as unknown as jsonPatch.Operation[];
  return jsonPatch.applyPatch<unknown>(prev, copy, true, false).newDocument as Document | null;
}

function compare(prev: Document, next: Document): readonly PatchOperation[] {
  return jsonPatch.compare(prev, next) as unknown as readonly PatchOperation[];
}

function isUnsafeName(name: string): boolean {
  return name === '__proto__' || name === 'constructor';
}

/** The columns of either document that have, or are, a property that may not be patched; null (nearly always) when there are none. */
function unsafeColumns(prev: Document, next: Document): string[] | null {
  let found: Set<string> | null = null;
  for (const document of [prev, next]) {
    for (const column of Object.keys(document)) {
      const value = document[column] as JsonValue;
      if (isUnsafeName(column) || (typeof value === 'object' && value !== null && holdsUnsafeName(value))) {
        found ??= new Set();
        found.add(column);
      }
    }
  }
  return found === null ? null : [...found];
}

function holdsUnsafeName(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  if (Array.isArray(value)) {
    return value.some(holdsUnsafeName);
  }
  return Object.entries(value).some(([name, member]) => isUnsafeName(name) || holdsUnsafeName(member as JsonValue));
}

function without(document: Document, columns: readonly string[]): Document {
  return Object.fromEntries(Object.entries(document).filter(([column]) => !columns.includes(column)));
}

function replacement(prev: Document, next: Document, column: string): readonly PatchOperation[] {
  const path = `/${jsonPatch.escapePathComponent(column)}`;
  if (!Object.hasOwn(next, column)) {
    return [{ op: 'remove', path }];
  }
  const value = next[column] as JsonValue;
  if (!Object.hasOwn(prev, column)) {
    return [{ op: 'add', path, value }];
  }
  return compare({ value: prev[column] as JsonValue }, { value }).length === 0 ? [] : [{ op: 'replace', path, value }];
}
