/**
 * Extended properties: texts that tools hang on tables and columns (MS_Description). sp_addextendedproperty and its kin, sys.extended_properties.
 * Source: learn.microsoft.com, sp_addextendedproperty.
 */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { Database } from './catalog.ts';
import { columnByName, sameName } from './catalog.ts';
import { logUndo } from './definition-log.ts';
import { requireOwner } from './permissions.ts';
import type { ProcedureCall } from './procedure-call.ts';
import { UnsupportedError } from '../sql/unsupported.ts';
import type { StatementContext } from './statement-context.ts';

export interface ExtendedProperty {
  /** 0 the database, 1 an object or column, 3 a schema. */
  readonly class: 0 | 1 | 3;
  readonly majorId: number;
  readonly minorId: number;
  readonly name: string;
  readonly value: { readonly type: SqlType; readonly value: SqlValue };
}

const properties = new WeakMap<Database, readonly ExtendedProperty[]>();

export function extendedPropertiesOf(database: Database): readonly ExtendedProperty[] {
  return properties.get(database) ?? [];
}

/** A sql_variant holds no (max). */
export function variantType(type: SqlType): SqlType {
  return 'length' in type && type.length === 'max' ? { ...type, length: type.name === 'nvarchar' ? 4000 : 8000 } : type;
}

type Place = Pick<ExtendedProperty, 'class' | 'majorId' | 'minorId'>;

const PARAMETERS = ['@level0type', '@level0name', '@level1type', '@level1name', '@level2type', '@level2name'];

/** Adds, changes or removes one property. */
export async function changeProperty(call: ProcedureCall, verb: 'add' | 'update' | 'drop'): Promise<void> {
  const first = verb === 'drop' ? 1 : 2;
  const text = (name: string, position: number): string | null => {
    const value = call.get(name, position)?.value ?? null;
    return typeof value === 'string' ? value : null;
  };
  const name = text('@name', 0);
  const given = verb === 'drop' ? undefined : call.get('@value', 1);
  const levels = PARAMETERS.map((parameter, index) => text(parameter, first + index));
  await call.runner.atomic((context) => {
    const { database } = context;
    requireOwner(context.session, database, 'ALTER');
    const place = placeOf(context, levels);
    const before = extendedPropertiesOf(database);
    const same = (each: ExtendedProperty): boolean =>
      each.class === place.class && each.majorId === place.majorId && each.minorId === place.minorId && sameName(each.name, name ?? '');
    const shown = levels.filter((_, index) => index % 2 === 1 && levels[index] !== null).join('.') || 'object specified';
    if (verb === 'add' && before.some(same)) {
      throw new SqlError(15_233, `Property cannot be added. Property '${name ?? ''}' already exists for '${shown}'.`);
    }
    if (verb !== 'add' && !before.some(same)) {
      throw new SqlError(15_217, `Property cannot be updated or deleted. Property '${name ?? ''}' does not exist for '${shown}'.`);
    }
    const value = { type: given?.type ?? ({ name: 'int' } as const), value: given?.value ?? null };
    const rest = before.filter((each) => !same(each));
    properties.set(database, verb === 'drop' ? rest : [...rest, { ...place, name: name ?? '', value }]);
    logUndo(context.transaction, () => properties.set(database, before));
  });
  call.runner.done();
}

/** @throws SqlError 15135; UnsupportedError for other things than tables, views and columns */
function placeOf(context: StatementContext, levels: readonly (string | null)[]): Place {
  const [type0, schema, type1, object, type2, column] = levels;
  const missing = (): SqlError =>
    new SqlError(
      15_135,
      `Object is invalid. Extended properties are not permitted on '${[schema, object, column].filter((each) => typeof each === 'string').join('.') || 'object specified'}', or the object does not exist.`,
      { state: 8 },
    );
  if (typeof type0 !== 'string') {
    return { class: 0, majorId: 0, minorId: 0 };
  }
  if (!sameName(type0, 'SCHEMA') && !sameName(type0, 'USER')) {
    throw new UnsupportedError(`extended properties of a ${type0}`);
  }
  const found = context.database.schema(schema ?? null);
  if (found === undefined) {
    throw missing();
  }
  if (typeof type1 !== 'string') {
    return { class: 3, majorId: found.id, minorId: 0 };
  }
  if (!sameName(type1, 'TABLE') && !sameName(type1, 'VIEW')) {
    throw new UnsupportedError(`extended properties of a ${type1}`);
  }
  const target = context.database.find(found.name, object ?? '');
  if (target === undefined) {
    throw missing();
  }
  if (typeof type2 !== 'string') {
    return { class: 1, majorId: target.objectId, minorId: 0 };
  }
  if (!sameName(type2, 'COLUMN')) {
    throw new UnsupportedError(`extended properties of a ${type2}`);
  }
  const id = target.kind === 'table' ? columnByName(target, column ?? '')?.id : undefined;
  if (id === undefined) {
    throw missing();
  }
  return { class: 1, majorId: target.objectId, minorId: id };
}
