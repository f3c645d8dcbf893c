/** A registered table: what the operator selected, and what the source's catalog says of it. */
import type { KeyCollation } from './row-key.ts';

export type ColumnSelection = 'all' | readonly string[] | { readonly exclude: readonly string[] };

/** What an operator asks to have published of one table. */
export interface TableSelection {
  readonly schema: string;
  readonly name: string;
  readonly columns: ColumnSelection;
  /** Columns whose text is nested JSON in the document. */
  readonly json: readonly string[];
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

export interface KeyColumn extends TableColumn {
  readonly keyCollation: KeyCollation | null;
}

/** Who the source is (L5). The first five prove it; the recorded ones are logged and shown, but alone they replace nothing. */
export interface SourceIdentity {
  readonly serviceBrokerGuid: string;
  readonly database: string;
  readonly objectId: number;
  readonly beginVersion: string;
  readonly fingerprint: string;
  readonly recorded: { readonly serverName: string; readonly databaseId: number; readonly createDate: string };
}

/** A table as described by its source: the handle for every read. */
export interface TrackedTable {
  readonly source: string;
  readonly selection: TableSelection;
  /** schema.name as the catalog spells it. */
  readonly fullName: string;
  readonly identity: SourceIdentity;
  /** The published columns in table order. */
  readonly columns: readonly TableColumn[];
  /** The primary key in key order, whether published or not. */
  readonly key: readonly KeyColumn[];
  /** The version that was current when identity was read: identity, version, identity again, equal (L3). */
  readonly version: bigint;
  /** The isolation that reads will use, and what the operator should know of it. */
  readonly isolation: 'snapshot' | 'readCommitted';
  readonly warnings: readonly string[];
}
