/** The table types of a database: what CREATE TYPE … AS TABLE has made. Making them and their tables is the business of define-table-type.ts. */
import type { ColumnDefinition, TableConstraint } from '../sql/ast-definition.ts';
import type { Database, Schema, Table } from './catalog.ts';

export interface TableType {
  readonly userTypeId: number;
  readonly schema: Schema;
  readonly name: string;
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly TableConstraint[];
  /** What a variable of it looks like; it never has rows. */
  readonly shape: Table;
}

const types = new WeakMap<Database, Map<string, TableType>>();

/** The table types of a database by `schema.name` in lower case. */
export function tableTypesOf(database: Database): Map<string, TableType> {
  const known = types.get(database);
  if (known !== undefined) {
    return known;
  }
  const none = new Map<string, TableType>();
  types.set(database, none);
  return none;
}

export function copyTableTypes(source: Database, copy: Database): void {
  types.set(copy, new Map(tableTypesOf(source)));
}
