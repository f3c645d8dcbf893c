/**
 * From files, environment and flags to the one frozen Config, or to an error that lists every problem at once. Precedence: defaults < files <
 * PATCHWIRE_* < flags. Reads and judges; it writes nothing and knows no server.
 */
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { knownKeys, placesOfKey } from './known-keys.ts';
import { type LayerText, lineOf, type Merged, mergeLayers, parseLayers } from './layers.ts';
import { applyOverrides, environmentOverrides, type Override } from './overrides.ts';
import { nearestName } from '../lib/nearest.ts';
import { configError, type ConfigPath, type ConfigProblem, formatPath, showValue } from './problems.ts';
import { resolveReferences, type ReferenceContext } from './references.ts';
import { checkRules } from './rules.ts';
import { configSchema, type Config } from './schema.ts';
import { readTextFile } from './text-file.ts';

export interface LoadOptions {
  /** The file, or several: later ones go over earlier ones. A relative path begins at the working directory. */
  readonly path: string | readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: readonly Override[];
}

/** A configuration, and where each of its values comes from. */
export interface LoadedConfig {
  readonly config: Config;
  /** `default`, `cdc.config.yaml:12`, `environment PATCHWIRE_…` or `flag --set …`. */
  readonly originOf: (path: ConfigPath) => string;
  /** What stands at a path before references are put in; undefined where nothing does. May hold secrets. */
  readonly writtenAt: (path: ConfigPath) => unknown;
}

/**
 * Reads the configuration.
 * @throws PatchwireError PW-C101 when a file cannot be read, PW-C102 when one is no YAML, PW-C103 with every problem, PW-C104 when only
 * references lack a value
 */
export function loadConfig(options: LoadOptions): Config {
  return readConfig(options).config;
}

/** The same with the origin of every value. @throws PatchwireError as loadConfig */
export function readConfig({ path, env, flags = [] }: LoadOptions): LoadedConfig {
  const paths = typeof path === 'string' ? [path] : path;
  return readLayers(
    paths.map((each) => ({ name: each, folder: dirname(resolve(each)), text: readTextFile(each).text })),
    { env, flags },
  );
}

export interface ParseOptions extends ReferenceContext {
  /** How problems name the text. */
  readonly origin: string;
  readonly flags?: readonly Override[];
}

/** The same for a text. @throws PatchwireError PW-C102, PW-C103, PW-C104 */
export function parseConfig(text: string, { origin, folder, env, flags = [] }: ParseOptions): Config {
  return readLayers([{ name: origin, folder, text }], { env, flags }).config;
}

/** The same for texts that go over each other. @throws PatchwireError as loadConfig */
export function readLayers(
  texts: readonly LayerText[],
  { env, flags }: { readonly env: LoadOptions['env']; readonly flags: readonly Override[] },
): LoadedConfig {
  const merged = mergeLayers(parseLayers(texts));
  return interpret(merged, env, [...environmentOverrides(env, merged.value), ...flags]);
}

function interpret(merged: Merged, env: LoadOptions['env'], overrides: readonly Override[]): LoadedConfig {
  const problems: ConfigProblem[] = [];
  const written = applyOverrides(merged.value, overrides);
  const overrideOf = (path: ConfigPath): Override | undefined =>
    overrides.findLast((item) => item.path.every((part, i) => part === path[i]));
  const problem = (path: ConfigPath, rule: string, more: Partial<ConfigProblem> = {}): void => {
    const override = overrideOf(path);
    const place = merged.placeOf(path);
    problems.push({
      code: 'PW-C103',
      origin: override?.origin ?? place.layer.name,
      line: override === undefined ? lineOf(place) : null,
      path: formatPath(path),
      value: showValue(path, valueAt(written, path)),
      rule,
      nearest: null,
      ...more,
    });
  };
  const unresolved: ConfigPath[] = [];
  const fromFile = resolveTree(merged.value, [], (path, text) => {
    const resolved = resolveReferences(text, { env, folder: merged.placeOf(path).layer.folder });
    if ('text' in resolved) {
      return resolved.text;
    }
    if (!overrides.some((item) => item.path.length === path.length && item.path.every((part, i) => part === path[i]))) {
      unresolved.push(path);
      problem(path, resolved.problem, { code: resolved.code });
    }
    return text;
  });
  const values = applyOverrides(fromFile, overrides);
  const parsed = configSchema.safeParse(values, { error: describeIssue });
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    if (unresolved.some((other) => formatPath(other) === formatPath(path))) {
      continue;
    }
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        problem([...path, key], ...unknownKey(path, key));
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
    throw configError(sorted(problems));
  }
  const { tables, ...rest } = parsed.data;
  return {
    config: deepFreeze({
      ...rest,
      tables: tables.map((table, i) => ({ ...table, source: defaults.get(i)?.source ?? '', section: defaults.get(i)?.section ?? '' })),
    }),
    originOf(path) {
      const override = overrideOf(path);
      const place = merged.placeOf(path);
      return override?.origin ?? (merged.isWritten(path) ? `${place.layer.name}:${lineOf(place)}` : 'default');
    },
    writtenAt: (path) => valueAt(written, path),
  };
}

/** By file in the order in which they are given, then by line: the order in which someone mends them. */
function sorted(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const origins = [...new Set(problems.map(({ origin }) => origin))];
  return problems.toSorted((a, b) => origins.indexOf(a.origin) - origins.indexOf(b.origin) || (a.line ?? 0) - (b.line ?? 0));
}

/** The rule that an unknown key breaks, and the nearest key: one of its own map, or the place where just this key belongs. */
function unknownKey(path: ConfigPath, key: string): [string, Partial<ConfigProblem>] {
  if (key === '<<') {
    return ['merge keys are not read: write the keys here, or put another file over this one with a second --config', {}];
  }
  const near = nearestName(key, knownKeys(path));
  const elsewhere = placesOfKey(key);
  const [only] = elsewhere;
  const far = only !== undefined && (near === null || near.toLowerCase() !== key.toLowerCase());
  return ['unknown key', { nearest: far ? elsewhere.join(' or ') : near }];
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

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
