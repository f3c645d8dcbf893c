/**
 * Configuration files over each other. One file is a layer: its YAML, and where each of its values stands. Later layers go over earlier
 * ones: maps merge, everything else replaces, but `tables`, whose entries merge by table and source. A key that is `null` in a later layer
 * is unset, so that its default holds again; a key with nothing behind it says nothing. Judges no value: that is load.ts.
 */
import { type Alias, isAlias, isMap as isYamlMap, isNode, isScalar, LineCounter, parseDocument, type Document, visit } from 'yaml';
import { PatchwireError } from '../model/errors.ts';
import { knownKeys } from './known-keys.ts';
import type { ConfigPath } from './problems.ts';
import { parseTableName } from './table-name.ts';

export interface LayerText {
  /** How problems name it. */
  readonly name: string;
  /** Where its relative paths begin. */
  readonly folder: string;
  readonly text: string;
}

export interface Layer extends LayerText {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly raw: unknown;
}

/** Where a value of the merged configuration stands: its layer, and its path in that layer. */
export interface Place {
  readonly layer: Layer;
  readonly path: ConfigPath;
}

interface Branch {
  readonly place: Place;
  /** map and list: what is in `inner`; else a value; nothing: a key without a value; unset: an explicit null. */
  readonly kind: 'map' | 'list' | 'value' | 'nothing' | 'unset';
  readonly inner: ReadonlyMap<string | number, Branch>;
  readonly value: unknown;
}

export interface Merged {
  readonly value: unknown;
  /** Where the value at `path` stands, or the nearest thing above it. */
  readonly placeOf: (path: ConfigPath) => Place;
  /** Whether a layer says something at `path` itself. */
  readonly isWritten: (path: ConfigPath) => boolean;
}

const NONE: ReadonlyMap<string | number, Branch> = new Map();

/** @throws PatchwireError PW-C102 with every syntax error of every layer, each with its line */
export function parseLayers(texts: readonly LayerText[]): Layer[] {
  const problems: { readonly name: string; readonly line: number; readonly message: string }[] = [];
  const layers = texts.map((each) => {
    const lines = new LineCounter();
    const document = parseDocument(each.text, { lineCounter: lines, prettyErrors: true });
    // A warning is a tag that nobody knows: what stands behind it would be taken for something else.
    for (const syntax of [...document.errors, ...document.warnings]) {
      const line = syntax.linePos?.[0].line ?? lines.linePos(syntax.pos[0]).line;
      problems.push({ name: each.name, line, message: messageOf(syntax.code, syntax.message) });
    }
    return { ...each, document, lines, raw: null };
  });
  const [first] = problems;
  if (first !== undefined) {
    const shown = problems.map(({ name, line, message }) => `${name}:${line} ${message}`);
    const message =
      shown.length === 1 ? (shown[0] ?? '') : `the configuration is not YAML:\n${shown.map((line) => `  ${line}`).join('\n')}`;
    throw new PatchwireError('PW-C102', message, { details: { line: first.line, problems } });
  }
  return layers.map((layer) => ({ ...layer, raw: valuesOf(layer) }));
}

/** What a parser's error means, where its own words would repeat a piece of the text. */
const WORDS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab is no indentation in YAML: use spaces',
  MULTIPLE_DOCS: 'a second document begins (---): a configuration is one document',
  DUPLICATE_KEY: 'a key stands twice in one map: keys must be unique',
  TAG_RESOLVE_FAILED: 'a tag (!) that nobody knows; a text that begins with ! goes in quotes',
  UNEXPECTED_TOKEN: 'something stands here that YAML does not expect; a text with special characters goes in quotes',
  BAD_DQ_ESCAPE: 'a backslash that begins no escape of YAML; a text with backslashes goes in single quotes',
  BAD_DIRECTIVE: 'a directive (%) that nobody knows; a text that begins with % goes in quotes',
};

/** What the parser says, in the words of someone who wrote a configuration. Never a piece of the text: it may hold a secret. */
function messageOf(code: string, message: string): string {
  return WORDS[code] ?? message.split('\n')[0]?.replace(/ at line .*$|:.*$/u, '') ?? 'not YAML';
}

/** @throws PatchwireError PW-C102 for an alias without its anchor, or one that unfolds without end, or into itself: the parser finds them only here */
function valuesOf({ document, lines, name }: Layer): unknown {
  visit(document, {
    Alias(_key, alias, path) {
      if (path.some((node) => node === alias.resolve(document))) {
        const { line } = lines.linePos(alias.range?.[0] ?? 0);
        throw new PatchwireError('PW-C102', `${name}:${line} an alias (*) of what it stands in`, { details: { line } });
      }
    },
  });
  try {
    return document.toJS() as unknown;
  } catch (error) {
    const aliases: Alias[] = [];
    visit(document, { Alias: (_key, alias) => void aliases.push(alias) });
    const wrong = aliases.find((alias) => alias.resolve(document) === undefined) ?? aliases[0];
    const line = lines.linePos(wrong?.range?.[0] ?? 0).line;
    // The parser's own message repeats the alias, which may be a password that begins with *: it is no cause either.
    const message =
      wrong?.resolve(document) === undefined
        ? 'an alias (*) without its anchor (&); a text that begins with * goes in quotes'
        : 'aliases (*) that unfold without end';
    throw new PatchwireError('PW-C102', `${name}:${line} ${message}`, {
      details: { line, kind: error instanceof Error ? error.name : 'unknown' },
    });
  }
}

