/** Gives an object another name or schema, in the catalog and under the transaction: sp_rename and ALTER SCHEMA … TRANSFER. Asks for no lock and no right. */
import { type CatalogObject, objectKey, type Schema } from './catalog.ts';
import { logUndo } from './definition-log.ts';
import type { StatementContext } from './statement-context.ts';

/** The new name must be free. */
export function moveObject(
  { database, transaction }: StatementContext,
  object: CatalogObject,
  { schema, name }: { readonly schema: Schema; readonly name: string },
): void {
  const before = { schema: object.schema, name: object.name };
  const oldKey = objectKey(before.schema.name, before.name);
  const newKey = objectKey(schema.name, name);
  const moved = object.kind === 'table' ? Object.assign(object, { schema, name }) : { ...object, schema, name };
  database.objects.delete(oldKey);
  database.objects.set(newKey, moved);
  logUndo(
    transaction,
    () => {
      database.objects.delete(newKey);
      database.objects.set(oldKey, object);
      if (object.kind === 'table') {
        Object.assign(object, before);
      }
    },
    (seq) => {
      if (object.kind === 'table') {
        object.definedSeq = seq;
      }
    },
  );
}
