/**
 * Reads what clients ask for after the login: SQL batches, remote procedure calls, transaction requests (MS-TDS 2.2.6.6 to 2.2.6.9).
 */
import type { IsolationLevel, Parameter } from '../session.ts';
import { ByteReader } from './byte-reader.ts';
import { readValue } from './decode-value.ts';
import { ProtocolError, VARIABLE } from './protocol.ts';
import { readTableValue } from './table-parameter.ts';
import { readTypeInfo } from './type-info.ts';

/** A parameter as it was sent. `isDefault`: the procedure's own default is wanted and `value` says nothing. */
export interface RpcParameter extends Parameter {
  readonly isDefault: boolean;
}

/** One call of a procedure. A message may hold several. */
export interface RpcCall {
  readonly procedure: string;
  readonly parameters: readonly RpcParameter[];
}

/** A request of the transaction manager. `then`: a transaction to begin right after a commit or rollback. */
export type TransactionRequest =
  | { readonly kind: 'begin'; readonly level: IsolationLevel | null; readonly name: string }
  | {
      readonly kind: 'commit' | 'rollback';
      readonly name: string;
      readonly then: { readonly level: IsolationLevel | null; readonly name: string } | null;
    }
  | { readonly kind: 'save'; readonly name: string }
  | { readonly kind: 'unsupported'; readonly what: string };

/** Procedures that are called by a number. Source: MS-TDS 2.2.6.6. */
const PROCEDURES: ReadonlyMap<number, string> = new Map([
  [1, 'sp_cursor'],
  [2, 'sp_cursoropen'],
  [3, 'sp_cursorprepare'],
  [4, 'sp_cursorexecute'],
  [5, 'sp_cursorprepexec'],
  [6, 'sp_cursorunprepare'],
  [7, 'sp_cursorfetch'],
  [8, 'sp_cursoroption'],
  [9, 'sp_cursorclose'],
  [10, 'sp_executesql'],
  [11, 'sp_prepare'],
  [12, 'sp_execute'],
  [13, 'sp_prepexec'],
  [14, 'sp_prepexecrpc'],
  [15, 'sp_unprepare'],
]);

const LEVELS: readonly (IsolationLevel | null)[] = [
  null,
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
  'snapshot',
];

/** The headers hold a transaction descriptor and a query notification; neither is needed where a connection has one request at a time. */
function afterHeaders(data: Buffer): ByteReader {
  const reader = new ByteReader(data);
  const total = reader.u32();
  if (total < 4) {
    throw new ProtocolError(`headers of ${total} bytes`);
  }
  reader.skip(total - 4);
  return reader;
}

/** The text of a SQL batch. @throws ProtocolError when the message is broken. */
export function readBatch(data: Buffer): string {
  const reader = afterHeaders(data);
  return reader.ucs2(reader.left);
}

/**
 * The calls of an RPC message.
 * @throws ProtocolError when the message is broken; SqlError 8009 for a parameter of a type that is not taken.
 */
export function readCalls(data: Buffer, collation: string): RpcCall[] {
  const reader = afterHeaders(data);
  const calls: RpcCall[] = [];
  while (reader.left > 0) {
    calls.push(readCall(reader, collation));
  }
  if (calls.length === 0) {
    throw new ProtocolError('a procedure call without a procedure');
  }
  return calls;
}

const PROCEDURE_BY_NUMBER = 0xffff;
/** Bytes that separate calls where a parameter's name could begin; no name is that long. */
const SEPARATORS: ReadonlySet<number> = new Set([0xfe, 0xff]);
const PARAMETER = { output: 0x01, isDefault: 0x02, encrypted: 0x08 } as const;

function readCall(reader: ByteReader, collation: string): RpcCall {
  const length = reader.u16();
  const procedure = length === PROCEDURE_BY_NUMBER ? procedureByNumber(reader.u16()) : reader.ucs2(length * 2);
  // Option flags: recompile and metadata, which change no answer here.
  reader.u16();
  const parameters: RpcParameter[] = [];
  while (reader.left > 0) {
    const first = reader.u8();
    if (SEPARATORS.has(first)) {
      break;
    }
    const name = reader.ucs2(first * 2);
    const status = reader.u8();
    if ((status & PARAMETER.encrypted) !== 0) {
      throw new ProtocolError('an encrypted parameter, which was not negotiated');
    }
    const flags = { output: (status & PARAMETER.output) !== 0, isDefault: (status & PARAMETER.isDefault) !== 0 };
    if (reader.peek() === VARIABLE.table) {
      reader.skip(1);
      // Whether it is read-only is a matter of its declaration.
      const table = { ...readTableValue(reader, collation), readOnly: true };
      parameters.push({ name, type: { name: 'int' }, value: null, ...flags, isDefault: false, table });
      continue;
    }
    const wire = readTypeInfo(reader, collation);
    parameters.push({ name, type: wire.type, value: readValue(reader, wire), ...flags });
  }
  return { procedure, parameters };
}

function procedureByNumber(number: number): string {
  const name = PROCEDURES.get(number);
  if (name === undefined) {
    throw new ProtocolError(`procedure number ${number}`);
  }
  return name;
}

/** Reads a transaction manager request. @throws ProtocolError when it is broken or of an unknown kind. */
export function readTransactionRequest(data: Buffer): TransactionRequest {
  const reader = afterHeaders(data);
  const kind = reader.u16();
  switch (kind) {
    case 0:
      return { kind: 'unsupported', what: 'TM_GET_DTC_ADDRESS' };
    case 1:
      return { kind: 'unsupported', what: 'TM_PROPAGATE_XACT' };
    case 6:
      return { kind: 'unsupported', what: 'TM_PROMOTE_XACT' };
    case 5:
      return { kind: 'begin', level: readLevel(reader), name: readName(reader) };
    case 7:
    case 8: {
      const name = readName(reader);
      const begins = (reader.u8() & 0x01) !== 0;
      return { kind: kind === 7 ? 'commit' : 'rollback', name, then: begins ? { level: readLevel(reader), name: readName(reader) } : null };
    }
    case 9:
      return { kind: 'save', name: readName(reader) };
    default:
      throw new ProtocolError(`transaction request ${kind}`);
  }
}

function readLevel(reader: ByteReader): IsolationLevel | null {
  const byte = reader.u8();
  const level = LEVELS[byte];
  if (level === undefined) {
    throw new ProtocolError(`isolation level ${byte}`);
  }
  return level;
}

/** The length is in bytes, unlike everywhere else. */
function readName(reader: ByteReader): string {
  return reader.ucs2(reader.u8());
}
