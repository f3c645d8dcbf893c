/**
 * From file, environment and flags to the one frozen Config, or to an error that lists every problem at once. Precedence: defaults < file <
 * PATCHWIRE_* < flags. Reads and judges; it writes nothing and knows no server.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isMap as isYamlMap, isNode, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { PatchwireError } from '../model/errors.ts';
import { knownKeys } from './known-keys.ts';
import { applyOverrides, environmentOverrides, type Override } from './overrides.ts';
import { configError, type ConfigPath, type ConfigProblem, formatPath, nearestOf, showValue } from './problems.ts';
import { resolveReferences, type ReferenceContext } from './references.ts';
import { checkRules } from './rules.ts';
import { configSchema, type Config } from './schema.ts';

export interface LoadOptions {
  /** The file; a relative path begins at the working directory. */
  readonly path: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: readonly Override[];
}

/**
 * Reads the configuration.
 * @throws PatchwireError PW-C101 when the file cannot be read, PW-C102 when it is no YAML, PW-C103 with every problem, PW-C104 when only
 * references lack a value
 */
export function loadConfig({ path, env, flags = [] }: LoadOptions): Config {
  const file = resolve(path);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
  }
  return parseConfig(text, { origin: basename(path), env, flags, folder: dirname(file) });
}

/** What a file that cannot be read is refused with: PW-C101 with the system's own word for it. */
export function unreadable(path: string, error: unknown): PatchwireError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const told = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`;
  const hint = code === 'ENOENT' ? {} : { hint: 'Check that it is a file, and its rights.' };
  return new PatchwireError('PW-C101', `the configuration file ${path} ${told}`, {
    cause: error,
    details: { path, reason: code },
    ...hint,
  });
}

export interface ParseOptions extends ReferenceContext {
  /** How problems name the text. */
  readonly origin: string;
  readonly flags?: readonly Override[];
}

/** The same for a text. @throws PatchwireError PW-C102, PW-C103, PW-C104 */
export function parseConfig(text: string, options: ParseOptions): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    const line = syntax.linePos?.[0].line ?? lines.linePos(syntax.pos[0]).line;
    const message = syntax.message.split('\n')[0]?.replace(/ at line .*$/u, '') ?? 'not YAML';
    throw new PatchwireError('PW-C102', `${options.origin}:${line} ${message}`, { details: { line } });
  }
  const raw = withoutEmpty(valuesOf(document, options.origin), []) ?? {};
  const overrides = [...environmentOverrides(options.env, raw), ...(options.flags ?? [])];
  return interpret(raw, { ...options, overrides, document, lines });
}

/** @throws PatchwireError PW-C102 for an alias without its anchor, or one that unfolds without end: the parser finds them only here */
function valuesOf(document: Document, origin: string): unknown {
  try {
    return document.toJS() as unknown;
  } catch (error) {
    throw new PatchwireError('PW-C102', `${origin} ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Without the known keys that have nothing behind them, as `tables:` once all its entries are comments: they are not set. */
function withoutEmpty(value: unknown, path: ConfigPath): unknown {
  if (Array.isArray(value)) {
    return value.map((inner: unknown, i) => withoutEmpty(inner, [...path, i]));
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const known = new Set(knownKeys(path));
  const set = Object.entries(value).filter(([key, inner]) => inner !== null || !known.has(key));
  return Object.fromEntries(set.map(([key, inner]: [string, unknown]) => [key, withoutEmpty(inner, [...path, key])]));
}

interface Interpretation extends ParseOptions {
  readonly overrides: readonly Override[];
  readonly document: Document;
  readonly lines: LineCounter;
}

function interpret(raw: unknown, context: Interpretation): Config {
  const problems: ConfigProblem[] = [];
  const written = applyOverrides(raw, context.overrides);
  const problem = (path: ConfigPath, rule: string, more: Partial<ConfigProblem> = {}): void => {
    const override = context.overrides.findLast((item) => item.path.every((part, i) => part === path[i]));
    problems.push({
      code: 'PW-C103',
      origin: override?.origin ?? context.origin,
      line: override === undefined ? lineOf(path, context) : null,
      path: formatPath(path),
      value: showValue(path, valueAt(written, path)),
      rule,
      nearest: null,
      ...more,
    });
  };
  const unresolved: ConfigPath[] = [];
  const fromFile = resolveTree(raw, [], (path, text) => {
    const resolved = resolveReferences(text, context);
    if ('text' in resolved) {
      return resolved.text;
    }
    if (!context.overrides.some((item) => item.path.length === path.length && item.path.every((part, i) => part === path[i]))) {
      unresolved.push(path);
      problem(path, resolved.problem, { code: resolved.code });
    }
    return text;
  });
  const values = applyOverrides(fromFile, context.overrides);
  const parsed = configSchema.safeParse(values, { error: describeIssue });
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    if (unresolved.some((other) => formatPath(other) === formatPath(path))) {
      continue;
    }
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(path);
      for (const key of issue.keys) {
        problem([...path, key], 'unknown key', { nearest: nearestOf(key, known) });
      }
    } else {
      problem(path, issue.message);
    }
  }
  const { breaks, defaults } = checkRules(values);
  for (const { path, rule } of breaks) {
    problem(path, rule);
  }
  if (parsed.data === undefined || problems.length > 0) {
    throw configError(problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)));
  }
  const { tables, ...rest } = parsed.data;
  return deepFreeze({
    ...rest,
    tables: tables.map((table, i) => ({ ...table, source: defaults.get(i)?.source ?? '', section: defaults.get(i)?.section ?? '' })),
  });
}

/** What zod's own messages do not say in the words of a configuration. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) {
      return 'required';
    }
    return issue.expected === 'object' || issue.expected === 'record'
      ? 'a map'
      : issue.expected === 'string'
        ? 'a text: put it in quotes'
        : `a ${issue.expected}`;
  }
  return issue.code === 'too_small' && issue.origin === 'array' ? 'at least one entry' : undefined;
}

function resolveTree(value: unknown, path: ConfigPath, resolveText: (path: ConfigPath, text: string) => string): unknown {
  if (typeof value === 'string') {
    return resolveText(path, value);
  }
  if (Array.isArray(value)) {
    return value.map((inner: unknown, i) => resolveTree(inner, [...path, i], resolveText));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]: [string, unknown]) => [key, resolveTree(inner, [...path, key], resolveText)]),
    );
  }
  return value;
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? (at as Record<string | number, unknown>)[part] : undefined,
    value,
  );
}

/** The line of the key at `path`, or of the nearest thing above it that the file has. */
function lineOf(path: ConfigPath, { document, lines }: Interpretation): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const key = isYamlMap(parent)
      ? parent.items.find((pair) => String(isNode(pair.key) ? pair.key.toJS(document) : pair.key) === last)?.key
      : null;
    const node: unknown = key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      return lines.linePos(node.range[0]).line;
    }
  }
  return 1;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
