/** The table types of a database: what CREATE TYPE … AS TABLE has made. Making them and their tables is the business of define-table-type.ts. */
import type { ColumnDefinition, TableConstraint } from '../sql/ast-definition.ts';
import type { Database, Schema, Table } from './catalog.ts';
import { objectKey } from './catalog.ts';
import { objectNameOf } from './object-names.ts';

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

/** user_type_id of a table type; null where there is none of the name. */
export function tableTypeId(database: Database, name: string): number | null {
  const parts = objectNameOf(name);
  return parts === null ? null : (tableTypesOf(database).get(objectKey(parts.schema ?? 'dbo', parts.name))?.userTypeId ?? null);
}

export function tableTypeName(database: Database, id: number): string | null {
  return [...tableTypesOf(database).values()].find((type) => type.userTypeId === id)?.name ?? null;
}

export function copyTableTypes(source: Database, copy: Database): void {
  types.set(copy, new Map(tableTypesOf(source)));
}
