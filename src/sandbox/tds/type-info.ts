/**
 * How a type is described on the wire (TYPE_INFO), written for columns and return values and read for parameters.
 * A column that cannot be NULL has the type of fixed length where there is one (INT4, BIT …), as on SQL Server: drivers may take the nullable
 * form (INTN, BITN …) of such a column for it and read the length as data.
 * Source: MS-TDS 2.2.5.4 to 2.2.5.6.
 */
import type { SqlType } from '../sql-types.ts';
import { SqlError } from '../session.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { WireCollation } from './collation.ts';
import { decoderOf, wireCollation } from './collation.ts';
import { timeBytes } from './date-times.ts';
import { FIXED, LENGTH_MAX, ProtocolError, VARIABLE } from './protocol.ts';

/** Largest length in bytes of a type that is not (max). */
const LONGEST = 8000;
const LONGEST_TEXT = 0x7fff_ffff;
const LONGEST_NTEXT = 0x7fff_fffe;
const VARIANT_BYTES = 8009;
const DECIMAL_BYTES = 17;
export const ROWVERSION_USER_TYPE = 80;

/** Bytes that a decimal takes, sign included. Source: MS-TDS 2.2.5.5.1.6. */
export function decimalBytes(precision: number): number {
  return precision <= 9 ? 5 : precision <= 19 ? 9 : precision <= 28 ? 13 : 17;
}

/** Whether values of the type are sent in chunks with a total length of eight bytes. */
export function isPlp(type: SqlType): boolean {
  return type.name === 'xml' || ('length' in type && type.length === 'max');
}

/** Whether the type's column metadata carries a table name. */
export function hasTableName(type: SqlType): boolean {
  return type.name === 'text' || type.name === 'ntext' || type.name === 'image';
}

function writeLength(writer: ByteWriter, id: number, length: number | 'max', bytesEach: number): void {
  writer.u8(id);
  writer.u16(length === 'max' ? LENGTH_MAX : Math.max(1, length) * bytesEach);
}

/** The type id that stands for exactly this type's length and has no NULL; null for types without one. */
export function fixedTypeId(type: SqlType): number | null {
  return FIXED_IDS.get(type.name) ?? null;
}

/** Writes a type's description, in its nullable form. */
export function writeTypeInfo(writer: ByteWriter, type: SqlType): void {
  switch (type.name) {
    case 'bit':
      writer.u8(VARIABLE.bitn);
      writer.u8(1);
      return;
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      writer.u8(VARIABLE.intn);
      writer.u8({ tinyint: 1, smallint: 2, int: 4, bigint: 8 }[type.name]);
      return;
    case 'decimal':
    case 'numeric':
      writer.u8(VARIABLE[type.name]);
      // As SQL Server describes all of them: clients send values back in the length that they were told (bulk copies).
      writer.u8(DECIMAL_BYTES);
      writer.u8(type.precision);
      writer.u8(type.scale);
      return;
    case 'money':
    case 'smallmoney':
      writer.u8(VARIABLE.moneyn);
      writer.u8(type.name === 'money' ? 8 : 4);
      return;
    case 'float':
    case 'real':
      writer.u8(VARIABLE.floatn);
      writer.u8(type.name === 'float' ? 8 : 4);
      return;
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
      writeLength(writer, VARIABLE[type.name], type.length, type.name.startsWith('n') ? 2 : 1);
      writer.bytes(wireCollation(type.collation).bytes);
      return;
    case 'text':
    case 'ntext':
      writer.u8(VARIABLE[type.name]);
      writer.u32(type.name === 'text' ? LONGEST_TEXT : LONGEST_NTEXT);
      writer.bytes(wireCollation(type.collation).bytes);
      return;
    case 'image':
      writer.u8(VARIABLE.image);
      writer.u32(LONGEST_TEXT);
      return;
    case 'xml':
      // No schema collection.
      writer.u8(VARIABLE.xml);
      writer.u8(0);
      return;
    case 'binary':
    case 'varbinary':
      writeLength(writer, VARIABLE[type.name], type.length, 1);
      return;
    case 'rowversion':
      writeLength(writer, VARIABLE.binary, 8, 1);
      return;
    case 'date':
      writer.u8(VARIABLE.date);
      return;
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      writer.u8(VARIABLE[type.name]);
      writer.u8(type.scale);
      return;
    case 'datetime':
    case 'smalldatetime':
      writer.u8(VARIABLE.datetimen);
      writer.u8(type.name === 'datetime' ? 8 : 4);
      return;
    case 'uniqueidentifier':
      writer.u8(VARIABLE.uniqueidentifier);
      writer.u8(16);
      return;
    case 'sql_variant':
      writer.u8(VARIABLE.sqlVariant);
      writer.u32(VARIANT_BYTES);
      return;
    default:
      return type satisfies never;
  }
}

