/** Names in T-SQL: quoted always, so that a name can never be anything else than a name. */

/** A name in brackets. Source: learn.microsoft.com, QUOTENAME. */
export function quoteName(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`;
}

/** A table's name for people, in brackets where a dot of its own could be taken for the one between: no two tables have one name. */
export function shownName(schema: string, table: string): string {
  return [schema, table].map((part) => (/[.[\]]/.test(part) ? quoteName(part) : part)).join('.');
}

/** A national text literal. */
export function quoteText(text: string): string {
  return `N'${text.replaceAll("'", "''")}'`;
}

/** The name of a collation, which the grammar lets nobody quote. @throws RangeError when it is none */
export function collationName(name: string): string {
  if (!/^[A-Za-z0-9_]+$/.test(name)) {
    throw new RangeError(`not a collation: ${JSON.stringify(name)}`);
  }
  return name;
}
