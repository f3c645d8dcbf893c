/** INFORMATION_SCHEMA. Source of names and types: learn.microsoft.com, "System Information Schema Views". */
import type { SqlValue } from '../sql-types.ts';
import type { Database, ReferentialRule, Table } from './catalog.ts';
import { formatDefinition } from './format-definition.ts';
import { catalogTypeName, describeType, SYSTEM_TYPES } from './metadata-functions.ts';
import type { PlanColumn } from './plan.ts';
import { shownTables, viewColumns, views } from './shown-objects.ts';
import type { StatementContext } from './statement-context.ts';
import type { SystemView } from './views-columns.ts';
import { datetime, int, nvarchar, smallint, sysname, tinyint } from './views-columns.ts';

/** CATALOG, SCHEMA, NAME with a prefix. */
function named(prefix: string): SystemView['columns'] {
  return [
    [`${prefix}_CATALOG`, nvarchar(128)],
    [`${prefix}_SCHEMA`, nvarchar(128)],
    [`${prefix}_NAME`, sysname],
  ];
}

const COLUMNS: SystemView['columns'] = [
  ...named('TABLE'),
  ['COLUMN_NAME', sysname],
  ['ORDINAL_POSITION', int],
  ['COLUMN_DEFAULT', nvarchar(4000)],
  ['IS_NULLABLE', nvarchar(3)],
  ['DATA_TYPE', nvarchar(128)],
  ['CHARACTER_MAXIMUM_LENGTH', int],
  ['CHARACTER_OCTET_LENGTH', int],
  ['NUMERIC_PRECISION', tinyint],
  ['NUMERIC_PRECISION_RADIX', smallint],
  ['NUMERIC_SCALE', int],
  ['DATETIME_PRECISION', smallint],
  ['CHARACTER_SET_CATALOG', sysname],
  ['CHARACTER_SET_SCHEMA', sysname],
  ['CHARACTER_SET_NAME', sysname],
  ['COLLATION_CATALOG', sysname],
  ['COLLATION_SCHEMA', sysname],
  ['COLLATION_NAME', sysname],
];

const DATED = new Set(['date', 'time', 'datetime', 'datetime2', 'datetimeoffset', 'smalldatetime']);
const APPROXIMATE = new Set(['float', 'real']);
const LOBS: Record<string, number> = { text: 2_147_483_647, image: 2_147_483_647, ntext: 1_073_741_823, xml: -1 };

function columnValues(column: PlanColumn, ordinal: number, byDefault: string | null): SqlValue[] {
  const type = describeType(column.type);
  const { name } = column.type;
  const base = SYSTEM_TYPES.find((each) => each.id === type.systemTypeId);
  const sized = 'length' in column.type ? (column.type.length === 'max' ? -1 : column.type.length) : (LOBS[name] ?? null);
  const bytes = 'length' in column.type ? type.length : name === 'ntext' ? 2_147_483_646 : sized;
  const dated = DATED.has(name);
  const numeric = !dated && sized === null && (base?.precision ?? 0) > 0 && name !== 'bit';
  const radix = APPROXIMATE.has(name) ? 2 : 10;
  const national = name.startsWith('n') && 'collation' in column.type;
  const characters = 'collation' in column.type ? (national ? 'UNICODE' : 'iso_1') : null;
  return [
    column.name,
    ordinal,
    byDefault,
    column.nullable ? 'YES' : 'NO',
    catalogTypeName(name),
    sized,
    bytes,
    numeric ? type.precision : null,
    numeric ? radix : null,
    numeric && !APPROXIMATE.has(name) ? type.scale : null,
    dated ? (name === 'datetime' ? 3 : type.scale) : null,
    null,
    null,
    characters,
    null,
    null,
    type.collation,
  ];
}

interface KeyRow {
  readonly table: Table;
  readonly name: string;
  readonly type: 'PRIMARY KEY' | 'UNIQUE' | 'FOREIGN KEY' | 'CHECK';
  readonly columnIds: readonly number[];
}