/** @param layers at least one */
export function mergeLayers(layers: readonly Layer[]): Merged {
  const [first, ...rest] = layers.map((layer) => branchOf(layer.raw, [], layer));
  if (first === undefined) {
    throw new RangeError('no layer');
  }
  const root = pruned(
    rest.reduce((below, over) => merge(below, over, []), first),
    [],
  );
  return {
    value: plain(root) ?? {},
    placeOf(path) {
      let at = root;
      const left = [...path];
      while (left.length > 0) {
        const next = at.inner.get(left[0] ?? '');
        if (next === undefined) {
          break;
        }
        at = next;
        left.shift();
      }
      return { layer: at.place.layer, path: [...at.place.path, ...left] };
    },
    isWritten: (path) => path.reduce<Branch | undefined>((at, part) => at?.inner.get(part), root) !== undefined,
  };
}

/** The line of the key at the place, 1-based, or of the nearest thing above it that the layer has. */
export function lineOf({ layer: { document, lines }, path }: Place): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const map = isAlias(parent) ? parent.resolve(document) : parent;
    const last = path[length - 1];
    const key = isYamlMap(map)
      ? map.items.find((pair) => String(isNode(pair.key) ? pair.key.toJS(document) : pair.key) === String(last))?.key
      : null;
    const node: unknown = key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      return lines.linePos(node.range[0]).line;
    }
  }
  return 1;
}

function branchOf(value: unknown, path: ConfigPath, layer: Layer): Branch {
  const place = { layer, path };
  if (Array.isArray(value)) {
    return { place, kind: 'list', value: null, inner: new Map(value.map((each, i) => [i, branchOf(each, [...path, i], layer)])) };
  }
  if (typeof value === 'object' && value !== null) {
    const inner = Object.entries(value).map(([key, each]: [string, unknown]) => [key, branchOf(each, [...path, key], layer)] as const);
    return { place, kind: 'map', value: null, inner: new Map(inner) };
  }
  if (value === null || value === undefined) {
    const node: unknown = path.length === 0 ? layer.document.contents : layer.document.getIn(path, true);
    const written = isScalar(node) && (node.source ?? '') !== '';
    return { place, kind: written ? 'unset' : 'nothing', value: null, inner: NONE };
  }
  return { place, kind: 'value', value, inner: NONE };
}

function merge(below: Branch, over: Branch, path: ConfigPath): Branch {
  if (over.kind === 'nothing') {
    return below;
  }
  if (below.kind === 'map' && over.kind === 'map') {
    const inner = new Map(below.inner);
    for (const [key, each] of over.inner) {
      const under = inner.get(key);
      if (under !== undefined && each.kind === 'unset') {
        inner.delete(key);
      } else {
        inner.set(key, under === undefined ? each : merge(under, each, [...path, key]));
      }
    }
    return { ...over, inner };
  }
  return path.length === 1 && path[0] === 'tables' && below.kind === 'list' && over.kind === 'list' ? mergeTables(below, over) : over;
}

/** By table and source; a source that is left out is the same as one left out below. Entries that name no table are added. */
function mergeTables(below: Branch, over: Branch): Branch {
  const entries = [...below.inner.values()];
  const names = entries.map(tableKey);
  for (const entry of over.inner.values()) {
    const key = tableKey(entry);
    const at = key === null ? -1 : names.indexOf(key);
    const under = entries[at];
    if (under === undefined) {
      entries.push(entry);
    } else {
      entries[at] = merge(under, entry, ['tables', at]);
    }
  }
  return { ...over, inner: new Map(entries.map((entry, i) => [i, entry])) };
}

function tableKey(entry: Branch): string | null {
  const table = entry.inner.get('table')?.value;
  const source = entry.inner.get('source')?.value;
  const name = typeof table === 'string' ? parseTableName(table) : null;
  return name === null ? null : JSON.stringify([name.schema.toLowerCase(), name.name.toLowerCase(), source ?? null]);
}

/** Without what is unset, and without the known keys that have nothing behind them, as `tables:` once all its entries are comments. */
function pruned(branch: Branch, path: ConfigPath): Branch {
  if (branch.kind !== 'map' && branch.kind !== 'list') {
    return branch;
  }
  const known = new Set(branch.kind === 'map' ? knownKeys(path) : []);
  const empty = (key: string | number, { kind }: Branch): boolean => (kind === 'nothing' || kind === 'unset') && known.has(String(key));
  const inner = [...branch.inner]
    .filter(([key, each]) => !empty(key, each))
    .map(([key, each]) => [key, pruned(each, [...path, key])] as const);
  return { ...branch, inner: new Map(inner) };
}

function plain({ kind, inner, value }: Branch): unknown {
  if (kind === 'map') {
    return Object.fromEntries([...inner].map(([key, each]) => [key, plain(each)]));
  }
  return kind === 'list' ? [...inner.values()].map(plain) : value;
}
