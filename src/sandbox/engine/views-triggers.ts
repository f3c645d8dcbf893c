/** sys.triggers and sys.trigger_events. Source: learn.microsoft.com, pages of both views. */
import type { Table } from './catalog.ts';
import { seesDefinition } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';
import { dateTimeOf } from './system-functions.ts';
import type { SystemView } from './views-columns.ts';
import { bit, char, datetime, int, nvarchar, sysname, tinyint } from './views-columns.ts';

const EVENTS = { INSERT: 1, UPDATE: 2, DELETE: 3 } as const;

function visibleTables(context: StatementContext, tables: readonly Table[]): Table[] {
  return tables.filter((table) => {
    context.readDefinition(table);
    return seesDefinition(context.session, table);
  });
}

export const triggerViews: readonly SystemView[] = [
  {
    name: 'sys.triggers',
    columns: [
      ['name', sysname, false],
      ['object_id', int, false],
      ['parent_class', tinyint, false],
      ['parent_class_desc', nvarchar(60)],
      ['parent_id', int, false],
      ['type', char(2), false],
      ['type_desc', nvarchar(60)],
      ['create_date', datetime, false],
      ['modify_date', datetime, false],
      ['is_ms_shipped', bit, false],
      ['is_disabled', bit, false],
      ['is_not_for_replication', bit, false],
      ['is_instead_of_trigger', bit, false],
    ],
    *rows(context, database) {
      for (const table of visibleTables(context, database.tables())) {
        for (const trigger of table.triggers) {
          const times = [dateTimeOf(trigger.createdAt), dateTimeOf(trigger.modifiedAt)] as const;
          const parent = [1, 'OBJECT_OR_COLUMN', table.objectId] as const;
          yield [trigger.name, trigger.objectId, ...parent, 'TR', 'SQL_TRIGGER', ...times, false, !trigger.enabled, false, false];
        }
      }
    },
  },
  {
    name: 'sys.trigger_events',
    columns: [
      ['object_id', int, false],
      ['type', int, false],
      ['type_desc', nvarchar(128), false],
      ['is_first', bit],
      ['is_last', bit],
      ['is_trigger_event', bit],
    ],
    *rows(context, database) {
      for (const table of visibleTables(context, database.tables())) {
        for (const trigger of table.triggers) {
          for (const action of trigger.actions) {
            yield [trigger.objectId, EVENTS[action], action, false, false, true];
          }
        }
      }
    },
  },
];
