/**
 * Writes single tokens of an answer (MS-TDS 2.2.7). It knows their layout, not their order.
 */
import type { ResultColumn, SqlMessage, SqlType, SqlValue } from '../sql-types.ts';
import type { ByteWriter } from './byte-writer.ts';
import { wireCollation } from './collation.ts';
import { bodyOfFixedSize } from './encode-body.ts';
import type { ValueEncoder } from './encode-value.ts';
import { valueEncoder } from './encode-value.ts';
import { ENVIRONMENT, TOKEN } from './protocol.ts';
import { ROWVERSION_USER_TYPE, fixedTypeId, hasTableName, writeTypeInfo } from './type-info.ts';

const COLUMN = { nullable: 0x01, updatableUnknown: 0x08, identity: 0x10, computed: 0x20 } as const;
const MESSAGE_CHARACTERS = 4000;

/** The tabular data stream version that clients of 7.3, 7.4 and 8.0 ask for, and LOGINACK repeats. Source: MS-TDS 2.2.7.14. */
export const TDS_VERSION = { v73b: 0x730b_0003, v74: 0x7400_0004, v80: 0x0800_0000 } as const;

/** The product version that LOGINACK and PRELOGIN report. */
export interface ServerVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

export function writeLoginAck(writer: ByteWriter, tdsVersion: number, version: ServerVersion): void {
  writer.u8(TOKEN.loginAck);
  const mark = writer.beginLength();
  // The interface: T-SQL.
  writer.u8(1);
  writer.bytes(bigEndian(tdsVersion));
  writer.shortText('Microsoft SQL Server');
  writer.u8(version.major);
  writer.u8(version.minor);
  writer.u8(version.build >>> 8);
  writer.u8(version.build & 0xff);
  writer.endLength(mark);
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

/** ERROR for a class above 10, INFO below. */
export function writeMessage(writer: ByteWriter, message: SqlMessage, serverName: string): void {
  writer.u8(message.class > 10 ? TOKEN.error : TOKEN.info);
  const mark = writer.beginLength();
  writer.i32(message.number);
  writer.u8(message.state & 0xff);
  writer.u8(message.class & 0xff);
  writer.longText(message.message, MESSAGE_CHARACTERS);
  writer.shortText(serverName);
  writer.shortText(message.procedure);
  writer.u32(message.line);
  writer.endLength(mark);
}

function writeEnvironment(writer: ByteWriter, kind: number, body: () => void): void {
  writer.u8(TOKEN.environmentChange);
  const mark = writer.beginLength();
  writer.u8(kind);
  body();
  writer.endLength(mark);
}

/** A change of database, language or packet size: texts. */
export function writeTextChange(writer: ByteWriter, kind: 'database' | 'language' | 'packetSize', to: string, from: string): void {
  writeEnvironment(writer, ENVIRONMENT[kind], () => {
    writer.shortText(to);
    writer.shortText(from);
  });
}

export function writeCollationChange(writer: ByteWriter, collation: string): void {
  const { bytes } = wireCollation(collation);
  writeEnvironment(writer, ENVIRONMENT.collation, () => {
    writer.u8(bytes.length);
    writer.bytes(bytes);
    writer.u8(0);
  });
}

/** A transaction began (its id is the new value) or ended (its id is the old value). Source: MS-TDS 2.2.7.9, types 8 to 10. */
export function writeTransactionChange(writer: ByteWriter, kind: 'begin' | 'commit' | 'rollback', id: bigint): void {
  writeEnvironment(writer, ENVIRONMENT[kind], () => {
    writer.u8(kind === 'begin' ? 8 : 0);
    if (kind === 'begin') {
      writer.u64(id);
    }
    writer.u8(kind === 'begin' ? 0 : 8);
    if (kind !== 'begin') {
      writer.u64(id);
    }
  });
}

/** The acknowledgement of RESETCONNECTION. */
export function writeResetChange(writer: ByteWriter): void {
  writeEnvironment(writer, ENVIRONMENT.reset, () => {
    writer.u8(0);
    writer.u8(0);
  });
}

/** DONE, DONEPROC or DONEINPROC. `command` is 0xC1 for SELECT and 0 where nobody asks. */
export function writeDone(writer: ByteWriter, token: number, status: number, command: number, rowCount: bigint): void {
  writer.u8(token);
  writer.u16(status);
  writer.u16(command);
  writer.u64(rowCount);
}

export function writeReturnStatus(writer: ByteWriter, status: number): void {
  writer.u8(TOKEN.returnStatus);
  writer.i32(status);
}

/** The value of an output parameter. `ordinal` is its place among the parameters of the call. */
export function writeReturnValue(writer: ByteWriter, output: { ordinal: number; name: string; type: SqlType; value: SqlValue }): void {
  writer.u8(TOKEN.returnValue);
  writer.u16(output.ordinal);
  writer.shortText(output.name);
  // An output parameter, not the result of a function.
  writer.u8(1);
  writer.u32(0);
  writer.u16(COLUMN.nullable);
  const type = asParameterType(output.type);
  writeTypeInfo(writer, type);
  valueEncoder(type)(writer, output.value);
}

/** text, ntext and image cannot be output parameters; their (max) counterparts say the same. */
function asParameterType(type: SqlType): SqlType {
  if (type.name === 'text' || type.name === 'ntext') {
    return { name: type.name === 'text' ? 'varchar' : 'nvarchar', length: 'max', collation: type.collation };
  }
  return type.name === 'image' ? { name: 'varbinary', length: 'max' } : type;
}

export function writeColumnMetadata(writer: ByteWriter, columns: readonly ResultColumn[]): void {
  writer.u8(TOKEN.columnMetadata);
  writer.u16(columns.length);
  for (const column of columns) {
    writer.u32(column.type.name === 'rowversion' ? ROWVERSION_USER_TYPE : 0);
    writer.u16(
      (column.nullable ? COLUMN.nullable : 0) |
        (column.identity === true ? COLUMN.identity : 0) |
        (column.computed === true ? COLUMN.computed : COLUMN.updatableUnknown),
    );
    writeColumnType(writer, column);
    if (hasTableName(column.type)) {
      // One part, empty: which table it came from is not said.
      writer.u8(1);
      writer.u16(0);
    }
    writer.shortText(column.name);
  }
}

/** Bits of COLINFO's status. Source: MS-TDS 2.2.7.3. */
const ORIGIN = { expression: 0x04, key: 0x08, hidden: 0x10, differentName: 0x20 } as const;

/** TABNAME and COLINFO of a result set with browse information. Source: MS-TDS 2.2.7.24, 2.2.7.3. */
export function writeOrigins(writer: ByteWriter, columns: readonly ResultColumn[]): void {
  const tables: (readonly string[])[] = [];
  for (const { browse } of columns) {
    if (browse !== undefined && browse !== null) {
      tables[browse.number - 1] = browse.table;
    }
  }
  if (tables.length === 0) {
    return;
  }
  writer.u8(TOKEN.tableName);
  const names = writer.beginLength();
  for (const parts of tables) {
    writer.u8(parts.length);
    parts.forEach((part) => writer.longText(part));
  }
  writer.endLength(names);
  writer.u8(TOKEN.columnInfo);
  const origins = writer.beginLength();
  columns.forEach(({ name, browse }, index) => {
    const renamed = browse !== undefined && browse !== null && browse.column !== name;
    writer.u8((index + 1) & 0xff);
    writer.u8(browse?.number ?? 0);
    writer.u8(
      browse === undefined || browse === null
        ? ORIGIN.expression
        : (browse.key ? ORIGIN.key : 0) | (browse.hidden ? ORIGIN.hidden : 0) | (renamed ? ORIGIN.differentName : 0),
    );
    if (renamed) {
      writer.shortText(browse.column);
    }
  });
  writer.endLength(origins);
}

/** The type of fixed length where the column has one: for columns that cannot be NULL. */
function fixedColumnId({ nullable, type }: ResultColumn): number | null {
  return nullable ? null : fixedTypeId(type);
}

function writeColumnType(writer: ByteWriter, column: ResultColumn): void {
  const id = fixedColumnId(column);
  if (id === null) {
    writeTypeInfo(writer, column.type);
  } else {
    writer.u8(id);
  }
}

/** Makes the writer of a result set's rows: ROW, or NBCROW with a bit per column where a row has a NULL. */
export function rowWriter(columns: readonly ResultColumn[]): (writer: ByteWriter, values: readonly SqlValue[]) => void {
  const encoders: readonly ValueEncoder[] = columns.map((column) => {
    const fixed = fixedColumnId(column) === null ? null : bodyOfFixedSize(column.type);
    return fixed?.write ?? valueEncoder(column.type);
  });
  const bitmap = Buffer.alloc(Math.ceil(columns.length / 8));
  return (writer, values) => {
    if (values.length !== encoders.length) {
      throw new RangeError(`a row of ${values.length} values for ${encoders.length} columns`);
    }
    if (!values.includes(null)) {
      writer.u8(TOKEN.row);
      let i = 0;
      for (const encode of encoders) {
        encode(writer, values[i++] ?? null);
      }
      return;
    }
    bitmap.fill(0);
    for (let i = 0; i < values.length; i++) {
      if (values[i] === null) {
        bitmap[i >>> 3] = (bitmap[i >>> 3] ?? 0) | (1 << (i & 7));
      }
    }
    writer.u8(TOKEN.nullBitmapRow);
    writer.bytes(bitmap);
    let i = 0;
    for (const encode of encoders) {
      const value = values[i++] ?? null;
      if (value !== null) {
        encode(writer, value);
      }
    }
  };
}
