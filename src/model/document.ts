/** A document: the selected columns of one row as a JSON object. What JSON cannot hold exactly stands in it as a string. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

export type Document = { readonly [column: string]: JsonValue };

/** One operation of an RFC 6902 JSON Patch, as patchwire emits them (add, remove, replace). The path '' is the whole document. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: JsonValue }
  | { readonly op: 'remove'; readonly path: string };

export type Patch = readonly PatchOperation[];
