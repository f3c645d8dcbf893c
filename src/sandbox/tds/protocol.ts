/**
 * The numbers of TDS 7.4: packet types and bits, tokens, type ids. Names follow MS-TDS 2.2. Nothing here acts.
 */

/** The first byte of a packet. Source: MS-TDS 2.2.3.1.1. */
export const PACKET = {
  batch: 0x01,
  rpc: 0x03,
  response: 0x04,
  attention: 0x06,
  bulkLoad: 0x07,
  transaction: 0x0e,
  login7: 0x10,
  prelogin: 0x12,
} as const;

/** Bits of a packet's second byte. Source: MS-TDS 2.2.3.1.2. */
export const STATUS = { endOfMessage: 0x01, ignore: 0x02, resetConnection: 0x08, resetKeepTransaction: 0x10 } as const;

/** Bytes of a packet's header. */
export const HEADER_BYTES = 8;

/**
 * Sizes that a packet may have, header included. Sources: MS-TDS 2.2.6.4, PacketSize; for encrypted connections learn.microsoft.com,
 * "Configure the network packet size (server configuration option)".
 */
export const PACKET_SIZE = { min: 512, default: 4096, max: 32_767, maxEncrypted: 16_383 } as const;

/** Source: MS-TDS 2.2.7. */
export const TOKEN = {
  returnStatus: 0x79,
  columnMetadata: 0x81,
  tableName: 0xa4,
  columnInfo: 0xa5,
  error: 0xaa,
  info: 0xab,
  loginAck: 0xad,
  returnValue: 0xac,
  row: 0xd1,
  nullBitmapRow: 0xd2,
  environmentChange: 0xe3,
  done: 0xfd,
  doneProcedure: 0xfe,
  doneInProcedure: 0xff,
} as const;

/** Bits of a DONE token's status. Source: MS-TDS 2.2.7.6. */
export const DONE = { more: 0x01, error: 0x02, inTransaction: 0x04, count: 0x10, attention: 0x20 } as const;

/** Source: MS-TDS 2.2.7.9. */
export const ENVIRONMENT = { database: 1, language: 2, packetSize: 4, collation: 7, begin: 8, commit: 9, rollback: 10, reset: 18 } as const;

/** Type ids that stand for exactly one length. Source: MS-TDS 2.2.5.4.1. */
export const FIXED = {
  null: 0x1f,
  tinyint: 0x30,
  bit: 0x32,
  smallint: 0x34,
  int: 0x38,
  smalldatetime: 0x3a,
  real: 0x3b,
  money: 0x3c,
  datetime: 0x3d,
  float: 0x3e,
  smallmoney: 0x7a,
  bigint: 0x7f,
} as const;

/** Type ids whose values carry a length. Source: MS-TDS 2.2.5.4.2 and 2.2.5.4.3. */
export const VARIABLE = {
  image: 0x22,
  text: 0x23,
  uniqueidentifier: 0x24,
  intn: 0x26,
  date: 0x28,
  time: 0x29,
  datetime2: 0x2a,
  datetimeoffset: 0x2b,
  oldDecimal: 0x37,
  oldNumeric: 0x3f,
  sqlVariant: 0x62,
  ntext: 0x63,
  bitn: 0x68,
  decimal: 0x6a,
  numeric: 0x6c,
  floatn: 0x6d,
  moneyn: 0x6e,
  datetimen: 0x6f,
  varbinary: 0xa5,
  varchar: 0xa7,
  binary: 0xad,
  char: 0xaf,
  nvarchar: 0xe7,
  nchar: 0xef,
  udt: 0xf0,
  xml: 0xf1,
  table: 0xf3,
  json: 0xf4,
  vector: 0xf5,
} as const;

/** What a connection that is encrypted from its first byte calls its protocol (ALPN). Source: MS-TDS 2.1, TDS 8.0. */
export const STRICT_PROTOCOL = 'tds/8.0';

/** First bytes and header of TLS records; none of them begins a packet of TDS. Source: RFC 5246 6.2.1. */
export const TLS_RECORD = { handshake: 0x16, types: new Set([0x14, 0x15, 0x16, 0x17]), headerBytes: 5 } as const;

/** A length field of two bytes that means: NULL, or in a type's description: (max). */
export const LENGTH_MAX = 0xffff;

/** The two special lengths of a partially length-prefixed value. Source: MS-TDS 2.2.5.2.3. */
export const PLP_NULL = 0xffff_ffff_ffff_ffffn;
export const PLP_UNKNOWN = 0xffff_ffff_ffff_fffen;

/** The client broke the protocol: its connection is cut without an answer, since nothing that follows can be trusted. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolError';
  }
}
