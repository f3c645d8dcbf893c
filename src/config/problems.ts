/**
 * What is wrong with a configuration: every problem of it at once, each with its place, its value, the rule it breaks and the nearest known
 * key. Never prints a secret: values are shown as they stand in the file, so a reference stays a reference, and secret paths are masked.
 */
import type { ErrorCode } from '../model/error-catalogue.ts';
import { PatchwireError } from '../model/errors.ts';
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

/** A value as a problem shows it: JSON, at most 80 characters. `path` decides whether it is masked, references alone are not secret. */
export function showValue(path: ConfigPath, value: unknown): string | null {
  if (value === undefined) {
    return null;
  }
  if (isSecretPath(path) && !(typeof value === 'string' && /^\$\{[^}]*\}$/u.test(value))) {
    return '***';
  }
  const shown = JSON.stringify(typeof value === 'object' && value !== null ? mask(path, value) : value) ?? 'null';
  return shown.length > 80 ? `${shown.slice(0, 79)}…` : shown;
}

function mask(path: ConfigPath, value: object): unknown {
  const entries = Object.entries(value).map(([key, inner]: [string, unknown]) => {
    const at = [...path, key];
    return [key, isSecretPath(at) ? '***' : typeof inner === 'object' && inner !== null ? mask(at, inner) : inner] as const;
  });
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

/** The candidate with the fewest edits from `key`, case aside; null when there is none. */
export function nearestOf(key: string, candidates: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const edits = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (edits < least) {
      least = edits;
      nearest = candidate;
    }
  }
  return nearest;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
