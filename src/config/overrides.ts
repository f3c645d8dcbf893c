/**
 * What environment and flags put over the file. PATCHWIRE_LOG__LEVEL sets log.level: a double underscore is one level, case and single
 * underscores do not count (BATCH__IN_FLIGHT is batch.inFlight), a name without a double underscore sets no key. `--set batch.rows=200`
 * names the path as it stands in the file. References are not resolved here: the environment is a reference's own place.
 */
import { parse } from 'yaml';
import { PatchwireError } from '../model/errors.ts';
import { knownKeys, takesAnyName, takesIndex, wantsText } from './known-keys.ts';
import type { ConfigPath } from './problems.ts';
import { isMap } from './rules.ts';

const PREFIX = 'PATCHWIRE_';

export interface Override {
  readonly origin: string;
  readonly path: ConfigPath;
  readonly value: unknown;
}

/** The overrides of an environment, in the order of their names. `file` tells which sources there are. */
export function environmentOverrides(env: Readonly<Record<string, string | undefined>>, file: unknown): Override[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && name.slice(PREFIX.length).includes('__'))
    .toSorted()
    .map((name) => {
      const path = name
        .slice(PREFIX.length)
        .split('__')
        .reduce<(string | number)[]>((parent, part) => [...parent, matchPart(parent, part, file)], []);
      return { origin: `environment ${name}`, path, value: readValue(path, env[name] ?? '') };
    });
}

/** The override of one `--set path=value`, or null when the text has no such form. */
export function flagOverride(text: string): Override | null {
  const [, dotted, value] = /^([^=\s]+)=(.*)$/su.exec(text) ?? [];
  if (dotted === undefined || value === undefined) {
    return null;
  }
  const path = dotted
    .replaceAll(/\[([0-9]+)\]/gu, '.$1')
    .split('.')
    .reduce<(string | number)[]>((parent, part) => [...parent, takesIndex(parent) && /^[0-9]+$/u.test(part) ? Number(part) : part], []);
  return { origin: `flag --set ${dotted}`, path, value: readValue(path, value) };
}

/**
 * The raw configuration with the overrides put in, on a copy.
 * @throws PatchwireError PW-C103 for an index that leaves a gap in a list
 */
export function applyOverrides(raw: unknown, overrides: readonly Override[]): unknown {
  const root: unknown = structuredClone(raw ?? {});
  for (const { origin, path, value } of overrides) {
    let at: unknown = root;
    for (const [i, part] of path.slice(0, -1).entries()) {
      if (!isContainer(at)) {
        break;
      }
      // Of its own only: `constructor` and `__proto__` are names like any other here.
      const inner: unknown = Object.hasOwn(at, part) ? at[part] : undefined;
      const next: unknown = inner ?? (typeof path[i + 1] === 'number' ? [] : {});
      put(at, part, next, origin);
      at = next;
    }
    const last = path.at(-1);
    if (isContainer(at) && last !== undefined) {
      put(at, last, value, origin);
    }
  }
  return root;
}

function put(at: object, part: string | number, value: unknown, origin: string): void {
  if (Array.isArray(at) && typeof part === 'number' && part > at.length) {
    throw new PatchwireError('PW-C103', `${origin}: there are ${at.length} entries, counted from 0: ${part} is none of them, nor the next`);
  }
  Object.defineProperty(at, part, { value, writable: true, enumerable: true, configurable: true });
}

function isContainer(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}

function matchPart(parent: ConfigPath, part: string, file: unknown): string | number {
  if (takesIndex(parent) && /^[0-9]+$/u.test(part)) {
    return Number(part);
  }
  const plain = (text: string): string => text.replaceAll(/[_-]/gu, '').toLowerCase();
  const names = takesAnyName(parent) ? Object.keys(mapAt(file, parent)) : knownKeys(parent);
  return names.find((name) => plain(name) === plain(part)) ?? part.toLowerCase();
}

function mapAt(file: unknown, path: ConfigPath): Readonly<Record<string, unknown>> {
  const at = path.reduce<unknown>((value, part) => (isMap(value) ? value[part] : undefined), file);
  return isMap(at) ? at : {};
}

function readValue(path: ConfigPath, text: string): unknown {
  if (wantsText(path) !== false) {
    return text;
  }
  try {
    return parse(text) as unknown;
  } catch {
    return text;
  }
}
