/**
 * Reads the value of a table-valued parameter: the name of its type, its columns, its rows. Source: MS-TDS 2.2.5.5.5. How the rows are ordered
 * and which columns are unique is skipped: the type says what holds.
 */
import type { TableValue } from '../session.ts';
import type { SqlValue } from '../sql-types.ts';
import type { ByteReader } from './byte-reader.ts';
import { readValue } from './decode-value.ts';
import { ProtocolError } from './protocol.ts';
import type { WireType } from './type-info.ts';
import { hasTableName, readTypeInfo } from './type-info.ts';

const NO_COLUMNS = 0xffff;
const TOKEN = { end: 0x00, row: 0x01, orderUnique: 0x10, columnOrdering: 0x11 } as const;
/** fDefault: the rows have no value of the column. */
const BY_DEFAULT = 0x0200;
const MOST_COLUMNS = 1024;

interface Column {
  readonly wire: WireType;
  readonly byDefault: boolean;
}

/**
 * Reads what follows the type byte.
 * @param collation of the session: for text without its own
 * @throws ProtocolError when the message is broken; SqlError 8009 for a column of a type that is not taken
 */
export function readTableValue(reader: ByteReader, collation: string): Omit<TableValue, 'readOnly'> {
  const database = reader.shortText();
  const schema = reader.shortText();
  const name = reader.shortText();
  const typeName = [database, schema, name]
    .filter((part) => part !== '')
    .map((part) => `[${part.replaceAll(']', ']]')}]`)
    .join('.');
  const count = reader.u16();
  const columns = count === NO_COLUMNS ? null : readColumns(reader, count, collation);
  skipMetadata(reader);
  return {
    typeName,
    columns: columns?.map(({ wire, byDefault }) => ({ type: wire.type, byDefault })) ?? null,
    rows: readRows(reader, columns ?? []),
  };
}

function readColumns(reader: ByteReader, count: number, collation: string): Column[] {
  if (count > MOST_COLUMNS) {
    throw new ProtocolError(`a table-valued parameter of ${count} columns`);
  }
  return Array.from({ length: count }, () => {
    // The user type.
    reader.u32();
    const flags = reader.u16();
    const wire = readTypeInfo(reader, collation);
    if (hasTableName(wire.type)) {
      throw new ProtocolError(`a table-valued parameter with a column of type ${wire.type.name}`);
    }
    // Its name, which is empty.
    reader.shortText();
    return { wire, byDefault: (flags & BY_DEFAULT) !== 0 };
  });
}

function skipMetadata(reader: ByteReader): void {
  for (let token = reader.u8(); token !== TOKEN.end; token = reader.u8()) {
    if (token !== TOKEN.orderUnique && token !== TOKEN.columnOrdering) {
      throw new ProtocolError(`token 0x${token.toString(16)} in the description of a table-valued parameter`);
    }
    reader.skip(reader.u16() * (token === TOKEN.orderUnique ? 3 : 2));
  }
}

function readRows(reader: ByteReader, columns: readonly Column[]): SqlValue[][] {
  const given = columns.filter((column) => !column.byDefault);
  const rows: SqlValue[][] = [];
  for (let token = reader.u8(); token !== TOKEN.end; token = reader.u8()) {
    if (token !== TOKEN.row) {
      throw new ProtocolError(`token 0x${token.toString(16)} in a table-valued parameter`);
    }
    if (columns.length === 0) {
      throw new ProtocolError('rows of a table-valued parameter without columns');
    }
    rows.push(given.map(({ wire }) => readValue(reader, wire)));
  }
  return rows;
}
