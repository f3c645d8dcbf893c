/**
 * How each column type leaves SQL Server and what stands for it in a document or a key (R8). What the driver would damage is CONVERTed in
 * the SELECT; the rest is made canonical here. Refuses types whose values have no lossless text. Knows nothing of statements.
 * Source: learn.microsoft.com, "CAST and CONVERT" (styles) and "Data types"; tedious 19 value-parser (what it would damage).
 */
import type { JsonValue } from '../../model/document.ts';
import type { TableColumn } from '../../model/table.ts';
import { parseJsonColumn } from './json-column.ts';

/** The number that goes into a table's fingerprint: raise it when the same row would give another document. */
export const SERIALISER_FORMAT = 1;

/** What the driver delivers for one selected expression. */
export type DriverValue = string | number | boolean | Buffer | null;

type Scalar = string | number | boolean | null;

type Convert = (value: DriverValue) => Scalar;

/** How one column is selected and turned into JSON. */
export interface ColumnCodec {
  /** The select expression for the column given as a quoted, qualified name. */
  readonly select: (column: string) => string;
  /** JSON value of a non-null driver value. */
  readonly convert: (value: DriverValue) => JsonValue;
  /** Set for types without a bound: DATALENGTH is compared with `limitFactor` times maxDocument before the value is selected. */
  readonly unbounded: boolean;
  /** Bytes as DATALENGTH counts them per byte of document, at least: UTF-16 has two for one of UTF-8. */
  readonly bytesPerDocumentByte: number;
}

/** Whether a type (the base type of an alias type) can be published. */
export function isPublishable(type: string): boolean {
  return TYPES.has(type);
}

/** The codec of a column, whose type must be publishable. */
export function columnCodec(column: TableColumn): ColumnCodec {
  const make = TYPES.get(column.type);
  if (make === undefined) {
    throw new RangeError(`no codec for the type ${column.type}`);
  }
  return make(column);
}

/** The codec of a column that is declared `json`: nested JSON where re-serialising changes nothing, else the text. */
export function jsonCodec(column: TableColumn, onKept: () => void): ColumnCodec {
  const codec = columnCodec(column);
  return {
    ...codec,
    convert(value) {
      const text = codec.convert(value);
      return typeof text === 'string' ? parseJsonColumn(text, onKept) : text;
    },
  };
}

/** The canonical text of a key value, from its JSON value. Keys are never null. */
export function keyText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The type of a column as it is declared: decimal(18,4), nvarchar(40), datetime2(7). Source: learn.microsoft.com, sys.columns (max_length is bytes). */
export function declaredType(column: TableColumn): string {
  switch (column.type) {
    case 'decimal':
    case 'numeric':
      return `${column.type}(${column.precision},${column.scale})`;
    case 'char':
    case 'varchar':
    case 'binary':
    case 'varbinary':
      return `${column.type}(${column.maxLength < 0 ? 'max' : column.maxLength})`;
    case 'nchar':
    case 'nvarchar':
      return `${column.type}(${column.maxLength < 0 ? 'max' : column.maxLength / 2})`;
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return `${column.type}(${column.scale})`;
    default:
      return column.type;
  }
}

export function isCharacterType(type: string): boolean {
  return type === 'char' || type === 'varchar' || type === 'nchar' || type === 'nvarchar';
}

// --- Conversions of single types ---------------------------------------------------------------------------------------------------------

const asIs: Convert = (value) => (Buffer.isBuffer(value) ? value.toString('base64') : value);

/** -0 equals 0 in SQL Server and has no JSON of its own. */
const float: Convert = (value) => (value === 0 ? 0 : asIs(value));

/** The driver widens float32 to float64: the shortest decimal that is the same float32 instead (0.1, not 0.10000000149011612). */
const real: Convert = (value) => {
  // Integers up to 2^24 are their own shortest text.
  if (typeof value !== 'number' || (Number.isInteger(value) && Math.abs(value) <= 2 ** 24)) {
    return float(value);
  }
  for (let digits = 6; digits < 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) {
      return shorter;
    }
  }
  return Number(value.toPrecision(9));
};

const lowerCase: Convert = (value) => (typeof value === 'string' ? value.toLowerCase() : asIs(value));

