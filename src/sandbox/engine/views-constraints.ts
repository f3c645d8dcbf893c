/** Views of constraints: keys, checks, defaults, foreign keys with their columns. */
import type { Database, ForeignKey, ReferentialRule, Table } from './catalog.ts';
import { formatDefinition } from './format-definition.ts';
import { shownTables } from './shown-objects.ts';
import type { StatementContext } from './statement-context.ts';
import type { SystemView } from './views-columns.ts';
import { bit, int, nvarchar, tinyint } from './views-columns.ts';
import { OBJECT_COLUMNS, partValues } from './views-objects.ts';

const RULES: Record<ReferentialRule, readonly [number, string]> = {
  noAction: [0, 'NO_ACTION'],
  cascade: [1, 'CASCADE'],
  setNull: [2, 'SET_NULL'],
  setDefault: [3, 'SET_DEFAULT'],
};

function* foreignKeys(context: StatementContext, database: Database): Generator<readonly [Table, ForeignKey]> {
  for (const table of shownTables(context, database)) {
    for (const key of table.foreignKeys) {
      yield [table, key];
    }
  }
}

export const constraintViews: readonly SystemView[] = [
  {
    name: 'sys.key_constraints',
    columns: [...OBJECT_COLUMNS, ['unique_index_id', int], ['is_system_named', bit, false], ['is_enforced', bit]],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const index of table.indexes) {
          if (index.kind !== 'index') {
            const primary = index.kind === 'primary key';
            const kind = [primary ? 'PK' : 'UQ', primary ? 'PRIMARY_KEY_CONSTRAINT' : 'UNIQUE_CONSTRAINT'] as const;
            yield [...partValues(table, index.name, index.objectId, ...kind), index.id, index.systemNamed, true];
          }
        }
      }
    },
  },
  {
    name: 'sys.check_constraints',
    columns: [
      ...OBJECT_COLUMNS,
      ['is_disabled', bit, false],
      ['is_not_for_replication', bit, false],
      ['is_not_trusted', bit, false],
      ['parent_column_id', int, false],
      ['definition', nvarchar('max')],
      ['uses_database_collation', bit],
      ['is_system_named', bit, false],
    ],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const check of table.checks) {
          yield [
            ...partValues(table, check.name, check.objectId, 'C ', 'CHECK_CONSTRAINT'),
            !check.enabled,
            false,
            !check.trusted,
            check.columnId,
            formatDefinition(check.expression, check.text),
            true,
            check.systemNamed,
          ];
        }
      }
    },
  },
  {
    name: 'sys.default_constraints',
    columns: [...OBJECT_COLUMNS, ['parent_column_id', int, false], ['definition', nvarchar('max')], ['is_system_named', bit, false]],
    *rows(context, database) {
      for (const table of shownTables(context, database)) {
        for (const column of table.columns) {
          if (column.default !== null) {
            const { name, objectId, expression, text, systemNamed } = column.default;
            const object = partValues(table, name, objectId, 'D ', 'DEFAULT_CONSTRAINT');
            yield [...object, column.id, formatDefinition(expression, text), systemNamed];
          }
        }
      }
    },
  },
  {
    name: 'sys.foreign_keys',
    columns: [
      ...OBJECT_COLUMNS,
      ['referenced_object_id', int],
      ['key_index_id', int],
      ['is_disabled', bit, false],
      ['is_not_for_replication', bit, false],
      ['is_not_trusted', bit, false],
      ['delete_referential_action', tinyint],
      ['delete_referential_action_desc', nvarchar(60)],
      ['update_referential_action', tinyint],
      ['update_referential_action_desc', nvarchar(60)],
      ['is_system_named', bit, false],
    ],
    *rows(context, database) {
      for (const [table, key] of foreignKeys(context, database)) {
        const index = key.references.indexes.find(
          (each) =>
            each.unique &&
            each.columns.length === key.referencedIds.length &&
            each.columns.every((column) => key.referencedIds.includes(column.columnId)),
        );
        yield [
          ...partValues(table, key.name, key.objectId, 'F ', 'FOREIGN_KEY_CONSTRAINT'),
          key.references.objectId,
          index?.id ?? null,
          !key.enabled,
          false,
          !key.trusted,
          ...RULES[key.onDelete],
          ...RULES[key.onUpdate],
          key.systemNamed,
        ];
      }
    },
  },
  {
    name: 'sys.foreign_key_columns',
    columns: [
      ['constraint_object_id', int, false],
      ['constraint_column_id', int, false],
      ['parent_object_id', int, false],
      ['parent_column_id', int, false],
      ['referenced_object_id', int, false],
      ['referenced_column_id', int, false],
    ],
    *rows(context, database) {
      for (const [table, key] of foreignKeys(context, database)) {
        for (const [index, id] of key.columnIds.entries()) {
          yield [key.objectId, index + 1, table.objectId, id, key.references.objectId, key.referencedIds[index] ?? 0];
        }
      }
    },
  },
];
