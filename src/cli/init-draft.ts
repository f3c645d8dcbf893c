/**
 * What a new configuration says before anybody has looked at a database: its source, its Redis and their names, from the environment and
 * the flags. A secret is never taken over: where one is given, the file refers to the environment.
 */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { environmentOverrides, type Override } from '../config/overrides.ts';
import { NAME_PATTERN, NAME_RULE } from '../config/schema.ts';
import type { Template } from '../config/template.ts';
import { PatchwireError } from '../model/errors.ts';

export interface DraftOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: readonly Override[];
  readonly name: string | undefined;
}

/** @throws PatchwireError PW-C109 for a name that is none, or several sources */
export function draftOf({ env, flags, name }: DraftOptions): Omit<Template, 'schema' | 'tables'> {
  const overrides = [...environmentOverrides(env, {}), ...flags];
  const mine = overrides.filter(({ path }) => path[0] === 'sources' && path.length === 3);
  const names = [...new Set([...mine.map(({ path }) => String(path[1])), ...(name === undefined ? [] : [name])])];
  if (names.length > 1) {
    throw new PatchwireError('PW-C109', `a new configuration has one source, not ${names.join(' and ')}`);
  }
  const [source = 'main'] = names;
  if (!NAME_PATTERN.test(source)) {
    throw new PatchwireError('PW-C109', `${JSON.stringify(source)} is not ${NAME_RULE}`);
  }
  const values = new Map(mine.map(({ path, value }) => [String(path[2]), value]));
  const fields = [...values.keys()].some((key) => key === 'server')
    ? Object.fromEntries(
        [...values]
          .filter(([key]) => key !== 'connection')
          .map(([key, value]) => [key, key === 'password' ? '${env:PATCHWIRE_PASSWORD}' : value]),
      )
    : {
        connection: '${env:PATCHWIRE_MSSQL}',
        ...Object.fromEntries([...values].filter(([key]) => key !== 'connection' && key !== 'password')),
      };
  const at = (...path: readonly string[]): unknown => overrides.findLast((item) => item.path.join('.') === path.join('.'))?.value;
  const url = at('manager', 'redis', 'url');
  const partition = at('manager', 'partition');
  return {
    source: { name: source, fields },
    redisUrl: typeof url === 'string' && URL.canParse(url) && new URL(url).password === '' ? url : '${env:PATCHWIRE_REDIS}',
    partition: typeof partition === 'string' ? partition : source,
  };
}

/** How a file at `path` names the schema of this very program: by the package in its folder, else by its place on this machine. */
export function schemaReference(path: string): string | null {
  const own = fileURLToPath(new URL('../patchwire.schema.json', import.meta.url));
  if (!existsSync(own)) {
    return null;
  }
  const installed = 'node_modules/patchwire/dist/patchwire.schema.json';
  const beside = join(dirname(path), installed);
  return existsSync(beside) && realpathSync(beside) === realpathSync(own) ? `./${installed}` : pathToFileURL(own).href;
}
