/**
 * Reads the values of parameters, exactly, into the forms of sql-types.ts.
 */
import type { SqlType, SqlValue } from '../sql-types.ts';
import { ByteReader } from './byte-reader.ts';
import { readDate, readDateTime, readDateTime2, readDateTimeOffset, readSmallDateTime, readTime } from './date-times.ts';
import { LENGTH_MAX, PLP_NULL, PLP_UNKNOWN, ProtocolError } from './protocol.ts';
import { checkValueLength, fixedBytes } from './type-info.ts';
import type { WireType } from './type-info.ts';
import { guidFromBytes } from './uniqueidentifier.ts';

const LONG_NULL = 0xffff_ffff;

/** Reads one value of a described type. @throws ProtocolError when its bytes cannot be a value of the type. */
export function readValue(reader: ByteReader, wire: WireType): SqlValue {
  if (wire.untyped) {
    return null;
  }
  switch (wire.form) {
    case 'fixed':
      return readValueOf(reader, wire, fixedBytes(wire.type));
    case 'byte': {
      const bytes = reader.u8();
      return bytes === 0 ? null : readValueOf(reader, wire, bytes);
    }
    case 'short': {
      const bytes = reader.u16();
      return bytes === LENGTH_MAX ? null : readValueOf(reader, wire, bytes);
    }
    case 'long': {
      const bytes = reader.u32();
      return bytes === LONG_NULL ? null : readValueOf(reader, wire, bytes);
    }
    case 'plp': {
      const data = readChunks(reader);
      return data === null ? null : readValueOf(new ByteReader(data), wire, data.length);
    }
    default:
      return wire.form satisfies never;
  }
}

function readChunks(reader: ByteReader): Buffer | null {
  const total = reader.u64();
  if (total === PLP_NULL) {
    return null;
  }
  const chunks: Buffer[] = [];
  for (let bytes = reader.u32(); bytes !== 0; bytes = reader.u32()) {
    chunks.push(reader.bytes(bytes));
  }
  const data = Buffer.concat(chunks);
  if (total !== PLP_UNKNOWN && total !== BigInt(data.length)) {
    throw new ProtocolError(`a value of ${total} bytes has ${data.length}`);
  }
  return data;
}

/** Reads the value of a type of which the length has been read. @throws ProtocolError as readValue() */
export function readValueOf(reader: ByteReader, wire: WireType, bytes: number): SqlValue {
  const type: SqlType = wire.type;
  checkValueLength(type, bytes);
  switch (type.name) {
    case 'bit':
      return reader.u8() !== 0;
    case 'tinyint':
      return reader.u8();
    case 'smallint':
      return reader.i16();
    case 'int':
      return reader.i32();
    case 'bigint':
      return reader.i64();
    case 'decimal':
    case 'numeric':
      return readDecimal(reader, bytes, type.precision);
    case 'money':
      return readMoney(reader);
    case 'smallmoney':
      return BigInt(reader.i32());
    case 'float':
      return reader.f64();
    case 'real':
      return reader.f32();
    case 'char':
    case 'varchar':
    case 'text':
      return wire.decode(reader.bytes(bytes));
    case 'nchar':
    case 'nvarchar':
    case 'ntext':
      return reader.ucs2(bytes);
    case 'xml':
      return withoutByteOrderMark(reader.ucs2(bytes));
    case 'binary':
    case 'varbinary':
    case 'image':
    case 'rowversion':
      // A copy: the message's memory must not live as long as a stored value.
      return Buffer.from(reader.bytes(bytes));
    case 'date':
      return readDate(reader);
    case 'time':
      return readTime(reader, type.scale, bytes);
    case 'datetime2':
      return readDateTime2(reader, type.scale, bytes);
    case 'datetimeoffset':
      return readDateTimeOffset(reader, type.scale, bytes);
    case 'datetime':
      return readDateTime(reader);
    case 'smalldatetime':
      return readSmallDateTime(reader);
    case 'uniqueidentifier':
      return guidFromBytes(reader.bytes(bytes));
    case 'sql_variant':
      throw new ProtocolError('a sql_variant parameter');
    default:
      return type satisfies never;
  }
}

function readDecimal(reader: ByteReader, bytes: number, precision: number): bigint {
  if (bytes < 2 || bytes > 17) {
    throw new ProtocolError(`a decimal of ${bytes} bytes`);
  }
  const positive = reader.u8() !== 0;
  const magnitude = reader.bigUint(bytes - 1);
  if (magnitude >= 10n ** BigInt(precision)) {
    throw new ProtocolError(`a decimal of more than ${precision} digits`);
  }
  return positive ? magnitude : -magnitude;
}

/** The high half comes first. Source: MS-TDS 2.2.5.5.1.4. */
function readMoney(reader: ByteReader): bigint {
  const high = reader.i32();
  return (BigInt(high) << 32n) | BigInt(reader.u32());
}

function withoutByteOrderMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