/** How the length before a parameter's value is written: not at all, in one, two or four bytes, or as chunks. */
export type LengthForm = 'fixed' | 'byte' | 'short' | 'long' | 'plp';

/** A parameter's type as it was described, with what is needed to read its value. */
export interface WireType {
  readonly type: SqlType;
  readonly form: LengthForm;
  /** For char, varchar and text: the code page of the bytes. */
  readonly decode: (bytes: Buffer) => string;
  /** The type of a NULL without a type (0x1F): there is no value to read. */
  readonly untyped: boolean;
}

function intOf(bytes: number): SqlType {
  const names = new Map([
    [1, 'tinyint'],
    [2, 'smallint'],
    [4, 'int'],
    [8, 'bigint'],
  ] as const);
  const name = names.get(bytes as 1 | 2 | 4 | 8);
  if (name === undefined) {
    throw new ProtocolError(`an integer of ${bytes} bytes`);
  }
  return { name };
}

function eightOrFour<A extends SqlType, B extends SqlType>(bytes: number, eight: A, four: B): A | B {
  if (bytes !== 8 && bytes !== 4) {
    throw new ProtocolError(`a type of 4 or 8 bytes with ${bytes}`);
  }
  return bytes === 8 ? eight : four;
}

function readScale(reader: ByteReader): number {
  const scale = reader.u8();
  if (scale > 7) {
    throw new ProtocolError(`a time with scale ${scale}`);
  }
  return scale;
}

function readDecimal(reader: ByteReader, name: 'decimal' | 'numeric'): SqlType {
  const bytes = reader.u8();
  const precision = reader.u8();
  const scale = reader.u8();
  if (precision < 1 || precision > 38 || scale > precision || bytes > 17) {
    throw new ProtocolError(`${name}(${precision}, ${scale}) in ${bytes} bytes`);
  }
  return { name, precision, scale };
}

function readLength(reader: ByteReader, bytesEach: number): number | 'max' {
  const length = reader.u16();
  if (length === LENGTH_MAX) {
    return 'max';
  }
  if (length > LONGEST || length % bytesEach !== 0) {
    throw new ProtocolError(`a type of ${length} bytes`);
  }
  return Math.max(1, length / bytesEach);
}

const FIXED_TYPES: ReadonlyMap<number, SqlType> = new Map<number, SqlType>([
  [FIXED.bit, { name: 'bit' }],
  [FIXED.tinyint, { name: 'tinyint' }],
  [FIXED.smallint, { name: 'smallint' }],
  [FIXED.int, { name: 'int' }],
  [FIXED.bigint, { name: 'bigint' }],
  [FIXED.real, { name: 'real' }],
  [FIXED.float, { name: 'float' }],
  [FIXED.money, { name: 'money' }],
  [FIXED.smallmoney, { name: 'smallmoney' }],
  [FIXED.datetime, { name: 'datetime' }],
  [FIXED.smalldatetime, { name: 'smalldatetime' }],
]);

const FIXED_IDS: ReadonlyMap<SqlType['name'], number> = new Map([...FIXED_TYPES].map(([id, { name }]) => [name, id]));

/**
 * Reads the description of a parameter's type.
 * @param collation the name of the session's collation: the type that a parameter without one gets.
 * @throws SqlError 8009 for types that exist but are not taken here (sql_variant, CLR types, json, vector, a table inside a table); ProtocolError for nonsense.
 */