function* constraints(context: StatementContext, database: Database): Generator<KeyRow> {
  for (const table of shownTables(context, database)) {
    for (const index of table.indexes) {
      if (index.kind !== 'index') {
        const type = index.kind === 'primary key' ? 'PRIMARY KEY' : 'UNIQUE';
        yield { table, name: index.name, type, columnIds: index.columns.map((each) => each.columnId) };
      }
    }
    for (const key of table.foreignKeys) {
      yield { table, name: key.name, type: 'FOREIGN KEY', columnIds: key.columnIds };
    }
    for (const check of table.checks) {
      yield { table, name: check.name, type: 'CHECK', columnIds: check.columnId === 0 ? [] : [check.columnId] };
    }
  }
}

const RULES: Record<ReferentialRule, string> = {
  noAction: 'NO ACTION',
  cascade: 'CASCADE',
  setNull: 'SET NULL',
  setDefault: 'SET DEFAULT',
};

function columnName(table: Table, id: number): string | null {
  return table.columns.find((column) => column.id === id)?.name ?? null;
}

export const informationViews: readonly SystemView[] = [
  {
    name: 'information_schema.schemata',
    columns: [
      ['CATALOG_NAME', sysname],
      ['SCHEMA_NAME', sysname, false],
      ['SCHEMA_OWNER', sysname],
      ['DEFAULT_CHARACTER_SET_CATALOG', sysname],
      ['DEFAULT_CHARACTER_SET_SCHEMA', sysname],
      ['DEFAULT_CHARACTER_SET_NAME', sysname],
    ],
    *rows(_, database) {
      for (const schema of database.schemas.values()) {
        yield [database.name, schema.name, schema.id <= 4 ? schema.name : 'dbo', null, null, 'iso_1'];
      }
    },
  },
  {
    name: 'information_schema.tables',
    columns: [...named('TABLE'), ['TABLE_TYPE', nvarchar(10)]],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        yield [database.name, table.schema.name, table.name, 'BASE TABLE'];
      }
      for (const view of views(database)) {
        yield [database.name, view.schema.name, view.name, 'VIEW'];
      }
    },
  },
  {
    name: 'information_schema.columns',
    columns: COLUMNS,
    *rows(context, database, columnsOf) {
      for (const table of shownTables(context, database)) {
        for (const [index, column] of table.columns.entries()) {
          const byDefault = column.default === null ? null : formatDefinition(column.default.expression, column.default.text);
          const { name, type, nullable } = column;
          yield [database.name, table.schema.name, table.name, ...columnValues({ name, type, nullable }, index + 1, byDefault)];
        }
      }
      for (const { view, columns } of viewColumns(context, database, columnsOf)) {
        for (const [index, column] of columns.entries()) {
          yield [database.name, view.schema.name, view.name, ...columnValues(column, index + 1, null)];
        }
      }
    },
  },
  {
    name: 'information_schema.views',
    columns: [...named('TABLE'), ['VIEW_DEFINITION', nvarchar(4000)], ['CHECK_OPTION', nvarchar(7)], ['IS_UPDATABLE', nvarchar(2), false]],
    *rows(_, database) {
      for (const view of views(database)) {
        yield [database.name, view.schema.name, view.name, view.text.length > 4000 ? null : view.text, 'NONE', 'NO'];
      }
    },
  },
  // There are no procedures and functions of the user.
  {
    name: 'information_schema.routines',
    columns: [
      ...named('SPECIFIC'),
      ...named('ROUTINE'),
      ['ROUTINE_TYPE', nvarchar(20)],
      ['DATA_TYPE', nvarchar(128)],
      ['ROUTINE_DEFINITION', nvarchar(4000)],
      ['CREATED', datetime, false],
      ['LAST_ALTERED', datetime, false],
    ],
    rows: () => [],
  },
  {
    name: 'information_schema.parameters',
    columns: [
      ...named('SPECIFIC'),
      ['ORDINAL_POSITION', int, false],
      ['PARAMETER_MODE', nvarchar(10)],
      ['IS_RESULT', nvarchar(10)],
      ['AS_LOCATOR', nvarchar(10)],
      ['PARAMETER_NAME', sysname],
      ['DATA_TYPE', nvarchar(128)],
      ['CHARACTER_MAXIMUM_LENGTH', int],
      ['CHARACTER_OCTET_LENGTH', int],
      ...named('COLLATION'),
      ...named('CHARACTER_SET'),
      ['NUMERIC_PRECISION', tinyint],
      ['NUMERIC_PRECISION_RADIX', smallint],
      ['NUMERIC_SCALE', int],
      ['DATETIME_PRECISION', smallint],
      ['INTERVAL_TYPE', nvarchar(30)],
      ['INTERVAL_PRECISION', smallint],
      ...named('USER_DEFINED_TYPE'),
    ],
    rows: () => [],
  },
  {
    name: 'information_schema.table_constraints',
    columns: [
      ...named('CONSTRAINT'),
      ...named('TABLE'),
      ['CONSTRAINT_TYPE', nvarchar(11)],
      ['IS_DEFERRABLE', nvarchar(2), false],
      ['INITIALLY_DEFERRED', nvarchar(2), false],
    ],
    *rows(context, database) {
      for (const { table, name, type } of constraints(context, database)) {
        yield [database.name, table.schema.name, name, database.name, table.schema.name, table.name, type, 'NO', 'NO'];
      }
    },
  },
  {
    name: 'information_schema.key_column_usage',
    columns: [...named('CONSTRAINT'), ...named('TABLE'), ['COLUMN_NAME', nvarchar(128)], ['ORDINAL_POSITION', int, false]],
    *rows(context, database) {
      for (const { table, name, type, columnIds } of constraints(context, database)) {
        for (const [index, id] of type === 'CHECK' ? [] : columnIds.entries()) {
          const places = [database.name, table.schema.name, name, database.name, table.schema.name, table.name];
          yield [...places, columnName(table, id), index + 1];
        }
      }
    },
  },
  {
    name: 'information_schema.constraint_column_usage',
    columns: [...named('TABLE'), ['COLUMN_NAME', nvarchar(128)], ...named('CONSTRAINT')],
    *rows(context, database) {
      for (const { table, name, columnIds } of constraints(context, database)) {
        for (const id of columnIds) {
          const { schema } = table;
          yield [database.name, schema.name, table.name, columnName(table, id), database.name, schema.name, name];
        }
      }
    },
  },
  {
    name: 'information_schema.constraint_table_usage',
    columns: [...named('TABLE'), ...named('CONSTRAINT')],
    *rows(context, database) {
      for (const { table, name } of constraints(context, database)) {
        yield [database.name, table.schema.name, table.name, database.name, table.schema.name, name];
      }
    },
  },
  {
    name: 'information_schema.check_constraints',
    columns: [...named('CONSTRAINT'), ['CHECK_CLAUSE', nvarchar(4000)]],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const check of table.checks) {
          yield [database.name, table.schema.name, check.name, formatDefinition(check.expression, check.text)];
        }
      }
    },
  },
  {
    name: 'information_schema.referential_constraints',
    columns: [
      ...named('CONSTRAINT'),
      ['UNIQUE_CONSTRAINT_CATALOG', nvarchar(128)],
      ['UNIQUE_CONSTRAINT_SCHEMA', nvarchar(128)],
      ['UNIQUE_CONSTRAINT_NAME', sysname],
      ['MATCH_OPTION', nvarchar(7)],
      ['UPDATE_RULE', nvarchar(11)],
      ['DELETE_RULE', nvarchar(11)],
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const key of table.foreignKeys) {
          const { references } = key;
          const index = references.indexes.find(
            (each) =>
              each.unique &&
              each.columns.length === key.referencedIds.length &&
              each.columns.every((column) => key.referencedIds.includes(column.columnId)),
          );
          const unique = [database.name, references.schema.name, index?.name ?? null];
          yield [database.name, table.schema.name, key.name, ...unique, 'SIMPLE', RULES[key.onUpdate], RULES[key.onDelete]];
        }
      }
    },
  },
];
