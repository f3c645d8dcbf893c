/** The name of a table as an operator writes it: `dbo.Orders`, or `[dbo].[Order Details]` where a part holds a dot, a space or a bracket. */

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

export const TABLE_NAME_RULE = 'a table as schema.name, such as dbo.Orders or [dbo].[Order Details]';

const PART = String.raw`(?:\[((?:[^\]]|\]\])+)\]|([^\s.[\]]+))`;
const TABLE = new RegExp(String.raw`^\s*${PART}\s*\.\s*${PART}\s*$`, 'u');

/** Schema and name, or null when the text names no table with its schema. */
export function parseTableName(text: string): TableName | null {
  const match = TABLE.exec(text);
  if (match === null) {
    return null;
  }
  const part = (bracketed: string | undefined, plain: string | undefined): string => bracketed?.replaceAll(']]', ']') ?? plain ?? '';
  return { schema: part(match[1], match[2]), name: part(match[3], match[4]) };
}

/** The shortest text that parses to this name again. */
export function formatTableName({ schema, name }: TableName): string {
  const part = (text: string): string => (/^[^\s.[\]]+$/u.test(text) ? text : `[${text.replaceAll(']', ']]')}]`);
  return `${part(schema)}.${part(name)}`;
}

/** Whether two names mean one table: SQL Server's catalog is case-insensitive by default, so a second spelling is taken for a mistake. */
export function sameTableName(a: TableName, b: TableName): boolean {
  return a.schema.toLowerCase() === b.schema.toLowerCase() && a.name.toLowerCase() === b.name.toLowerCase();
}
