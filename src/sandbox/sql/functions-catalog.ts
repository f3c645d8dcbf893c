/** Functions that look at the catalog: names, ids and properties of databases, objects, columns, types. Each asks the SystemFunctions. */
import type { SqlType, SqlValue } from '../sql-types.ts';
import { DEFAULT_COLLATION } from '../sql-types.ts';
import { compiled } from './compiled.ts';
import type { EvalContext } from './context.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { argumentAs, defined, strict, textArgument } from './function-call.ts';
import { INT, textType } from './types.ts';
import { asNumber, asText } from './values.ts';

const SMALLINT: SqlType = { name: 'smallint' };
const NUMERIC: SqlType = { name: 'numeric', precision: 38, scale: 0 };
const VARIANT: SqlType = { name: 'sql_variant' };

type Kind = 'text' | 'number';

/** A function whose arguments are names and ids; a NULL among the first `required` ones makes NULL. */
function lookup(
  result: SqlType | 'name',
  kinds: readonly Kind[],
  required: number,
  find: (ctx: EvalContext, texts: readonly (string | null)[], numbers: readonly (number | null)[]) => SqlValue,
): FunctionDefinition {
  return defined(required, kinds.length, (call) => {
    const args = call.args.map((_, index) => (kinds[index] === 'number' ? argumentAs(call, index, INT) : textArgument(call, index)));
    const type: SqlType = result === 'name' ? textType(true, 128, call.compiler.scope.collation) : result;
    return compiled(type, (ctx) => {
      const values = args.map((arg) => arg.evaluate(ctx));
      // A NULL that was written is not an argument left out.
      if (values.includes(null)) {
        return null;
      }
      const texts = kinds.map((_, index) => (typeof values[index] === 'string' ? values[index] : null));
      const numbers = kinds.map((_, index) => (typeof values[index] === 'number' ? values[index] : null));
      return find(ctx, texts, numbers);
    });
  });
}

function text(value: string | null | undefined): string {
  return value ?? '';
}

function number(value: number | null | undefined): number {
  return value ?? 0;
}

function variant(found: { readonly type: SqlType; readonly value: SqlValue } | null): SqlValue {
  return found === null || found.value === null ? null : { type: found.type, variant: found.value };
}

function objectProperty(call: FunctionCall, type: SqlType): ReturnType<FunctionDefinition['compile']> {
  return strict(type, [argumentAs(call, 0, INT), textArgument(call, 1)], ([id = null, property = null], ctx) => {
    const value = ctx.system.objectProperty(asNumber(id), asText(property));
    return value === null || type.name === 'int' ? value : { type: INT, variant: value };
  });
}

export const CATALOG_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['DB_ID', lookup(SMALLINT, ['text'], 0, (ctx, [name]) => ctx.system.databaseId(name ?? null))],
  ['DB_NAME', lookup('name', ['number'], 0, (ctx, _, [id]) => ctx.system.databaseName(id ?? null))],
  [
    'DATABASEPROPERTYEX',
    lookup(VARIANT, ['text', 'text'], 2, (ctx, [name, property]) => variant(ctx.system.databaseProperty(text(name), text(property)))),
  ],
  [
    'HAS_DBACCESS',
    lookup(INT, ['text'], 1, (ctx, [name]) => {
      const access = ctx.system.hasDatabaseAccess(text(name));
      return access === null ? null : access ? 1 : 0;
    }),
  ],
  ['OBJECT_ID', lookup(INT, ['text', 'text'], 1, (ctx, [name, type]) => ctx.system.objectId(text(name), type ?? null))],
  ['OBJECT_NAME', lookup('name', ['number', 'number'], 1, (ctx, _, [id, database]) => ctx.system.objectName(number(id), database ?? null))],
  [
    'OBJECT_SCHEMA_NAME',
    lookup('name', ['number', 'number'], 1, (ctx, _, [id, database]) => ctx.system.objectSchemaName(number(id), database ?? null)),
  ],
  [
    'OBJECT_DEFINITION',
    lookup(textType(true, 'max', DEFAULT_COLLATION), ['number'], 1, (ctx, _, [id]) => ctx.system.objectDefinition(number(id))),
  ],
  ['IDENT_SEED', lookup(NUMERIC, ['text'], 1, (ctx, [table]) => ctx.system.identityShape(text(table))?.seed ?? null)],
  ['IDENT_INCR', lookup(NUMERIC, ['text'], 1, (ctx, [table]) => ctx.system.identityShape(text(table))?.increment ?? null)],
  ['OBJECTPROPERTY', defined(2, 2, (call) => objectProperty(call, INT))],
  ['OBJECTPROPERTYEX', defined(2, 2, (call) => objectProperty(call, VARIANT))],
  ['DATABASE_PRINCIPAL_ID', lookup(INT, ['text'], 0, (ctx, [name]) => ctx.system.principalId(name ?? null))],
  ['USER_ID', lookup(INT, ['text'], 0, (ctx, [name]) => ctx.system.principalId(name ?? null))],
  ['SUSER_ID', lookup(INT, ['text'], 0, (ctx, [name]) => ctx.system.loginId(name ?? null))],
  ['SCHEMA_ID', lookup(INT, ['text'], 0, (ctx, [name]) => ctx.system.schemaId(name ?? null))],
  ['SCHEMA_NAME', lookup('name', ['number'], 0, (ctx, _, [id]) => ctx.system.schemaName(id ?? null))],
  ['COL_NAME', lookup('name', ['number', 'number'], 2, (ctx, _, [id, column]) => ctx.system.columnName(number(id), number(column)))],
  ['COL_LENGTH', lookup(SMALLINT, ['text', 'text'], 2, (ctx, [table, column]) => ctx.system.columnLength(text(table), text(column)))],
  [
    'COLUMNPROPERTY',
    lookup(INT, ['number', 'text', 'text'], 3, (ctx, [, column, property], [id]) =>
      ctx.system.columnProperty(number(id), text(column), text(property)),
    ),
  ],
  [
    'INDEXPROPERTY',
    lookup(INT, ['number', 'text', 'text'], 3, (ctx, [, index, property], [id]) =>
      ctx.system.indexProperty(number(id), text(index), text(property)),
    ),
  ],
  // No assembly is ever there.
  ['ASSEMBLYPROPERTY', lookup(VARIANT, ['text', 'text'], 2, () => null)],
  ['TYPE_ID', lookup(INT, ['text'], 1, (ctx, [name]) => ctx.system.typeId(text(name)))],
  ['TYPE_NAME', lookup('name', ['number'], 1, (ctx, _, [id]) => ctx.system.typeName(number(id)))],
]);
