/** What the schema knows at a path: its keys, and whether a text is wanted there. Reads zod's own description, so that there is one schema. */
import type { z } from 'zod';
import type { ConfigPath } from './problems.ts';
import { configSchema } from './schema.ts';

type Definition = z.core.$ZodTypeDef & {
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
};

/** The keys that may stand in the map at `path`; empty where there is no map, or where any name may stand. */
export function knownKeys(path: ConfigPath): string[] {
  return schemasAt(path).flatMap((definition) => Object.keys(definition.shape ?? {}));
}

/** Whether the value at `path` is written as a text (also durations, sizes and choices), or null when there is no such path. */
export function wantsText(path: ConfigPath): boolean | null {
  const found = schemasAt(path);
  return found.length === 0 ? null : found.every(({ type }) => type === 'string' || type === 'enum');
}

/** Whether any name may stand in the map at `path`. */
export function takesAnyName(path: ConfigPath): boolean {
  return schemasAt(path).some(({ type }) => type === 'record');
}

/** Whether a list stands at `path`. */
export function takesIndex(path: ConfigPath): boolean {
  return schemasAt(path).some(({ type }) => type === 'array');
}

/** The paths of the file that end with this key, whatever its case and its dashes: where a key belongs that stands at the wrong place. */
export function placesOfKey(key: string): string[] {
  const same = (text: string): string => text.replaceAll(/[_-]/gu, '').toLowerCase();
  return allPaths().filter((path) => same(path.split('.').at(-1) ?? '') === same(key));
}

/** Every key of the file as its path, `<name>` where any name may stand and `[]` for an entry of a list of maps; maps before what is in them. */
export function allPaths(): string[] {
  const walk = (definitions: readonly Definition[], prefix: string): string[] =>
    definitions.flatMap((definition) => {
      if (definition.type === 'record' && definition.valueType !== undefined) {
        return walk(unwrap(definition.valueType), `${prefix}.<name>`);
      }
      if (definition.type === 'array' && definition.element !== undefined) {
        return walk(unwrap(definition.element), `${prefix}[]`);
      }
      return Object.entries(definition.shape ?? {}).flatMap(([key, inner]) => {
        const path = prefix === '' ? key : `${prefix}.${key}`;
        return [path, ...walk(unwrap(inner), path)];
      });
    });
  return walk(unwrap(configSchema), '');
}

function schemasAt(path: ConfigPath): Definition[] {
  let found = unwrap(configSchema);
  for (const part of path) {
    found = found.flatMap((definition) => {
      const key = String(part);
      const inner =
        definition.type === 'array'
          ? definition.element
          : definition.type === 'record'
            ? definition.valueType
            : Object.hasOwn(definition.shape ?? {}, key)
              ? definition.shape?.[key]
              : undefined;
      return inner === undefined ? [] : unwrap(inner);
    });
  }
  return found;
}

function unwrap(schema: z.core.$ZodType): Definition[] {
  const definition = schema._zod.def as Definition;
  if (definition.type === 'union') {
    return (definition.options ?? []).flatMap(unwrap);
  }
  const inner = definition.type === 'pipe' ? definition.in : definition.innerType;
  return inner === undefined ? [definition] : unwrap(inner);
}