export function readTypeInfo(reader: ByteReader, collation: string): WireType {
  const id = reader.u8();
  const fallback = wireCollation(collation);
  const plain = (type: SqlType, form: LengthForm): WireType => ({ type, form, decode: fallback.decode, untyped: false });
  const fixed = FIXED_TYPES.get(id);
  if (fixed !== undefined) {
    return plain(fixed, 'fixed');
  }
  switch (id) {
    case FIXED.null:
      return { type: { name: 'nvarchar', length: 4000, collation }, form: 'fixed', decode: fallback.decode, untyped: true };
    case VARIABLE.bitn:
      reader.u8();
      return plain({ name: 'bit' }, 'byte');
    case VARIABLE.intn:
      return plain(intOf(reader.u8()), 'byte');
    case VARIABLE.floatn:
      return plain(eightOrFour(reader.u8(), { name: 'float' }, { name: 'real' }), 'byte');
    case VARIABLE.moneyn:
      return plain(eightOrFour(reader.u8(), { name: 'money' }, { name: 'smallmoney' }), 'byte');
    case VARIABLE.datetimen:
      return plain(eightOrFour(reader.u8(), { name: 'datetime' }, { name: 'smalldatetime' }), 'byte');
    case VARIABLE.decimal:
    case VARIABLE.oldDecimal:
      return plain(readDecimal(reader, 'decimal'), 'byte');
    case VARIABLE.numeric:
    case VARIABLE.oldNumeric:
      return plain(readDecimal(reader, 'numeric'), 'byte');
    case VARIABLE.uniqueidentifier:
      reader.u8();
      return plain({ name: 'uniqueidentifier' }, 'byte');
    case VARIABLE.date:
      return plain({ name: 'date' }, 'byte');
    case VARIABLE.time:
      return plain({ name: 'time', scale: readScale(reader) }, 'byte');
    case VARIABLE.datetime2:
      return plain({ name: 'datetime2', scale: readScale(reader) }, 'byte');
    case VARIABLE.datetimeoffset:
      return plain({ name: 'datetimeoffset', scale: readScale(reader) }, 'byte');
    case VARIABLE.xml:
      readXmlSchema(reader);
      return plain({ name: 'xml' }, 'plp');
    case VARIABLE.image:
      reader.u32();
      return plain({ name: 'image' }, 'long');
    case VARIABLE.binary:
    case VARIABLE.varbinary: {
      const length = readLength(reader, 1);
      return plain({ name: id === VARIABLE.binary ? 'binary' : 'varbinary', length }, length === 'max' ? 'plp' : 'short');
    }
    default:
      return readCharacterType(reader, id, collation, fallback);
  }
}

function readCharacterType(reader: ByteReader, id: number, collation: string, fallback: WireCollation): WireType {
  const finish = (type: SqlType, form: LengthForm): WireType => ({
    type,
    form,
    decode: decoderOf(reader.bytes(5), fallback),
    untyped: false,
  });
  switch (id) {
    case VARIABLE.text:
    case VARIABLE.ntext:
      reader.u32();
      return finish({ name: id === VARIABLE.text ? 'text' : 'ntext', collation }, 'long');
    case VARIABLE.char:
    case VARIABLE.varchar: {
      const length = readLength(reader, 1);
      return finish({ name: id === VARIABLE.char ? 'char' : 'varchar', length, collation }, length === 'max' ? 'plp' : 'short');
    }
    case VARIABLE.nchar:
    case VARIABLE.nvarchar: {
      const length = readLength(reader, 2);
      return finish({ name: id === VARIABLE.nchar ? 'nchar' : 'nvarchar', length, collation }, length === 'max' ? 'plp' : 'short');
    }
    case VARIABLE.sqlVariant:
      throw unsupported(id, 'sql_variant');
    case VARIABLE.table:
      throw unsupported(id, 'table-valued');
    case VARIABLE.udt:
      throw unsupported(id, 'CLR type');
    case VARIABLE.json:
      throw unsupported(id, 'json');
    case VARIABLE.vector:
      throw unsupported(id, 'vector');
    default:
      throw new ProtocolError(`type 0x${id.toString(16)}`);
  }
}

/** The parameters of a schema collection are names; nothing validates against them here. */
function readXmlSchema(reader: ByteReader): void {
  if (reader.u8() !== 0) {
    reader.shortText();
    reader.shortText();
    reader.ucs2(reader.u16() * 2);
  }
}

function unsupported(id: number, what: string): SqlError {
  return new SqlError(
    8009,
    `The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. Data type 0x${id.toString(16).toUpperCase()}: ${what} parameters are not supported.`,
  );
}

/** Checks that a value's length can be right for its type. Null is the caller's. */
export function checkValueLength(type: SqlType, bytes: number): void {
  const expected = valueBytes(type);
  if (expected !== null && expected !== bytes) {
    throw new ProtocolError(`a ${type.name} of ${bytes} bytes`);
  }
}

const VALUE_BYTES: ReadonlyMap<SqlType['name'], number> = new Map([
  ['bit', 1],
  ['tinyint', 1],
  ['smallint', 2],
  ['date', 3],
  ['int', 4],
  ['real', 4],
  ['smallmoney', 4],
  ['smalldatetime', 4],
  ['bigint', 8],
  ['float', 8],
  ['money', 8],
  ['datetime', 8],
  ['uniqueidentifier', 16],
]);

function valueBytes(type: SqlType): number | null {
  if (type.name === 'time') {
    return timeBytes(type.scale);
  }
  if (type.name === 'datetime2' || type.name === 'datetimeoffset') {
    return timeBytes(type.scale) + (type.name === 'datetime2' ? 3 : 5);
  }
  return VALUE_BYTES.get(type.name) ?? null;
}

/** Bytes of a value of a type without a length field. */
export function fixedBytes(type: SqlType): number {
  return valueBytes(type) ?? 0;
}
