/**
 * SELECT on single columns: granted, denied and revoked, and asked for where a column is named. A DENY on a column wins over everything, a
 * GRANT on it over what holds for the table. Source: learn.microsoft.com, "GRANT object permissions" and "DENY object permissions".
 */
import { SqlError } from '../session.ts';
import type { Database, Table } from './catalog.ts';
import { indexPositions, primaryKey } from './catalog.ts';
import { hasPermission, isMemberOf, requirePermission } from './permissions.ts';
import type { SessionState } from './session-state.ts';

interface ColumnRule {
  readonly principal: string;
  readonly objectId: number;
  readonly columnId: number;
  readonly allow: boolean;
}

const rulesOf = new WeakMap<Database, ColumnRule[]>();

/** @param allow null takes back what was granted or denied. */
export function setColumnRight(table: Table, principal: string, columnId: number, allow: boolean | null): void {
  const others = (rulesOf.get(table.database) ?? []).filter(
    (rule) => !(rule.principal === principal && rule.objectId === table.objectId && rule.columnId === columnId),
  );
  rulesOf.set(table.database, allow === null ? others : [...others, { principal, objectId: table.objectId, columnId, allow }]);
}

/** What has been granted and denied on columns. */
export function columnRulesOf(database: Database): readonly ColumnRule[] {
  return rulesOf.get(database) ?? [];
}

/** Gives a copy of a database the rights of the original. */
export function copyColumnRights(from: Database, to: Database): void {
  rulesOf.set(to, [...(rulesOf.get(from) ?? [])]);
}

/** Called when a user or role goes. */
export function forgetColumnRights(database: Database, principal: string): void {
  rulesOf.set(
    database,
    (rulesOf.get(database) ?? []).filter((rule) => rule.principal !== principal),
  );
}

/** The columns whose rights differ from their table's, by id; null where no rule speaks of any. */
function columnRights(session: SessionState, table: Table): ReadonlyMap<number, boolean> | null {
  const rules = rulesOf.get(table.database);
  if (rules === undefined || rules.length === 0 || session.administrator) {
    return null;
  }
  const found = new Map<number, boolean>();
  for (const { objectId, principal, columnId, allow } of rules) {
    if (objectId === table.objectId && isMemberOf(session, table.database, principal)) {
      found.set(columnId, allow && found.get(columnId) !== false);
    }
  }
  return found.size === 0 ? null : found;
}

/** The ids of the columns that a session may not read although it may read the table, or others of its columns. */
export function unreadableColumns(session: SessionState, table: Table): ReadonlySet<number> {
  const rights = columnRights(session, table);
  if (rights === null) {
    return new Set();
  }
  const whole = hasPermission(session, table, 'SELECT');
  return new Set(table.columns.map(({ id }) => id).filter((id) => !(rights.get(id) ?? whole)));
}

/** SELECT on the table or on some of its columns; which ones is asked where they are named. @throws SqlError 229 */
export function requireSelect(session: SessionState, table: Table): void {
  const rights = columnRights(session, table);
  if (rights === null || ![...rights.values()].includes(true)) {
    requirePermission(session, table, 'SELECT');
  }
}

/** SELECT on the primary key: what CHANGETABLE takes. @throws SqlError 229, 230 */
export function requireKeySelect(session: SessionState, table: Table): void {
  requireSelect(session, table);
  const denied = unreadableColumns(session, table);
  const key = primaryKey(table);
  for (const position of key === null ? [] : indexPositions(table, key)) {
    const column = table.columns[position];
    if (column !== undefined && denied.has(column.id)) {
      throw columnDenied(table, column.name);
    }
  }
}

export function columnDenied(table: Table, column: string): SqlError {
  return new SqlError(
    230,
    `The SELECT permission was denied on the column '${column}' of the object '${table.name}', database '${table.database.name}', schema '${table.schema.name}'.`,
    { class: 14 },
  );
}
