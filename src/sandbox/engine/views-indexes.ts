/** Views of indexes and where rows lie: sys.indexes, sys.index_columns, sys.stats, sys.partitions, sys.allocation_units, … */
import type { Database, IndexDefinition, Table } from './catalog.ts';
import { formatDefinition } from './format-definition.ts';
import { shownTables } from './shown-objects.ts';
import type { StatementContext } from './statement-context.ts';
import type { SystemView } from './views-columns.ts';
import { bigint, bit, datetime, int, nvarchar, sysname, tinyint } from './views-columns.ts';

/** Indexes with the heap of a table that has no clustered one. */
function indexesWithHeap(table: Table): { readonly id: number; readonly index: IndexDefinition | null }[] {
  const indexes = table.indexes.map((index) => ({ id: index.id, index })).toSorted((a, b) => a.id - b.id);
  return table.indexes.some((index) => index.clustered) ? indexes : [{ id: 0, index: null }, ...indexes];
}

function* allIndexes(context: StatementContext, database: Database, only: number | null): Generator<readonly [Table, IndexDefinition]> {
  for (const table of shownTables(context, database, only)) {
    for (const index of table.indexes) {
      yield [table, index];
    }
  }
}

function partitionId(table: Table, index: number): bigint {
  return (BigInt(table.objectId) << 16n) + BigInt(index);
}

/** Pages of 8 KB as the rows would fill them, roughly: nothing is stored in pages here. */
function pagesOf(table: Table): bigint {
  return table.store.count === 0 ? 0n : BigInt(Math.ceil((table.store.count * table.columns.length * 12) / 8060)) + 1n;
}

