/**
 * Writes a sql_variant: a value that brings its type along. Source: MS-TDS 2.2.5.5.4.
 */
import { SqlError } from '../session.ts';
import type { SqlType, VariantValue } from '../sql-types.ts';
import { ByteWriter } from './byte-writer.ts';
import { wireCollation } from './collation.ts';
import { writeBody } from './encode-body.ts';
import { FIXED, VARIABLE } from './protocol.ts';

/** Writes the total length, the base type, its properties and the data. @throws SqlError 260 for a type that no sql_variant can hold. */
export function writeVariant(writer: ByteWriter, value: VariantValue): void {
  if (value.variant === null) {
    writer.u32(0);
    return;
  }
  const body = new ByteWriter();
  writeHeader(body, value.type);
  writeBody(body, storedType(value.type), value.variant);
  writer.u32(body.length);
  writer.bytes(body.first(body.length));
}

/** A decimal in a sql_variant always has its full width, whatever its precision: drivers may read no other. */
function storedType(type: SqlType): SqlType {
  return type.name === 'decimal' || type.name === 'numeric' ? { ...type, precision: 38 } : type;
}

function writeHeader(writer: ByteWriter, type: SqlType): void {
  switch (type.name) {
    case 'bit':
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'real':
    case 'float':
    case 'money':
    case 'smallmoney':
    case 'datetime':
    case 'smalldatetime':
      writer.u8(FIXED[type.name]);
      writer.u8(0);
      return;
    case 'uniqueidentifier':
    case 'date':
      writer.u8(VARIABLE[type.name]);
      writer.u8(0);
      return;
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      writer.u8(VARIABLE[type.name]);
      writer.u8(1);
      writer.u8(type.scale);
      return;
    case 'decimal':
    case 'numeric':
      writer.u8(VARIABLE[type.name]);
      writer.u8(2);
      writer.u8(type.precision);
      writer.u8(type.scale);
      return;
    case 'binary':
    case 'varbinary':
      writer.u8(VARIABLE[type.name]);
      writer.u8(2);
      writer.u16(inRow(type.length));
      return;
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
      writer.u8(VARIABLE[type.name]);
      writer.u8(7);
      writer.bytes(wireCollation(type.collation).bytes);
      writer.u16(inRow(type.length) * (type.name.startsWith('n') ? 2 : 1));
      return;
    case 'text':
    case 'ntext':
    case 'image':
    case 'xml':
    case 'rowversion':
    case 'sql_variant':
      throw new SqlError(260, `Disallowed implicit conversion from data type ${type.name} to data type sql_variant.`);
    default:
      return type satisfies never;
  }
}

function inRow(length: number | 'max'): number {
  if (length === 'max') {
    throw new SqlError(260, 'Disallowed implicit conversion from a (max) data type to data type sql_variant.');
  }
  return length;
}
