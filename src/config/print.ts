/** A Config as YAML: `printConfig` so that loading it again gives the same Config, `redactConfig` for eyes, without its secrets. */
import { stringify } from 'yaml';
import { z } from 'zod';
import type { ConfigPath } from './problems.ts';
import { escapeReferences } from './references.ts';
import { configSchema, SECRET_PATHS, type Config } from './schema.ts';

const MASK = '***';

/** YAML that loads to the same Config. Holds the secrets: see redactConfig. */
export function printConfig(config: Config): string {
  return stringify(mapTexts(encode(config), escapeReferences));
}

/** The configuration as it would be written, durations and sizes with their units, secrets masked. */
export function redactConfig(config: Config): Readonly<Record<string, unknown>> {
  const encoded = encode(config);
  for (const path of SECRET_PATHS) {
    maskAt(encoded, path);
  }
  return encoded;
}

/** The same as YAML. */
export function formatConfig(config: Config): string {
  return stringify(redactConfig(config), { lineWidth: 0 }).trimEnd();
}

/** The values of a printed configuration one by one: lists of texts and empty maps are one value. */
export function flatten(value: unknown, path: ConfigPath = []): { readonly path: ConfigPath; readonly value: unknown }[] {
  const inner = isBranch(value) ? Object.entries(value) : [];
  return inner.length === 0
    ? [{ path, value }]
    : inner.flatMap(([key, each]: [string, unknown]) => flatten(each, [...path, Array.isArray(value) ? Number(key) : key]));
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(Array.isArray(value) && value.every((each) => typeof each === 'string'));
}

/** Every secret text of the configuration, so that it can be kept out of messages: connection strings and urls with their passwords. */
export function secretsOf(config: Config): string[] {
  const found = Object.values(config.sources).flatMap(({ connection, password }) => [
    connection,
    password,
    ...(connection === undefined ? [] : passwordsIn(connection)),
  ]);
  const { url = '', password, sentinelPassword, tls } = config.manager.redis;
  // As the driver reads it: whatever stands before the last @ belongs to user and password.
  const inUrl = URL.canParse(url) ? new URL(url).password : '';
  return [...new Set([...found, inUrl, decode(inUrl), password, sentinelPassword, tls.key, config.shaping.hashKey])].filter(
    (secret) => secret !== undefined && secret.length >= 4,
  ) as string[];
}

/** The passwords of a connection string, as they stand there and as they are meant: without quotes, a doubled quote inside being one. */
function passwordsIn(connection: string): string[] {
  const values = [...connection.matchAll(/(?:^|;)\s*(?:password|pwd)\s*=\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|[^;]*)/giu)];
  return values.flatMap(([, value = '']) => {
    const [quote = ''] = /^["']/u.exec(value) ?? [];
    const bare = quote === '' ? value.trim() : value.slice(1, value.endsWith(quote) ? -1 : undefined).replaceAll(quote + quote, quote);
    return [value, bare];
  });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function encode(config: Config): Record<string, unknown> {
  return z.encode(configSchema, structuredClone(config) as z.output<typeof configSchema>);
}

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') {
    return change(value);
  }
  if (Array.isArray(value)) {
    return value.map((inner: unknown) => mapTexts(inner, change));
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, inner]: [string, unknown]) => [key, mapTexts(inner, change)]))
    : value;
}

function maskAt(value: unknown, [head, ...rest]: readonly string[]): void {
  if (typeof value !== 'object' || value === null || head === undefined) {
    return;
  }
  const map = value as Record<string, unknown>;
  for (const key of head === '*' ? Object.keys(map) : [head]) {
    if (rest.length > 0) {
      maskAt(map[key], rest);
    } else if (map[key] !== undefined) {
      map[key] = MASK;
    }
  }
}
