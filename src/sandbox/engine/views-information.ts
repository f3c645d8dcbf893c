/** INFORMATION_SCHEMA.TABLES and COLUMNS. */
import { catalogTypeName, describeType, SYSTEM_TYPES } from './metadata-functions.ts';
import type { SystemView } from './views-columns.ts';
import { int, nvarchar, smallint, sysname, tinyint } from './views-columns.ts';
import { shownTables } from './views-objects.ts';

export const informationViews: readonly SystemView[] = [
  {
    name: 'information_schema.tables',
    columns: [
      ['TABLE_CATALOG', sysname],
      ['TABLE_SCHEMA', sysname],
      ['TABLE_NAME', sysname, false],
      ['TABLE_TYPE', nvarchar(10)],
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        yield [database.name, table.schema.name, table.name, 'BASE TABLE'];
      }
      for (const object of database.objects.values()) {
        if (object.kind === 'view') {
          yield [database.name, object.schema.name, object.name, 'VIEW'];
        }
      }
    },
  },
  {
    name: 'information_schema.columns',
    columns: [
      ['TABLE_CATALOG', sysname],
      ['TABLE_SCHEMA', sysname],
      ['TABLE_NAME', sysname, false],
      ['COLUMN_NAME', sysname],
      ['ORDINAL_POSITION', int],
      ['COLUMN_DEFAULT', nvarchar(4000)],
      ['IS_NULLABLE', nvarchar(3)],
      ['DATA_TYPE', nvarchar(128)],
      ['CHARACTER_MAXIMUM_LENGTH', int],
      ['NUMERIC_PRECISION', tinyint],
      ['NUMERIC_SCALE', int],
      ['DATETIME_PRECISION', smallint],
      ['COLLATION_NAME', sysname],
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const [index, column] of table.columns.entries()) {
          const type = describeType(column.type);
          const base = SYSTEM_TYPES.find((each) => each.id === type.systemTypeId);
          const sized = 'length' in column.type ? (column.type.length === 'max' ? -1 : column.type.length) : null;
          const dated = ['date', 'time', 'datetime', 'datetime2', 'datetimeoffset', 'smalldatetime'].includes(column.type.name);
          const numeric = !dated && sized === null && (base?.precision ?? 0) > 0 && column.type.name !== 'bit';
          yield [
            database.name,
            table.schema.name,
            table.name,
            column.name,
            index + 1,
            column.default?.text ?? null,
            column.nullable ? 'YES' : 'NO',
            catalogTypeName(column.type.name),
            sized,
            numeric ? type.precision : null,
            numeric ? type.scale : null,
            dated ? type.scale : null,
            type.collation,
          ];
        }
      }
    },
  },
];
