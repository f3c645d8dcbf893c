/**
 * What is wrong with a configuration: every problem of it at once, each with its place, its value, the rule it breaks and the nearest known
 * key. Never prints a secret: values are shown as they stand in the file, so a reference stays a reference, and what may be a secret is masked.
 */
import { editDistance } from '../lib/nearest.ts';
import type { ErrorCode } from '../model/error-catalogue.ts';
import { PatchwireError } from '../model/errors.ts';
import { knownKeys } from './known-keys.ts';
import { SECRET_PATHS } from './schema.ts';

export type ConfigPath = readonly (string | number)[];

export interface ConfigProblem {
  readonly code: Extract<ErrorCode, 'PW-C102' | 'PW-C103' | 'PW-C104'>;
  /** Where the value came from: the file's name, `environment PATCHWIRE_…` or `flag --…`. */
  readonly origin: string;
  /** 1-based; null where the value is in no file. */
  readonly line: number | null;
  readonly path: string;
  /** As written, shortened, masked when secret; null: nothing stands there. */
  readonly value: string | null;
  readonly rule: string;
  /** The known key nearest to an unknown one. */
  readonly nearest: string | null;
}

/** `tables[0].section` */
export function formatPath(path: ConfigPath): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('') || '(top level)';
}

export function isSecretPath(path: ConfigPath): boolean {
  return SECRET_PATHS.some((secret) => secret.length <= path.length && secret.every((part, i) => part === '*' || part === String(path[i])));
}

/**
 * Whether a value is masked: a secret's own place, a text where the map that holds a secret is wanted, a key that is likely to be meant as
 * one (`passwort`, `connectionString`), and a text that looks like one wherever it stands.
 */
function mayBeSecret(path: ConfigPath, value: unknown): boolean {
  if (typeof value === 'string' && /^\$\{(?:env|file):[^}]*\}$/u.test(value)) {
    return false;
  }
  const above = SECRET_PATHS.some(
    (secret) => path.length > 0 && path.length < secret.length && path.every((part, i) => secret[i] === '*' || secret[i] === String(part)),
  );
  // A key that nobody knows, where a secret is at home, may be one under another name.
  const stranger = SECRET_PATHS.some(
    (secret) =>
      secret.length === path.length &&
      secret.slice(0, -1).every((part, i) => part === '*' || part === String(path[i])) &&
      !knownKeys(path.slice(0, -1)).includes(String(path.at(-1))),
  );
  return (
    isSecretPath(path) ||
    stranger ||
    path.some((part) => typeof part === 'string' && isSecretName(part)) ||
    (typeof value === 'string' && (above || /\b(?:password|pwd)\s*=|:\/\/[^/\s]*@/iu.test(value)))
  );
}

function isSecretName(key: string): boolean {
  const plain = key.toLowerCase().replaceAll(/[^a-z]/gu, '');
  const names = SECRET_PATHS.map((secret) => (secret.at(-1) ?? '').toLowerCase());
  return (
    /pass|pwd|secret|token|credential|connection|apikey/u.test(plain) ||
    names.some((name) => name.length > 3 && editDistance(plain, name) <= 2)
  );
}

/** A value as a problem shows it: JSON, at most 80 characters, masked where it may be a secret; a reference alone is none. */
export function showValue(path: ConfigPath, value: unknown): string | null {
  if (value === undefined) {
    return null;
  }
  const shown = JSON.stringify(masked(path, value)) ?? 'null';
  return shown === '"***"' ? '***' : shown.length > 80 ? `${shown.slice(0, 79)}…` : shown;
}

function masked(path: ConfigPath, value: unknown): unknown {
  if (mayBeSecret(path, value)) {
    return '***';
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const entries = Object.entries(value).map(([key, inner]: [string, unknown]) => [key, masked([...path, key], inner)] as const);
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

/** One line: `cdc.config.yaml:12 batch.rows = "many": a whole number between 1 and 7000`. */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line === null ? problem.origin : `${problem.origin}:${problem.line}`;
  const value = problem.value === null ? '' : ` = ${problem.value}`;
  const nearest = problem.nearest === null ? '' : `; nearest known key: ${problem.nearest}`;
  return `${place} ${problem.path}${value}: ${problem.rule}${nearest}`;
}

/** All problems as one error: PW-C103, or PW-C104 when only references are without a value. @param problems at least one */
export function configError(problems: readonly ConfigProblem[]): PatchwireError {
  const code = problems.every((problem) => problem.code === 'PW-C104') ? 'PW-C104' : 'PW-C103';
  const heading = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const message = `the configuration has ${heading}:\n${problems.map((problem) => `  ${formatProblem(problem)}`).join('\n')}`;
  return new PatchwireError(code, message, { details: { problems } });
}
