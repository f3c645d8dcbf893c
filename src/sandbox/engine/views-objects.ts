/** Views of objects: sys.objects, sys.tables, sys.columns, sys.indexes and what belongs to them, INFORMATION_SCHEMA. */
import type { SqlValue } from '../sql-types.ts';
import type { CatalogObject, Database, IndexDefinition, Table } from './catalog.ts';
import { describeType } from './metadata-functions.ts';
import { seesDefinition } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';
import { dateTimeOf } from './system-functions.ts';
import type { SystemView } from './views-columns.ts';
import { bigint, bit, char, datetime, int, nvarchar, smallint, sysname, tinyint, variant } from './views-columns.ts';

/** The tables whose definition a session may see; one that another transaction is changing is waited for. */
export function shownTables(context: StatementContext, database: Database): Table[] {
  return database.tables().filter((table) => {
    context.readDefinition(table);
    return seesDefinition(context.session, table);
  });
}

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

function* objectRows(context: StatementContext, database: Database): Generator<ObjectRow> {
  const plain = (object: CatalogObject, type: string, description: string, modifiedAt: number): ObjectRow => ({
    name: object.name,
    id: object.objectId,
    schemaId: object.schema.id,
    parentId: 0,
    type,
    description,
    createdAt: object.createdAt,
    modifiedAt,
    shipped: false,
  });
  for (const table of shownTables(context, database)) {
    yield plain(table, 'U ', 'USER_TABLE', table.modifiedAt);
    const part = (name: string, id: number, type: string, description: string): ObjectRow => ({
      ...plain(table, type, description, table.modifiedAt),
      name,
      id,
      parentId: table.objectId,
    });
    for (const index of table.indexes) {
      if (index.kind !== 'index') {
        yield index.kind === 'primary key'
          ? part(index.name, index.objectId, 'PK', 'PRIMARY_KEY_CONSTRAINT')
          : part(index.name, index.objectId, 'UQ', 'UNIQUE_CONSTRAINT');
      }
    }
    for (const check of table.checks) {
      yield part(check.name, check.objectId, 'C ', 'CHECK_CONSTRAINT');
    }
    for (const key of table.foreignKeys) {
      yield part(key.name, key.objectId, 'F ', 'FOREIGN_KEY_CONSTRAINT');
    }
    for (const column of table.columns) {
      if (column.default !== null) {
        yield part(column.default.name, column.default.objectId, 'D ', 'DEFAULT_CONSTRAINT');
      }
    }
    if (table.tracker !== null) {
      yield {
        ...plain(table, 'IT', 'INTERNAL_TABLE', table.modifiedAt),
        name: `change_tracking_${table.objectId}`,
        id: internalId(table),
        schemaId: 4,
        parentId: table.objectId,
        shipped: true,
      };
    }
  }
  for (const object of database.objects.values()) {
    if (object.kind === 'view') {
      yield plain(object, 'V ', 'VIEW', object.createdAt);
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
  ];
}

const OBJECT_COLUMNS: SystemView['columns'] = [
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

function indexType(index: IndexDefinition): readonly [number, string] {
  return index.clustered ? [1, 'CLUSTERED'] : [2, 'NONCLUSTERED'];
}

/** Indexes with the heap of a table that has no clustered one. */
function indexesWithHeap(table: Table): { readonly id: number; readonly index: IndexDefinition | null }[] {
  const indexes = table.indexes.map((index) => ({ id: index.id, index }));
  return table.indexes.some((index) => index.clustered) ? indexes : [{ id: 0, index: null }, ...indexes];
}

export const objectViews: readonly SystemView[] = [
  objectView('sys.objects', () => true),
  objectView('sys.all_objects', () => true),
  objectView('sys.views', (row) => row.type === 'V '),
  objectView('sys.synonyms', (row) => row.type === 'SN'),
  objectView('sys.internal_tables', (row) => row.type === 'IT'),
  {
    name: 'sys.tables',
    columns: [
      ...OBJECT_COLUMNS,
      ['is_memory_optimized', bit],
      ['temporal_type', tinyint],
      ['temporal_type_desc', nvarchar(60)],
      ['is_external', bit],
    ],
    *rows(context, database) {
      for (const row of objectRows(context, database)) {
        if (row.type === 'U ') {
          yield [...objectValues(row), false, 0, 'NON_TEMPORAL_TABLE', false];
        }
      }
    },
  },
  {
    name: 'sys.columns',
    columns: [
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
      ['is_rowguidcol', bit, false],
      ['is_identity', bit, false],
      ['is_computed', bit, false],
      ['is_hidden', bit, false],
      ['is_masked', bit, false],
      ['encryption_type', int],
      ['generated_always_type', tinyint],
      ['is_sparse', bit, false],
      ['default_object_id', int, false],
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const column of table.columns) {
          const type = describeType(column.type);
          yield [
            table.objectId,
            column.name,
            column.id,
            type.systemTypeId,
            type.systemTypeId,
            type.length,
            type.precision,
            type.scale,
            type.collation,
            column.nullable,
            column.rowGuid,
            column.identity !== null,
            column.computed !== null,
            false,
            false,
            null,
            0,
            false,
            column.default?.objectId ?? 0,
          ];
        }
      }
    },
  },
  {
    name: 'sys.indexes',
    columns: [
      ['object_id', int, false],
      ['name', sysname],
      ['index_id', int, false],
      ['type', tinyint, false],
      ['type_desc', nvarchar(60)],
      ['is_unique', bit],
      ['is_primary_key', bit],
      ['is_unique_constraint', bit],
      ['is_disabled', bit],
      ['has_filter', bit],
      ['filter_definition', nvarchar('max')],
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const { index } of indexesWithHeap(table)) {
          if (index === null) {
            yield [table.objectId, null, 0, 0, 'HEAP', false, false, false, false, false, null];
            continue;
          }
          const [type, description] = indexType(index);
          yield [
            table.objectId,
            index.name,
            index.id,
            type,
            description,
            index.unique,
            index.kind === 'primary key',
            index.kind === 'unique',
            false,
            false,
            null,
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
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const index of table.indexes) {
          const keys = index.columns.length;
          for (const [position, { columnId, descending }] of index.columns.entries()) {
            yield [table.objectId, index.id, position + 1, columnId, position + 1, 0, descending, false];
          }
          for (const [position, columnId] of index.include.entries()) {
            yield [table.objectId, index.id, keys + position + 1, columnId, 0, 0, false, true];
          }
        }
      }
    },
  },
  {
    name: 'sys.key_constraints',
    columns: [...OBJECT_COLUMNS, ['unique_index_id', int], ['is_system_named', bit, false]],
    *rows(context, database) {
      const indexes = new Map(shownTables(context, database).flatMap((table) => table.indexes.map((index) => [index.objectId, index.id])));
      for (const row of objectRows(context, database)) {
        if (row.type === 'PK' || row.type === 'UQ') {
          yield [...objectValues(row), indexes.get(row.id) ?? null, false];
        }
      }
    },
  },
  {
    name: 'sys.foreign_keys',
    columns: [...OBJECT_COLUMNS, ['referenced_object_id', int], ['is_disabled', bit, false]],
    *rows(context, database) {
      const keys = new Map(shownTables(context, database).flatMap((table) => table.foreignKeys.map((key) => [key.objectId, key])));
      for (const row of objectRows(context, database)) {
        const key = keys.get(row.id);
        if (row.type === 'F ' && key !== undefined) {
          yield [...objectValues(row), key.references.objectId, !key.enabled];
        }
      }
    },
  },
  {
    name: 'sys.identity_columns',
    columns: [
      ['object_id', int, false],
      ['name', sysname],
      ['column_id', int, false],
      ['seed_value', variant],
      ['increment_value', variant],
      ['last_value', variant],
    ],
    *rows(context, database) {
      const value = (number: bigint): SqlValue => ({ type: { name: 'bigint' }, variant: number });
      for (const table of shownTables(context, database)) {
        for (const { identity, name, id } of table.columns) {
          if (identity !== null) {
            yield [
              table.objectId,
              name,
              id,
              value(identity.seed),
              value(identity.increment),
              identity.last === null ? null : value(identity.last),
            ];
          }
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
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const { id } of indexesWithHeap(table)) {
          const partition = (BigInt(table.objectId) << 16n) + BigInt(id);
          yield [partition, table.objectId, id, 1, partition, BigInt(table.store.count)];
        }
      }
    },
  },
];