const hexadecimal: Convert = (value) => (Buffer.isBuffer(value) ? `0x${value.toString('hex').toUpperCase()}` : asIs(value));

/** CONVERT style 126 leaves a fraction of zero out for datetime: all of a type's digits, always. */
function fraction(length: number, digits: number): Convert {
  return (value) => {
    if (typeof value !== 'string' || digits === 0 || value.length === length + 1 + digits) {
      return asIs(value);
    }
    const [whole = '', part = ''] = value.split('.');
    return `${whole}.${part.padEnd(digits, '0')}`;
  };
}

/** The same before the offset: +05:30, or Z for +00:00. */
function offsetFraction(digits: number): Convert {
  const pad = fraction(19, digits);
  return (value) => {
    if (typeof value !== 'string') {
      return asIs(value);
    }
    const zulu = value.endsWith('Z');
    const local = value.slice(0, zulu ? -1 : -6).trimEnd();
    return `${String(pad(local))}${zulu ? '+00:00' : value.slice(-6)}`;
  };
}

// --- The types ---------------------------------------------------------------------------------------------------------------------------

const plain = (convert: Convert): ColumnCodec => ({ select: (name) => name, convert, unbounded: false, bytesPerDocumentByte: 1 });

const converted = (type: string, style: number | null = null, convert: Convert = asIs): ColumnCodec => ({
  select: (name) => `CONVERT(${type}, ${name}${style === null ? '' : `, ${style}`})`,
  convert,
  unbounded: false,
  bytesPerDocumentByte: 1,
});

/** base64 makes four bytes of three: 0.75. */
const large = (type: string | null, bytesPerDocumentByte: number): ColumnCodec => ({
  select: (name) => (type === null ? name : `CONVERT(${type}, ${name})`),
  convert: asIs,
  unbounded: true,
  bytesPerDocumentByte,
});

/** varchar becomes nvarchar at the server: the driver decodes that faster, and needs no code page. */
const narrowText = (column: TableColumn): ColumnCodec => {
  if (column.maxLength < 0) {
    return large('nvarchar(max)', 1);
  }
  return converted(column.maxLength > 4000 ? 'nvarchar(max)' : `nvarchar(${column.maxLength})`);
};

const wideText = (column: TableColumn): ColumnCodec => (column.maxLength < 0 ? large(null, 2) : plain(asIs));
const bytes = (column: TableColumn): ColumnCodec => (column.maxLength < 0 ? large(null, 0.75) : plain(asIs));
const decimal = (): ColumnCodec => converted('nvarchar(42)');
const money = (): ColumnCodec => converted('nvarchar(30)', 2);

const TYPES: ReadonlyMap<string, (column: TableColumn) => ColumnCodec> = new Map<string, (column: TableColumn) => ColumnCodec>([
  ['bit', () => plain(asIs)],
  ['tinyint', () => plain(asIs)],
  ['smallint', () => plain(asIs)],
  ['int', () => plain(asIs)],
  ['bigint', () => converted('nvarchar(20)')],
  ['decimal', decimal],
  ['numeric', decimal],
  ['money', money],
  ['smallmoney', money],
  ['float', () => plain(float)],
  ['real', () => plain(real)],
  ['date', () => converted('nvarchar(10)', 126)],
  ['time', (column) => converted('nvarchar(16)', 126, fraction(8, column.scale))],
  ['smalldatetime', () => converted('nvarchar(19)', 126)],
  ['datetime', () => converted('nvarchar(23)', 126, fraction(19, 3))],
  ['datetime2', (column) => converted('nvarchar(27)', 126, fraction(19, column.scale))],
  ['datetimeoffset', (column) => converted('nvarchar(40)', 126, offsetFraction(column.scale))],
  ['char', narrowText],
  ['varchar', narrowText],
  ['nchar', wideText],
  ['nvarchar', wideText],
  ['text', () => large('nvarchar(max)', 1)],
  ['ntext', () => large('nvarchar(max)', 2)],
  ['xml', () => large('nvarchar(max)', 1)],
  ['json', () => large('nvarchar(max)', 1)],
  ['binary', bytes],
  ['varbinary', bytes],
  ['image', () => large('varbinary(max)', 0.75)],
  ['uniqueidentifier', () => plain(lowerCase)],
  ['timestamp', () => converted('binary(8)', null, hexadecimal)],
]);
