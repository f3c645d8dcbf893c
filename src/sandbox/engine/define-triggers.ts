/** CREATE, ALTER, DROP, ENABLE and DISABLE TRIGGER. Triggers stand with their table and go with it; their names are names of its schema. */
import type { CreateTriggerStatement, ToggleTriggersStatement } from '../sql/ast-definition.ts';
import type { ObjectName } from '../sql/ast-expression.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import { SqlError } from '../session.ts';
import type { Database, Table, Trigger } from './catalog.ts';
import { sameName } from './catalog.ts';
import { logUndo } from './definition-log.ts';
import { databaseOf, describeName, findObject } from './object-names.ts';
import { requireAlter } from './permissions.ts';
import type { StatementContext } from './statement-context.ts';

/** A trigger and its table, by name. */
export function findTrigger(
  database: Database,
  schema: string | null,
  name: string,
): { readonly table: Table; readonly trigger: Trigger } | null {
  for (const table of database.tables()) {
    if (sameName(table.schema.name, schema ?? 'dbo')) {
      const trigger = table.triggers.find((each) => sameName(each.name, name));
      if (trigger !== undefined) {
        return { table, trigger };
      }
    }
  }
  return null;
}

function replaceTriggers(context: StatementContext, table: Table, triggers: readonly Trigger[]): void {
  const before = table.triggers;
  table.triggers = triggers;
  logUndo(
    context.transaction,
    () => {
      table.triggers = before;
    },
    (seq) => {
      table.definedSeq = seq;
    },
  );
}

/** @throws SqlError 208 (ALTER of none), 2103, 2110, 2714, 8197; WaitSignal */
export function createTrigger(context: StatementContext, statement: CreateTriggerStatement): void {
  const { name, mode, line } = statement;
  const table = findObject(context.session, statement.table);
  if (table === undefined || table.kind === 'synonym' || (table.kind === 'table' && table.temporary)) {
    throw new SqlError(8197, `The object '${describeName(statement.table)}' does not exist or is invalid for this operation.`, {
      line,
      state: 4,
    });
  }
  if (table.kind === 'view') {
    // Only INSTEAD OF triggers can be on views.
    throw new SqlError(8197, `The object '${describeName(statement.table)}' does not exist or is invalid for this operation.`, {
      line,
      state: 4,
    });
  }
  if (name.schema !== null && !sameName(name.schema, table.schema.name)) {
    throw new SqlError(
      2103,
      `Cannot ${mode === 'alter' ? 'alter' : 'create'} trigger '${describeName(name)}' because its schema is different from the schema of the target table or view.`,
      { line, class: 15 },
    );
  }
  requireAlter(context.session, table, 'CREATE TRIGGER');
  table.locks.hold(context.transaction, 'schema modification');
  const { database } = table;
  const existing = findTrigger(database, table.schema.name, name.name);
  if (existing === null && mode === 'alter') {
    throw new SqlError(208, `Invalid object name '${describeName(name)}'.`, { line, state: 6 });
  }
  if ((existing !== null && mode === 'create') || database.find(table.schema.name, name.name) !== undefined) {
    throw new SqlError(2714, `There is already an object named '${name.name}' in the database.`, { line, state: 2 });
  }
  if (existing !== null && existing.table !== table) {
    throw new SqlError(
      2110,
      `Cannot alter trigger '${name.name}' on '${describeName(statement.table)}' because this trigger does not belong to this object.`,
      {
        line,
        class: 15,
      },
    );
  }
  const before = existing?.trigger;
  const trigger: Trigger = {
    name: before?.name ?? name.name,
    objectId: before?.objectId ?? database.nextObjectId(),
    schema: table.schema,
    actions: statement.actions,
    body: statement.body,
    text: statement.text,
    enabled: before?.enabled ?? true,
    createdAt: before?.createdAt ?? context.now,
    modifiedAt: context.now,
  };
  replaceTriggers(
    context,
    table,
    before === undefined ? [...table.triggers, trigger] : table.triggers.map((each) => (each === before ? trigger : each)),
  );
}

/** @throws SqlError 3701; WaitSignal */
export function dropTrigger(context: StatementContext, name: ObjectName, ifExists: boolean, line: number): void {
  const found = findTrigger(databaseOf(context.session, name), name.schema, name.name);
  if (found === null) {
    if (ifExists) {
      return;
    }
    throw new SqlError(3701, `Cannot drop the trigger '${describeName(name)}', because it does not exist or you do not have permission.`, {
      line,
      state: 5,
      class: 11,
    });
  }
  requireAlter(context.session, found.table, 'DROP TRIGGER');
  found.table.locks.hold(context.transaction, 'schema modification');
  replaceTriggers(
    context,
    found.table,
    found.table.triggers.filter((each) => each !== found.trigger),
  );
}

function missing(name: ObjectName, line: number): SqlError {
  return new SqlError(1088, `Cannot find the object "${describeName(name)}" because it does not exist or you do not have permissions.`, {
    line,
  });
}

/** @throws SqlError 1088, 4902, 4920; WaitSignal */
export function toggleTriggers(context: StatementContext, statement: ToggleTriggersStatement): void {
  const { names, line, enable } = statement;
  const table = findObject(context.session, statement.table);
  if (table?.kind !== 'table') {
    if (table !== undefined) {
      throw new UnsupportedError(`triggers on a ${table.kind}`, line);
    }
    throw statement.altersTable
      ? new SqlError(
          4902,
          `Cannot find the object "${describeName(statement.table)}" because it does not exist or you do not have permissions.`,
        )
      : missing(statement.table, line);
  }
  requireAlter(context.session, table, 'ALTER TABLE');
  for (const name of names) {
    if (!table.triggers.some((each) => sameName(each.name, name.name))) {
      throw statement.altersTable
        ? new SqlError(4920, `ALTER TABLE failed because trigger '${name.name}' on table '${table.name}' does not exist.`, {
            line,
            state: 0,
          })
        : missing(name, line);
    }
  }
  table.locks.hold(context.transaction, 'schema modification');
  replaceTriggers(
    context,
    table,
    table.triggers.map((each) =>
      names.length === 0 || names.some((name) => sameName(each.name, name.name)) ? { ...each, enabled: enable } : each,
    ),
  );
}
