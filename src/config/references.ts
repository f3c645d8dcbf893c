/**
 * References in texts: `${env:NAME}` is an environment variable, `${file:PATH}` the content of a file (its last line break taken off; a
 * relative path begins at the configuration's folder). `$${` stands for `${`. Reads nothing else, and never leaves a reference in place.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export interface ReferenceContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths begin. */
  readonly folder: string;
}

export type Resolved = { readonly text: string } | { readonly problem: string; readonly code: 'PW-C103' | 'PW-C104' };

/** The text with its references replaced, or what is wrong with the first one that cannot be. */
export function resolveReferences(text: string, context: ReferenceContext): Resolved {
  let failure: Resolved | null = null;
  const resolved = text.replaceAll(/\$\$\{|\$\{([^}]*)(\}?)/gu, (_whole, body: string | undefined, close: string) => {
    if (body === undefined) {
      return '${';
    }
    const value = close === '' ? null : valueOf(body, context);
    if (typeof value === 'string') {
      return value;
    }
    failure ??= value ?? { problem: 'a reference is ${env:NAME} or ${file:PATH}; $${ stands for ${', code: 'PW-C103' };
    return '';
  });
  return failure ?? { text: resolved };
}

/** The text that resolves to `text`. */
export function escapeReferences(text: string): string {
  return text.replaceAll('${', '$$${');
}

/** What escapeReferences was given. */
export function unescapeReferences(text: string): string {
  return text.replaceAll('$${', () => '${');
}

function valueOf(body: string, { env, folder }: ReferenceContext): string | Resolved | null {
  const [, kind, name = ''] = /^\s*(env|file):(.+?)\s*$/u.exec(body) ?? [];
  if (kind === 'env') {
    const value = env[name];
    return value === undefined || value === '' ? { problem: `the environment variable ${name} is not set`, code: 'PW-C104' } : value;
  }
  if (kind === 'file') {
    try {
      return readFileSync(resolve(folder, name), 'utf8').replace(/\r?\n$/u, '');
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
      return { problem: `the file ${name} cannot be read (${reason})`, code: 'PW-C104' };
    }
  }
  return null;
}
