/**
 * A copy of a database as it is committed now, sharing nothing that can change: what a backup keeps, and what a restore puts in place. Open
 * transactions are not in it; the versions and row ids that it holds are those of the original.
 */
import type { Column, ForeignKey, Table } from './catalog.ts';
import { Database } from './catalog.ts';
import { copyColumnRights } from './column-permissions.ts';
import { copySecurity } from './permissions.ts';
import type { RowVersion, Vacuumer } from './row-store.ts';
import { TableLocks } from './table-locks.ts';
import { createStore } from './table-shape.ts';
import { copyTableTypes } from './table-types.ts';

/** Who the copy is. */
export interface DatabaseIdentity {
  readonly id: number;
  readonly name: string;
  readonly createdAt: number;
  readonly brokerGuid: string;
}

/** @param definedSeq the stamp from which on views may use its tables: an older view meets 3961. */
export function copyDatabase(source: Database, identity: DatabaseIdentity, vacuumer: Vacuumer, definedSeq: number): Database {
  const copy = new Database({
    ...identity,
    collation: source.collation,
    tracking: source.tracking.copy(),
    locks: new TableLocks(),
    system: source.system,
    family: source.family,
    lastObjectId: source.lastObjectId,
  });
  copy.snapshotAllowed = source.snapshotAllowed;
  copy.readCommittedSnapshot = source.readCommittedSnapshot;
  copy.readOnly = source.readOnly;
  copy.access = source.access;
  copy.lastRowVersion = source.lastRowVersion;
  for (const [name, value] of source.options) {
    copy.options.set(name, value);
  }
  copy.schemas.clear();
  for (const [key, schema] of source.schemas) {
    copy.schemas.set(key, schema);
  }
  const tables = new Map<Table, Table>();
  for (const [key, object] of source.objects) {
    if (object.kind === 'table') {
      const table = copyTable(object, copy, vacuumer, definedSeq);
      tables.set(object, table);
      copy.objects.set(key, table);
    } else {
      copy.objects.set(key, object);
    }
  }
  for (const table of tables.values()) {
    table.foreignKeys = table.foreignKeys.map((each): ForeignKey => ({
      ...each,
      references: tables.get(each.references) ?? each.references,
    }));
  }
  copyTableTypes(source, copy);
  copySecurity(source, copy);
  copyColumnRights(source, copy);
  return copy;
}

function copyTable(source: Table, database: Database, vacuumer: Vacuumer, definedSeq: number): Table {
  const table: Table = {
    ...source,
    database,
    columns: source.columns.map((column): Column => ({ ...column, identity: column.identity === null ? null : { ...column.identity } })),
    checks: source.checks.map((check) => ({ ...check })),
    foreignKeys: source.foreignKeys.map((key) => ({ ...key })),
    tracker: source.tracker?.copy() ?? null,
    definedSeq,
    locks: new TableLocks(),
  };
  table.store = createStore(table, vacuumer);
  for (const chain of source.store.walk()) {
    let version = chain.head;
    while (version !== null && version.writer !== null) {
      version = version.prev;
    }
    if (version !== null && version.row !== null) {
      const head: RowVersion = { row: version.row, writer: null, seq: version.seq, prev: null };
      table.store.load({ key: table.store.shape.keyOf === null ? [table.store.nextRowId()] : chain.key, head });
    }
  }
  return table;
}
