/** What OBJECTPROPERTY, COLUMNPROPERTY, COL_LENGTH, TYPE_ID and the catalog views say about types, columns and indexes. */
import type { SqlType, SqlTypeName } from '../sql-types.ts';
import type { CatalogObject, Column, Table } from './catalog.ts';
import { columnByName, primaryKey, sameName } from './catalog.ts';

/** system_type_id, max_length, precision and scale of sys.types. Source: learn.microsoft.com, sys.types. */
export const SYSTEM_TYPES: readonly {
  readonly name: string;
  readonly id: number;
  readonly userId: number;
  readonly length: number;
  readonly precision: number;
  readonly scale: number;
}[] = [
  { name: 'image', id: 34, userId: 34, length: 16, precision: 0, scale: 0 },
  { name: 'text', id: 35, userId: 35, length: 16, precision: 0, scale: 0 },
  { name: 'uniqueidentifier', id: 36, userId: 36, length: 16, precision: 0, scale: 0 },
  { name: 'date', id: 40, userId: 40, length: 3, precision: 10, scale: 0 },
  { name: 'time', id: 41, userId: 41, length: 5, precision: 16, scale: 7 },
  { name: 'datetime2', id: 42, userId: 42, length: 8, precision: 27, scale: 7 },
  { name: 'datetimeoffset', id: 43, userId: 43, length: 10, precision: 34, scale: 7 },
  { name: 'tinyint', id: 48, userId: 48, length: 1, precision: 3, scale: 0 },
  { name: 'smallint', id: 52, userId: 52, length: 2, precision: 5, scale: 0 },
  { name: 'int', id: 56, userId: 56, length: 4, precision: 10, scale: 0 },
  { name: 'smalldatetime', id: 58, userId: 58, length: 4, precision: 16, scale: 0 },
  { name: 'real', id: 59, userId: 59, length: 4, precision: 24, scale: 0 },
  { name: 'money', id: 60, userId: 60, length: 8, precision: 19, scale: 4 },
  { name: 'datetime', id: 61, userId: 61, length: 8, precision: 23, scale: 3 },
  { name: 'float', id: 62, userId: 62, length: 8, precision: 53, scale: 0 },
  { name: 'sql_variant', id: 98, userId: 98, length: 8016, precision: 0, scale: 0 },
  { name: 'ntext', id: 99, userId: 99, length: 16, precision: 0, scale: 0 },
  { name: 'bit', id: 104, userId: 104, length: 1, precision: 1, scale: 0 },
  { name: 'decimal', id: 106, userId: 106, length: 17, precision: 38, scale: 38 },
  { name: 'numeric', id: 108, userId: 108, length: 17, precision: 38, scale: 38 },
  { name: 'smallmoney', id: 122, userId: 122, length: 4, precision: 10, scale: 4 },
  { name: 'bigint', id: 127, userId: 127, length: 8, precision: 19, scale: 0 },
  { name: 'varbinary', id: 165, userId: 165, length: 8000, precision: 0, scale: 0 },
  { name: 'varchar', id: 167, userId: 167, length: 8000, precision: 0, scale: 0 },
  { name: 'binary', id: 173, userId: 173, length: 8000, precision: 0, scale: 0 },
  { name: 'char', id: 175, userId: 175, length: 8000, precision: 0, scale: 0 },
  { name: 'timestamp', id: 189, userId: 189, length: 8, precision: 0, scale: 0 },
  { name: 'nvarchar', id: 231, userId: 231, length: 8000, precision: 0, scale: 0 },
  { name: 'nchar', id: 239, userId: 239, length: 8000, precision: 0, scale: 0 },
  { name: 'xml', id: 241, userId: 241, length: -1, precision: 0, scale: 0 },
  { name: 'sysname', id: 231, userId: 256, length: 256, precision: 0, scale: 0 },
];

/** The name that the catalog has for a type: rowversion is 'timestamp' there. */
export function catalogTypeName(name: SqlTypeName): string {
  return name === 'rowversion' ? 'timestamp' : name;
}

export function typeIdOf(name: string): number | null {
  const wanted = sameName(name, 'rowversion') ? 'timestamp' : name;
  return SYSTEM_TYPES.find((type) => sameName(type.name, wanted))?.userId ?? null;
}

