/**
 * The SQL types of the sandbox and how their values stand in memory. It is the one thing that the protocol (tds/), the language (sql/)
 * and the store (engine/) share. Values are exact: nothing here goes through a JavaScript number that could round it.
 */

/** A type with everything that a column or an expression needs to be described on the wire. Lengths are in characters for n-types, bytes else; 'max' is (max). */
export type SqlType =
  | { readonly name: 'bit' | 'tinyint' | 'smallint' | 'int' | 'bigint' }
  | { readonly name: 'decimal' | 'numeric'; readonly precision: number; readonly scale: number }
  | { readonly name: 'money' | 'smallmoney' }
  | { readonly name: 'float' | 'real' }
  | { readonly name: 'char' | 'varchar'; readonly length: number | 'max'; readonly collation: string }
  | { readonly name: 'nchar' | 'nvarchar'; readonly length: number | 'max'; readonly collation: string }
  | { readonly name: 'text' | 'ntext'; readonly collation: string }
  | { readonly name: 'xml' | 'image' }
  | { readonly name: 'binary' | 'varbinary'; readonly length: number | 'max' }
  | { readonly name: 'rowversion' }
  | { readonly name: 'date' }
  | { readonly name: 'time' | 'datetime2' | 'datetimeoffset'; readonly scale: number }
  | { readonly name: 'datetime' | 'smalldatetime' }
  | { readonly name: 'uniqueidentifier' }
  | { readonly name: 'sql_variant' };

export type SqlTypeName = SqlType['name'];

/** Days since 0001-01-01 and 100 ns ticks of the day; what every date and time type but datetimeoffset is made of. */
export interface DateTimeValue {
  readonly days: number;
  readonly ticks: bigint;
}

/** A datetimeoffset: `days` and `ticks` in UTC, the offset in minutes. */
export interface OffsetValue extends DateTimeValue {
  readonly offset: number;
}

/**
 * A value, by type:
 * - bit: boolean; tinyint, smallint, int, float, real: number; bigint: bigint
 * - decimal, numeric: bigint unscaled by the type's scale (12.30 at scale 2 is 1230n); money, smallmoney: bigint in 1/10000
 * - every character type, xml: string; uniqueidentifier: string in UPPER case with hyphens
 * - binary, varbinary, image, rowversion: Buffer
 * - date: DateTimeValue with ticks 0n; time: DateTimeValue with days 0; datetime, smalldatetime, datetime2: DateTimeValue; datetimeoffset: OffsetValue
 * - sql_variant: VariantValue
 */
export type SqlValue = null | boolean | number | bigint | string | Buffer | DateTimeValue | OffsetValue | VariantValue;

export interface VariantValue {
  readonly type: SqlType;
  readonly variant: SqlValue;
}

/** One column of a result set. */
export interface ResultColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly identity?: boolean;
  readonly computed?: boolean;
  /** Of a result set with browse information: the column of a table that it is; null for an expression. */
  readonly browse?: ColumnOrigin | null;
}

export interface ColumnOrigin {
  /** The parts of the table's name, as the query has it. */
  readonly table: readonly string[];
  /** Which of the query's tables it is, from 1. */
  readonly number: number;
  readonly column: string;
  /** It belongs to a key of the table that is there as a whole. */
  readonly key: boolean;
  /** It was not asked for: a client keeps it to itself. */
  readonly hidden: boolean;
}

/** An error or an information message, as the ERROR and INFO tokens carry them. Errors have class >= 11. */
export interface SqlMessage {
  readonly number: number;
  readonly state: number;
  readonly class: number;
  readonly message: string;
  readonly procedure: string;
  readonly line: number;
}

/** The collation of a new database when none is given: SQL Server's own default for US English. */
export const DEFAULT_COLLATION = 'SQL_Latin1_General_CP1_CI_AS';