export const indexViews: readonly SystemView[] = [
  {
    name: 'sys.indexes',
    columns: [
      ['object_id', int, false],
      ['name', sysname],
      ['index_id', int, false],
      ['type', tinyint, false],
      ['type_desc', nvarchar(60)],
      ['is_unique', bit],
      ['data_space_id', int],
      ['ignore_dup_key', bit],
      ['is_primary_key', bit],
      ['is_unique_constraint', bit],
      ['fill_factor', tinyint, false],
      ['is_padded', bit],
      ['is_disabled', bit],
      ['is_hypothetical', bit],
      ['is_ignored_in_optimization', bit],
      ['allow_row_locks', bit],
      ['allow_page_locks', bit],
      ['has_filter', bit],
      ['filter_definition', nvarchar('max')],
      ['compression_delay', int],
      ['suppress_dup_key_messages', bit],
      ['auto_created', bit],
      ['optimize_for_sequential_key', bit],
    ],
    *rows(context, database, _, only) {
      for (const table of shownTables(context, database, only)) {
        for (const { index } of indexesWithHeap(table)) {
          const type = index === null ? [0, 'HEAP'] : index.clustered ? [1, 'CLUSTERED'] : [2, 'NONCLUSTERED'];
          const filter = index?.filter ?? null;
          yield [
            table.objectId,
            index?.name ?? null,
            index?.id ?? 0,
            ...type,
            index?.unique ?? false,
            1,
            false,
            index?.kind === 'primary key',
            index?.kind === 'unique',
            0,
            false,
            false,
            false,
            false,
            true,
            true,
            filter !== null,
            filter === null ? null : formatDefinition(filter.expression, filter.text),
            null,
            false,
            false,
            false,
          ];
        }
      }
    },
  },
  {
    name: 'sys.index_columns',
    columns: [
      ['object_id', int, false],
      ['index_id', int, false],
      ['index_column_id', int, false],
      ['column_id', int, false],
      ['key_ordinal', tinyint, false],
      ['partition_ordinal', tinyint, false],
      ['is_descending_key', bit],
      ['is_included_column', bit],
      ['column_store_order_ordinal', tinyint, false],
    ],
    *rows(context, database, _, only) {
      for (const [table, index] of allIndexes(context, database, only)) {
        const keys = index.columns.length;
        for (const [position, { columnId, descending }] of index.columns.entries()) {
          yield [table.objectId, index.id, position + 1, columnId, position + 1, 0, descending, false, 0];
        }
        for (const [position, columnId] of index.include.entries()) {
          yield [table.objectId, index.id, keys + position + 1, columnId, 0, 0, false, true, 0];
        }
      }
    },
  },
  {
    name: 'sys.stats',
    columns: [
      ['object_id', int, false],
      ['name', nvarchar(128)],
      ['stats_id', int, false],
      ['auto_created', bit],
      ['user_created', bit],
      ['no_recompute', bit],
      ['has_filter', bit],
      ['filter_definition', nvarchar('max')],
      ['is_temporary', bit],
      ['is_incremental', bit],
    ],
    *rows(context, database, _, only) {
      for (const [table, index] of allIndexes(context, database, only)) {
        const filter = index.filter === null ? null : formatDefinition(index.filter.expression, index.filter.text);
        yield [table.objectId, index.name, index.id, false, false, false, filter !== null, filter, false, false];
      }
    },
  },
  {
    name: 'sys.stats_columns',
    columns: [
      ['object_id', int, false],
      ['stats_id', int, false],
      ['stats_column_id', int],
      ['column_id', int],
    ],
    *rows(context, database, _, only) {
      for (const [table, index] of allIndexes(context, database, only)) {
        for (const [position, { columnId }] of index.columns.entries()) {
          yield [table.objectId, index.id, position + 1, columnId];
        }
      }
    },
  },
  {
    name: 'sys.partitions',
    columns: [
      ['partition_id', bigint, false],
      ['object_id', int, false],
      ['index_id', int, false],
      ['partition_number', int, false],
      ['hobt_id', bigint, false],
      ['rows', bigint],
      ['filestream_filegroup_id', int, false],
      ['data_compression', tinyint, false],
      ['data_compression_desc', nvarchar(60)],
    ],
    *rows(context, database, _, only) {
      for (const table of shownTables(context, database, only)) {
        for (const { id } of indexesWithHeap(table)) {
          const partition = partitionId(table, id);
          yield [partition, table.objectId, id, 1, partition, BigInt(table.store.count), 0, 0, 'NONE'];
        }
      }
    },
  },
  {
    name: 'sys.dm_db_partition_stats',
    columns: [
      ['partition_id', bigint],
      ['object_id', int, false],
      ['index_id', int, false],
      ['partition_number', int, false],
      ['in_row_data_page_count', bigint],
      ['in_row_used_page_count', bigint],
      ['in_row_reserved_page_count', bigint],
      ['used_page_count', bigint],
      ['reserved_page_count', bigint],
      ['row_count', bigint],
    ],
    *rows(context, database, _, only) {
      for (const table of shownTables(context, database, only)) {
        for (const { id } of indexesWithHeap(table)) {
          const pages = pagesOf(table);
          yield [partitionId(table, id), table.objectId, id, 1, pages, pages, pages, pages, pages, BigInt(table.store.count)];
        }
      }
    },
  },
  {
    name: 'sys.allocation_units',
    columns: [
      ['allocation_unit_id', bigint, false],
      ['type', tinyint, false],
      ['type_desc', nvarchar(60)],
      ['container_id', bigint, false],
      ['data_space_id', int],
      ['total_pages', bigint, false],
      ['used_pages', bigint, false],
      ['data_pages', bigint, false],
    ],
    *rows(context, database, _, only) {
      for (const table of shownTables(context, database, only)) {
        for (const { id } of indexesWithHeap(table)) {
          const partition = partitionId(table, id);
          const pages = pagesOf(table);
          yield [partition, 1, 'IN_ROW_DATA', partition, 1, pages, pages, pages];
        }
      }
    },
  },
  {
    name: 'sys.dm_db_index_usage_stats',
    columns: [
      ['database_id', int, false],
      ['object_id', int, false],
      ['index_id', int, false],
      ['user_seeks', bigint, false],
      ['user_scans', bigint, false],
      ['user_lookups', bigint, false],
      ['user_updates', bigint, false],
      ['last_user_seek', datetime],
      ['last_user_scan', datetime],
    ],
    // Nothing is counted here, as after a restart of the server.
    rows: () => [],
  },
];