export function typeNameOf(id: number): string | null {
  return SYSTEM_TYPES.find((type) => type.userId === id)?.name ?? null;
}

/** max_length, precision, scale and collation_name of sys.columns. Lengths are in bytes, -1 is (max). */
export function describeType(type: SqlType): {
  length: number;
  precision: number;
  scale: number;
  collation: string | null;
  systemTypeId: number;
} {
  const base = SYSTEM_TYPES.find((each) => each.name === catalogTypeName(type.name));
  const described = {
    length: base?.length ?? 0,
    precision: base?.precision ?? 0,
    scale: base?.scale ?? 0,
    collation: 'collation' in type ? type.collation : null,
    systemTypeId: base?.id ?? 0,
  };
  if ('length' in type) {
    const bytes = type.name === 'nchar' || type.name === 'nvarchar' ? 2 : 1;
    return { ...described, length: type.length === 'max' ? -1 : type.length * bytes };
  }
  if ('precision' in type) {
    return { ...described, length: decimalBytes(type.precision), precision: type.precision, scale: type.scale };
  }
  if (!('scale' in type)) {
    return described;
  }
  const { name, scale } = type;
  const fraction = scale === 0 ? 0 : scale + 1;
  const shown = { time: [0, 8], datetime2: [3, 19], datetimeoffset: [5, 26] } as const;
  const [extra, precision] = shown[name];
  return { ...described, length: timeBytes(scale) + extra, precision: precision + fraction, scale };
}

function decimalBytes(precision: number): number {
  return precision <= 9 ? 5 : precision <= 19 ? 9 : precision <= 28 ? 13 : 17;
}

function timeBytes(scale: number): number {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
}

export function columnLength(table: Table, column: string): number | null {
  const found = columnByName(table, column);
  return found === undefined ? null : describeType(found.type).length;
}

export function columnProperty(table: Table, name: string, property: string): number | null {
  const column: Column | undefined = columnByName(table, name);
  if (column === undefined) {
    return null;
  }
  const { length, precision, scale } = describeType(column.type);
  const bit = (value: boolean): number => (value ? 1 : 0);
  switch (property.toLowerCase()) {
    case 'columnid':
      return column.id;
    case 'ordinal':
      return table.columns.indexOf(column) + 1;
    case 'allowsnull':
      return bit(column.nullable);
    case 'isidentity':
      return bit(column.identity !== null);
    case 'iscomputed':
      return bit(column.computed !== null);
    case 'isrowguidcol':
      return bit(column.rowGuid);
    case 'precision':
      return column.type.name.startsWith('n') && length > 0 ? length / 2 : precision === 0 ? length : precision;
    case 'scale':
      return scale;
    case 'charmaxlen':
      return column.type.name.startsWith('n') && length > 0 ? length / 2 : length;
    default:
      return null;
  }
}

export function indexProperty(table: Table, name: string, property: string): number | null {
  const index = table.indexes.find((each) => sameName(each.name, name));
  if (index === undefined) {
    return null;
  }
  switch (property.toLowerCase()) {
    case 'indexid':
      return index.id;
    case 'isclustered':
      return index.clustered ? 1 : 0;
    case 'isunique':
      return index.unique ? 1 : 0;
    case 'isdisabled':
      return 0;
    default:
      return null;
  }
}

export function objectProperty(object: CatalogObject, property: string): number | null {
  const bit = (value: boolean): number => (value ? 1 : 0);
  const table = object.kind === 'table' ? object : null;
  switch (property.toLowerCase()) {
    case 'istable':
    case 'isusertable':
      return bit(table !== null);
    case 'isview':
      return bit(object.kind === 'view');
    case 'ismsshipped':
      return 0;
    case 'tablehasprimarykey':
      return table === null ? null : bit(primaryKey(table) !== null);
    case 'tablehasidentity':
      return table === null ? null : bit(table.columns.some((column) => column.identity !== null));
    case 'tablehasclustindex':
      return table === null ? null : bit(table.indexes.some((index) => index.clustered));
    case 'schemaid':
      return object.schema.id;
    case 'ownerid':
      return 1;
    default:
      return null;
  }
}
