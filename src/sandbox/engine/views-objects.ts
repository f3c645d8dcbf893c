/** Views of objects: sys.objects and its relatives, sys.tables, sys.views, sys.sql_modules, sys.sysobjects. Columns, indexes and constraints have files of their own. */
import type { SqlValue } from '../sql-types.ts';
import type { CatalogObject, Database, Table } from './catalog.ts';
import { shownTables, views } from './shown-objects.ts';
import type { StatementContext } from './statement-context.ts';
import { dateTimeOf } from './system-functions.ts';
import type { SystemView } from './views-columns.ts';
import { bit, char, datetime, int, nvarchar, smallint, sysname, tinyint } from './views-columns.ts';

interface ObjectRow {
  readonly name: string;
  readonly id: number;
  readonly schemaId: number;
  readonly parentId: number;
  readonly type: string;
  readonly description: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly shipped: boolean;
}

function plain(object: CatalogObject, type: string, description: string, modifiedAt: number): ObjectRow {
  return {
    name: object.name,
    id: object.objectId,
    schemaId: object.schema.id,
    parentId: 0,
    type,
    description,
    createdAt: object.createdAt,
    modifiedAt,
    shipped: false,
  };
}

/** An object that belongs to a table. */
function part(table: Table, name: string, id: number, type: string, description: string): ObjectRow {
  return { ...plain(table, type, description, table.modifiedAt), name, id, parentId: table.objectId };
}

function* partsOf(table: Table): Generator<ObjectRow> {
  for (const index of table.indexes) {
    if (index.kind !== 'index') {
      yield index.kind === 'primary key'
        ? part(table, index.name, index.objectId, 'PK', 'PRIMARY_KEY_CONSTRAINT')
        : part(table, index.name, index.objectId, 'UQ', 'UNIQUE_CONSTRAINT');
    }
  }
  for (const check of table.checks) {
    yield part(table, check.name, check.objectId, 'C ', 'CHECK_CONSTRAINT');
  }
  for (const key of table.foreignKeys) {
    yield part(table, key.name, key.objectId, 'F ', 'FOREIGN_KEY_CONSTRAINT');
  }
  for (const column of table.columns) {
    if (column.default !== null) {
      yield part(table, column.default.name, column.default.objectId, 'D ', 'DEFAULT_CONSTRAINT');
    }
  }
  for (const trigger of table.triggers) {
    yield part(table, trigger.name, trigger.objectId, 'TR', 'SQL_TRIGGER');
  }
  if (table.tracker !== null) {
    yield {
      ...part(table, `change_tracking_${table.objectId}`, internalId(table), 'IT', 'INTERNAL_TABLE'),
      schemaId: 4,
      shipped: true,
    };
  }
}

function* objectRows(context: StatementContext, database: Database): Generator<ObjectRow> {
  for (const table of shownTables(context, database)) {
    yield plain(table, 'U ', 'USER_TABLE', table.modifiedAt);
    yield* partsOf(table);
  }
  for (const object of database.objects.values()) {
    if (object.kind === 'view') {
      yield plain(object, 'V ', 'VIEW', object.modifiedAt);
    } else if (object.kind === 'synonym') {
      yield plain(object, 'SN', 'SYNONYM', object.createdAt);
    }
  }
}

/** The object id of a tracked table's internal table; it is derived, so it has none of its own to hand out. */
function internalId(table: Table): number {
  return table.objectId ^ 0x4000_0000;
}

function objectValues(row: ObjectRow): SqlValue[] {
  return [
    row.name,
    row.id,
    null,
    row.schemaId,
    row.parentId,
    row.type,
    row.description,
    dateTimeOf(row.createdAt),
    dateTimeOf(row.modifiedAt),
    row.shipped,
    false,
    false,
  ];
}

/** The columns of sys.objects for a constraint. */
export function partValues(table: Table, name: string, id: number, type: string, description: string): SqlValue[] {
  return objectValues(part(table, name, id, type, description));
}

export const OBJECT_COLUMNS: SystemView['columns'] = [
  ['name', sysname, false],
  ['object_id', int, false],
  ['principal_id', int],
  ['schema_id', int, false],
  ['parent_object_id', int, false],
  ['type', char(2)],
  ['type_desc', nvarchar(60)],
  ['create_date', datetime, false],
  ['modify_date', datetime, false],
  ['is_ms_shipped', bit, false],
  ['is_published', bit, false],
  ['is_schema_published', bit, false],
];

function objectView(name: string, shows: (row: ObjectRow) => boolean): SystemView {
  return {
    name,
    columns: OBJECT_COLUMNS,
    *rows(context, database) {
      for (const row of objectRows(context, database)) {
        if (shows(row)) {
          yield objectValues(row);
        }
      }
    },
  };
}

/** A view of what the sandbox never has. */
function emptyView(name: string, columns: SystemView['columns']): SystemView {
  return { name, columns, rows: () => [] };
}

