/**
 * What a statement did to tables with triggers, noted while it runs: which action, the rows before and after, the columns it set. Running the
 * triggers is the business of fire-triggers.ts.
 */
import type { TriggerAction } from '../sql/ast-definition.ts';
import { SqlError } from '../session.ts';
import type { Table, Trigger } from './catalog.ts';
import type { Row } from './row-store.ts';

export interface TriggerEvent {
  readonly table: Table;
  readonly action: TriggerAction;
  readonly inserted: Row[];
  readonly deleted: Row[];
  /** Ids of the columns that UPDATE() and COLUMNS_UPDATED() know; of an INSERT all. */
  readonly updated: Set<number>;
}

/** The triggers that an action on a table fires, in the order of their creation. */
export function triggersFor(table: Table, action: TriggerAction): readonly Trigger[] {
  return table.triggers.filter((trigger) => trigger.enabled && trigger.actions.includes(action));
}

export class TriggerEvents {
  readonly #events: TriggerEvent[] = [];

  /** In the order in which their triggers fire: the statement's own table first, those that it cascades to after it. */
  get all(): readonly TriggerEvent[] {
    return this.#events;
  }

  /** The statement takes this action: its triggers fire, whether it meets a row or not. Null when there are none. */
  announce(table: Table, action: TriggerAction): TriggerEvent | null {
    if (table.triggers.length === 0 || triggersFor(table, action).length === 0) {
      return null;
    }
    let event = this.#events.find((each) => each.table === table && each.action === action);
    if (event === undefined) {
      const updated = action === 'INSERT' ? table.columns.map((column) => column.id) : [];
      event = { table, action, inserted: [], deleted: [], updated: new Set(updated) };
      this.#events.push(event);
    }
    return event;
  }

  /**
   * As announce(), for a statement that may have an OUTPUT clause: to the client it excludes triggers of the same action.
   * Source: learn.microsoft.com, OUTPUT clause. @throws SqlError 334
   */
  expect(table: Table, action: TriggerAction, output: { readonly into: unknown; readonly following: unknown } | null): void {
    if (this.announce(table, action) !== null && output !== null && (output.into === null || output.following !== null)) {
      throw new SqlError(
        334,
        `The target table '${table.name}' of the DML statement cannot have any enabled triggers if the statement contains an OUTPUT clause without INTO clause.`,
      );
    }
  }

  /** A row was written. */
  note(table: Table, action: TriggerAction, before: Row | null, after: Row | null): void {
    const event = this.announce(table, action);
    if (event === null) {
      return;
    }
    if (before !== null) {
      event.deleted.push(before);
    }
    if (after !== null) {
      event.inserted.push(after);
    }
  }

  /** The columns of an UPDATE's SET list, by id. */
  set(table: Table, columns: readonly number[]): void {
    const event = this.announce(table, 'UPDATE');
    for (const id of event === null ? [] : columns) {
      event?.updated.add(id);
    }
  }
}
