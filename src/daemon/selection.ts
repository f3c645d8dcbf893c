/** What a table's entry of the configuration selects, as the source takes it. Loads no driver: commands use it before they connect. */
import type { TableConfig } from '../config/schema.ts';
import { parseTableName } from '../config/table-name.ts';
import { PatchwireError } from '../model/errors.ts';
import type { TableSelection } from '../model/table.ts';

/** @throws PatchwireError PW-C103 for a name that is none */
export function selectionOf({
  table,
  columns,
  json,
  filter,
  shape,
}: Pick<TableConfig, 'table' | 'columns' | 'json' | 'filter' | 'shape'>): TableSelection {
  const name = parseTableName(table);
  if (name === null) {
    throw new PatchwireError('PW-C103', `${table} is no table name`);
  }
  return { ...name, columns, json, filter: filter ?? null, shape: shapeOf(shape) };
}

/** Without the keys that were left out. */
function shapeOf(shape: TableConfig['shape']): NonNullable<TableSelection['shape']> {
  return Object.fromEntries(
    Object.entries(shape).map(([column, { mask, ...how }]) => [
      column,
      { ...definedFields(how), ...(mask === undefined ? {} : { mask: mask === true ? mask : definedFields(mask) }) },
    ]),
  );
}

/** The fields that have a value. */
export function definedFields<T extends object>(fields: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
