/**
 * SQL types as the catalog procedures of ODBC (sp_columns, sp_datatype_info, sp_special_columns) describe them: type codes, sizes, radix.
 * Source: learn.microsoft.com, "sp_columns", "sp_datatype_info" and ODBC's appendix D; SS_DATA_TYPE is the type id of the protocol (MS-TDS 2.2.5.4).
 */
import type { SqlType } from '../sql-types.ts';
import { catalogTypeName, describeType } from './metadata-functions.ts';

export interface OdbcType {
  readonly name: string;
  readonly code: number;
  readonly precision: number;
  readonly length: number;
  readonly scale: number | null;
  readonly radix: number | null;
  /** The code without what kind of date it is, and that kind. */
  readonly verbose: number;
  readonly dateKind: number | null;
  /** Bytes of a character or binary value. */
  readonly octets: number | null;
  /** The protocol's id of the type that can be NULL. */
  readonly wire: number;
}

const SQL_DATETIME = 9;

interface Fixed {
  readonly code: number;
  readonly precision: number;
  readonly length: number;
  readonly scale?: number;
  readonly radix?: number;
  readonly dateKind?: number;
  readonly wire: number;
}

/** Codes, sizes and ids of the types that have only one. */
const FIXED: Partial<Record<SqlType['name'], Fixed>> = {
  bit: { code: -7, precision: 1, length: 1, wire: 50 },
  tinyint: { code: -6, precision: 3, length: 1, scale: 0, radix: 10, wire: 38 },
  smallint: { code: 5, precision: 5, length: 2, scale: 0, radix: 10, wire: 38 },
  int: { code: 4, precision: 10, length: 4, scale: 0, radix: 10, wire: 38 },
  bigint: { code: -5, precision: 19, length: 8, scale: 0, radix: 10, wire: 108 },
  float: { code: 6, precision: 15, length: 8, radix: 10, wire: 109 },
  real: { code: 7, precision: 7, length: 4, radix: 10, wire: 109 },
  money: { code: 3, precision: 19, length: 21, scale: 4, radix: 10, wire: 110 },
  smallmoney: { code: 3, precision: 10, length: 12, scale: 4, radix: 10, wire: 110 },
  datetime: { code: 93, precision: 23, length: 16, scale: 3, dateKind: 3, wire: 111 },
  smalldatetime: { code: 93, precision: 16, length: 16, scale: 0, dateKind: 3, wire: 111 },
  date: { code: 91, precision: 10, length: 6, dateKind: 1, wire: 0 },
  uniqueidentifier: { code: -11, precision: 36, length: 16, wire: 37 },
  rowversion: { code: -2, precision: 8, length: 8, wire: 45 },
  text: { code: -1, precision: 2_147_483_647, length: 2_147_483_647, wire: 35 },
  ntext: { code: -10, precision: 1_073_741_823, length: 2_147_483_646, wire: 35 },
  image: { code: -4, precision: 2_147_483_647, length: 2_147_483_647, wire: 34 },
  xml: { code: -152, precision: 0, length: 0, wire: 0 },
  sql_variant: { code: -150, precision: 8000, length: 8000, wire: 39 },
};

const SIZED = {
  char: { code: 1, wire: 39 },
  varchar: { code: 12, wire: 39 },
  nchar: { code: -8, wire: 39 },
  nvarchar: { code: -9, wire: 39 },
  binary: { code: -2, wire: 37 },
  varbinary: { code: -3, wire: 37 },
} as const;

/** Codes of types that ODBC 3 itself does not have. Source: learn.microsoft.com, "Data Type Support for ODBC Date and Time Improvements". */
const TIMES = {
  time: { code: -154, length: 12 },
  datetime2: { code: 93, length: 16 },
  datetimeoffset: { code: -155, length: 20 },
} as const;

export function odbcType(type: SqlType): OdbcType {
  const name = catalogTypeName(type.name);
  const plain = { name, scale: null, radix: null, dateKind: null, octets: null };
  if ('length' in type) {
    const { code, wire } = SIZED[type.name];
    const bytes = describeType(type).length;
    const precision = type.length === 'max' ? 0 : type.length;
    const length = Math.max(0, bytes);
    return { ...plain, code, verbose: code, precision, length, octets: length, wire };
  }
  if (type.name === 'decimal' || type.name === 'numeric') {
    const code = type.name === 'decimal' ? 3 : 2;
    const { precision, scale } = type;
    return { ...plain, code, verbose: code, precision, length: precision + 2, scale, radix: 10, wire: type.name === 'decimal' ? 106 : 108 };
  }
  if (type.name === 'time' || type.name === 'datetime2' || type.name === 'datetimeoffset') {
    const { code, length } = TIMES[type.name];
    const { precision } = describeType(type);
    const isTimestamp = code === 93;
    return {
      ...plain,
      code,
      verbose: isTimestamp ? SQL_DATETIME : code,
      precision,
      length,
      scale: type.scale,
      dateKind: isTimestamp ? 3 : 0,
      wire: 0,
    };
  }
  const fixed = FIXED[type.name];
  if (fixed === undefined) {
    throw new TypeError(`no ODBC type for ${type.name}`);
  }
  const character = type.name === 'text' || type.name === 'ntext' || type.name === 'image' || type.name === 'rowversion';
  return {
    ...plain,
    code: fixed.code,
    verbose: fixed.dateKind === undefined ? fixed.code : SQL_DATETIME,
    precision: fixed.precision,
    length: fixed.length,
    scale: fixed.scale ?? null,
    radix: fixed.radix ?? null,
    dateKind: fixed.dateKind ?? null,
    octets: character ? fixed.length : null,
    wire: fixed.wire,
  };
}
