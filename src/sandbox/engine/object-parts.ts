/** Objects that belong to a table and have ids of their own: constraints and triggers, as metadata functions look for them. */
import type { Database, Table } from './catalog.ts';
import { formatDefinition } from './format-definition.ts';

export interface ObjectPart {
  readonly table: Table;
  readonly name: string;
  readonly id: number;
  readonly type: 'PK' | 'UQ' | 'F' | 'C' | 'D' | 'TR';
  /** What OBJECT_DEFINITION says; null for keys. */
  readonly definition: string | null;
}

export function partById(database: Database, id: number): ObjectPart | null {
  for (const table of database.tables()) {
    for (const part of partsOf(table)) {
      if (part.id === id) {
        return part;
      }
    }
  }
  return null;
}

function* partsOf(table: Table): Generator<ObjectPart> {
  for (const { name, objectId, kind } of table.indexes) {
    if (kind !== 'index') {
      yield { table, name, id: objectId, type: kind === 'unique' ? 'UQ' : 'PK', definition: null };
    }
  }
  for (const { name, objectId, expression, text } of table.checks) {
    yield { table, name, id: objectId, type: 'C', definition: formatDefinition(expression, text) };
  }
  for (const { name, objectId } of table.foreignKeys) {
    yield { table, name, id: objectId, type: 'F', definition: null };
  }
  for (const { default: constraint } of table.columns) {
    if (constraint !== null) {
      const { name, objectId, expression, text } = constraint;
      yield { table, name, id: objectId, type: 'D', definition: formatDefinition(expression, text) };
    }
  }
  for (const { name, objectId, text } of table.triggers) {
    yield { table, name, id: objectId, type: 'TR', definition: text };
  }
}

const PROPERTIES: Record<string, readonly ObjectPart['type'][]> = {
  isprimarykey: ['PK'],
  isuniquecnst: ['UQ'],
  isforeignkey: ['F'],
  ischeckcnst: ['C'],
  isdefaultcnst: ['D'],
  isdefault: ['D'],
  istrigger: ['TR'],
  isconstraint: ['PK', 'UQ', 'F', 'C', 'D'],
};

export function partProperty(part: ObjectPart, property: string): number | null {
  const key = property.toLowerCase();
  const types = PROPERTIES[key];
  if (types !== undefined) {
    return types.includes(part.type) ? 1 : 0;
  }
  switch (key) {
    case 'istable':
    case 'isusertable':
    case 'isview':
    case 'ismsshipped':
      return 0;
    case 'schemaid':
      return part.table.schema.id;
    case 'ownerid':
      return 1;
    default:
      return null;
  }
}
