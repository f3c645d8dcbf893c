/**
 * Writes values of results and output parameters, exactly. One encoder is made per column, so that a row costs no look at its types.
 */
import type { SqlType, SqlValue, VariantValue } from '../sql-types.ts';
import type { ByteWriter } from './byte-writer.ts';
import { bodyOfFixedSize, bytesOf } from './encode-body.ts';
import { writeVariant } from './encode-variant.ts';
import { LENGTH_MAX, PLP_NULL } from './protocol.ts';
import { isPlp } from './type-info.ts';

/** Writes one value with its length; null in the form that the type has for it. */
export type ValueEncoder = (writer: ByteWriter, value: SqlValue) => void;

/** Makes the encoder for a column or an output parameter. */
export function valueEncoder(type: SqlType): ValueEncoder {
  if (type.name === 'sql_variant') {
    return (writer, value) => (value === null ? writer.u32(0) : writeVariant(writer, value as VariantValue));
  }
  const fixed = bodyOfFixedSize(type);
  if (fixed !== null) {
    return (writer, value) => {
      if (value === null) {
        writer.u8(0);
      } else {
        writer.u8(fixed.bytes);
        fixed.write(writer, value);
      }
    };
  }
  if (isPlp(type)) {
    return (writer, value) => writePlp(writer, value === null ? null : bytesOf(type, value));
  }
  if (type.name === 'text' || type.name === 'ntext' || type.name === 'image') {
    return (writer, value) => writeLob(writer, value === null ? null : bytesOf(type, value));
  }
  if (type.name === 'nvarchar' || type.name === 'nchar') {
    return (writer, value) => {
      if (value === null) {
        writer.u16(LENGTH_MAX);
      } else {
        writer.u16((value as string).length * 2);
        writer.ucs2(value as string);
      }
    };
  }
  return (writer, value) => {
    if (value === null) {
      writer.u16(LENGTH_MAX);
    } else {
      const bytes = bytesOf(type, value);
      writer.u16(bytes.length);
      writer.bytes(bytes);
    }
  };
}

/** One chunk with the total length in front. Source: MS-TDS 2.2.5.2.3. */
function writePlp(writer: ByteWriter, bytes: Buffer | null): void {
  if (bytes === null) {
    writer.u64(PLP_NULL);
    return;
  }
  writer.u64(BigInt(bytes.length));
  if (bytes.length > 0) {
    writer.u32(bytes.length);
    writer.bytes(bytes);
  }
  writer.u32(0);
}

const TEXT_POINTER = Buffer.from('sandbox text ptr', 'latin1');
const TEXT_TIMESTAMP = Buffer.from('stamp   ', 'latin1');

/** text, ntext and image carry a text pointer of 16 and a timestamp of 8 bytes, which mean nothing here. Source: MS-TDS 2.2.7.19. */
function writeLob(writer: ByteWriter, bytes: Buffer | null): void {
  if (bytes === null) {
    writer.u8(0);
    return;
  }
  writer.u8(TEXT_POINTER.length);
  writer.bytes(TEXT_POINTER);
  writer.bytes(TEXT_TIMESTAMP);
  writer.u32(bytes.length);
  writer.bytes(bytes);
}
