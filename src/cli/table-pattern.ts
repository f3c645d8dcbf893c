/** Names of tables with `*` in them, such as `dbo.*` or `sales.Order*`, and which tables they mean. Knows no database. */
import { parseTableName, TABLE_NAME_RULE, type TableName } from '../config/table-name.ts';

export const PATTERN_RULE = `${TABLE_NAME_RULE}, or a pattern such as dbo.* or sales.Order*`;

/** One name, or a pattern that may mean many. */
export interface TablePattern {
  readonly text: string;
  /** The name itself; null: a pattern. */
  readonly name: TableName | null;
  readonly matches: (table: TableName) => boolean;
}

/** Null when the text is neither. A star inside brackets is part of a name. */
export function parseTablePattern(text: string): TablePattern | null {
  const name = parseTableName(text);
  if (name === null) {
    return null;
  }
  const parts = [...text.matchAll(/\[(?:[^\]]|\]\])*\]|[^\s.[\]]+/gu)].map(([part]) => part);
  const [schema = '', table = ''] = parts;
  const wild = parts.some((part) => !part.startsWith('[') && part.includes('*'));
  const schemaMatches = matcher(schema, name.schema);
  const nameMatches = matcher(table, name.name);
  return {
    text,
    name: wild ? null : name,
    matches: (other) => schemaMatches.test(other.schema) && nameMatches.test(other.name),
  };
}

function matcher(part: string, name: string): RegExp {
  const escape = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/gu, String.raw`\$&`);
  const source = part.startsWith('[') ? escape(name) : name.split('*').map(escape).join('.*');
  return new RegExp(`^${source}$`, 'iu');
}
