/** Views of a database as a whole: schemas, types, principals, change tracking and its commits. */
import type { SqlValue } from '../sql-types.ts';
import { extendedPropertiesOf, variantType } from './extended-properties.ts';
import { securityOf } from './permissions.ts';
import { SYSTEM_TYPES } from './metadata-functions.ts';
import { dateTimeOf } from './system-functions.ts';
import { type TableType, tableTypesOf } from './table-types.ts';
import type { SystemView } from './views-columns.ts';
import { bigint, bit, char, datetime, int, nvarchar, smalldatetime, smallint, sysname, tinyint, variant } from './views-columns.ts';
import { shownTables } from './shown-objects.ts';

/** A table of SQL Server's own that is there once an automatic cleanup has removed something. */
export const cleanupHistory: SystemView = {
  name: 'dbo.mschange_tracking_history',
  columns: [
    ['internal_table_name', sysname, false],
    ['table_name', sysname, false],
    ['start_time', datetime, false],
    ['end_time', datetime, false],
    ['rows_cleaned_up', bigint, false],
    ['cleanup_version', bigint, false],
    ['comments', nvarchar('max'), false],
  ],
  *rows(_, database) {
    for (const each of database.tracking.history) {
      const times = [dateTimeOf(each.startedAt), dateTimeOf(each.endedAt)] as const;
      yield [`change_tracking_${each.objectId}`, each.table, ...times, BigInt(each.rows), each.version, ''];
    }
  },
};

const CHARACTERS = new Set(['char', 'varchar', 'nchar', 'nvarchar', 'text', 'ntext', 'sysname']);

/** system_type_id of table types. Source: learn.microsoft.com, sys.types. */
const TABLE_TYPE_ID = 243;

const TYPE_COLUMNS: SystemView['columns'] = [
  ['name', sysname, false],
  ['system_type_id', tinyint, false],
  ['user_type_id', int, false],
  ['schema_id', int, false],
  ['principal_id', int],
  ['max_length', smallint, false],
  ['precision', tinyint, false],
  ['scale', tinyint, false],
  ['collation_name', sysname],
  ['is_nullable', bit],
  ['is_user_defined', bit, false],
  ['is_assembly_type', bit, false],
  ['default_object_id', int, false],
  ['rule_object_id', int, false],
  ['is_table_type', bit, false],
];

/** What sys.types and sys.table_types both say of a table type. */
function tableTypeRow({ name, userTypeId, schema }: TableType): readonly SqlValue[] {
  return [name, TABLE_TYPE_ID, userTypeId, schema.id, null, -1, 0, 0, null, false, true, false, 0, 0, true];
}

export const databaseViews: readonly SystemView[] = [
  {
    name: 'sys.schemas',
    columns: [
      ['name', sysname, false],
      ['schema_id', int, false],
      ['principal_id', int],
    ],
    *rows(_, database) {
      for (const schema of database.schemas.values()) {
        yield [schema.name, schema.id, schema.id <= 4 ? schema.id : 1];
      }
    },
  },
  {
    name: 'sys.types',
    columns: TYPE_COLUMNS,
    *rows(_, database) {
      for (const type of SYSTEM_TYPES) {
        const collation = CHARACTERS.has(type.name) ? database.collation : null;
        const nullable = type.name !== 'timestamp' && type.name !== 'sysname';
        const shape = [type.length, type.precision, type.scale, collation, nullable];
        yield [type.name, type.id, type.userId, 4, null, ...shape, false, false, 0, 0, false];
      }
      for (const type of tableTypesOf(database).values()) {
        yield tableTypeRow(type);
      }
    },
  },
  {
    name: 'sys.table_types',
    columns: [...TYPE_COLUMNS, ['type_table_object_id', int, false], ['is_memory_optimized', bit]],
    *rows(_, database) {
      for (const type of tableTypesOf(database).values()) {
        yield [...tableTypeRow(type), type.shape.objectId, false];
      }
    },
  },
  {
    name: 'sys.extended_properties',
    columns: [
      ['class', tinyint, false],
      ['class_desc', nvarchar(60)],
      ['major_id', int, false],
      ['minor_id', int, false],
      ['name', sysname, false],
      ['value', variant],
    ],
    *rows(_, database) {
      for (const { class: kind, majorId, minorId, name, value } of extendedPropertiesOf(database)) {
        const description = { 0: 'DATABASE', 1: 'OBJECT_OR_COLUMN', 3: 'SCHEMA' }[kind];
        yield [
          kind,
          description,
          majorId,
          minorId,
          name,
          value.value === null ? null : { type: variantType(value.type), variant: value.value },
        ];
      }
    },
  },
  {
    name: 'sys.data_spaces',
    columns: [
      ['name', sysname, false],
      ['data_space_id', int, false],
      ['type', char(2), false],
      ['type_desc', nvarchar(60)],
      ['is_default', bit],
      ['is_system', bit],
    ],
    rows: () => [['PRIMARY', 1, 'FG', 'ROWS_FILEGROUP', true, false]],
  },
  {
    name: 'sys.filegroups',
    columns: [
      ['name', sysname, false],
      ['data_space_id', int, false],
      ['type', char(2), false],
      ['type_desc', nvarchar(60)],
      ['is_default', bit],
      ['is_system', bit],
      ['is_read_only', bit],
    ],
    rows: () => [['PRIMARY', 1, 'FG', 'ROWS_FILEGROUP', true, false, false]],
  },
  {
    name: 'sys.database_principals',
    columns: [
      ['name', sysname, false],
      ['principal_id', int, false],
      ['type', char(1), false],
      ['type_desc', nvarchar(60)],
    ],
    *rows(_, database) {
      const { users, roles } = securityOf(database);
      for (const user of users.values()) {
        yield [user.name, user.id, 'S', 'SQL_USER'];
      }
      for (const role of roles.values()) {
        yield [role.name, role.id, 'R', 'DATABASE_ROLE'];
      }
    },
  },
  {
    name: 'sys.change_tracking_tables',
    columns: [
      ['object_id', int, false],
      ['is_track_columns_updated_on', bit],
      ['begin_version', bigint],
      ['cleanup_version', bigint],
      ['min_valid_version', bigint],
    ],
    *rows(context, database, _, only) {
      for (const table of shownTables(context, database, only)) {
        if (table.tracker !== null) {
          const state = context.trackingState(database, table.tracker);
          yield [table.objectId, table.tracker.tracksColumns, state.beginVersion, state.cleanupVersion ?? 0n, state.minValidVersion];
        }
      }
    },
  },
  {
    name: 'sys.dm_tran_commit_table',
    columns: [
      ['commit_ts', bigint, false],
      ['xdes_id', bigint, false],
      ['commit_lbn', bigint, false],
      ['commit_csn', bigint, false],
      ['commit_time', smalldatetime, false],
    ],
    *rows(_, database) {
      for (const commit of database.tracking.commits) {
        const minute = Math.round(commit.at / 60_000) * 60_000;
        yield [commit.version, commit.transactionId, commit.version, commit.version, dateTimeOf(minute)];
      }
    },
  },
];