export const objectViews: readonly SystemView[] = [
  objectView('sys.objects', () => true),
  objectView('sys.all_objects', () => true),
  {
    name: 'sys.internal_tables',
    columns: [
      ...OBJECT_COLUMNS,
      ['internal_type', tinyint, false],
      ['internal_type_desc', nvarchar(60)],
      ['parent_id', int],
      ['parent_minor_id', int],
    ],
    *rows(context, database) {
      for (const row of objectRows(context, database)) {
        if (row.type === 'IT') {
          yield [...objectValues(row), 209, 'CHANGE_TRACKING', row.parentId, 0];
        }
      }
    },
  },
  {
    name: 'sys.synonyms',
    columns: [...OBJECT_COLUMNS, ['base_object_name', nvarchar(1035)]],
    *rows(_, database) {
      for (const object of database.objects.values()) {
        if (object.kind === 'synonym') {
          const target = object.target.filter((each) => each !== null).map((each) => `[${each.replaceAll(']', ']]')}]`);
          yield [...objectValues(plain(object, 'SN', 'SYNONYM', object.createdAt)), target.join('.')];
        }
      }
    },
  },
  {
    name: 'sys.tables',
    columns: [
      ...OBJECT_COLUMNS,
      ['lob_data_space_id', int, false],
      ['max_column_id_used', int, false],
      ['lock_on_bulk_load', bit, false],
      ['uses_ansi_nulls', bit],
      ['is_replicated', bit],
      ['is_tracked_by_cdc', bit],
      ['lock_escalation', tinyint],
      ['lock_escalation_desc', nvarchar(60)],
      ['is_filetable', bit],
      ['is_memory_optimized', bit],
      ['durability', tinyint],
      ['durability_desc', nvarchar(60)],
      ['temporal_type', tinyint],
      ['temporal_type_desc', nvarchar(60)],
      ['history_table_id', int],
      ['is_remote_data_archive_enabled', bit],
      ['is_external', bit, false],
      ['history_retention_period', int],
      ['is_node', bit],
      ['is_edge', bit],
      ['ledger_type', tinyint],
    ],
    *rows(context, database, _, only) {
      for (const table of shownTables(context, database, only)) {
        const object = objectValues(plain(table, 'U ', 'USER_TABLE', table.modifiedAt));
        const first = [0, table.lastColumnId, false, true, false, false, 0, 'TABLE', false, false, 0, 'SCHEMA_AND_DATA'];
        yield [...object, ...first, 0, 'NON_TEMPORAL_TABLE', null, false, false, null, false, false, 0];
      }
    },
  },
  {
    name: 'sys.views',
    columns: [
      ...OBJECT_COLUMNS,
      ['has_replication_filter', bit],
      ['has_opaque_metadata', bit, false],
      ['with_check_option', bit, false],
      ['is_date_correlation_view', bit, false],
    ],
    *rows(_, database) {
      for (const view of views(database)) {
        yield [...objectValues(plain(view, 'V ', 'VIEW', view.modifiedAt)), false, false, false, false];
      }
    },
  },
  {
    name: 'sys.sql_modules',
    columns: [
      ['object_id', int, false],
      ['definition', nvarchar('max')],
      ['uses_ansi_nulls', bit],
      ['uses_quoted_identifier', bit],
      ['is_schema_bound', bit],
      ['uses_database_collation', bit],
      ['is_recompiled', bit],
      ['null_on_null_input', bit],
      ['execute_as_principal_id', int],
    ],
    *rows(context, database) {
      for (const view of views(database)) {
        yield [view.objectId, view.text, true, true, view.schemaBound, false, false, false, null];
      }
      for (const table of shownTables(context, database)) {
        for (const trigger of table.triggers) {
          yield [trigger.objectId, trigger.text, true, true, false, false, false, false, null];
        }
      }
    },
  },
  {
    name: 'sys.sysobjects',
    columns: [
      ['name', sysname, false],
      ['id', int, false],
      ['xtype', char(2), false],
      ['uid', smallint],
      ['parent_obj', int, false],
      ['crdate', datetime, false],
      ['type', char(2)],
    ],
    *rows(context, database) {
      for (const row of objectRows(context, database)) {
        // The old names of two kinds.
        const type = row.type === 'PK' || row.type === 'UQ' ? 'K ' : row.type;
        yield [row.name, row.id, row.type, row.schemaId, row.parentId, dateTimeOf(row.createdAt), type];
      }
    },
  },
  emptyView('sys.procedures', OBJECT_COLUMNS),
  emptyView('sys.sequences', [
    ...OBJECT_COLUMNS,
    ['start_value', int],
    ['increment', int],
    ['minimum_value', int],
    ['maximum_value', int],
    ['is_cycling', bit],
    ['is_cached', bit],
    ['cache_size', int],
    ['system_type_id', tinyint, false],
    ['user_type_id', int, false],
    ['precision', tinyint, false],
    ['scale', tinyint],
    ['current_value', int],
    ['is_exhausted', bit, false],
  ]),
  emptyView('sys.parameters', [
    ['object_id', int, false],
    ['name', sysname],
    ['parameter_id', int, false],
    ['system_type_id', tinyint, false],
    ['user_type_id', int, false],
    ['max_length', smallint, false],
    ['precision', tinyint, false],
    ['scale', tinyint, false],
    ['is_output', bit, false],
    ['has_default_value', bit, false],
  ]),
];
