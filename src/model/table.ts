/** A registered table: what the operator selected, and what the source's catalog says of it. */
import type { KeyCollation } from './row-key.ts';

export type ColumnSelection = 'all' | readonly string[] | { readonly exclude: readonly string[] };

/**
 * How one column stands in the documents. At most one of exclude, hash, mask and truncate; all but `exclude` may stand beside `as`.
 * null stays null whatever is asked.
 */
export interface ColumnShape {
  /** The name of its property; default: the column's name. */
  readonly as?: string;
  /** It is not published. */
  readonly exclude?: true;
  /**
   * HMAC-SHA-256 of the published text under the deployment's key, as base64url. Columns of one `domain` give equal values equal hashes;
   * by default each column of each table is a domain of its own.
   */
  readonly hash?: true | { readonly domain: string };
  /** Characters become `*`, but for the first and the last ones named; where no more would be hidden, all do. */
  readonly mask?: true | { readonly keepFirst?: number; readonly keepLast?: number };
  /** The first so many characters (code points). */
  readonly truncate?: number;
}

/** What an operator asks to have published of one table. */
export interface TableSelection {
  readonly schema: string;
  readonly name: string;
  readonly columns: ColumnSelection;
  /** Columns whose text is nested JSON in the document. */
  readonly json: readonly string[];
  /** By column name. */
  readonly shape?: Readonly<Record<string, ColumnShape>>;
  /** A row filter in the documented grammar, or null. */
  readonly filter: string | null;
}

export interface TableColumn {
  readonly name: string;
  readonly columnId: number;
  /** The type's name in lower case: 'int', 'nvarchar', 'decimal', … */
  readonly type: string;
  /** Bytes as sys.columns has it; -1 is (max). */
  readonly maxLength: number;
  readonly precision: number;
  readonly scale: number;
  readonly nullable: boolean;
  readonly collation: string | null;
}

/** A column of the documents. */
export interface PublishedColumn extends TableColumn {
  /** The name of its property in the documents. */
  readonly property: string;
  /** What becomes of its values; null: they are published as they are. */
  readonly shaped: 'hash' | 'mask' | 'truncate' | null;
}

export interface KeyColumn extends TableColumn {
  readonly keyCollation: KeyCollation | null;
}

/** What a reader has to know of a key column to fold a key's value as the section does. */
export interface KeyColumnForm {
  /** The type's name in lower case. */
  readonly type: string;
  /** The collation's name; null: the values are no characters. */
  readonly collation: string | null;
}

/** Who the source is (L5). The first five prove it; the recorded ones are logged and shown, but alone they replace nothing. */
export interface SourceIdentity {
  readonly serviceBrokerGuid: string;
  readonly database: string;
  readonly objectId: number;
  readonly beginVersion: string;
  readonly fingerprint: string;
  /** The primary key in key order, for readers; the fingerprint covers it. Sections that were loaded before it was written are without. */
  readonly key?: readonly KeyColumnForm[] | undefined;
  /** A hash over which columns the key has: under another one no identity is what it was. Absent: stored before it was kept. */
  readonly keyHash?: string | undefined;
  readonly recorded: { readonly serverName: string; readonly databaseId: number; readonly createDate: string };
}

/** What of an identity proves where data came from; what is recorded beside it a failover without loss changes (L5). */
export const PROVING = ['serviceBrokerGuid', 'database', 'objectId', 'beginVersion'] as const;

/** Whether data of one is data of the other: the same table of the same database, projected in the same way. */
export function isSameSource(a: SourceIdentity, b: SourceIdentity): boolean {
  return a.fingerprint === b.fingerprint && PROVING.every((field) => a[field] === b[field]);
}

/** A table as described by its source: the handle for every read. */
export interface TrackedTable {
  readonly source: string;
  readonly selection: TableSelection;
  /** schema.name as the catalog spells it. */
  readonly fullName: string;
  readonly identity: SourceIdentity;
  /** The published columns in table order. */
  readonly columns: readonly PublishedColumn[];
  /** The primary key in key order, whether published or not. */
  readonly key: readonly KeyColumn[];
  /** All columns and the key, published or not, as one value that is only compared: what every read is checked against (R3). */
  readonly definition: string;
  /** The version that was current when identity was read: identity, version, identity again, equal (L3). */
  readonly version: bigint;
  /** The isolation that reads will use, and what the operator should know of it. */
  readonly isolation: 'snapshot' | 'readCommitted';
  readonly warnings: readonly string[];
}
