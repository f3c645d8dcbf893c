/**
 * Reads the message of a bulk load: COLMETADATA, rows, DONE. Source: MS-TDS 2.2.6.1. Rows are decoded as they are asked for, from the
 * message in memory, and it is the session that says whether they fit its table.
 */
import type { BulkColumn, BulkRows } from '../session.ts';
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import { ByteReader } from './byte-reader.ts';
import { readValue, readValueOf } from './decode-value.ts';
import { ProtocolError, TOKEN } from './protocol.ts';
import { fixedBytes, hasTableName, readTypeInfo } from './type-info.ts';
import type { WireType } from './type-info.ts';

/** Bits of a column's flags. Source: MS-TDS 2.2.7.4. */
const FLAG = { nullable: 0x0001, nullableUnknown: 0x8000 } as const;
/** Bytes after the token; some clients send a count of four bytes, as before TDS 7.2. */
const DONE_BYTES: readonly number[] = [8, 12];
const TEXT_TIMESTAMP_BYTES = 8;

interface StreamColumn extends BulkColumn {
  readonly wire: WireType;
}

/**
 * @param collation of the session: for text without its own.
 * @throws ProtocolError when the description of the columns is broken; SqlError 8009 for a type that is not taken. The rows' iterator throws
 *   ProtocolError for broken rows, SqlError 4815 for a value of a wrong length.
 */
export function readBulkRows(data: Buffer, collation: string): BulkRows {
  const reader = new ByteReader(data);
  if (reader.u8() !== TOKEN.columnMetadata) {
    throw new ProtocolError('a bulk load without the description of its columns');
  }
  const columns: StreamColumn[] = [];
  for (let left = reader.u16(); left > 0; left--) {
    columns.push(readColumn(reader, collation));
  }
  const at = data.length - reader.left;
  return { columns, rows: { [Symbol.iterator]: () => readRows(new ByteReader(data, at), columns) } };
}

function readColumn(reader: ByteReader, collation: string): StreamColumn {
  // The user type.
  reader.u32();
  const flags = reader.u16();
  const wire = readTypeInfo(reader, collation);
  if (hasTableName(wire.type)) {
    reader.ucs2(reader.u16() * 2);
  }
  const nullable = (flags & FLAG.nullable) !== 0 ? true : (flags & FLAG.nullableUnknown) !== 0 ? null : false;
  return { name: reader.shortText(), type: wire.type, nullable, wire };
}

function* readRows(reader: ByteReader, columns: readonly StreamColumn[]): Generator<readonly SqlValue[]> {
  for (;;) {
    if (reader.left === 0) {
      // FreeTDS sends no DONE.
      return;
    }
    const token = reader.u8();
    if (token === TOKEN.done) {
      if (!DONE_BYTES.includes(reader.left)) {
        throw new ProtocolError(`a bulk load ends with ${reader.left} bytes`);
      }
      return;
    }
    if (token !== TOKEN.row) {
      throw new ProtocolError(`token 0x${token.toString(16)} in a bulk load`);
    }
    yield columns.map((column, index) => readCell(reader, column.wire, index));
  }
}

function readCell(reader: ByteReader, wire: WireType, index: number): SqlValue {
  const { type, form } = wire;
  if (form === 'long') {
    // A text pointer and a timestamp, which say nothing here, come before the length.
    const pointer = reader.u8();
    if (pointer === 0) {
      return null;
    }
    reader.skip(pointer + TEXT_TIMESTAMP_BYTES);
    return readValue(reader, wire);
  }
  if (form !== 'byte' && form !== 'short') {
    return readValue(reader, wire);
  }
  const bytes = form === 'byte' ? reader.u8() : reader.u16();
  if (bytes === (form === 'byte' ? 0 : 0xffff)) {
    return null;
  }
  if (bytes > mostBytes(type) || (fixedBytes(type) !== 0 && bytes !== fixedBytes(type))) {
    throw new SqlError(4815, `Received an invalid column length from the bcp client for colid ${index + 1}.`);
  }
  return readValueOf(reader, wire, bytes);
}

/** How long a value may be. */
function mostBytes(type: SqlType): number {
  if ('length' in type) {
    return type.length === 'max' ? Number.MAX_SAFE_INTEGER : type.length * (type.name.startsWith('n') ? 2 : 1);
  }
  return Number.MAX_SAFE_INTEGER;
}
