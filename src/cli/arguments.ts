/** Arguments that are more than a text: parsed where commander takes them in, so that a wrong one is a usage error (PW-C109, exit 2). */
import { InvalidArgumentError } from 'commander';
import { nearestName } from '../lib/nearest.ts';
import type { Config, TableConfig } from '../config/schema.ts';
import { parseTableName, sameTableName } from '../config/table-name.ts';
import { PatchwireError } from '../model/errors.ts';
import { parseVersion, type Version } from '../model/version.ts';
import { parseTablePattern, PATTERN_RULE, type TablePattern } from './table-pattern.ts';

/** A whole number between min and max. */
export function parseCount({ name, min, max }: { readonly name: string; readonly min: number; readonly max: number }) {
  return (text: string): number => {
    const value = /^[0-9]{1,10}$/u.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      throw new InvalidArgumentError(`${name} takes a whole number between ${min} and ${max}.`);
    }
    return value;
  };
}

/** One of several tables or patterns of a variadic argument. */
export function parsePatternArguments(text: string, previous: readonly TablePattern[] | undefined): readonly TablePattern[] {
  const pattern = parseTablePattern(text);
  if (pattern === null) {
    throw new InvalidArgumentError(`It takes ${PATTERN_RULE}.`);
  }
  return [...(previous ?? []), pattern];
}

export function parseVersionArgument(text: string): Version {
  try {
    return parseVersion(text);
  } catch {
    throw new InvalidArgumentError('It takes a version: a whole number as SQL Server counts them.');
  }
}

/** `a,b , c` → [a, b, c] */
export function parseList(text: string): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.some((item) => item === '')) {
    throw new InvalidArgumentError('It takes names separated by commas.');
  }
  return items;
}

/** The registered table that is meant by a section's name or a table's. @throws PatchwireError PW-C106 */
export function findTable(config: Config, text: string): TableConfig {
  const bySection = config.tables.find(({ section }) => section === text);
  const name = parseTableName(text);
  const byName = config.tables.filter(({ table }) => {
    const other = parseTableName(table);
    return name !== null && other !== null && sameTableName(name, other);
  });
  const found = bySection ?? (byName.length === 1 ? byName[0] : undefined);
  if (found === undefined) {
    const problem = byName.length > 1 ? 'is registered from several sources: name its section' : 'is not registered';
    const nearest = nearestName(
      text,
      config.tables.flatMap(({ table, section }) => [table, section]),
    );
    throw new PatchwireError('PW-C106', `${text} ${problem}`, {
      ...(nearest === null || byName.length > 1
        ? {}
        : { hint: `The nearest that is registered is ${nearest}; see all with \`patchwire table list\`.` }),
    });
  }
  return found;
}
