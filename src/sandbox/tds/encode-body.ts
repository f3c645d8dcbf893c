/**
 * Writes the data of values without any length around it: what rows, output parameters and sql_variant have in common.
 */
import type { DateTimeValue, OffsetValue, SqlType, SqlValue } from '../sql-types.ts';
import type { ByteWriter } from './byte-writer.ts';
import { wireCollation } from './collation.ts';
import { timeBytes, writeDate, writeDateTime, writeDateTime2, writeDateTimeOffset, writeSmallDateTime, writeTime } from './date-times.ts';
import { decimalBytes } from './type-info.ts';
import { guidToBytes } from './uniqueidentifier.ts';

type Body = (writer: ByteWriter, value: SqlValue) => void;

/** Size and writer of a type whose values all have the same size; null for the others. */
export function bodyOfFixedSize(type: SqlType): { readonly bytes: number; readonly write: Body } | null {
  switch (type.name) {
    case 'bit':
      return { bytes: 1, write: (writer, value) => writer.u8(value === true ? 1 : 0) };
    case 'tinyint':
      return { bytes: 1, write: (writer, value) => writer.u8(value as number) };
    case 'smallint':
      return { bytes: 2, write: (writer, value) => writer.i16(value as number) };
    case 'int':
      return { bytes: 4, write: (writer, value) => writer.i32(value as number) };
    case 'bigint':
      return { bytes: 8, write: (writer, value) => writer.i64(value as bigint) };
    case 'decimal':
    case 'numeric': {
      const bytes = decimalBytes(type.precision);
      return { bytes, write: (writer, value) => writeDecimal(writer, value as bigint, bytes) };
    }
    case 'money':
      return { bytes: 8, write: (writer, value) => writeMoney(writer, value as bigint) };
    case 'smallmoney':
      return { bytes: 4, write: (writer, value) => writer.i32(Number(value as bigint)) };
    case 'float':
      return { bytes: 8, write: (writer, value) => writer.f64(value as number) };
    case 'real':
      return { bytes: 4, write: (writer, value) => writer.f32(value as number) };
    case 'date':
      return { bytes: 3, write: (writer, value) => writeDate(writer, value as DateTimeValue) };
    case 'time': {
      const { scale } = type;
      return { bytes: timeBytes(scale), write: (writer, value) => writeTime(writer, value as DateTimeValue, scale) };
    }
    case 'datetime2': {
      const { scale } = type;
      return { bytes: timeBytes(scale) + 3, write: (writer, value) => writeDateTime2(writer, value as DateTimeValue, scale) };
    }
    case 'datetimeoffset': {
      const { scale } = type;
      return { bytes: timeBytes(scale) + 5, write: (writer, value) => writeDateTimeOffset(writer, value as OffsetValue, scale) };
    }
    case 'datetime':
      return { bytes: 8, write: (writer, value) => writeDateTime(writer, value as DateTimeValue) };
    case 'smalldatetime':
      return { bytes: 4, write: (writer, value) => writeSmallDateTime(writer, value as DateTimeValue) };
    case 'uniqueidentifier':
      return { bytes: 16, write: (writer, value) => writer.bytes(guidToBytes(value as string)) };
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
    case 'text':
    case 'ntext':
    case 'xml':
    case 'image':
    case 'binary':
    case 'varbinary':
    case 'rowversion':
    case 'sql_variant':
      return null;
    default:
      return type satisfies never;
  }
}

function writeDecimal(writer: ByteWriter, value: bigint, bytes: number): void {
  const magnitude = value < 0n ? -value : value;
  writer.u8(value < 0n ? 0 : 1);
  if (bytes === 5) {
    writer.u32(Number(magnitude));
  } else if (bytes === 9) {
    writer.u64(magnitude);
  } else {
    writer.bigUint(magnitude, bytes - 1);
  }
}

function writeMoney(writer: ByteWriter, value: bigint): void {
  writer.i32(Number(value >> 32n));
  writer.u32(Number(value & 0xffff_ffffn));
}

/** Writes a value's data without any length: what a sql_variant has after its properties. Text goes in the type's own encoding. */
export function writeBody(writer: ByteWriter, type: SqlType, value: SqlValue): void {
  const fixed = bodyOfFixedSize(type);
  if (fixed === null) {
    writer.bytes(bytesOf(type, value));
  } else {
    fixed.write(writer, value);
  }
}

/** The bytes of a character or binary value, in the encoding of its type. */
export function bytesOf(type: SqlType, value: SqlValue): Buffer {
  if (Buffer.isBuffer(value)) {
    return value;
  }
  if (type.name === 'char' || type.name === 'varchar' || type.name === 'text') {
    return wireCollation(type.collation).encode(value as string);
  }
  return Buffer.from(value as string, 'utf16le');
}
