/** Views of columns: sys.columns of tables and views, sys.computed_columns, sys.identity_columns. */
import type { SqlValue } from '../sql-types.ts';
import type { Column, Database, Table } from './catalog.ts';
import { formatDefinition } from './format-definition.ts';
import { describeType } from './metadata-functions.ts';
import type { PlanColumn } from './plan.ts';
import { shownTables, viewColumns } from './shown-objects.ts';
import type { StatementContext } from './statement-context.ts';
import { tableTypesOf } from './table-types.ts';
import type { ColumnsOf, SystemView } from './views-columns.ts';
import { bit, int, nvarchar, smallint, sysname, tinyint, variant } from './views-columns.ts';

const COLUMNS: SystemView['columns'] = [
  ['object_id', int, false],
  ['name', sysname],
  ['column_id', int, false],
  ['system_type_id', tinyint, false],
  ['user_type_id', int, false],
  ['max_length', smallint, false],
  ['precision', tinyint, false],
  ['scale', tinyint, false],
  ['collation_name', sysname],
  ['is_nullable', bit],
  ['is_ansi_padded', bit, false],
  ['is_rowguidcol', bit, false],
  ['is_identity', bit, false],
  ['is_computed', bit, false],
  ['is_filestream', bit, false],
  ['is_replicated', bit],
  ['is_non_sql_subscribed', bit],
  ['is_merge_published', bit],
  ['is_dts_replicated', bit],
  ['is_xml_document', bit, false],
  ['xml_collection_id', int, false],
  ['default_object_id', int, false],
  ['rule_object_id', int, false],
  ['is_sparse', bit],
  ['is_column_set', bit],
  ['generated_always_type', tinyint],
  ['generated_always_type_desc', nvarchar(60)],
  ['encryption_type', int],
  ['encryption_type_desc', nvarchar(64)],
  ['encryption_algorithm_name', sysname],
  ['column_encryption_key_id', int],
  ['is_hidden', bit],
  ['is_masked', bit, false],
  ['graph_type', int],
];

function columnValues(objectId: number, id: number, column: PlanColumn, own: Column | null): SqlValue[] {
  const type = describeType(column.type);
  const texts = 'length' in column.type && column.type.name !== 'nchar' && column.type.name !== 'nvarchar';
  return [
    objectId,
    column.name,
    id,
    type.systemTypeId,
    type.systemTypeId,
    type.length,
    type.precision,
    type.scale,
    type.collation,
    column.nullable,
    texts || 'collation' in column.type,
    own?.rowGuid ?? false,
    own !== null && own.identity !== null,
    own !== null && own.computed !== null,
    false,
    false,
    false,
    false,
    false,
    false,
    0,
    own?.default?.objectId ?? 0,
    0,
    false,
    false,
    0,
    'NOT_APPLICABLE',
    null,
    null,
    null,
    null,
    false,
    false,
    null,
  ];
}

function* allColumns(context: StatementContext, database: Database, only: number | null): Generator<readonly [Table, Column]> {
  for (const table of shownTables(context, database, only)) {
    for (const column of table.columns) {
      yield [table, column];
    }
  }
}

function* columnRows(context: StatementContext, database: Database, columnsOf: ColumnsOf, only: number | null): Generator<SqlValue[]> {
  for (const [table, column] of allColumns(context, database, only)) {
    yield columnValues(table.objectId, column.id, plain(column), column);
  }
  for (const { shape } of tableTypesOf(database).values()) {
    for (const column of shape.columns) {
      yield columnValues(shape.objectId, column.id, plain(column), column);
    }
  }
  for (const { view, columns } of viewColumns(context, database, columnsOf)) {
    for (const [index, column] of columns.entries()) {
      yield columnValues(view.objectId, index + 1, column, null);
    }
  }
}

function plain({ name, type, nullable }: Column): PlanColumn {
  return { name, type, nullable };
}

function number(value: bigint | null): SqlValue {
  return value === null ? null : { type: { name: 'bigint' }, variant: value };
}

export const columnViews: readonly SystemView[] = [
  { name: 'sys.columns', columns: COLUMNS, rows: columnRows },
  { name: 'sys.all_columns', columns: COLUMNS, rows: columnRows },
  {
    name: 'sys.computed_columns',
    columns: [...COLUMNS, ['definition', nvarchar('max')], ['uses_database_collation', bit, false], ['is_persisted', bit, false]],
    *rows(context, database, _, only) {
      for (const [table, column] of allColumns(context, database, only)) {
        if (column.computed !== null) {
          const { expression, text, persisted } = column.computed;
          yield [...columnValues(table.objectId, column.id, plain(column), column), formatDefinition(expression, text), true, persisted];
        }
      }
    },
  },
  {
    name: 'sys.identity_columns',
    columns: [...COLUMNS, ['seed_value', variant], ['increment_value', variant], ['last_value', variant], ['is_not_for_replication', bit]],
    *rows(context, database, _, only) {
      for (const [table, column] of allColumns(context, database, only)) {
        if (column.identity !== null) {
          const { seed, increment, last } = column.identity;
          const values = columnValues(table.objectId, column.id, plain(column), column);
          yield [...values, number(seed), number(increment), number(last), false];
        }
      }
    },
  },
];
